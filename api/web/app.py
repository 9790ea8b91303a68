"""The HTTP application: routes, the door around them, problem documents.

Everything below the routes is synchronous and runs in threads; `api` validates, authenticates,
streams and enqueues. A new resource is a file of `routes/` with a `router`, and a line here.

    Door (ids, admission, bounded body, problems) > Gate (who asks) > routes
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import auth
from api.auth.gate import PUBLIC
from api.console import mounting as console
from api.problems import PROBLEMS
from api.public import refusals
from api.public import routes as public_page
from api.telemetry import Observed
from api.web import problem_documents
from api.web.admission import Admission, Shutter
from api.web.door import Door, document_of
from api.web.openapi import describe
from api.web.readiness import Readiness, probes_of
from api.web.routes import (
    audit,
    batches,
    blobs,
    bundles,
    clients,
    cover_sheets,
    csc,
    digitizations,
    health,
    jobs,
    keys,
    paper_decisions,
    papers,
    profiles,
    proofs,
    records,
    register,
    search,
    sequences,
    signatures,
    stacks,
    station,
    verification_batches,
    verifications,
    webhooks,
)
from api.web.validation import field_errors
from api.web.waiting import Waiting, settled

if TYPE_CHECKING:
    from fastapi import APIRouter

    from api.house import House

# the first ones are looked at first: those that are asked most often
_ROUTERS = (
    signatures.router,
    blobs.router,
    verifications.router,
    proofs.router,
    records.router,
    bundles.router,
    register.router,
    jobs.router,
    keys.router,
    profiles.router,
    audit.router,
    digitizations.router,
    cover_sheets.router,
    stacks.router,
    papers.router,
    paper_decisions.router,
    station.router,
    search.router,
    sequences.router,
    batches.router,
    verification_batches.router,
    webhooks.router,
    csc.router,
    clients.router,
    health.router,
    public_page.router,
)


def create_app(house: House, *, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """Build the application over `house`; nothing happens at import.

    `routers` are further resources. The caller of this owns `house` and closes it afterwards.
    """
    app = FastAPI(title="Sohoa", version="1", docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.house = house
    app.state.waiting = Waiting(lambda ids: settled(house.records.states(ids)))
    app.state.readiness = Readiness(probes_of(house))
    app.state.backlog = Shutter()
    app.state.verifying = verifications.Turns()
    app.state.misses = records.Misses()
    app.state.refusal_page = refusals.page_of
    for router in (*_ROUTERS, *routers):
        app.include_router(router)
    console.mount(app)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(auth.Gate)
    app.add_middleware(
        Door,
        admission=Admission(house.settings.web.max_waiting),
        refused=auth.authenticator_of(app).refusals.refused,
        max_body_bytes=house.settings.web.max_body_bytes,
    )
    if house.telemetry is not None:
        app.state.metrics = house.telemetry.page(house.database, agent_health=house.agent.health)
        app.add_middleware(Observed, telemetry=house.telemetry)
    app.openapi = lambda: describe(app, PUBLIC)  # type: ignore[method-assign] # FastAPI's own way
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await auth.close(app)


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    """No such address, no such method, a body that is no form."""
    cause: Any = error.__cause__
    if any(kind in PROBLEMS for kind in type(cause).__mro__):
        raise cause  # reading the body raised one of ours, which the framework wrapped
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = error.headers if isinstance(error, HTTPException) else None
    document = document_of(request.scope, problem_documents.of_status(status))
    return Response(document.body, document.status, {**document.headers, **(headers or {})})


async def _invalid(request: Request, error: Exception) -> Response:
    """What the declared form of a request refuses, entry by entry."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    document = document_of(request.scope, problem_documents.INVALID, errors=field_errors(found))
    return Response(document.body, document.status, document.headers)
