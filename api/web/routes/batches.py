"""Batches: thousands of documents as one frozen list, approved, released, followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from api.errors import UnsupportedMediaType
from api.web import openapi
from api.web.batch_views import (
    JSON_TYPE,
    LINES_TYPE,
    PATH,
    BatchForm,
    BatchView,
    ItemView,
    read_list,
    shown,
    shown_item,
)
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    IfMatch,
    JSONAnswer,
    Limit,
    blocking,
    given_version,
    page,
    resource,
)
from api.web.downloads import download, range_responses
from api.web.following import EVENT_STREAM, Followed, follow
from api.web.intake import Intake, Received
from api.web.problem_documents import problems
from api.web.schemas import IdPath, Page
from dossier.batches.order import Batch
from dossier.clerical.order import Claim
from dossier.errors import InvalidOrder, StateConflict
from dossier.model import BatchState, Caller, ItemState, Role
from dossier.storage.store import BlobInfo

if TYPE_CHECKING:
    from api.house import House

router = APIRouter(tags=["Ký theo lô / Batches"])
_PDF = "application/pdf"
_FINAL = (BatchState.DONE, BatchState.CANCELLED)
_TAGS: dict[str, Any] = {
    "Location": {"schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string"}},
}
GivenVersion = Annotated[int | None, Depends(given_version)]


# --- a list comes in ---------------------------------------------------------------------------


@router.post(
    PATH,
    status_code=201,
    response_model=BatchView,
    responses={
        201: {"headers": _TAGS},
        **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 507),
    },
    openapi_extra=openapi.body((JSON_TYPE, BatchForm), (LINES_TYPE, {"type": "string"})),
    summary="Lập lô ký từ một danh sách. / Freeze a list of documents.",
)
async def create(
    request: Request, house: CurrentHouse, caller: CurrentCaller, key: IdempotencyKey
) -> Response:
    """JSON with `items`, or JSON lines: order, policy and title first, then an item a line.

    Every document was uploaded to /v1/blobs. The list is frozen: `list_sha256` is the SHA-256
    of its canonical form, what one person approves and another releases, and what the key signs
    first. Under the policy `all` no result can be downloaded until all are there.
    """
    caller.require(Role.OFFICER, Role.LEADER, Role.CLERK)  # before a byte of the body is read
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (JSON_TYPE, LINES_TYPE):
        raise UnsupportedMediaType(
            f"Hãy gửi {JSON_TYPE} hoặc {LINES_TYPE}. / Send {JSON_TYPE} or {LINES_TYPE}."
        )
    async with Intake(house.settings.data_dir / "incoming") as intake:
        async for piece in request.stream():
            await intake.write(piece)
        received = await intake.finish()
        batch = await blocking(_freeze, house, caller, received, media_type, key)
    headers = {"location": f"{PATH}/{batch.id}"}
    return resource(request, shown(batch), version=batch.version, status=201, headers=headers)


def _freeze(house: House, caller: Caller, received: Received, media_type: str, key: str) -> Batch:
    order, items, digest = read_list(received, media_type, house.batches.most_documents(caller))
    known = house.profiles.ids
    for profile in order.order.profiles:
        if profile not in known:
            raise InvalidOrder(
                f"Không có mẫu hiển thị “{profile}”; xem /v1/profiles. / There is no appearance "
                "profile of that name; see /v1/profiles.",
                field="order.profiles",
            )
    claim = Claim(key, received.sha256)
    return house.batches.create(caller, order, items, digest, claim)[0]


# --- looking -----------------------------------------------------------------------------------


@router.get(
    PATH,
    response_model=Page[BatchView],
    responses=problems(401, 403, 422, 429),
    summary="Các lô ký, mới nhất trước. / Batches, newest first.",
)
async def list_batches(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[BatchState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.batches.list, caller, after, limit + 1, state)
    return page(request, [shown(batch) for batch in found], limit)


@router.get(
    PATH + "/{batch_id}",
    response_model=BatchView,
    responses=problems(401, 403, 404, 422, 429),
    summary="Một lô ký. / One batch.",
)
async def get_batch(house: CurrentHouse, caller: CurrentCaller, batch_id: IdPath) -> Response:
    """State and counters. The entity tag is that of the state, for If-Match; counters move on."""
    return _answer(await blocking(house.batches.get, caller, batch_id))


@router.get(
    PATH + "/{batch_id}/items",
    response_model=Page[ItemView],
    responses=problems(401, 403, 404, 422, 429),
    summary="Kết quả từng văn bản. / Results, document by document.",
)
async def list_items(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    batch_id: IdPath,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Vị trí. / Position.")] = 0,
    limit: Limit = 50,
    state: Annotated[ItemState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """In the order of the list."""
    found = await blocking(house.batches.items, caller, batch_id, after, limit + 1, state)
    return page(request, [shown_item(item) for item in found], limit, cursor="position")


@router.get(
    PATH + "/{batch_id}/sheet",
    response_class=Response,
    responses={**range_responses(_PDF), **problems(401, 403, 404, 409, 416, 422, 429)},
    summary="Bảng kết quả đã ký (PDF/A). / The signed result sheet.",
)
async def sheet(
    request: Request, house: CurrentHouse, caller: CurrentCaller, batch_id: IdPath
) -> Response:
    """Who, which list, each document with its result; signed with the batch's key."""
    info = await blocking(_sheet_of, house, caller, batch_id)
    return await download(request, house.blobs, info, media_type=_PDF, filename=f"{batch_id}.pdf")


