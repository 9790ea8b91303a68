"""A station's day in figures: GET /console/day?day=2026-03-02&station=…"""

from __future__ import annotations

from datetime import date, datetime

from fastapi import APIRouter, Request, Response

from api.console.screen import HOME, show, signed_in, words_for
from api.web.doorway import blocking, house_of
from api.web.problem_documents import in_language
from dossier.errors import InvalidOrder
from dossier.station.figures import StationDay, StationFigures
from signer.clock import VIETNAM

router = APIRouter(include_in_schema=False)


@router.api_route(f"{HOME}/day", methods=["GET", "HEAD"])
async def day_screen(request: Request) -> Response:
    """Today's figures of the agency, or another day's, or of one station."""
    session = await signed_in(request)
    station = request.query_params.get("station", "").strip()[:200]
    asked = request.query_params.get("day", "")
    figures: StationDay | None = None
    problem = ""
    day = _day(asked)
    if day is None:
        problem = words_for(request)("day.wrong")
    else:
        try:
            figures = await blocking(
                StationFigures(house_of(request).database).day,
                session.caller,
                day,
                station or None,
            )
        except InvalidOrder as error:
            problem = in_language(str(error), words_for(request).language)
    return show(
        request,
        session,
        "day.html",
        status=422 if problem else 200,
        figures=figures,
        day=(day or datetime.now(VIETNAM).date()).isoformat(),
        station=station,
        problem=problem,
    )


def _day(text: str) -> date | None:
    """The day that was asked for, today where none was; None for what is no day."""
    if not text:
        return datetime.now(VIETNAM).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
