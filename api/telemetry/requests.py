"""Around the door: an id for each request, one log line, its metrics, its span. Pure ASGI."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from api.telemetry.logs import about
from api.telemetry.trace_ids import RequestIDs, request_ids

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.telemetry.process import Telemetry

_LOG = logging.getLogger("sohoa.request")
_CLIENT_LEFT = 499
"""Status, in logs and metrics alone, of a request whose client went away before the answer."""
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Observed:
    """ASGI middleware, the outermost. One a process; used by its event loop.

    It puts the request's id into the header X-Request-Id, as if the client had sent it: the door
    takes it from there, and answers with it.
    """

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry
        self._metrics = telemetry.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ids = _identified(scope)
        began = time.perf_counter()
        status = _CLIENT_LEFT

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.inside.inc()
        try:
            with (
                about(request_id=ids.request_id),
                self._telemetry.tracing.request(ids, scope["method"]) as span,
            ):
                try:
                    await self._app(scope, receive, observed)
                except BaseException:
                    status = max(status, 500)
                    raise
                finally:
                    route = route_of(scope)
                    span.set("http.request.method", scope["method"])
                    span.set("http.route", route)
                    span.set("http.response.status_code", status)
                    seconds = time.perf_counter() - began
                    self._metrics.request(scope["method"], route, status, seconds)
                    _log(scope, route, status, seconds)
        finally:
            self._metrics.inside.dec()


def route_of(scope: Scope) -> str:
    """The template of the route that served the request; strangers' paths are all one."""
    route = scope.get("route")
    found: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    if found is not None:
        return found
    path: str = scope["path"]
    return path if path in _QUIET else "unmatched"


def _log(scope: Scope, route: str, status: int, seconds: float) -> None:
    level = logging.INFO if status < 500 else logging.ERROR
    if scope["path"] in _QUIET and status < 400:
        level = logging.DEBUG
    if not _LOG.isEnabledFor(level):
        return
    entries: dict[str, Any] = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    admitted = scope.get("state", {}).get("admitted")
    if admitted is not None:
        entries["principal"] = admitted.caller.principal_id
        entries["agency"] = admitted.caller.agency_id
    _LOG.log(level, "request", extra=entries)


def _identified(scope: Scope) -> RequestIDs:
    """The request's ids; X-Request-Id in the scope names them from now on."""
    told: dict[bytes, str] = {}
    headers = []
    for name, value in scope["headers"]:
        if name in (b"x-request-id", b"traceparent"):
            told.setdefault(name, value.decode("latin-1"))
        if name != b"x-request-id":
            headers.append((name, value))
    ids = request_ids(told.get(b"x-request-id"), told.get(b"traceparent"))
    headers.append((b"x-request-id", ids.request_id.encode()))
    scope["headers"] = headers
    return ids
