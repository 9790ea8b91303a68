"""Who asks: API keys, OIDC bearer tokens, client certificates, signed requests; and how often.

    caller = await authenticate(request)       # Unauthenticated, AccessRefused, RateLimited, …

`Gate` (ASGI, inside the door and inside `Body`) authenticates before a route is found or a body
is read, so that nobody unknown makes the service parse anything. `authenticate` then returns what
the gate found. On public paths it is the route that asks, or does not.

    app.add_middleware(Gate)                   # innermost; then Body, then Door
    await close(app)                           # in the lifespan: writes the last refusals

`Door(refused=…)` takes `authenticator_of(app).refusals.refused`: every refusal becomes an audit
entry, coalesced so that a flood of bad logins cannot flood the database (security.md 23).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.auth.authenticator import Admitted, Authenticator
from api.auth.gate import Gate
from api.auth.refusals import Refusals
from dossier.model import Caller

if TYPE_CHECKING:
    from fastapi import Request

__all__ = [
    "Admitted",
    "Authenticator",
    "Gate",
    "Refusals",
    "authenticate",
    "authenticator_of",
    "close",
]


async def authenticate(request: Request) -> Caller:
    """Who asks; the answer is kept for the request, so asking again costs nothing.

    Raises `Unauthenticated` (401, the same for every credential that is not accepted),
    `AccessRefused` (403: a person of the identity provider whom nobody entered here; a principal
    that has to sign its requests), `RateLimited` (429), `BodyTooLarge` (413, by Content-Length
    and the caller's limit), `ProviderUnavailable` and `StoreError` (503).
    """
    admitted = await authenticator_of(request.app).admit(request.scope)
    return admitted.caller


def authenticator_of(app: Any) -> Authenticator:  # noqa: ANN401 - FastAPI, or any app with a state
    """The authenticator of this application, made from its house when first needed."""
    found: Authenticator | None = getattr(app.state, "authenticator", None)
    if found is None:
        house = app.state.house
        found = Authenticator(house.settings, house.identity, house.audit)
        app.state.authenticator = found
    return found


async def close(app: Any) -> None:  # noqa: ANN401 - as above
    """Write the refusals that are still to be written, and let go of connections."""
    found: Authenticator | None = getattr(app.state, "authenticator", None)
    if found is not None:
        await found.close()
