"""The gate: authenticates before a route is looked for or a byte of the body is read.

FastAPI reads a declared body before it asks a route's dependencies who the caller is; without the
gate anybody could have megabytes parsed. It also tells callers their rate (RateLimit headers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.auth.authenticator import Admitted

PUBLIC = frozenset(
    {
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/v1/verifications",
        "/v1/proofs",
        "/csc/v2/info",
        "/v1/records",
        "/v1/records/{code}",
        "/v1/records/{code}/proof",
        "/v1/register/checkpoint",
        "/v1/register/entries",
        "/v1/register/proof/inclusion",
        "/v1/register/proof/consistency",
    }
)
"""Paths whose routes decide themselves whether they ask who the caller is."""
_PAGES = ("/verify", "/console")
"""The citizen's pages, where nobody logs in, and the operators', which have a session."""
_RESULTS = "/v1/records/"


def is_public(path: str, public: frozenset[str] = PUBLIC) -> bool:
    """True when nobody has to say who they are to ask for `path`."""
    return (
        path in public
        or path in _PAGES
        or path.startswith((*(f"{page}/" for page in _PAGES), _RESULTS))
    )


class Gate:
    """ASGI middleware, the innermost. One a process; used by its event loop."""

    def __init__(self, app: ASGIApp, *, public: frozenset[str] = PUBLIC) -> None:
        self._app = app
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises what `api.auth.authenticate` raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not is_public(scope["path"], self._public):
            from api.auth import authenticator_of  # not at the top: api.auth imports this module

            await authenticator_of(scope["app"]).admit(scope)

        async def with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                admitted: Admitted | None = scope["state"].get("admitted")
                if admitted is not None:
                    message["headers"] = [*message["headers"], *admitted.rate_headers()]
            await send(message)

        scope.setdefault("state", {})
        await self._app(scope, receive, with_rate)
