"""Signatures: an order comes in, a record is followed, its files are fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response

from api.errors import SigningFailed, UnsupportedMediaType
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
from api.web.downloads import disposition, download, range_responses
from api.web.intake import Intake, Received
from api.web.multipart import read_form
from api.web.orders import (
    MAX_WAIT_S,
    order_of_query,
    order_parameters,
    preference,
    request_digest,
)
from api.web.problem_documents import problems
from api.web.schemas import (
    IdPath,
    OrderForm,
    Page,
    RecordView,
    SignatureForm,
)
from api.web.validation import read_json, require_form
from dossier.errors import InvalidOrder, StateConflict
from dossier.model import JSON, Caller, RecordState, Role
from dossier.register.codes import printed
from dossier.register.proof import SUFFIX, prove
from dossier.storage.store import BlobInfo

if TYPE_CHECKING:
    from api.house import House
    from dossier.signing.order import SignatureOrder
    from dossier.signing.recordtable import Record

router = APIRouter(tags=["Ký số / Signatures"])
_ROUTE = "POST /v1/signatures"
_SIGNERS = (Role.OFFICER, Role.LEADER, Role.CLERK)
_PDF = "application/pdf"
_UNDER_WAY = (RecordState.ACCEPTED, RecordState.SIGNING)
# the files are there to be fetched
_OPEN = (RecordState.PUBLISHED, RecordState.SUPERSEDED, RecordState.ANNULLED)

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        max_length=200,
        description=f"wait=N: chờ kết quả, tối đa {MAX_WAIT_S} giây. / Wait for the result.",
    ),
]


def shown(record: Record) -> dict[str, JSON]:
    """A record as clients see it."""
    base = f"/v1/signatures/{record.id}"
    links = {"self": base}
    if record.state in _OPEN:
        links |= {name: f"{base}/{name}" for name in (*_FILES, _REGISTER)}
    return {
        "id": record.id,
        "code": printed(record.code),
        "state": record.state.value,
        "version": record.version,
        "order": record.order.to_json(),
        "level": record.level,
        "number": record.number,
        "symbol": record.symbol,
        "year": record.year,
        "source_sha256": record.source_sha256,
        "result_sha256": record.result_sha256,
        "report_sha256": record.report_sha256,
        "evidence_sha256": record.evidence_sha256,
        "result_bytes": record.result_bytes,
        "supersedes": record.supersedes,
        "superseded_by": record.superseded_by or (record.ending or {}).get("by"),
        "ending": record.ending,
        "batch_id": record.batch_id,
        "batch_position": record.batch_position,
        "sequence_id": record.sequence_id,
        "attempts": record.attempts,
        "error": record.error,
        "created_at": moment(record.created_at),
        "published_at": moment(record.published_at),
        "renew_at": moment(record.renew_at),
        "links": links,
    }


def moment(value: datetime | None) -> str | None:
    """A time as it travels: RFC 3339, UTC."""
    if value is None:
        return None
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


_MULTIPART = {
    "type": "object",
    "required": ["order", "document"],
    "properties": {
        "order": openapi.reference(OrderForm),
        "document": {"type": "string", "format": "binary"},
    },
}
_LOCATION = {"Location": {"schema": {"type": "string"}}, "ETag": {"schema": {"type": "string"}}}
_SIGN: dict[str, Any] = openapi.body(
    (_PDF, openapi.BINARY),
    ("multipart/form-data", _MULTIPART),
    ("application/json", SignatureForm),
)
_SIGN["parameters"] = order_parameters()


@router.post(
    "/v1/signatures",
    status_code=201,
    response_model=RecordView,
    responses={
        201: {"description": "Đã ký và phát hành. / Signed and published.", "headers": _LOCATION},
        202: {
            "description": "Đã nhận; hỏi lại ở Location. / Accepted; ask at Location.",
            "model": RecordView,
            "headers": _LOCATION | {"Retry-After": {"schema": {"type": "integer"}}},
        },
        **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 507),
    },
    openapi_extra=_SIGN,
    summary="Ký một văn bản. / Sign a document.",
)
async def sign(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    key: IdempotencyKey,
    prefer: Prefer = None,
) -> Response:
    """Take a PDF and an order; answer with the record, published or under way.

    The PDF is the raw body (then the order stands in the query), the part `document` of a form
    (the order is the part `order`, JSON), or a blob that was uploaded before (JSON). Whatever
    is sent again with the same Idempotency-Key gives the same record.
    """
    async with Intake(house.settings.data_dir / "incoming") as intake:
        order, uploaded = await _read_order(request, house, caller, intake)
        with request.app.state.backlog.watching():
            if uploaded is None:
                received = await intake.finish()
                _require_document(received)
                record, _ = await blocking(_keep, house, caller, order, received, key)
            else:
                record, _ = await blocking(_accept, house, caller, order, uploaded, key)
    waited = preference(prefer)
    if record.state in _UNDER_WAY and waited.wait_s:
        await request.app.state.waiting.settled(record.id, waited.wait_s, request)
        record = await blocking(house.records.get, caller, record.id)
    return _answer(record, waited.applied)


async def _read_order(
    request: Request, house: House, caller: Caller, intake: Intake
) -> tuple[SignatureOrder, str | None]:
    """The order, and the digest of a document that was uploaded before; others go to `intake`."""
    caller.require(*_SIGNERS)  # before a byte of the body is read
    request.app.state.backlog.require_open()
    await request.app.state.readiness.require("token")
    await request.app.state.readiness.require("clock")
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json":
        form = await read_json(request, SignatureForm)
        order = form.order.order()
        _require_usable(house, caller, order)
        return order, form.document.sha256
    if media_type == _PDF:
        order = order_of_query(request.query_params)
        _require_usable(house, caller, order)
        async for piece in request.stream():
            await intake.write(piece)
        return order, None
    if media_type == "multipart/form-data":
        entries = await read_form(
            content_type, request.stream(), intake, document="document", entries=("order",)
        )
        order = require_form(OrderForm, entries["order"], place="order", strict=True).order()
        _require_usable(house, caller, order)
        return order, None
    raise UnsupportedMediaType(
        f"Hãy gửi {_PDF}, multipart/form-data hoặc application/json. / Send {_PDF}, "
        "multipart/form-data or application/json."
    )


def _require_usable(house: House, caller: Caller, order: SignatureOrder) -> None:
    """What can be refused before anything is stored: rights to the key, unknown profiles."""
    caller.require_key(order.key)
    known = house.profiles.ids
    for profile in order.profiles:
        if profile not in known:
            raise InvalidOrder(
                f"Không có mẫu hiển thị “{profile}”; xem /v1/profiles. / There is no appearance "
                "profile of that name; see /v1/profiles.",
                field="profiles",
            )


def _require_document(received: Received) -> None:
    if received.size_bytes == 0:
        raise InvalidOrder(
            "Không có văn bản nào trong yêu cầu. / There is no document in the request.",
            field="document",
        )


def _keep(
    house: House, caller: Caller, order: SignatureOrder, received: Received, key: str
) -> tuple[Record, bool]:
    """Make the document durable and the agency's, then accept the order for it."""
    house.holdings.require_room(caller.agency_id, received.size_bytes)
    info = house.blobs.put(received.source, sha256=received.sha256)
    return _accept(house, caller, order, info.sha256, key, info)


