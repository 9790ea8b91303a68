"""A station's day: what was read, checked, filed, corrected, and what failed."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel

from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, blocking
from api.web.paper_views import HealthView, Station
from api.web.problem_documents import problems
from dossier.station.figures import StationFigures
from signer.clock import VIETNAM

router = APIRouter(tags=["Trạm quét / Scanning stations"])


class RateView(BaseModel):
    """So many of so many; percent null of nothing."""

    count: int
    of: int
    percent: float | None


class ThroughputView(BaseModel):
    """Pages, the clock hours in which one was read, and pages in such an hour."""

    pages: int
    busy_hours: int
    pages_per_hour: float | None


class DurationsView(BaseModel):
    """From opening to filing, in seconds; null where nothing is filed."""

    papers: int
    median_s: float | None
    p95_s: float | None


class FailureView(BaseModel):
    """Pages, files or papers that failed for one reason."""

    what: str
    reason: str
    count: int


class CorrectionsView(BaseModel):
    """What people changed of what was read."""

    fields: RateView
    words: RateView


class StationDayView(BaseModel):
    """One day: of the stacks that were opened in it, with what became of them until now."""

    day: dt.date
    station: str | None
    stacks: dict[str, int]
    papers: dict[str, int]
    throughput: ThroughputView
    queue: HealthView
    failures: list[FailureView]
    filing: DurationsView
    corrections: CorrectionsView
    by_field: dict[str, RateView]
    by_scanner: dict[str, CorrectionsView]
    by_station: dict[str, CorrectionsView]


Day = Annotated[
    dt.date | None, Query(description="Ngày (giờ Việt Nam); mặc định hôm nay. / Today if left out.")
]


@router.get(
    "/v1/station/day",
    response_model=StationDayView,
    responses=problems(401, 403, 422, 429),
    summary="Số liệu một ngày. / A day's figures.",
)
async def get_day(
    house: CurrentHouse, caller: CurrentCaller, day: Day = None, station: Station = None
) -> Response:
    """Of one station, or of all of the agency's."""
    wanted = day or dt.datetime.now(VIETNAM).date()

    def work() -> dict[str, Any]:
        return StationFigures(house.database).day(caller, wanted, station).to_json()

    return JSONAnswer(await blocking(work))
