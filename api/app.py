"""The HTTP application: routes, the door around them, problem documents.

Everything below the routes is synchronous and runs in threads; `api` validates, authenticates,
streams and enqueues. A new resource is a file of `api/routes/` with a `router`, and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import problem_documents
from api.admission import Admission
from api.door import Door, language_of, request_id_of
from api.problem_documents import Answer, FieldError
from api.problems import Report
from api.routes import health, verifications

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.house import House

_ROUTERS = (verifications.router, health.router)


def create_app(house: House) -> FastAPI:
    """Build the application over `house`; nothing happens at import."""
    app = FastAPI(title="Sohoa", version="1", docs_url=None, redoc_url=None)
    app.state.house = house
    for router in _ROUTERS:
        app.include_router(router)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Door, admission=Admission(house.settings.web.max_waiting), refused=_nothing_yet
    )
    return app


async def _nothing_yet(scope: Scope, error: BaseException, told: Report) -> None:
    del scope, error, told


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    """No such address, no such method, a body that is no form."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    return _response(
        problem_documents.answer_status(
            error.status_code,
            language=language_of(request.scope),
            request_id=request_id_of(request.scope),
            headers=error.headers,
        )
    )


async def _invalid(request: Request, error: Exception) -> Response:
    """What the declared form of a request refuses, entry by entry."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    entries = [
        FieldError(".".join(str(part) for part in entry["loc"]), str(entry["msg"]))
        for entry in error.errors()[:20]
    ]
    return _response(
        problem_documents.answer_report(
            problem_documents.INVALID,
            language=language_of(request.scope),
            request_id=request_id_of(request.scope),
            errors=entries,
        )
    )


def _response(document: Answer) -> Response:
    return Response(document.body, document.status, headers=document.headers)
