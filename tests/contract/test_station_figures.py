"""A station's day on both databases: counted from the tables, a rate of nothing is none."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from dossier.checking.values import Target
from dossier.stacks.order import StackOrder
from dossier.stacks.values import PageState, PaperState
from dossier.station.figures import Durations, Rate, StationFigures
from dossier.storage.station_tables import stack_pages, stacks
from signer.clock import VIETNAM
from tests.checking_room import DU, MAU, STRANGER, CheckingRoom, field_of

NUMBER = Target.parse("field:doc_number")


@pytest.fixture
def room(database, tmp_path) -> CheckingRoom:
    return CheckingRoom(database, tmp_path).found()


def checked(room: CheckingRoom, number: str, word: str, station: str, scanner: str) -> str:
    """A paper with one field and three words, one of them doubtful, that a person checked."""
    order = StackOrder(station, "Nguyễn Thị Mẫu", scanner=scanner)
    fields = [field_of("doc_number", "12", doubtful=True), field_of("doc_symbol", "QĐ")]
    paper_id = room.paper(("Số:", "l2", "ngày"), (2,), fields, order=order)
    room.desk.take(MAU, paper_id)
    room.desk.confirm(MAU, paper_id, NUMBER, number)
    room.desk.confirm(MAU, paper_id, room.word(paper_id, 2), word)
    room.desk.finish(MAU, paper_id)
    return paper_id


def today(room: CheckingRoom):
    with room.database.read() as connection:
        return room.database.now(connection).astimezone(VIETNAM).date()


def test_the_figures_of_a_day(room):
    first = checked(room, "12", "12", "quầy 1", "máy A")
    checked(room, "72", "12", "quầy 1", "máy B")
    checked(room, "12", "l2", "quầy 2", "máy A")
    waiting = room.paper(order=StackOrder("quầy 2", "x"))
    failed = room.paper(order=StackOrder("quầy 2", "x"))
    room.set(failed, error={"kind": "Unfaithful", "message": "x"})
    with room.database.begin() as connection:
        opened = connection.execute(
            sa.select(stacks.c.created_at).where(stacks.c.id == room.desk.get(MAU, first).stack_id)
        ).scalar_one()
        connection.execute(sa.update(stack_pages).values(read_at=opened))
        connection.execute(
            sa.update(stack_pages)
            .where(stack_pages.c.id == room.page(waiting))
            .values(
                state=PageState.FAULTY,
                error={"kind": "DamagedFile", "message": "x"},
                read_at=opened + timedelta(hours=3),
            )
        )
    room.set(first, state=PaperState.FILED, filed_at=opened + timedelta(seconds=90))
    day = StationFigures(room.database).day(DU, today(room)).to_json()
    assert day["stacks"] == {"arranged": 5}
    assert day["papers"] == {"checked": 2, "filed": 1, "to-check": 2}
    assert day["throughput"] == {"pages": 5, "busy_hours": 2, "pages_per_hour": 2.5}
    assert day["failures"] == [
        {"what": "page", "reason": "DamagedFile", "count": 1},
        {"what": "paper", "reason": "Unfaithful", "count": 1},
    ]
    assert day["filing"] == {"papers": 1, "median_s": 90.0, "p95_s": 90.0}
    assert day["queue"]["waiting"] == 2
    assert day["corrections"] == {
        "fields": {"count": 1, "of": 6, "percent": 16.67},
        "words": {"count": 2, "of": 9, "percent": 22.22},
    }
    assert day["by_field"] == {"doc_number": {"count": 1, "of": 3, "percent": 33.33}}
    assert day["by_scanner"]["máy A"]["words"] == {"count": 1, "of": 6, "percent": 16.67}
    assert day["by_scanner"]["máy B"]["fields"] == {"count": 1, "of": 2, "percent": 50.0}
    assert day["by_station"]["quầy 2"]["words"] == {"count": 0, "of": 3, "percent": 0.0}
    one = StationFigures(room.database).day(DU, today(room), "quầy 1")
    assert one.corrections.fields == Rate(1, 4)
    assert set(one.by_station) == {"quầy 1"}


def test_a_day_without_stacks_has_no_rates(room):
    checked(room, "12", "12", "quầy 1", "")
    for caller, day in ((STRANGER, today(room)), (DU, today(room) - timedelta(days=1))):
        found = StationFigures(room.database).day(caller, day).to_json()
        assert found["throughput"] == {"pages": 0, "busy_hours": 0, "pages_per_hour": None}
        assert found["corrections"]["fields"] == {"count": 0, "of": 0, "percent": None}
        assert found["filing"] == {"papers": 0, "median_s": None, "p95_s": None}
        assert (found["stacks"], found["failures"], found["by_field"]) == ({}, [], {})


def test_percentiles_are_of_what_was_measured():
    found = Durations.of(float(n) for n in range(1, 101))
    assert (found.median_s, found.p95_s) == (50.0, 95.0)