def _accept(
    house: House,
    caller: Caller,
    order: SignatureOrder,
    source_sha256: str,
    key: str,
    uploaded: BlobInfo | None = None,
) -> tuple[Record, bool]:
    return house.records.accept(
        caller,
        order,
        source_sha256,
        idempotency_key=key,
        request_sha256=request_digest(_ROUTE, order, source_sha256),
        uploaded=uploaded,
    )


def _answer(record: Record, applied: str | None) -> Response:
    """201 for what is published, 202 for what is under way; what failed raises."""
    headers = {"location": f"/v1/signatures/{record.id}", "etag": f'"{record.version}"'}
    if applied is not None:
        headers["preference-applied"] = applied
    if record.state is RecordState.FAILED:
        raise _failed(record)
    if record.state is RecordState.CANCELLED:
        raise StateConflict(
            f"Hồ sơ ký {record.id} đã bị hủy; hãy gửi yêu cầu mới với Idempotency-Key khác. / The "
            "record of this Idempotency-Key was cancelled; send a new request with another key."
        )
    if record.state in _OPEN:
        return JSONAnswer(shown(record), 201, headers)
    return JSONAnswer(shown(record), 202, {**headers, "retry-after": "1"})


def _failed(record: Record) -> SigningFailed:
    told = record.error if isinstance(record.error, dict) else {}
    return SigningFailed(
        str(told.get("message") or "Ký không thành. / Signing failed."), record_id=record.id
    )


