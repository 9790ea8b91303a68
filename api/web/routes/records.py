"""Issued results: status, comparison and proof for everybody; their ending for those who may.

Nobody logs in to look a result up. What is shown beside status and times is configured
(`results.public_fields`); who tries codes that do not exist is soon made to wait.
"""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.auth.rates import TokenBuckets, source_of, whole_seconds
from api.errors import RateLimited
from api.web import openapi
from api.web.doorway import (
    CurrentCaller,
    CurrentHouse,
    JSONAnswer,
    blocking,
    given_version,
    resource,
)
from api.web.problem_documents import problems
from api.web.routes.signatures import shown as record_shown
from api.web.schemas import ID_PATTERN, SHA256_PATTERN, Form, IdPath, Line, RecordView
from api.web.validation import read_json
from dossier.audit.chain import moment_text
from dossier.errors import AccessRefused, DossierError, InvalidOrder, NotFound
from dossier.register.codes import read_code
from dossier.register.proof import prove
from dossier.register.statuses import ResultStatus, look_up, masked_by, shown
from hsm.errors import HSMError
from signer.errors import SignerError

if TYPE_CHECKING:
    from api.house import House

_LOG = logging.getLogger(__name__)
router = APIRouter(tags=["Kết quả đã ban hành / Issued results"])
_MISSES_PER_S = 0.2
_MISSES = 30  # codes and digests that do not exist, from one source at once
_FRESH_S = 300  # how long an answer may be shown again without asking

GivenVersion = Annotated[int | None, Depends(given_version)]
Code = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        description="Mã kết quả, gõ thế nào cũng được. / Result code, however it is typed.",
        examples=["7K2M-9QXT-4AHW-C3RN"],
    ),
]
Digest = Annotated[
    str | None,
    Query(pattern=SHA256_PATTERN, description="SHA-256 của tệp cần so. / Of a file to compare."),
]


class ResultView(BaseModel):
    """An issued result as the public sees it; what is masked is null."""

    code: str
    status: Literal["in-force", "superseded", "annulled"]
    issued_at: datetime
    since: datetime = Field(description="Từ khi nào trạng thái như vậy. / Since when.")
    superseded_by: str | None
    agency: str | None
    number: int | None
    symbol: str | None
    year: int | None
    decided_on: str | None
    document_sha256: str | None
    source_sha256: str | None
    reason: str | None
    reference: str | None
    comparison: Literal["same", "source", "differs"] | None = Field(
        description="Tệp có SHA-256 đã hỏi: chính là bản ban hành, bản trước khi ký, hay khác. / "
        "The file that was asked about: the published one, the one handed in, or another."
    )
    statement: str | None = Field(description="Xác nhận trạng thái đã ký (signed note).")
    valid_until: datetime | None


class FoundView(BaseModel):
    """Whose published document has a digest (K11)."""

    comparison: Literal["same", "unknown"]
    record: ResultView | None


class AnnulmentForm(Form):
    """Why a result is withdrawn; the public is told."""

    reason: Line = Field(min_length=1, max_length=500)


class SupersessionForm(Form):
    """Which published record takes the place of this one."""

    by: str = Field(pattern=ID_PATTERN, description="Hồ sơ thay thế. / The superseding record.")
    reason: Line | None = Field(default=None, min_length=1, max_length=500)


class Misses:
    """Makes those wait who ask for what does not exist, again and again. For one event loop."""

    def __init__(self) -> None:
        self._buckets = TokenBuckets()

    def require_patience(self, request: Request) -> None:
        """Raise `RateLimited` while the source has missed too often."""
        wait_s = self._buckets.wait_s(_source(request), rate=_MISSES_PER_S, burst=_MISSES)
        if wait_s > 0:
            raise RateLimited(retry_after_s=whole_seconds(wait_s))

    def missed(self, request: Request) -> None:
        """Count one miss."""
        self._buckets.take(_source(request), rate=_MISSES_PER_S, burst=_MISSES)


def _source(request: Request) -> str:
    return source_of(request.client.host if request.client else None)


def _misses(request: Request) -> Misses:
    found: Misses = request.app.state.misses
    return found


CurrentMisses = Annotated[Misses, Depends(_misses)]


@router.get(
    "/v1/records",
    response_model=FoundView,
    responses=problems(422, 429),
    summary="Tệp này có phải kết quả đã ban hành? / Is a file an issued result?",
)
async def find_record(
    request: Request,
    house: CurrentHouse,
    misses: CurrentMisses,
    sha256: Annotated[str, Query(pattern=SHA256_PATTERN, description="SHA-256, hex.")],
) -> Response:
    """The result whose published document has this digest, or that none has."""
    misses.require_patience(request)
    code = await blocking(house.register.log.code_of, sha256)
    if code is None:
        misses.missed(request)
        return JSONAnswer({"comparison": "unknown", "record": None})
    told = await blocking(_told, house, code, sha256)
    return JSONAnswer({"comparison": "same", "record": told})


