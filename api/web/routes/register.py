"""The register of issued results, for everybody: checkpoints, entries, proofs.

Entries show their time and digest; whole they are for the auditors of their agency, unless the
settings open the register (`results.open_entries`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, blocking
from api.web.downloads import disposition, gathered
from api.web.problem_documents import problems
from dossier.errors import InvalidOrder, NotFound
from dossier.identity import HOUSE
from dossier.model import AuditEvent, Role
from dossier.register import nodes
from dossier.register.checkpoint import SignedCheckpoint
from dossier.register.copy import MEDIA_TYPE, copy_lines, shown
from dossier.register.entry import Entry
from dossier.register.notes import NoteKey

if TYPE_CHECKING:
    from api.house import ResultRegister

router = APIRouter(tags=["Sổ đăng ký kết quả / Register of results"])
_MOST = 1000
_MOST_SIZE = 2**53
_MOMENTS = {"cache-control": "public, max-age=5"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_PROOF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Băm SHA-256 dạng hex (RFC 9162). / SHA-256 hashes in hex.",
        "content": {"application/json": {"schema": {"type": "object", "required": ["path"]}}},
    }
}
Size = Annotated[
    int | None,
    Query(ge=1, le=_MOST_SIZE, description="Cỡ cây; bỏ trống: điểm niêm phong mới nhất. / Tree."),
]


@router.get(
    "/v1/register/checkpoint",
    responses={
        200: {
            "description": "Điểm niêm phong (C2SP tlog-checkpoint). / The checkpoint.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["note", "certificates", "timestamp_token", "key", "size"],
                    }
                },
                "text/plain": {"schema": {"type": "string"}},
            },
        },
        **problems(404, 422),
    },
    summary="Điểm niêm phong mới nhất của sổ. / The newest checkpoint.",
)
async def get_checkpoint(
    house: CurrentHouse,
    size: Size = None,
    accept: Annotated[str, Header(max_length=200, include_in_schema=False)] = "",
) -> Response:
    """Size and root of the log, signed and timestamped; the bare note as text/plain."""
    found = await blocking(_checkpoint, house.register, size)
    caching = _MOMENTS if size is None else _FOR_EVER
    if accept.strip().lower().startswith("text/plain"):
        return Response(found.note, 200, caching, media_type="text/plain; charset=utf-8")
    checkpoint = found.checkpoint
    told = {
        **found.to_json(),
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "key": str(await blocking(_key_of, found)),
    }
    return JSONAnswer(told, headers=caching)


def _checkpoint(register: ResultRegister, size: int | None) -> SignedCheckpoint:
    checkpoints = register.checkpoints
    found = checkpoints.newest() if size is None else checkpoints.of_size(size)
    if found is None:
        raise NotFound(
            "Chưa có điểm niêm phong nào như vậy; hãy thử lại sau ít phút. / There is no such "
            "checkpoint (yet); try again in a few minutes, or leave the size out."
        )
    return found


def _key_of(found: SignedCheckpoint) -> NoteKey:
    """The verifier key of whoever signed it, by its own certificate."""
    from cryptography import x509

    from dossier.register.notes import require_signed

    certificate = x509.load_pem_x509_certificate(found.certificates[0].encode())
    keys = NoteKey.all_of(found.checkpoint.origin, certificate)
    return require_signed(found.note, keys)[1]


@router.get(
    "/v1/register/entries",
    responses={
        200: {
            "description": "Các mục theo thứ tự. / Entries in their order.",
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["items", "next", "size"]}
                }
            },
        },
        **problems(422),
    },
    summary="Các mục của sổ. / Entries of the register.",
)
async def list_entries(
    house: CurrentHouse,
    start: Annotated[int, Query(ge=0, le=_MOST_SIZE, description="Mục đầu. / First.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> Response:
    """Entries from `start`: index, time and digest, whole where the register is open."""
    whole = house.settings.results.open_entries
    found = await blocking(house.register.log.entries, start, start + limit)
    size = await blocking(house.register.log.size)
    end = start + len(found)
    told = {
        "items": [shown(entry, whole=whole) for entry in found],
        "next": end if found and end < size else None,
        "size": size,
    }
    return JSONAnswer(told, headers=_MOMENTS)


@router.get(
    "/v1/register/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "JSON Lines",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(401, 403, 404, 422, 429),
    },
    summary="Bản sao sổ cho kiểm toán. / A copy of the register, for auditors.",
)
async def get_export(house: CurrentHouse, caller: CurrentCaller, size: Size = None) -> Response:
    """All entries under a checkpoint; those of other agencies show time and digest.

    `sohoa register audit` judges it, offline. The export is an entry of the audit log.
    """
    caller.require(Role.AUDITOR, Role.ADMIN)
    checkpoint = (await blocking(_checkpoint, house.register, size)).checkpoint
    scope = None if caller.agency_id == HOUSE else caller.agency_id
    details = {"size": checkpoint.size, "request_id": caller.request_id}
    event = AuditEvent(
        "register.exported", caller.principal_id, caller.agency_id, caller.principal_id, details
    )
    await blocking(house.audit.write, event)
    is_open = house.settings.results.open_entries

    def discloses(entry: Entry) -> bool:
        return is_open or scope is None or entry.told.agency == scope

    lines = copy_lines(house.register.log, checkpoint.origin, checkpoint.size, discloses)
    headers = {"content-disposition": disposition("register.jsonl")}
    return StreamingResponse(gathered(lines), headers=headers, media_type=MEDIA_TYPE)


@router.get(
    "/v1/register/proof/inclusion",
    responses={**_PROOF, **problems(404, 422)},
    summary="Bằng chứng một mục có trong sổ. / Proof that an entry is in the log.",
)
async def get_inclusion(
    house: CurrentHouse,
    index: Annotated[int, Query(ge=0, le=_MOST_SIZE, description="Số thứ tự mục. / Leaf.")],
    size: Size = None,
) -> Response:
    """The path from leaf `index` to the root of the tree of `size` (RFC 9162 2.1.3)."""
    told = await blocking(_inclusion, house.register, index, size)
    return JSONAnswer(told, headers=_MOMENTS if size is None else _FOR_EVER)


def _inclusion(register: ResultRegister, index: int, size: int | None) -> dict[str, Any]:
    newest = _checkpoint(register, None).checkpoint.size
    tree = newest if size is None else size
    _require_covered(tree, newest)
    if index >= tree:
        raise InvalidOrder(
            f"Cây có {tree} mục, không có mục {index}. / A tree of {tree} has no such leaf.",
            field="index",
        )
    [entry] = register.log.entries(index, index + 1)
    with register.log.database.read() as connection:
        path = nodes.inclusion(connection, index, tree)
    return {
        "index": index,
        "size": tree,
        "leaf_hash": entry.leaf_hash.hex(),
        "path": [one.hex() for one in path],
    }


@router.get(
    "/v1/register/proof/consistency",
    responses={**_PROOF, **problems(404, 422)},
    summary="Bằng chứng sổ chỉ được ghi thêm. / Proof that the log only grew.",
)
async def get_consistency(
    house: CurrentHouse,
    old: Annotated[int, Query(ge=0, le=_MOST_SIZE, description="Cỡ cũ. / Older size.")],
    new: Size = None,
) -> Response:
    """That the tree of `new` begins with the tree of `old` (RFC 9162 2.1.4)."""
    told = await blocking(_consistency, house.register, old, new)
    return JSONAnswer(told, headers=_MOMENTS if new is None else _FOR_EVER)


def _consistency(register: ResultRegister, old: int, new: int | None) -> dict[str, Any]:
    newest = _checkpoint(register, None).checkpoint.size
    tree = newest if new is None else new
    _require_covered(tree, newest)
    if old > tree:
        raise InvalidOrder(
            f"Cỡ cũ {old} lớn hơn cỡ mới {tree}. / The older size is larger than the newer one.",
            field="old",
        )
    with register.log.database.read() as connection:
        path = nodes.consistency(connection, old, tree)
    return {"old": old, "new": tree, "path": [one.hex() for one in path]}


def _require_covered(size: int, newest: int) -> None:
    if size > newest:
        raise InvalidOrder(
            f"Điểm niêm phong mới nhất có {newest} mục. / The newest checkpoint is over {newest} "
            "entries; ask for a tree that is no larger.",
            field="size",
        )
