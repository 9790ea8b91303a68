"""Verification of PDFs: nothing is stored, unless somebody who may asks for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from api.auth import authenticate
from api.errors import MalformedRequest
from api.web import openapi
from api.web.body import too_large
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IfMatch,
    Limit,
    blocking,
    page,
    resource,
)
from api.web.intake import Intake
from api.web.multipart import read_form
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import ID_PATTERN, SHA256, SHA256_PATTERN, Form, IdPath, Line, Page
from api.web.validation import read_json
from api.web.verification_answers import DESCRIBED, ReceiptWish, Wish
from dossier.errors import InvalidOrder, Overloaded, StateConflict
from dossier.model import JSON, Caller
from dossier.verifying.kept import MAY_KEEP, KeptVerification
from signer.clock import VIETNAM
from signer.verification.words.expectation import expect_agency

if TYPE_CHECKING:
    import pathlib

    from api.house import House

PATH = "/v1/verifications"
MAX_BYTES = 50 * 1024 * 1024
AT_ONCE = 2
"""Verifications that run at once: as many as `dossier.verifying.checkers` has processes."""
WAITING = 16
"""Verifications that may wait for their turn."""
_PDF, _JSON, _MULTIPART = "application/pdf", "application/json", "multipart/form-data"

router = APIRouter(tags=["Kiểm tra chữ ký / Verification"])


class StoredDocument(Form):
    """A document that is here already: a blob, or the result of a record. Exactly one."""

    sha256: SHA256 | None = None
    record_id: Annotated[str, Path(pattern=ID_PATTERN)] | None = None


class KeptView(BaseModel):
    """A verification that was kept."""

    id: str
    sha256: str
    size_bytes: int
    reference: str | None
    verified_at: datetime
    indication: Literal["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"]
    integrity: str
    report_sha256: str | None
    trust_sha256: str | None
    created_at: datetime
    deleted_at: datetime | None
    version: int
    links: dict[str, str]


class Turns:
    """Lets `at_once` in, `waiting` stand in line, and turns the others away. One event loop."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._count = 0

    async def __aenter__(self) -> None:
        if self._count >= self._most:
            raise Overloaded(
                "Đang có nhiều văn bản chờ kiểm tra; hãy thử lại sau. / Many documents wait to be "
                "verified; try again later."
            )
        self._count += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._count -= 1
            raise

    async def __aexit__(self, *exception: object) -> None:
        self._count -= 1
        self._turn.release()


# --- verifying ---------------------------------------------------------------------------------

At = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Xét tại thời điểm này, ISO 8601. / Judge as of this time; without a zone it "
        "is Vietnam time.",
    ),
]
ExpectedAgency = Annotated[
    Line | None,
    Query(
        min_length=1,
        max_length=500,
        description="Cơ quan phải có chữ ký. / The agency that should have signed.",
    ),
]
Keep = Annotated[
    bool,
    Query(description="Lưu kết quả làm bằng chứng. / Keep the answer; needs credentials."),
]
_DOCUMENT = {"type": "object", "required": ["document"], "properties": {"document": openapi.BINARY}}
_KEPT = {
    **DESCRIBED,
    "description": "Báo cáo, và đã lưu ở Location. / The report, kept at Location.",
    "headers": {"Location": {"schema": {"type": "string"}}},
}


@router.post(
    PATH,
    responses={
        200: DESCRIBED,
        201: _KEPT,
        **problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 507),
    },
    openapi_extra=openapi.body(
        (_PDF, openapi.BINARY), (_MULTIPART, _DOCUMENT), (_JSON, StoredDocument)
    ),
    summary="Kiểm tra chữ ký của một tệp PDF. / Verify the signatures of a PDF.",
)
async def verify(
    request: Request,
    house: CurrentHouse,
    wish: Wish,
    at: At = None,
    expected_agency: ExpectedAgency = None,
    keep: Keep = False,
) -> Response:
    """Verify the PDF in the body or in the form's part `document`: needs no credentials.

    At most 50 MiB; nothing is stored. JSON names a blob of one's agency (`sha256`) or a record
    (`record_id`) instead. Accept: application/json, application/xml (ETSI TS 119 102-2) or
    application/pdf. The file is read in a process of its own; one that exceeds the time or memory
    of a verification, or makes that process crash, gets 422 and harms nobody else.
    """
    asked: ReceiptWish = wish
    as_of = read_moment(at)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    caller = await asked.require_allowed(request)
    if keep or media_type == _JSON:
        caller = await authenticate(request)
    if keep and caller is not None:
        caller.require(*MAY_KEEP)
    async with Intake(house.settings.data_dir / "incoming") as intake:
        stored = await _received(request, house, caller, intake, media_type)
        path = None if stored else await intake.to_file()
        async with request.app.state.verifying:
            text = await blocking(_judged, house, stored, path, as_of)
    report: dict[str, Any] = json.loads(text)
    if expected_agency is not None:
        report = expect_agency(report, expected_agency)
    if not keep:
        return await asked.answer(request, report, caller)
    kept = await blocking(house.kept.keep, caller, report, asked.reference or None, as_of)
    answer = await asked.answer(request, report, caller)
    answer.status_code = 201
    answer.headers["location"] = f"{PATH}/{kept.id}"
    return answer