@router.get(
    "/v1/records/{code}",
    response_model=ResultView,
    responses={**openapi.READ, **problems(404, 422, 429)},
    summary="Kết quả còn hiệu lực không? / What a result is worth now.",
)
async def get_record(
    request: Request,
    house: CurrentHouse,
    misses: CurrentMisses,
    code: Code,
    sha256: Digest = None,
) -> Response:
    """In force, superseded or annulled, with a signed statement that may be kept.

    With `sha256` it also says whether that file is the published one.
    """
    told = await _looked_up(request, misses, lambda: _told(house, read_code(code), sha256))
    tag = f'"{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": _caching(told)}
    if tag in (request.headers.get("if-none-match") or ""):
        return Response(status_code=304, headers=headers)
    return JSONAnswer(told, headers=headers)


@router.get(
    "/v1/records/{code}/proof",
    responses={
        200: {
            "description": "Bằng chứng, kiểm tra ngoại tuyến được. / A proof, checkable offline.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems(403, 404, 409, 422, 429),
    },
    summary="Bằng chứng đăng ký đi kèm tệp. / The proof of registration (sidecar).",
)
async def get_proof(
    request: Request, house: CurrentHouse, misses: CurrentMisses, code: Code
) -> Response:
    """The entries of a result with their paths to a signed checkpoint: `<file>.register.json`.

    Where something of it is masked, its agency alone gets it (`/v1/signatures/{id}/register`).
    """
    return JSONAnswer(await _looked_up(request, misses, lambda: _proof(house, read_code(code))))


def _proof(house: House, code: str) -> dict[str, Any]:
    found = look_up(house.register.log, code)
    masked = masked_by(found, house.settings.results.public_fields)
    if masked:
        raise AccessRefused(
            "Bằng chứng có mục không công khai; hãy hỏi cơ quan ban hành. / The proof would show "
            f"what is not public here ({', '.join(masked)}); ask the issuing agency for it."
        )
    return prove(house.register.log, code)


async def _looked_up(request: Request, misses: Misses, work: Any) -> dict[str, Any]:  # noqa: ANN401
    misses.require_patience(request)
    try:
        found: dict[str, Any] = await blocking(work)
    except (NotFound, InvalidOrder):
        misses.missed(request)
        raise
    return found


def _told(house: House, code: str, sha256: str | None) -> dict[str, Any]:
    found = look_up(house.register.log, code)
    told = shown(found, house.settings.results.public_fields)
    told["comparison"] = None if sha256 is None else found.compare(sha256).value
    return told | _statement(house, found)


def _statement(house: House, found: ResultStatus) -> dict[str, Any]:
    """The signed statement; null while the key or the audit log is away: the answer is right."""
    try:
        made = house.register.statuses.statement(found)
    except (HSMError, SignerError, DossierError) as error:
        _LOG.warning("a result's status is told without a signature: %s", error)
        return {"statement": None, "valid_until": None}
    return {"statement": made.note, "valid_until": moment_text(made.valid_until)}


def _caching(told: dict[str, Any]) -> str:
    if told["valid_until"] is None:
        return "no-store"
    left = datetime.fromisoformat(told["valid_until"]) - datetime.now(UTC)
    return f"public, max-age={max(0, min(_FRESH_S, int(left.total_seconds())))}"


# --- by the agency ---------------------------------------------------------------------------


@router.post(
    "/v1/signatures/{record_id}/ending/annulment",
    response_model=RecordView,
    responses=problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 429),
    openapi_extra=openapi.body(("application/json", AnnulmentForm)),
    summary="Hủy kết quả đã ban hành. / Annul an issued result.",
)
async def annul(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    record_id: IdPath,
    version: GivenVersion = None,
) -> Response:
    """Withdraw a published record: it stays retrievable, and everybody is told that it is void.

    For leaders and clerks of its agency. The same request again changes nothing.
    """
    form = await read_json(request, AnnulmentForm)
    record = await blocking(house.register.endings.annul, caller, record_id, form.reason, version)
    return resource(request, record_shown(record), version=record.version)


@router.post(
    "/v1/signatures/{record_id}/ending/supersession",
    response_model=RecordView,
    responses=problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 429),
    openapi_extra=openapi.body(("application/json", SupersessionForm)),
    summary="Ghi nhận kết quả thay thế. / Record that another result supersedes this one.",
)
async def supersede(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    record_id: IdPath,
    version: GivenVersion = None,
) -> Response:
    """Let a published record with a number of its own take the place of this one.

    A decision under the same number is ordered with `supersedes` instead. Else as annulling.
    """
    form = await read_json(request, SupersessionForm)
    record = await blocking(
        house.register.endings.supersede, caller, record_id, form.by, form.reason, version
    )
    return resource(request, record_shown(record), version=record.version)