def _sheet_of(house: House, caller: Caller, batch_id: str) -> BlobInfo:
    batch = house.batches.get(caller, batch_id)
    if batch.sheet_sha256 is None:
        raise StateConflict(
            "Lô chưa xong nên chưa có bảng kết quả. / The batch is not finished, so there is no "
            "sheet yet."
        )
    return house.blobs.stat(batch.sheet_sha256) or BlobInfo(batch.sheet_sha256, 0)


# --- moving ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ask:
    """What every request to move a batch brings."""

    house: House
    caller: Caller
    batch_id: str
    version: int | None


async def _ask(
    house: CurrentHouse, caller: CurrentCaller, batch_id: IdPath, version: GivenVersion
) -> Any:  # noqa: ANN401 - FastAPI resolves the annotation at run time
    return _Ask(house, caller, batch_id, version)


Asked = Annotated[Any, Depends(_ask)]
"""An `_Ask`."""


async def _moved(asked: _Ask, move: Callable[[Caller, str, int | None], Batch]) -> Response:
    return _answer(await blocking(move, asked.caller, asked.batch_id, asked.version))


_MOVED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": _TAGS["ETag"]}},
    **problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 429),
}


@router.post(
    PATH + "/{batch_id}/approve",
    response_model=BatchView,
    responses=_MOVED,
    summary="Duyệt danh sách. / Approve the list.",
)
async def approve(asked: Asked) -> Response:
    """Where the agency asks for two persons, somebody else releases it then."""
    return await _moved(asked, asked.house.batches.approve)


@router.post(
    PATH + "/{batch_id}/release",
    response_model=BatchView,
    responses=_MOVED,
    summary="Phát lệnh ký. / Release the batch.",
)
async def release(asked: Asked) -> Response:
    """The list's hash is signed first, then its documents."""
    return await _moved(asked, asked.house.batches.release)


@router.post(
    PATH + "/{batch_id}/pause",
    response_model=BatchView,
    responses=_MOVED,
    summary="Tạm dừng. / Pause.",
)
async def pause(asked: Asked) -> Response:
    """What was handed to the workers (at most 160 documents) is finished; nothing more is."""
    return await _moved(asked, asked.house.batches.pause)


@router.post(
    PATH + "/{batch_id}/resume",
    response_model=BatchView,
    responses=_MOVED,
    summary="Tiếp tục. / Resume.",
)
async def resume(asked: Asked) -> Response:
    """Go on where it was paused."""
    return await _moved(asked, asked.house.batches.resume)


@router.delete(
    PATH + "/{batch_id}",
    response_model=BatchView,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Dừng hẳn lô. / Cancel the batch.",
)
async def cancel(
    house: CurrentHouse, caller: CurrentCaller, batch_id: IdPath, version: IfMatch
) -> Response:
    """What was handed to the workers is finished, the rest is skipped; nothing is lost."""
    return _answer(await blocking(house.batches.cancel, caller, batch_id, version))


def _answer(batch: Batch) -> Response:
    return JSONAnswer(shown(batch), headers={"etag": f'"{batch.version}"'})


# --- following ---------------------------------------------------------------------------------


@router.get(
    PATH + "/{batch_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Sự kiện progress, done; data: BatchView. / Events progress and done.",
            "content": EVENT_STREAM,
        },
        **problems(401, 403, 404, 422, 429),
    },
    summary="Theo dõi tiến độ (SSE). / Progress as server-sent events.",
)
async def events(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    batch_id: IdPath,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """Each event shows the whole batch, so a client that was away misses nothing by resuming.

    With Last-Event-ID the stream begins at the first change after that event. It ends with the
    event `done`; asking again after that gives 204, which stops a browser's EventSource.
    Whoever cannot hold a stream asks for the batch itself now and then.
    """
    followed = Followed(lambda: house.batches.get(caller, batch_id), shown, _mark, _is_final)
    return await follow(request, followed, last_event_id)


def _is_final(batch: Batch) -> bool:
    return batch.state in _FINAL and batch.finished_at is not None


def _mark(batch: Batch) -> str:
    """Names a moment of the batch; everything that clients see of it moves one of these."""
    return f"{batch.version}.{batch.handed}.{batch.published}.{batch.failed}"
