"""The audit log: read, exported, proved. For auditors and administrators.

An agency sees its own entries; the house sees all of them. An export shows digests in place of
other agencies' entries, so that its links can be followed by `sohoa audit verify`, offline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, Limit, blocking, page
from api.web.downloads import disposition, gathered
from api.web.problem_documents import problems
from api.web.schemas import AuditView, Page
from dossier.audit.export import MEDIA_TYPE, export
from dossier.identity import HOUSE
from dossier.model import AuditEvent, Caller, Role

if TYPE_CHECKING:
    from api.house import House

router = APIRouter(tags=["Nhật ký / Audit"])
_MAX_SEQ = 2**53


def _scope(caller: Caller) -> str | None:
    """Whose entries the caller sees; None: everybody's. Raises `AccessRefused`."""
    caller.require(Role.AUDITOR, Role.ADMIN)
    return None if caller.agency_id == HOUSE else caller.agency_id


@router.get(
    "/v1/audit",
    response_model=Page[AuditView],
    responses=problems(401, 403, 409, 422, 429),
    summary="Các mục nhật ký theo thứ tự. / Entries in their order.",
)
async def list_entries(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: Annotated[
        int, Query(ge=0, le=_MAX_SEQ, description="Số của mục cuối trang trước. / Last number.")
    ] = 0,
    limit: Limit = 50,
) -> Response:
    """Entries with numbers above `after`."""
    found = await blocking(house.audit.entries, _scope(caller), after, limit + 1)
    return page(request, [entry.to_json() for entry in found], limit, cursor="seq")


@router.get(
    "/v1/audit/head",
    responses={
        200: {
            "description": "Mục cuối và đầu chuỗi đã niêm phong. / Last entry, last sealed head.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["chain", "seq", "link", "sealed"],
                        "properties": {
                            "chain": {"type": "string"},
                            "seq": {"type": "integer"},
                            "link": {"type": "string"},
                            "sealed": {"type": ["object", "null"]},
                        },
                    }
                }
            },
        },
        **problems(401, 403, 429),
    },
    summary="Đầu chuỗi. / The head of the chain.",
)
async def get_head(house: CurrentHouse, caller: CurrentCaller) -> Response:
    """Number and link of the last entry, and the last head that was signed and timestamped."""
    _scope(caller)
    return JSONAnswer(await blocking(_head, house))


def _head(house: House) -> dict[str, Any]:
    seq, link = house.audit.tip()
    sealed = house.audit.head()
    return {
        "chain": house.audit.chain,
        "seq": seq,
        "link": link,
        "sealed": None if sealed is None else sealed.to_json(),
    }


@router.get(
    "/v1/audit/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "JSON Lines",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(401, 403, 429),
    },
    summary="Xuất toàn bộ chuỗi. / Export the whole chain.",
)
async def get_export(house: CurrentHouse, caller: CurrentCaller) -> Response:
    """The whole chain as JSON lines; the export itself is an entry of the log.

    It streams: an export that was cut off has no last line, and the verifier says so.
    """
    scope = _scope(caller)
    event = AuditEvent(
        "audit.exported",
        caller.principal_id,
        caller.agency_id,
        caller.principal_id,
        {"scope": scope or HOUSE, "request_id": caller.request_id},
    )
    await blocking(house.audit.write, event)
    headers = {"content-disposition": disposition(f"audit-{house.audit.chain}.jsonl")}
    return StreamingResponse(
        gathered(export(house.audit, scope)), headers=headers, media_type=MEDIA_TYPE
    )


@router.get(
    "/v1/audit/{seq}/proof",
    responses={
        200: {
            "description": "Bằng chứng, kiểm tra ngoại tuyến được. / A proof, checkable offline.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems(401, 403, 404, 409, 422, 429),
    },
    summary="Bằng chứng một mục thuộc chuỗi. / Proof that an entry is in the chain.",
)
async def get_proof(
    house: CurrentHouse,
    caller: CurrentCaller,
    seq: Annotated[int, Path(ge=1, le=_MAX_SEQ)],
) -> Response:
    """The entry, the digests up to the next sealed head, and that head."""
    return JSONAnswer(await blocking(house.audit.prove, seq, _scope(caller)))
