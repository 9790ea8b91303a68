"""What every page and form of the console goes through: session, Origin, form token, language.

session = await signed_in(request)             # SignInNeeded: the way to the sign-in page
session, form = await sent_form(request)       # besides: AccessRefused for a foreign form
return show(request, session, "stacks.html", …)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from api.auth.authenticator import Admitted
from api.auth.rates import TokenBuckets
from api.console.pages import Readings
from api.console.pictures import Pictures
from api.console.scanning import ScanRuns
from api.console.session import COOKIE, OPERATORS, Session, Sessions
from api.errors import MalformedRequest, UnsupportedMediaType
from api.public.stage import CSP, Stage
from api.public.words import LANGUAGES, Words, catalogue
from api.web.body import too_large
from api.web.door import header, language_of
from api.web.doorway import blocking, house_of, request_id
from api.web.problem_documents import Language
from dossier.checking.material import MaterialShelf
from dossier.errors import AccessRefused, CredentialRefused
from dossier.identity import Limits

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.house import House

HOME = "/console"
SETTINGS_COOKIE = "__Host-sohoa-screen"
_FORM_BYTES = 256 * 1024
_HTML = "text/html; charset=utf-8"
NO_STORE = {"cache-control": "no-store"}


class SignInNeeded(Exception):
    """Nobody is signed in; `back` is where the person wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


class Console:
    """What the pages keep between requests. For one event loop."""

    def __init__(self, house: House) -> None:
        settings = house.settings
        self.stage = Stage(
            agency=settings.record.agency,
            is_test=settings.mode == "test",
            package="api.console",
            address=HOME,
        )
        self.sessions = Sessions(house.identity, settings.data_dir / "console" / "ended")
        self.failures = TokenBuckets()
        self.pictures = Pictures(house.blobs)
        self.readings = Readings(house.blobs)
        self.materials = MaterialShelf(house.blobs)
        self.scans = ScanRuns(house, settings.data_dir / "console" / "scans")


def console_of(app: Any) -> Console:  # noqa: ANN401 - FastAPI, or any app with a state
    """The console of this application, made when it is first asked for."""
    found: Console | None = getattr(app.state, "console", None)
    if found is None:
        found = app.state.console = Console(app.state.house)
    return found


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one person wants the screens. `letter_keys`: keys without Ctrl do something (2.1.4)."""

    language: Language
    letter_keys: bool = True

    def cookie(self) -> str:
        """As the browser keeps it."""
        return urlencode({"lang": self.language, "keys": "on" if self.letter_keys else "off"})


def preferences_of(scope: Scope) -> Preferences:
    """What the address asks for, else what the browser was told to keep, else what it reads."""
    kept = dict(parse_qsl(_cookies(scope).get(SETTINGS_COOKIE, "")))
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[-1]
    language = language_of(scope)
    for wanted in (kept.get("lang"), asked):
        language = next((one for one in LANGUAGES if one == wanted), language)
    return Preferences(language, kept.get("keys") != "off")


def words_for(request: Request) -> Words:
    """The catalogue in the language of whoever sent `request`."""
    return catalogue(preferences_of(request.scope).language, "api.console")


async def signed_in(request: Request) -> Session:
    """Who works here. Raises `SignInNeeded`, `AccessRefused` when the role was taken away."""
    token = _cookies(request.scope).get(COOKIE)
    back = request.url.path if request.method == "GET" else HOME
    if token is None:
        raise SignInNeeded(back)
    sessions = console_of(request.app).sessions
    try:
        session = await blocking(sessions.read, token, request_id(request))
    except CredentialRefused as error:
        raise SignInNeeded(back) from error
    request.state.console_session = session
    # who is refused something further on is named in the audit log
    limits = Limits()
    request.scope["state"]["admitted"] = Admitted(session.caller, limits, limits.burst)
    return session


async def sent_form(request: Request) -> tuple[Session, dict[str, str]]:
    """Who sent a form, and its entries, the last one of a name. Raises as `signed_in`.

    And `AccessRefused` for what was sent from elsewhere, `MalformedRequest`, `BodyTooLarge`.
    """
    require_own_origin(request)
    session = await signed_in(request)
    form = await read_fields(request)
    require_form_token(session, form.get("form-token", ""))
    return session, form


def require_own_origin(request: Request) -> None:
    """Raise `AccessRefused` unless a page of ours sent this (Origin, RFC 6454)."""
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}"}
    public = urlsplit(house_of(request).settings.web.public_url)
    if public.scheme:
        own.add(f"{public.scheme}://{public.netloc}")
    if request.headers.get("origin") not in own:
        raise AccessRefused(
            "Yêu cầu không đến từ trang này; hãy mở lại trang rồi làm lại. / This was not sent "
            "from a page of ours; open the page again and repeat it."
        )


def require_form_token(session: Session, token: str) -> None:
    """Raise `AccessRefused` unless the form was made for this session."""
    if not session.allows(token):
        raise AccessRefused(
            "Biểu mẫu đã cũ; hãy tải lại trang rồi làm lại. / The form is of another session; "
            "load the page again and repeat it."
        )


async def read_fields(request: Request) -> dict[str, str]:
    """The entries of a form without files. Raises `MalformedRequest`, `BodyTooLarge`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType(
            "Hãy gửi bằng biểu mẫu trên trang. / Send it with the form on the page."
        )
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _FORM_BYTES:
            raise too_large(_FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=2000)
    except ValueError as error:
        raise MalformedRequest(
            "Biểu mẫu không đọc được. / The form cannot be read.", field="body"
        ) from error
    return dict(pairs)


