"""Digitizations: scans that were uploaded become one searchable record, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    IfMatch,
    Limit,
    blocking,
    page,
    resource,
)
from api.web.downloads import download, range_responses
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import SHA256, ErrorView, Form, IdPath, Line, Page
from dossier.digitizing.order import MAX_SCANS, Digitization, DigitizationOrder
from dossier.errors import StateConflict
from dossier.model import JSON, Caller, JobState
from dossier.storage.store import BlobInfo

if TYPE_CHECKING:
    from api.house import House

router = APIRouter(tags=["Số hóa / Digitization"])


class DigitizationForm(Form):
    """Scans to be made one record, and for what dossier (Circular 01/2023/TT-VPCP, article 7)."""

    scans: list[SHA256] = Field(
        min_length=1, max_length=MAX_SCANS, description="Theo thứ tự trang. / In page order."
    )
    title: Line = Field(min_length=1, max_length=500)
    dossier_code: Line = Field(min_length=1, max_length=64, description="Mã hồ sơ.")
    component_code: Line = Field(min_length=1, max_length=64, description="Mã thành phần hồ sơ.")
    station: Line = Field(min_length=1, max_length=200, description="Trạm quét.")
    officer: Line = Field(min_length=1, max_length=200, description="Cán bộ số hóa.")
    mode: Literal["faithful", "compact"] = "faithful"
    languages: Literal["vie", "vie+eng", "eng"] = "vie"
    page_count: int | None = Field(default=None, ge=1, le=5000)

    def order(self) -> DigitizationOrder:
        """The order that this describes. Raises `InvalidOrder`."""
        return DigitizationOrder(**{**self.model_dump(), "scans": tuple(self.scans)})


class DigitizationView(BaseModel):
    """A digitization."""

    id: str
    state: JobState
    version: int
    order: dict[str, Any]
    pages_done: int
    pages: int | None
    result_sha256: str | None
    text_sha256: str | None
    fields_sha256: str | None
    error: ErrorView | None
    created_at: str
    finished_at: str | None
    links: dict[str, str]


_FILES: dict[str, tuple[str, str, str]] = {  # column, media type, file name
    "record": ("result_sha256", "application/pdf", ".pdf"),
    "text": ("text_sha256", "text/plain; charset=utf-8", ".txt"),
    "fields": ("fields_sha256", "application/json", "-fields.json"),
}


def shown(found: Digitization) -> dict[str, JSON]:
    """A digitization as clients see it."""
    base = f"/v1/digitizations/{found.id}"
    links = {"self": base}
    if found.result_sha256 is not None:
        links |= {name: f"{base}/{name}" for name in _FILES}
    return {
        "id": found.id,
        "state": found.state.value,
        "version": found.version,
        "order": found.order.to_json(),
        "pages_done": found.pages_done,
        "pages": found.pages,
        "result_sha256": found.result_sha256,
        "text_sha256": found.text_sha256,
        "fields_sha256": found.fields_sha256,
        "error": found.error,
        "created_at": moment(found.created_at),
        "finished_at": moment(found.finished_at),
        "links": links,
    }


@router.post(
    "/v1/digitizations",
    status_code=202,
    response_model=DigitizationView,
    responses={202: openapi.TAGGED, **problems(400, 401, 403, 404, 408, 409, 413, 422, 429)},
    summary="Số hóa các tệp quét. / Digitize scans.",
)
async def digitize(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    key: IdempotencyKey,
    form: DigitizationForm,
) -> Response:
    """Take an order for scans that were uploaded to /v1/blobs; a worker makes the record."""
    found, _ = await blocking(house.digitizations.accept, caller, form.order(), key)
    headers = {"location": f"/v1/digitizations/{found.id}", "retry-after": "2"}
    return resource(request, shown(found), version=found.version, status=202, headers=headers)


@router.get(
    "/v1/digitizations",
    response_model=Page[DigitizationView],
    responses=problems(401, 422, 429),
    summary="Các việc số hóa, mới nhất trước. / Digitizations, newest first.",
)
async def list_digitizations(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[JobState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.digitizations.list, caller, after, limit + 1, state)
    return page(request, [shown(entry) for entry in found], limit)


@router.get(
    "/v1/digitizations/{digitization_id}",
    response_model=DigitizationView,
    responses={
        **openapi.READ,
        **problems(401, 404, 422, 429),
    },
    summary="Một việc số hóa. / One digitization.",
)
async def get_digitization(
    request: Request, house: CurrentHouse, caller: CurrentCaller, digitization_id: IdPath
) -> Response:
    """How many pages are done, and the files once it is finished."""
    found = await blocking(house.digitizations.get, caller, digitization_id)
    return resource(request, shown(found), version=found.version)


@router.delete(
    "/v1/digitizations/{digitization_id}",
    response_model=DigitizationView,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Hủy việc chưa xong. / Cancel what is not finished.",
)
async def cancel_digitization(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    digitization_id: IdPath,
    version: IfMatch,
) -> Response:
    """A worker that is at it stops after its page."""
    found = await blocking(house.digitizations.cancel, caller, digitization_id, version)
    return resource(request, shown(found), version=found.version)


_FILE_CONTENT = range_responses("application/pdf")
for _status in (200, 206):
    _FILE_CONTENT[_status]["content"] |= {
        "application/json": {"schema": {"type": "object"}},
        "text/plain": {"schema": {"type": "string"}},
    }


@router.get(
    "/v1/digitizations/{digitization_id}/{part}",
    response_class=Response,
    responses={**_FILE_CONTENT, **problems(401, 404, 409, 416, 422, 429)},
    summary="Bản ghi PDF/A, văn bản, các trường. / The record, its text, its fields.",
)
async def get_digitization_file(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    digitization_id: IdPath,
    part: Annotated[Literal["record", "text", "fields"], Path()],
) -> Response:
    """One file of a finished digitization; Range and If-None-Match are honoured."""
    info = await blocking(_file_of, house, caller, digitization_id, part)
    _, media_type, ending = _FILES[part]
    return await download(
        request, house.blobs, info, media_type=media_type, filename=digitization_id + ending
    )


def _file_of(house: House, caller: Caller, digitization_id: str, part: str) -> BlobInfo:
    found = house.digitizations.get(caller, digitization_id)
    sha256: str | None = getattr(found, _FILES[part][0])
    if sha256 is None:
        raise StateConflict(
            f"Việc số hóa đang ở trạng thái “{found.state}”, chưa có tệp. / The digitization is "
            f"{found.state} and has no files; wait until it is done."
        )
    with house.database.read() as connection:
        return house.holdings.require(connection, caller.agency_id, sha256)
