"""Puts the console into the application: its routes, its sign-in page, its refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from api.console import arranging, checking, day, entry, records, refusals, search, stacks
from api.console.screen import HOME, NO_STORE, SignInNeeded

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from starlette.types import Scope

    from api.problems import Report
    from api.web.door import RefusalPage
    from api.web.problem_documents import Answer


def mount(app: FastAPI) -> None:
    """The pages below /console; other pages' refusals stay theirs."""
    for screen in (entry, arranging, stacks, checking, records, search, day):
        app.include_router(screen.router)
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    others: RefusalPage = app.state.refusal_page

    def page_of(scope: Scope, told: Report) -> Answer | None:
        return refusals.page_of(scope, told) or others(scope, told)

    app.state.refusal_page = page_of


async def _to_sign_in(_: Request, error: Exception) -> Response:
    back = error.back if isinstance(error, SignInNeeded) else HOME
    query = urlencode({"back": back}) if back != HOME else ""
    place = f"{HOME}/sign-in?{query}" if query else f"{HOME}/sign-in"
    return RedirectResponse(place, 303, NO_STORE)
