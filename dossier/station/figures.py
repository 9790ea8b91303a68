"""A station's day in figures: each with what was counted, of how many.

    day = StationFigures(database).day(caller, date(2026, 3, 2), station="quầy 1")
    day.to_json()

The day is that of the stacks that were opened in it, in Vietnam's time, with all that became of
them until now: yesterday's figures may still grow. A rate of nothing is None, not 0 or 100 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from dossier.checking.looking import Health, health_of
from dossier.checking.rows import READERS
from dossier.checking.values import About, EntryState, Target
from dossier.errors import InvalidOrder
from dossier.model import JSON, Caller, first_id
from dossier.stacks.values import PageState, PaperState
from dossier.storage.database import Database
from dossier.storage.station_tables import paper_entries, papers, stack_pages, stack_scans, stacks
from signer.clock import VIETNAM

_HOUR_US = 3_600_000_000
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_CHECKED = frozenset({PaperState.CHECKED, PaperState.MARKED, PaperState.ACCEPTED, PaperState.FILED})


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many."""

    count: int
    of: int

    @property
    def percent(self) -> float | None:
        """None where there is nothing to count."""
        return 100 * self.count / self.of if self.of else None

    def to_json(self) -> dict[str, JSON]:
        """Numerator, denominator, and their ratio in percent or null."""
        percent = self.percent
        return {
            "count": self.count,
            "of": self.of,
            "percent": None if percent is None else round(percent, 2),
        }


@dataclass(frozen=True, slots=True)
class Throughput:
    """Pages that were read, and the clock hours in which one was: what a busy hour brings."""

    pages: int
    busy_hours: int

    @property
    def pages_per_hour(self) -> float | None:
        """None where no page was read."""
        return self.pages / self.busy_hours if self.busy_hours else None

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        per_hour = self.pages_per_hour
        return {
            "pages": self.pages,
            "busy_hours": self.busy_hours,
            "pages_per_hour": None if per_hour is None else round(per_hour, 1),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """Pages, files or papers that failed for one reason."""

    what: str
    reason: str
    count: int

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {"what": self.what, "reason": self.reason, "count": self.count}


@dataclass(frozen=True, slots=True)
class Durations:
    """From the opening of a stack to the filing of its papers; None where none is filed."""

    papers: int
    median_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Durations:
        """Nearest rank."""
        found = sorted(seconds)
        return cls(len(found), _percentile(found, 50), _percentile(found, 95))

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {"papers": self.papers, "median_s": self.median_s, "p95_s": self.p95_s}


@dataclass(frozen=True, slots=True)
class Corrections:
    """Of the fields, and of the words that were read: how many people changed."""

    fields: Rate
    words: Rate

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {"fields": self.fields.to_json(), "words": self.words.to_json()}


@dataclass(frozen=True, slots=True)
class StationDay:
    """The day of one station, or of all of an agency's.

    Corrections are those of papers that were checked. `by_field`: of how many such papers a person
    changed that field. `queue` is the agency's, now.
    """

    day: date
    station: str | None
    stacks: Mapping[str, int]
    papers: Mapping[str, int]
    throughput: Throughput
    queue: Health
    failures: tuple[Failure, ...]
    filing: Durations
    corrections: Corrections
    by_field: Mapping[str, Rate]
    by_scanner: Mapping[str, Corrections]
    by_station: Mapping[str, Corrections]

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "day": self.day.isoformat(),
            "station": self.station,
            "stacks": dict(self.stacks),
            "papers": dict(self.papers),
            "throughput": self.throughput.to_json(),
            "queue": self.queue.to_json(),
            "failures": [failure.to_json() for failure in self.failures],
            "filing": self.filing.to_json(),
            "corrections": self.corrections.to_json(),
            "by_field": {name: rate.to_json() for name, rate in self.by_field.items()},
            "by_scanner": {name: one.to_json() for name, one in self.by_scanner.items()},
            "by_station": {name: one.to_json() for name, one in self.by_station.items()},
        }