def show(
    request: Request,
    session: Session | None,
    template: str,
    *,
    status: int = 200,
    **values: Any,  # noqa: ANN401
) -> Response:
    """A page in the reader's language; renews the cookie of the session."""
    console = console_of(request.app)
    content = page_bytes(request.scope, session, template, **values)
    answer = Response(content, status, page_headers(request.scope), media_type=_HTML)
    renewed = console.sessions.renewed(session) if session is not None else None
    if session is not None and renewed is not None:
        set_session(answer, renewed, console.sessions.left_s(session))
    return answer


def page_bytes(
    scope: Scope,
    session: Session | None,
    template: str,
    **values: Any,  # noqa: ANN401
) -> bytes:
    """A page as UTF-8 HTML."""
    chosen = preferences_of(scope)
    place = scope["path"] if scope.get("method") in ("GET", "HEAD") else HOME
    kept = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    query = [pair for pair in kept if pair[0] != "lang"] if place == scope["path"] else []
    return console_of(scope["app"]).stage.page(
        template,
        chosen.language,
        session=session,
        letter_keys=chosen.letter_keys,
        in_language=lambda other: f"{place}?{urlencode([*query, ('lang', other)])}",
        here=f"{place}?{urlencode(query)}" if query else place,
        **values,
    )


def page_headers(scope: Scope) -> dict[str, str]:
    """The headers of a page. Browsers name the origin of a form under this referrer policy."""
    return {
        **NO_STORE,
        "content-security-policy": CSP,
        "content-language": preferences_of(scope).language,
        "referrer-policy": "same-origin",
        "vary": "accept-language, cookie",
    }


def back_to(place: str, said: str = "", **more: str) -> Response:
    """The answer to a form: go and look. `said` is a key of the catalogue, shown once."""
    query = {**more, **({"said": said} if said else {})}
    address, _, part = place.partition("#")
    joint = "&" if "?" in address else "?"
    address = f"{address}{joint}{urlencode(query)}" if query else address
    return RedirectResponse(f"{address}#{part}" if part else address, 303, NO_STORE)


def own_place(text: str, fallback: str = HOME) -> str:
    """`text` when it is an address of the console, which a form may lead back to."""
    is_ours = text == HOME or text.startswith((f"{HOME}/", f"{HOME}?"))
    return text if is_ours and text.isascii() and text.isprintable() else fallback


def set_session(answer: Response, cookie: str, left_s: int) -> None:
    """Have the browser keep a session's cookie."""
    answer.set_cookie(
        COOKIE, cookie, max_age=left_s, path="/", secure=True, httponly=True, samesite="lax"
    )


def _cookies(scope: Scope) -> Mapping[str, str]:
    """The cookies that were sent; the first of a name."""
    found: dict[str, str] = {}
    for pair in (header(scope, b"cookie") or "").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found


__all__ = ["OPERATORS", "Console", "SignInNeeded", "console_of", "sent_form", "show", "signed_in"]
