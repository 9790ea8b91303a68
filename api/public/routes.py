"""The addresses of the public page.

    GET  /verify                          the three ways; ?code=… looks a result up
    POST /verify                          a PDF (multipart, part "document"); 303 to its answer
    POST /verify/photo                    a photograph of a printout (part "photo"); its answer
    GET  /verify/results/{token}          the answer; …/pages/…, …/report.json; POST …/forget
    GET  /verify/static/{build}/{name}    style, script and fonts

Languages: ?lang=vi or en where the reader chose one, else by Accept-Language. Errors are raised,
and the door shows them as pages (`api.public.refusals`); an error of an input is shown beside it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.auth.rates import TokenBuckets, source_of, whole_seconds
from api.errors import RateLimited, UnsupportedMediaType
from api.public.lookup import (
    TONES,
    Issued,
    bundle_of,
    issued_as,
    issued_with,
    read_photo,
)
from api.public.results import KEPT_S, Result, Results
from api.public.stage import CSP, Stage
from api.public.verdict import saves_to_mark, view_of
from api.public.words import LANGUAGES, catalogue
from api.web.body import too_large
from api.web.door import language_of
from api.web.doorway import blocking, house_of, request_id
from api.web.intake import Intake
from api.web.multipart import read_form
from api.web.problem_documents import Language, in_language
from dossier.errors import InvalidOrder, NotFound, StoreError, VerificationStopped
from dossier.verifying.pages import PagePictures
from dossier.verifying.receipts import ReceiptRequest
from dossier.verifying.report_pdf import ReportFacts, write_report
from signer.verification.etsi_report import etsi_report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.house import House
    from api.settings import WebSettings

_LOG = logging.getLogger(__name__)
MAX_BYTES = 50 * 1024 * 1024
_FORM_BYTES = 64 * 1024  # what a form adds to its document
_HTML = "text/html; charset=utf-8"
_NO_STORE = {"cache-control": "no-store"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one input of the forms: ``document``, ``code`` or ``photo``."""

    field: str
    text: str


class PublicPage:
    """What the page keeps between requests. For one event loop."""

    def __init__(self, stage: Stage, settings: WebSettings) -> None:
        self.stage = stage
        self._rate = settings.public_per_minute / 60
        self._burst = settings.public_burst
        self.results = Results()
        self._buckets = TokenBuckets()

    def admit(self, request: Request) -> None:
        """Count one file from this source. Raises `RateLimited`."""
        source = source_of(request.client.host if request.client else None)
        left = self._buckets.take(source, rate=self._rate, burst=self._burst)
        if left < 0:
            raise RateLimited(retry_after_s=whole_seconds(-left))


def public_page_of(app: Any) -> PublicPage:  # noqa: ANN401 - FastAPI, or any app with a state
    """The page of this application, made when it is first asked for."""
    found: PublicPage | None = getattr(app.state, "public_page", None)
    if found is None:
        settings = app.state.house.settings
        stage = Stage(agency=settings.record.agency, is_test=settings.mode == "test")
        found = app.state.public_page = PublicPage(stage, settings.web)
    return found


def chosen_language(request: Request) -> tuple[Language, bool]:
    """The language of the answer, and whether the reader chose it."""
    asked = request.query_params.get("lang")
    for language in LANGUAGES:
        if asked == language:
            return language, True
    return language_of(request.scope), False


def show(
    request: Request,
    template: str,
    *,
    status: int = 200,
    here: str | None = None,
    **values: Any,  # noqa: ANN401
) -> Response:
    """A page in the reader's language. `here` is its address, if not the one that was asked."""
    language, was_chosen = chosen_language(request)
    place = here or request.url.path
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "lang" and not here]

    def link(path: str) -> str:
        return f"{path}?lang={language}" if was_chosen else path

    def in_language(other: str) -> str:
        return f"{place}?{urlencode([*kept, ('lang', other)])}"

    content = public_page_of(request.app).stage.page(
        template,
        language,
        link=link,
        in_language=in_language,
        chosen=was_chosen,
        **values,
    )
    headers = {
        **_NO_STORE,
        "content-security-policy": CSP,
        "content-language": language,
        "vary": "accept-language",
    }
    return Response(content, status, headers, media_type=_HTML)