class StationFigures:
    """The figures of one database. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def day(self, caller: Caller, day: date, station: str | None = None) -> StationDay:
        """What the caller's agency did on `day`; of one station if named.

        Raises `InvalidOrder` for a day of no station, `AccessRefused`, `StoreError`.
        """
        caller.require(*READERS)
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise InvalidOrder(
                f"Năm từ {_FIRST_YEAR} đến {_LAST_YEAR}. / The year is {_FIRST_YEAR} to "
                f"{_LAST_YEAR}.",
                field="day",
            )
        mine = _stacks_of(caller.agency_id, day, station)
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(stacks.c.id, stacks.c.order, stacks.c.state, stacks.c.created_at).where(
                    stacks.c.id.in_(mine)
                )
            ).all()
            opened = {row.id: row for row in rows}
            kept = [
                row
                for row in connection.execute(_PAPERS.where(papers.c.stack_id.in_(mine)))
                if row.state != PaperState.GONE
            ]
            checked = [row for row in kept if row.state in _CHECKED]
            changed = _changed(connection, mine)
            queue = health_of(connection, caller.agency_id, self._database.now(connection))
            throughput = _throughput(connection, mine)
            failures = _failures(connection, mine, kept)
        whole = _Tally(checked, changed)
        stations = {key: row.order["station"] for key, row in opened.items()}
        scanners = {key: row.order.get("scanner") or "?" for key, row in opened.items()}
        filed = (
            (row.filed_at - opened[row.stack_id].created_at).total_seconds()
            for row in kept
            if row.filed_at is not None
        )
        return StationDay(
            day,
            station,
            _counted(row.state for row in rows),
            _counted(row.state for row in kept),
            throughput,
            queue,
            failures,
            Durations.of(filed),
            whole.corrections(),
            whole.by_field(),
            whole.grouped(scanners),
            whole.grouped(stations),
        )


_PAPERS = sa.select(
    papers.c.id,
    papers.c.stack_id,
    papers.c.state,
    papers.c.summary,
    papers.c.error,
    papers.c.filed_at,
)


def _stacks_of(agency_id: str, day: date, station: str | None) -> sa.Select[tuple[str]]:
    """Ids of the stacks that were opened on a day: identifiers begin with their time."""
    start = datetime.combine(day, time(), VIETNAM)
    query = sa.select(stacks.c.id).where(
        stacks.c.agency_id == agency_id,
        stacks.c.id >= first_id("stk", start),
        stacks.c.id < first_id("stk", start + timedelta(days=1)),
    )
    return (
        query if station is None else query.where(stacks.c.order["station"].as_string() == station)
    )


def _throughput(connection: sa.Connection, mine: sa.Select[tuple[str]]) -> Throughput:
    hour = sa.type_coerce(stack_pages.c.read_at, sa.BigInteger) // _HOUR_US
    counts = list(
        connection.execute(
            sa.select(sa.func.count())
            .where(stack_pages.c.stack_id.in_(mine), stack_pages.c.read_at.is_not(None))
            .group_by(hour)
        ).scalars()
    )
    return Throughput(sum(counts), len(counts))


def _failures(
    connection: sa.Connection, mine: sa.Select[tuple[str]], kept: Sequence[Any]
) -> tuple[Failure, ...]:
    pages = connection.execute(
        sa.select(stack_pages.c.error).where(
            stack_pages.c.stack_id.in_(mine), stack_pages.c.state == PageState.FAULTY
        )
    ).scalars()
    files = connection.execute(
        sa.select(stack_scans.c.error).where(stack_scans.c.stack_id.in_(mine))
    ).scalars()
    found = Counter([
        *(("page", _reason(error)) for error in pages),
        *(("file", _reason(error)) for error in files if error is not None),
        *(("paper", _reason(row.error)) for row in kept if row.error is not None),
    ])  # fmt: skip
    return tuple(Failure(*key, count) for key, count in sorted(found.items()))


def _reason(error: JSON) -> str:
    return str(error["kind"]) if isinstance(error, dict) and "kind" in error else "?"


def _changed(connection: sa.Connection, mine: sa.Select[tuple[str]]) -> list[tuple[str, Target]]:
    """Paper and target of every reading for which a person put something else."""
    rows = connection.execute(
        sa.select(paper_entries.c.paper_id, paper_entries.c.target)
        .join(papers, papers.c.id == paper_entries.c.paper_id)
        .where(
            papers.c.stack_id.in_(mine),
            paper_entries.c.state == EntryState.CONFIRMED,
            paper_entries.c.value != paper_entries.c.machine,  # none of where nothing was read
        )
    )
    found = [(paper_id, Target.parse(target)) for paper_id, target in rows]
    return [(paper_id, target) for paper_id, target in found if target.about is not About.FINDING]


class _Tally:
    """What was changed in some checked papers."""

    def __init__(self, checked: Sequence[Any], changed: Iterable[tuple[str, Target]]) -> None:
        self._checked = checked
        ids = {row.id for row in checked}
        self._changed = [(paper_id, target) for paper_id, target in changed if paper_id in ids]

    def corrections(self) -> Corrections:
        fields = sum(target.about is About.FIELD for _, target in self._changed)
        of_fields = sum(_count(row, "fields") for row in self._checked)
        of_words = sum(_count(row, "words") for row in self._checked)
        words = len(self._changed) - fields
        return Corrections(Rate(fields, of_fields), Rate(words, of_words))

    def by_field(self) -> dict[str, Rate]:
        """Of how many papers each field was changed, whichever of its values."""
        where = {(p, target.name) for p, target in self._changed if target.about is About.FIELD}
        counts = Counter(name for _, name in where)
        return {name: Rate(counts[name], len(self._checked)) for name in sorted(counts)}

    def grouped(self, by_stack: Mapping[str, str]) -> dict[str, Corrections]:
        """The same for the papers of each station, or of each scanner."""
        groups: dict[str, list[Any]] = {}
        for row in self._checked:
            groups.setdefault(by_stack[row.stack_id], []).append(row)
        return {
            name: _Tally(rows, self._changed).corrections() for name, rows in sorted(groups.items())
        }


def _count(row: Any, name: str) -> int:  # noqa: ANN401 - a row
    return int((row.summary or {}).get(name, 0))


def _counted(states: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(states).items()))


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 1)