@router.get(
    "/v1/signatures",
    response_model=Page[RecordView],
    responses=problems(401, 422, 429),
    summary="Danh sách hồ sơ ký, mới nhất trước. / Records, newest first.",
)
async def list_records(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[RecordState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Records of the caller's agency."""
    found = await blocking(house.records.list, caller, after, limit + 1, state)
    return page(request, [shown(record) for record in found], limit)


@router.get(
    "/v1/signatures/{record_id}",
    response_model=RecordView,
    responses={**openapi.READ, **problems(401, 404, 422, 429)},
    summary="Một hồ sơ ký. / One record.",
)
async def get_record(
    request: Request, house: CurrentHouse, caller: CurrentCaller, record_id: IdPath
) -> Response:
    """The record with its entity tag; If-None-Match makes asking again cheap."""
    record = await blocking(house.records.get, caller, record_id)
    headers = {"retry-after": "1"} if record.state in _UNDER_WAY else {}
    return resource(request, shown(record), version=record.version, headers=headers)


@router.delete(
    "/v1/signatures/{record_id}",
    response_model=RecordView,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Hủy khi chưa ký. / Cancel what is not being signed yet.",
)
async def cancel_record(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    record_id: IdPath,
    version: IfMatch,
) -> Response:
    """Cancel a record that no worker has begun with; its number is free again."""
    record = await blocking(house.records.cancel, caller, record_id, version)
    return resource(request, shown(record), version=record.version)


FileName = Literal["result", "report", "evidence", "register"]
_REGISTER = "register"
_FILES: dict[str, tuple[str, str, str]] = {  # column, media type, file name
    "result": ("result_sha256", _PDF, ".pdf"),
    "report": ("report_sha256", "application/json", "-report.json"),
    "evidence": ("evidence_sha256", "application/json", "-evidence.json"),
}
_FILE_CONTENT = range_responses(_PDF)
for _status in (200, 206):
    _FILE_CONTENT[_status]["content"]["application/json"] = {"schema": {"type": "object"}}


@router.get(
    "/v1/signatures/{record_id}/{file}",
    response_class=Response,
    responses={**_FILE_CONTENT, **problems(401, 404, 409, 416, 422, 429)},
    summary="Tệp đã ký, báo cáo kiểm tra, bằng chứng. / Signed file, report, evidence.",
)
async def get_file(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    record_id: IdPath,
    file: Annotated[FileName, Path()],
) -> Response:
    """One file of a published record; Range and If-None-Match are honoured.

    `register` is the proof that it is in the register of results, once a checkpoint covers it.
    """
    if file == _REGISTER:
        return await _proof(house, caller, record_id)
    info = await blocking(_file_of, house, caller, record_id, file)
    _, media_type, ending = _FILES[file]
    return await download(
        request, house.blobs, info, media_type=media_type, filename=record_id + ending
    )


async def _proof(house: House, caller: Caller, record_id: str) -> Response:
    """The proof that travels with the file, under the file's name."""
    record = await blocking(house.records.get, caller, record_id)
    told = await blocking(prove, house.register.log, record.code)
    return JSONAnswer(
        told, headers={"content-disposition": disposition(f"{record_id}.pdf{SUFFIX}")}
    )


def _file_of(house: House, caller: Caller, record_id: str, file: str) -> BlobInfo:
    record = house.records.get(caller, record_id)
    sha256: str | None = getattr(record, _FILES[file][0])
    if sha256 is None or record.state not in _OPEN:
        raise StateConflict(
            f"Hồ sơ ký đang ở trạng thái “{record.state}”, chưa có tệp; hãy đợi phát hành. / The "
            f"record is {record.state} and has no files; wait until it is published."
        )
    if file == "result" and record.result_bytes is not None:
        return BlobInfo(sha256, record.result_bytes)
    return house.blobs.stat(sha256) or BlobInfo(sha256, 0)
