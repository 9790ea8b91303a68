"""Bulk verification: a list of uploaded documents, followed to its end, results one by one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    IfMatch,
    JSONAnswer,
    Limit,
    blocking,
    page,
    resource,
)
from api.web.following import EVENT_STREAM, Followed, follow
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import SHA256, ErrorView, Form, IdPath, Line, Page
from api.web.verification_answers import DESCRIBED, ReceiptWish, Wish
from dossier.errors import StateConflict
from dossier.model import JSON, Caller, JobState
from dossier.verifying.bulk_values import (
    MAX_ITEMS,
    Bulk,
    BulkItem,
    BulkOrder,
    ItemOutcome,
    ListedDocument,
)

if TYPE_CHECKING:
    from api.house import House

PATH = "/v1/verification-batches"
_FINAL = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
Indication = Literal["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"]

router = APIRouter(tags=["Kiểm tra chữ ký / Verification"])


class ListedForm(Form):
    """One document of the list, uploaded before."""

    sha256: SHA256
    reference: Line | None = Field(default=None, min_length=1, max_length=256)


class BulkForm(Form):
    """A list of documents, and what is asked of each."""

    items: list[ListedForm] = Field(min_length=1, max_length=MAX_ITEMS)
    title: Line = Field(default="", max_length=256)
    at: AwareDatetime | None = Field(
        default=None, description="Xét tại thời điểm này. / Judge as of this time."
    )
    expected_agency: Line | None = Field(default=None, min_length=1, max_length=500)

    def order(self) -> BulkOrder:
        """The order that this describes. Raises `InvalidOrder`."""
        return BulkOrder(self.title, self.at, self.expected_agency)


class BulkView(BaseModel):
    """A bulk verification."""

    id: str
    state: JobState
    version: int
    order: dict[str, Any]
    total: int
    done: int
    passed: int
    undetermined: int
    failed: int
    stopped: int
    error: ErrorView | None
    created_at: datetime
    finished_at: datetime | None
    links: dict[str, str]


class BulkItemView(BaseModel):
    """One document of a bulk verification."""

    position: int
    sha256: str
    reference: str | None
    state: ItemOutcome
    indication: Indication | None
    sub_indication: str | None
    integrity: str | None
    report_sha256: str | None
    error: ErrorView | None
    links: dict[str, str]


def shown(bulk: Bulk) -> dict[str, JSON]:
    """A bulk verification as clients see it."""
    base = f"{PATH}/{bulk.id}"
    return {
        "id": bulk.id,
        "state": bulk.state.value,
        "version": bulk.version,
        "order": bulk.order.to_json(),
        "total": bulk.total,
        "done": bulk.done,
        "passed": bulk.passed,
        "undetermined": bulk.undetermined,
        "failed": bulk.failed,
        "stopped": bulk.stopped,
        "error": bulk.error,
        "created_at": moment(bulk.created_at),
        "finished_at": moment(bulk.finished_at),
        "links": {"self": base, "items": f"{base}/items", "events": f"{base}/events"},
    }


def _shown_item(bulk_id: str, item: BulkItem) -> dict[str, JSON]:
    links = {}
    if item.report_sha256 is not None:
        links["report"] = f"{PATH}/{bulk_id}/items/{item.position}/report"
    return {
        "position": item.position,
        "sha256": item.sha256,
        "reference": item.reference,
        "state": item.state.value,
        "indication": item.indication,
        "sub_indication": item.sub_indication,
        "integrity": item.integrity,
        "report_sha256": item.report_sha256,
        "error": item.error,
        "links": links,
    }


@router.post(
    PATH,
    status_code=202,
    response_model=BulkView,
    responses={202: openapi.TAGGED, **problems(400, 401, 403, 408, 409, 413, 422, 429)},
    summary="Kiểm tra hàng loạt. / Verify a list of documents.",
)
async def create(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    key: IdempotencyKey,
    form: BulkForm,
) -> Response:
    """Take a list of documents that were uploaded to /v1/blobs; workers verify them."""
    documents = [ListedDocument(item.sha256, item.reference) for item in form.items]
    bulk, _ = await blocking(house.bulk.accept, caller, form.order(), documents, key)
    headers = {"location": f"{PATH}/{bulk.id}", "retry-after": "2"}
    return resource(request, shown(bulk), version=bulk.version, status=202, headers=headers)


@router.get(
    PATH,
    response_model=Page[BulkView],
    responses=problems(401, 422, 429),
    summary="Các việc kiểm tra hàng loạt. / Bulk verifications, newest first.",
)
async def list_bulks(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.bulk.list, caller, after, limit + 1)
    return page(request, [shown(entry) for entry in found], limit)


@router.get(
    PATH + "/{bulk_id}",
    response_model=BulkView,
    responses={**openapi.READ, **problems(401, 404, 422, 429)},
    summary="Một việc kiểm tra hàng loạt. / One bulk verification.",
)
async def get_bulk(house: CurrentHouse, caller: CurrentCaller, bulk_id: IdPath) -> Response:
    """State and counters. The entity tag is that of the state, for If-Match; counters move on."""
    bulk = await blocking(house.bulk.get, caller, bulk_id)
    return _answer(bulk)


@router.get(
    PATH + "/{bulk_id}/items",
    response_model=Page[BulkItemView],
    responses=problems(401, 404, 422, 429),
    summary="Kết quả từng văn bản. / Results, document by document.",
)
async def list_items(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    bulk_id: IdPath,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Vị trí. / Position.")] = 0,
    limit: Limit = 50,
    indication: Annotated[Indication | None, Query(description="Lọc theo kết luận.")] = None,
) -> Response:
    """In the order of the list."""
    found = await blocking(house.bulk.items, caller, bulk_id, after, limit + 1, indication)
    return page(request, [_shown_item(bulk_id, item) for item in found], limit, cursor="position")


@router.get(
    PATH + "/{bulk_id}/items/{position}/report",
    response_class=Response,
    responses={200: DESCRIBED, **problems(401, 403, 404, 409, 422, 429)},
    summary="Báo cáo của một văn bản. / The report of one document.",
)
async def item_report(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    bulk_id: IdPath,
    position: Annotated[int, Path(ge=1, le=MAX_ITEMS)],
    wish: Wish,
) -> Response:
    """JSON, XML or PDF by Accept; with `receipt=true` a signed receipt."""
    asked: ReceiptWish = wish
    await asked.require_allowed(request)
    report = await blocking(_report, house, caller, bulk_id, position)
    return await asked.answer(request, report, caller)


def _report(house: House, caller: Caller, bulk_id: str, position: int) -> dict[str, Any]:
    item = house.bulk.item(caller, bulk_id, position)
    if item.report_sha256 is None:
        raise StateConflict(
            f"Văn bản ở trạng thái “{item.state}”, chưa có báo cáo. / The document is {item.state} "
            "and has no report."
        )
    report: dict[str, Any] = json.loads(house.blobs.get(item.report_sha256))
    return report


@router.get(
    PATH + "/{bulk_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Sự kiện progress, done; data: BulkView. / Events progress and done.",
            "content": EVENT_STREAM,
        },
        **problems(401, 404, 422, 429),
    },
    summary="Theo dõi tiến độ (SSE). / Progress as server-sent events.",
)
async def events(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    bulk_id: IdPath,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """As that of a signature batch: each event shows the whole, `done` is the last."""
    followed = Followed(lambda: house.bulk.get(caller, bulk_id), shown, _mark, _is_final)
    return await follow(request, followed, last_event_id)


@router.delete(
    PATH + "/{bulk_id}",
    response_model=BulkView,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Dừng việc kiểm tra. / Verify no more of the list.",
)
async def cancel(
    house: CurrentHouse, caller: CurrentCaller, bulk_id: IdPath, version: IfMatch
) -> Response:
    """What is done stays; the rest is skipped."""
    return _answer(await blocking(house.bulk.cancel, caller, bulk_id, version))


def _answer(bulk: Bulk) -> Response:
    return JSONAnswer(shown(bulk), headers={"etag": f'"{bulk.version}"'})


def _is_final(bulk: Bulk) -> bool:
    return bulk.state in _FINAL


def _mark(bulk: Bulk) -> str:
    """Names a moment; everything that clients see of it moves one of these."""
    return f"{bulk.version}.{bulk.state}.{bulk.done}"
