"""Signing in and out, the settings of the screens, and their static files.

GET  /console/sign-in     POST …   a person's own API key becomes a session
POST /console/sign-out
GET  /console/settings    POST …   language, keys without Ctrl
GET  /console/static/{build}/{name}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.auth import authenticator_of
from api.auth.authenticator import FAILURE_BURST, FAILURES_PER_S
from api.auth.rates import source_of, whole_seconds
from api.console.screen import (
    HOME,
    NO_STORE,
    SETTINGS_COOKIE,
    Preferences,
    back_to,
    console_of,
    own_place,
    preferences_of,
    read_fields,
    require_own_origin,
    sent_form,
    set_session,
    show,
    signed_in,
    words_for,
)
from api.console.session import COOKIE
from api.errors import RateLimited
from api.problems import report
from api.public.words import LANGUAGES
from api.web.doorway import blocking, house_of
from api.web.problem_documents import in_language
from dossier.errors import AccessRefused, CredentialRefused, NotFound
from dossier.model import AuditEvent

if TYPE_CHECKING:
    from api.console.session import Session

router = APIRouter(include_in_schema=False)
_SIGN_IN = f"{HOME}/sign-in"
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_YEAR_S = 365 * 24 * 3600


@router.api_route(_SIGN_IN, methods=["GET", "HEAD"])
async def ask_for_key(request: Request) -> Response:
    """The page that asks for the key."""
    return _asked(request, own_place(request.query_params.get("back", HOME)))


@router.post(_SIGN_IN)
async def sign_in(request: Request) -> Response:
    """Open a session. Raises `RateLimited` for an address that failed too often, `AccessRefused`.

    A key that does not serve is answered with the page, whatever is wrong with it.
    """
    require_own_origin(request)
    form = await read_fields(request)
    back = own_place(form.get("back", HOME))
    console = console_of(request.app)
    source = source_of(request.client.host if request.client else None)
    wait_s = console.failures.wait_s(source, rate=FAILURES_PER_S, burst=FAILURE_BURST)
    if wait_s > 0:
        raise RateLimited(retry_after_s=whole_seconds(wait_s))
    try:
        cookie, session = await blocking(console.sessions.open, form.get("key", "").strip())
    except (CredentialRefused, AccessRefused) as error:
        console.failures.take(source, rate=FAILURES_PER_S, burst=FAILURE_BURST)
        refusals = authenticator_of(request.app).refusals
        await refusals.refused(request.scope, error, report(error))
        words = words_for(request)
        told = (
            in_language(str(error), words.language)
            if isinstance(error, AccessRefused)
            else words("entry.wrong-key")
        )
        return _asked(request, back, told, status=401)
    await blocking(house_of(request).audit.write, _told("console.signed-in", session))
    answer = RedirectResponse(back, 303, NO_STORE)
    set_session(answer, cookie, console.sessions.left_s(session))
    return answer


@router.post(f"{HOME}/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session, also for whoever copied its cookie; the browser forgets the pictures."""
    session, _ = await sent_form(request)
    await blocking(console_of(request.app).sessions.end, session)
    await blocking(house_of(request).audit.write, _told("console.signed-out", session))
    answer = back_to(_SIGN_IN, "signed-out")
    answer.headers["clear-site-data"] = '"cache"'
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.api_route(f"{HOME}/settings", methods=["GET", "HEAD"])
async def settings(request: Request) -> Response:
    """The settings of the screens."""
    session = await signed_in(request)
    said = request.query_params.get("said", "")
    return show(request, session, "settings.html", languages=LANGUAGES, said=said)


@router.post(f"{HOME}/settings")
async def change_settings(request: Request) -> Response:
    """Keep them in the browser."""
    _, form = await sent_form(request)
    language = preferences_of(request.scope).language
    wanted = next((one for one in LANGUAGES if one == form.get("language")), language)
    chosen = Preferences(wanted, "letter-keys" in form)
    answer = back_to(f"{HOME}/settings", "settings-kept")
    answer.set_cookie(
        SETTINGS_COOKIE,
        chosen.cookie(),
        max_age=_YEAR_S,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(f"{HOME}/static/{{build}}/{{name:path}}")
async def static(request: Request, build: str, name: str) -> Response:
    """A file of the pages; kept for ever by browsers, for its address changes with it."""
    stage = console_of(request.app).stage
    file = stage.files.get(name)
    if file is None:
        raise NotFound("Không có tệp này. / There is no such file.")
    headers = _FOR_EVER if build == stage.build else NO_STORE
    return Response(file.content, media_type=file.media_type, headers=headers)


def _asked(request: Request, back: str, problem: str = "", *, status: int = 200) -> Response:
    return show(
        request,
        None,
        "sign_in.html",
        status=status,
        back=back,
        problem=problem,
        said=request.query_params.get("said", ""),
    )


def _told(event: str, session: Session) -> AuditEvent:
    caller = session.caller
    return AuditEvent(
        event, caller.principal_id, caller.agency_id, caller.principal_id, {"key": session.key_id}
    )