async def _received(
    request: Request, house: House, caller: Caller | None, intake: Intake, media_type: str
) -> str | None:
    """The digest of a document that is here already; any other one goes to `intake`."""
    if media_type == _JSON:
        assert caller is not None  # noqa: S101 - whoever names a digest was asked who it is
        form = await read_json(request, StoredDocument)
        return await blocking(_stored, house, caller, form)
    if media_type == _MULTIPART:
        content_type = request.headers["content-type"]
        await read_form(content_type, _bounded(request), intake, document="document", entries=())
        return None
    async for piece in _bounded(request):
        await intake.write(piece)
    return None


async def _bounded(request: Request) -> AsyncIterator[bytes]:
    """The body, of at most `MAX_BYTES`. Raises `BodyTooLarge`."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BYTES:
            raise too_large(MAX_BYTES)
        yield piece


def _stored(house: House, caller: Caller, form: StoredDocument) -> str:
    """The digest of a document of the caller's agency. Raises `NotFound`, `InvalidOrder`."""
    if (form.sha256 is None) == (form.record_id is None):
        raise InvalidOrder(
            "Hãy nêu sha256 hoặc record_id, một trong hai. / Name either sha256 or record_id.",
            field="body",
        )
    sha256 = form.sha256
    if form.record_id is not None:
        sha256 = house.records.get(caller, form.record_id).result_sha256
        if sha256 is None:
            raise StateConflict(
                "Hồ sơ chưa phát hành nên chưa có tệp để kiểm tra. / The record is not published, "
                "so there is no file to verify yet."
            )
    with house.database.read() as connection:
        return house.holdings.require(connection, caller.agency_id, sha256 or "").sha256


def _judged(
    house: House, stored: str | None, path: pathlib.Path | None, at: datetime | None
) -> bytes:
    if stored is None:
        assert path is not None  # noqa: S101 - it came with the request
        return house.verifier.verify(path, at)
    with house.blobs.local(stored) as local:
        return house.verifier.verify(local, at)


def read_moment(text: str | None) -> datetime | None:
    """An aware time from the query, where a plus may have become a blank.

    Raises `MalformedRequest`.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise MalformedRequest(
            "at phải là thời điểm ISO 8601, ví dụ 2026-01-05T10:00:00+07:00. / at is a time in ISO "
            "8601, as 2026-01-05T10:00:00+07:00.",
            field="query.at",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=VIETNAM)


# --- what was kept -----------------------------------------------------------------------------


def shown(kept: KeptVerification) -> dict[str, JSON]:
    """A kept verification as clients see it."""
    base = f"{PATH}/{kept.id}"
    links = {"self": base}
    if kept.report_sha256 is not None:
        links |= {"report": f"{base}/report", "trust": f"{base}/trust"}
    return {
        "id": kept.id,
        "sha256": kept.sha256,
        "size_bytes": kept.size_bytes,
        "reference": kept.reference,
        "verified_at": moment(kept.verified_at),
        "indication": kept.indication,
        "integrity": kept.integrity,
        "report_sha256": kept.report_sha256,
        "trust_sha256": kept.trust_sha256,
        "created_at": moment(kept.created_at),
        "deleted_at": moment(kept.deleted_at),
        "version": kept.version,
        "links": links,
    }


@router.get(
    "/v1/kept-verifications",  # PATH asks nobody who he is
    response_model=Page[KeptView],
    responses=problems(401, 422, 429),
    summary="Các kết quả kiểm tra đã lưu. / Verifications that were kept, newest first.",
)
async def list_kept(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    sha256: Annotated[
        str | None, Query(pattern=SHA256_PATTERN, description="Của văn bản. / Of the document.")
    ] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.kept.list, caller, after, limit + 1, sha256)
    return page(request, [shown(entry) for entry in found], limit)


@router.get(
    PATH + "/{verification_id}",
    response_model=KeptView,
    responses={**openapi.READ, **problems(401, 404, 422, 429)},
    summary="Một kết quả đã lưu. / One verification that was kept.",
)
async def get_kept(
    request: Request, house: CurrentHouse, caller: CurrentCaller, verification_id: IdPath
) -> Response:
    """What was verified, when, and with what result; `links` lead to the whole answer."""
    found = await blocking(house.kept.get, caller, verification_id)
    return resource(request, shown(found), version=found.version)


@router.get(
    PATH + "/{verification_id}/{evidence}",
    response_class=Response,
    responses={200: DESCRIBED, **problems(401, 403, 404, 409, 422, 429)},
    summary="Báo cáo đã lưu, kho tin cậy đã dùng. / The very answer; the trust store that judged.",
)
async def get_kept_part(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    verification_id: IdPath,
    evidence: Annotated[Literal["report", "trust"], Path()],
    wish: Wish,
) -> Response:
    """The report by Accept, or a signed receipt of it; `trust` is JSON."""
    if evidence == "trust":
        found = await blocking(house.kept.trust, caller, verification_id)
        return Response(found, media_type=_JSON)
    asked: ReceiptWish = wish
    await asked.require_allowed(request)
    report = await blocking(house.kept.report, caller, verification_id)
    return await asked.answer(request, report, caller)


@router.delete(
    PATH + "/{verification_id}",
    response_model=KeptView,
    responses=problems(400, 401, 403, 404, 412, 422, 428, 429),
    summary="Xóa bằng chứng đã lưu. / Delete what was kept.",
)
async def delete_kept(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    verification_id: IdPath,
    version: IfMatch,
) -> Response:
    """The audit log says by whom and when; that there was an answer stays known."""
    kept = await blocking(house.kept.delete, caller, verification_id, version)
    return resource(request, shown(kept), version=kept.version)