@router.api_route("/verify", methods=["GET", "HEAD"])
async def ask(request: Request) -> Response:
    """The page with the ways to ask; with ?code=… what the register says of that result."""
    typed = request.query_params.get("code", "").strip()
    if not typed:
        return _asked(request)
    public_page_of(request.app).admit(request)
    language, _ = chosen_language(request)
    try:
        issued = await blocking(issued_with, house_of(request), typed)
    except (InvalidOrder, NotFound) as error:
        problem = Problem("code", in_language(str(error), language))
        status = 404 if isinstance(error, NotFound) else 422
        return _asked(request, problem, typed, status=status)
    return show(request, "record.html", issued=issued, claims=None, tones=TONES)


def _asked(
    request: Request, problem: Problem | None = None, typed: str = "", *, status: int = 200
) -> Response:
    return show(
        request, "ask.html", status=status, problem=problem, typed=typed[:64], most=MAX_BYTES
    )


@router.post("/verify")
async def upload(request: Request) -> Response:
    """Verify one PDF and go to the answer. Raises `RateLimited` and what verifying raises."""
    page = public_page_of(request.app)
    page.admit(request)
    house = house_of(request)
    content_type = _form_type(request)
    async with Intake(house.settings.data_dir / "incoming") as intake:
        await read_form(content_type, _bounded(request), intake, document="document", entries=())
        path = await intake.to_file()
        key = _unusable(path)
        if key is not None:
            words = catalogue(chosen_language(request)[0])
            return _asked(request, Problem("document", words(key)), status=422)
        async with request.app.state.verifying:
            result = await blocking(examine, house, path)
    token = page.results.keep(result)
    language, was_chosen = chosen_language(request)
    query = f"?lang={language}" if was_chosen else ""
    return RedirectResponse(f"/verify/results/{token}{query}", 303, _NO_STORE)


@router.post("/verify/photo")
async def photo(request: Request) -> Response:
    """What a photograph of a printout proves. Raises `RateLimited` and what reading raises."""
    page = public_page_of(request.app)
    page.admit(request)
    house = house_of(request)
    language, _ = chosen_language(request)
    words = catalogue(language)
    content_type = _form_type(request)
    async with Intake(house.settings.data_dir / "incoming") as intake:
        await read_form(content_type, _bounded(request), intake, document="photo", entries=())
        path = await intake.to_file()
        if not path.stat().st_size:
            return _asked(request, Problem("photo", words("problem.no-photo")), status=422)
        async with request.app.state.verifying:
            told = await blocking(read_photo, house, path)
    if told is None:
        return _asked(request, Problem("photo", words("problem.no-picture")), status=422)
    issued = None
    if told["code"]["status"] in ("genuine", "expired"):
        with suppress(InvalidOrder, NotFound):
            issued = await blocking(issued_with, house, told["code"]["claims"]["code"])
    return show(request, "photo.html", here="/verify", told=told, issued=issued, tones=TONES)


def _form_type(request: Request) -> str:
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType(
            "Hãy gửi tệp bằng biểu mẫu trên trang /verify. / Send the file with the form on the "
            "page /verify."
        )
    return content_type


async def _bounded(request: Request) -> AsyncIterator[bytes]:
    """The body, read to its end even if it is too large: a browser shows no answer before it.

    What is too much is thrown away; the door bounds how much and how slowly it may come.
    """
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= MAX_BYTES + _FORM_BYTES:
            yield piece
    if size > MAX_BYTES + _FORM_BYTES:
        raise too_large(MAX_BYTES)


