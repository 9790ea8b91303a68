"""The outermost layer of the HTTP service: request ids, admission, security headers, refusals.

Pure ASGI: Starlette's BaseHTTPMiddleware starts a task and two streams a request, which would
cost more CPU than all of this.

    request id > may it come in? > bounded body > gate > route > headers
    and back: what was raised becomes a problem document
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from api.errors import RangeNotSatisfiable, SigningFailed
from api.problems import Report, report
from api.web import problem_documents
from api.web.body import Body, too_large
from api.web.problem_documents import Answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.web.admission import Admission

_LOG = logging.getLogger("sohoa.web")
JSON_LIMIT = 16 << 20
"""JSON is parsed as a whole, so it is bounded more narrowly than documents."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE = (b"cache-control", b"no-store")

Refused = Callable[["Scope", BaseException, Report], Coroutine[Any, Any, None]]
"""Told of every error that leaves a route, before it is answered: audits refusals."""

RefusalPage = Callable[["Scope", Report], Answer | None]
"""``app.state.refusal_page``: shows a refusal to people; None where no page was asked for."""


class Door:
    """ASGI middleware around the whole application. One a process; used by its event loop."""

    def __init__(
        self, app: ASGIApp, *, admission: Admission, refused: Refused, max_body_bytes: int
    ) -> None:
        self._app = app
        self._admission = admission
        self._refused = refused
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; everything that a route raises ends here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = False
        extra = [*_SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
        if scope.get("scheme") == "https":
            extra.append(_HSTS)

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = message["headers"]
                names = {name for name, _ in headers}
                message["headers"] = [*headers, *(e for e in extra if e[0] not in names)]
                if _NO_STORE[0] not in names:
                    message["headers"].append(_NO_STORE)
            await send(message)

        try:
            with self._admission.entered(scope):
                body = state["body"] = self._body(scope, receive)
                await self._app(scope, body.next, with_headers)
        except ClientDisconnect:
            _LOG.debug("the client went away", extra={"request_id": request_id})
        except Exception as error:
            told = report(error)
            if told.error_id is not None:
                _LOG.exception(
                    "unexpected error",
                    extra={"request_id": request_id, "error_id": told.error_id},
                )
            if started:  # too late for a document: cut the connection instead of ending it well
                raise
            await self._refused(scope, error, told)
            document = document_of(scope, told, errors=problem_documents.fields_of(error))
            if isinstance(error, RangeNotSatisfiable):
                document.headers["content-range"] = f"bytes */{error.size_bytes}"
            elif isinstance(error, SigningFailed) and error.record_id.startswith("rec_"):
                document.headers["link"] = f'</v1/signatures/{error.record_id}>; rel="related"'
            await _send(with_headers, document)

    def _body(self, scope: Scope, receive: Receive) -> Body:
        """The bounded body. Raises `BodyTooLarge` and `MalformedRequest` by the headers alone."""
        limit = self._max_body_bytes
        media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        if media_type == "application/json":
            limit = min(limit, JSON_LIMIT)
        length = header(scope, b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise too_large(limit)
        return Body(receive, limit=limit, content_digest=header(scope, b"content-digest"))


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a request header (`name` in lower case)."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def language_of(scope: Scope) -> problem_documents.Language:
    """The language that the client reads."""
    return problem_documents.preferred(header(scope, b"accept-language"))


def document_of(
    scope: Scope, told: Report, *, errors: Sequence[problem_documents.FieldError] = ()
) -> Answer:
    """What the client that sent this request is told: a problem document, or a page for people."""
    path: str = scope["path"]
    page: RefusalPage | None = getattr(scope["app"].state, "refusal_page", None)
    shown = page(scope, told) if page is not None else None
    if shown is not None:
        return shown
    return problem_documents.answer_report(
        told,
        language=language_of(scope),
        request_id=request_id_of(scope),
        errors=errors,
        csc=path.startswith("/csc/"),
    )


def request_id_of(scope: Scope) -> str:
    """The id that logs, traces, audit and problem documents give to this request."""
    found: str = scope["state"]["request_id"]
    return found


def _request_id(scope: Scope) -> str:
    """The client's own id where it is harmless, else a new one."""
    told = header(scope, b"x-request-id")
    if told is not None and _REQUEST_ID.fullmatch(told.encode("latin-1")):
        return told
    return f"req_{secrets.token_hex(10)}"


async def _send(send: Send, document: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in document.headers.items()]
    headers.append((b"content-length", str(len(document.body)).encode()))
    await send({"type": "http.response.start", "status": document.status, "headers": headers})
    await send({"type": "http.response.body", "body": document.body})