def _unusable(path: Path) -> str | None:
    """What is wrong with the input, as a key of the catalogues; None when it may be a PDF."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        return "problem.no-file"
    return None if b"%PDF-" in head else "problem.no-pdf"


def examine(house: House, path: Path) -> Result:
    """Verify the file, look it up, draw its pages; a verdict alone is an answer too.

    Blocks. Raises what `Checkers.verify` raises.
    """
    verifier = house.verifier
    raw = verifier.verify(path)
    report = json.loads(raw)
    pictures: PagePictures | None = None
    try:
        pictures = PagePictures.read(verifier.pages(path, saves_to_mark(report)))
    except (VerificationStopped, RuntimeError, ValueError):
        _LOG.warning("the pages of a document cannot be shown", exc_info=True)
    issued: Issued | None = None
    try:
        issued = issued_as(house, report["document"]["sha256"])
    except StoreError:
        _LOG.warning("a document could not be looked up in the register", exc_info=True)
    return Result(report, raw, pictures, issued)


def _result_of(request: Request, token: str) -> Result:
    found = public_page_of(request.app).results.get(token)
    if found is None:
        raise NotFound(
            f"Kết quả chỉ được giữ {KEPT_S // 60} phút trong bộ nhớ và không còn nữa; hãy gửi lại "
            f"tệp. / Answers are kept in memory for {KEPT_S // 60} minutes only, and this one is "
            "gone; send the file again."
        )
    return found


@router.api_route("/verify/results/{token}", methods=["GET", "HEAD"])
async def answer(request: Request, token: str) -> Response:
    """The answer to an upload. Raises `NotFound` when it is gone."""
    result = _result_of(request, token)
    language, _ = chosen_language(request)
    return show(
        request,
        "result.html",
        verdict=view_of(result.report, language),
        pictures=result.pictures,
        base=f"/verify/results/{token}",
        result=result,
        has_receipts=house_of(request).receipts.has_own_key,
        issued=result.issued,
        tones=TONES,
        minutes=KEPT_S // 60,
    )


@router.get("/verify/results/{token}/pages/{state}-{place}.webp")
async def picture(request: Request, token: str, state: str, place: int) -> Response:
    """A picture: `state` is now or before, `place` its place among the pages that are shown."""
    pictures = _result_of(request, token).pictures
    pages = pictures.pages if pictures else ()
    content = b""
    if 0 <= place < len(pages) and state in ("now", "before"):
        content = pages[place].now if state == "now" else pages[place].before
    if not content:
        raise NotFound("Không có trang này. / There is no such page.")
    return Response(content, media_type="image/webp", headers=_NO_STORE)


@router.get("/verify/results/{token}/report.json")
async def report_json(request: Request, token: str) -> Response:
    """The report as `sohoa verify --json` prints it."""
    return _download(_whole(request, token).raw, "application/json", "report.json")


@router.get("/verify/results/{token}/report.pdf")
async def report_pdf(request: Request, token: str) -> Response:
    """The report on paper, unsigned."""
    result = _whole(request, token)
    maker = house_of(request).settings.record.agency
    facts = ReportFacts(dt.datetime.fromisoformat(result.report["verified_at"]), maker)
    pdf = await blocking(write_report, result.report, facts)
    return _download(pdf, "application/pdf", "report.pdf")


@router.get("/verify/results/{token}/report.xml")
async def report_xml(request: Request, token: str) -> Response:
    """The report as ETSI TS 119 102-2."""
    result = _whole(request, token)
    return _download(await blocking(etsi_report, result.report), "application/xml", "report.xml")


@router.post("/verify/results/{token}/receipt")
async def receipt(request: Request, token: str) -> Response:
    """The report sealed by the service's own key, where it has one; each is one use of that key.

    Raises `RateLimited`, `InvalidOrder` without such a key, and what sealing raises.
    """
    result = _whole(request, token)
    public_page_of(request.app).admit(request)
    order = ReceiptRequest(None, request_id=request_id(request))
    made = await blocking(house_of(request).receipts.seal, result.report, order)
    return _download(made.pdf, "application/pdf", "receipt.pdf")


@router.get("/verify/results/{token}/bundle.zip")
async def bundle(request: Request, token: str) -> Response:
    """The proof bundle of a result that was issued here. Raises `NotFound`."""
    result = _whole(request, token)
    content = await blocking(bundle_of, house_of(request), result.report)
    return _download(content, "application/zip", "bundle.zip")


def _whole(request: Request, token: str) -> Result:
    """An answer whose report is kept as it came. Raises `NotFound`."""
    result = _result_of(request, token)
    if not result.can_be_downloaded:
        raise NotFound(
            "Báo cáo này quá lớn; hãy lấy qua POST /v1/verifications. / This report is too large; "
            "get it from POST /v1/verifications."
        )
    return result


@router.post("/verify/results/{token}/forget")
async def forget(request: Request, token: str) -> Response:
    """Drop the answer now."""
    public_page_of(request.app).results.forget(token)
    language, was_chosen = chosen_language(request)
    return RedirectResponse(f"/verify?lang={language}" if was_chosen else "/verify", 303, _NO_STORE)


@router.get("/verify/static/{build}/{name:path}")
async def static(request: Request, build: str, name: str) -> Response:
    """A file of the pages; kept for ever by browsers, for its address changes with it."""
    stage = public_page_of(request.app).stage
    file = stage.files.get(name)
    if file is None:
        raise NotFound("Không có tệp này. / There is no such file.")
    headers = _FOR_EVER if build == stage.build else _NO_STORE
    return Response(file.content, media_type=file.media_type, headers=headers)


def _download(content: bytes, media_type: str, name: str) -> Response:
    headers = {**_NO_STORE, "content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


__all__ = ["PublicPage", "chosen_language", "public_page_of", "router", "show"]
