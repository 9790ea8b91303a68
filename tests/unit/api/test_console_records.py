"""What becomes of a checked paper: the list, the steps, the files; strangers see nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from api.console.records import STEPS, steps_of
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import papers
from tests.console_room import read_paper
from tests.fixtures_console import ConsoleRoom, Operator
from tests.fixtures_signing import OTHER_AGENCY

NOW = datetime(2026, 3, 2, 3, 4, 5, tzinfo=UTC)
PDF = b"%PDF-1.7 what a registrar keeps"


@pytest.fixture
def thu(console: ConsoleRoom) -> Operator:
    return console.signed_in()


@pytest.fixture
def paper(console: ConsoleRoom, thu: Operator) -> str:
    """One whose check has just ended."""
    made = read_paper(console.maker, thu.caller, doubtful=())[1]
    thu.post(f"/console/papers/{made}/take")
    thu.done(thu.post(f"/console/papers/{made}/finish"))
    return made


def _stored(console: ConsoleRoom, paper: str, **columns: Any) -> None:
    with console.house.database.begin() as connection:
        connection.execute(sa.update(papers).where(papers.c.id == paper).values(**columns))


def test_a_checked_paper_is_listed_and_its_steps_are_shown(
    console: ConsoleRoom, thu: Operator, paper: str
) -> None:
    listed = thu.get("/console/records").text
    assert f'href="/console/records/{paper}"' in listed
    assert "data-poll" in listed  # machines are at work
    shown = thu.get(f"/console/records/{paper}").text
    assert "Nguyễn Thị Thu (mẫu)" in shown
    assert shown.count("step-done") == 1
    assert shown.count("step-next") == 1
    assert shown.count("step-later") == 3
    assert 'data-poll="1000"' in shown
    assert thu.get(f"/console/records/{paper}/record").status_code == 404
    stack = console.house.checking.get(thu.caller, paper).stack_id
    assert f'href="/console/records/{paper}"' in thu.get(f"/console/stacks/{stack}").text


def test_what_failed_says_why_and_is_not_looked_at_again(
    console: ConsoleRoom, thu: Operator, paper: str
) -> None:
    error = {"kind": "PinLocked", "message": "Khóa bị khóa. / The key is locked."}
    _stored(console, paper, error=error)
    shown = thu.get(f"/console/records/{paper}").text
    assert '<p class="error">The key is locked.</p>' in shown
    assert shown.count("step-failed") == 1
    assert "data-poll" not in shown
    assert "Failed" in thu.get("/console/records").text


def test_what_failed_is_tried_again_from_either_screen(
    console: ConsoleRoom, thu: Operator, paper: str
) -> None:
    button, error = (
        'id="step-retry" data-key="t"',
        {"kind": "X", "message": "Đĩa đầy. / Disk full."},
    )
    for screen in (f"/console/records/{paper}", f"/console/papers/{paper}"):
        assert button not in thu.get(screen).text, "nothing failed"
        _stored(console, paper, error=error)
        shown = thu.get(screen)
        assert button in shown.text
        assert "Disk full." in shown.text
        assert "nobody has to check again" in shown.text
        assert f'action="/console/papers/{paper}/retry" method="post"' in shown.text
        after = thu.done(thu.post(f"/console/papers/{paper}/retry"))
        assert "It is tried again" in after.text
        assert button not in after.text
        assert 'data-poll="1000"' in after.text
    assert console.house.checking.get(thu.caller, paper).error is None


def test_a_paper_that_filing_held_is_listed_and_tried_again_or_checked(
    console: ConsoleRoom, thu: Operator, paper: str
) -> None:
    checks = [one.to_json() for one in console.house.checking.get(thu.caller, paper).checks]
    why = "Thiếu owner_born. / owner_born is missing."
    held = {"why": why, "by": "worker:1", "name": "", "from": "checked", "checks": checks}
    error = {"kind": "StateConflict", "message": why}
    for step in ("retry", "resume"):
        _stored(console, paper, state=PaperState.HELD, hold=held, error=error, checks=[])
        assert f'href="/console/records/{paper}"' in thu.get("/console/records").text
        for screen in (f"/console/records/{paper}", f"/console/papers/{paper}"):
            shown = thu.get(screen).text
            assert shown.count("owner_born is missing.") == 1
            assert 'id="step-retry"' in shown
        thu.done(thu.post(f"/console/papers/{paper}/{step}"))
        now = console.house.checking.get(thu.caller, paper)
        assert (now.hold, now.error) == (None, None)
        assert len(now.checks) == (1 if step == "retry" else 0)
    assert thu.post(f"/console/papers/{paper}/retry").status_code == 409
    by_person = {"why": "chờ", "by": "prn", "name": "Mẫu", "from": "to-check"}
    _stored(console, paper, state=PaperState.HELD, hold=by_person)
    assert paper not in thu.get("/console/records").text
    shown = thu.get(f"/console/papers/{paper}").text
    assert "chờ" in shown
    assert 'id="step-retry"' not in shown
    assert thu.post(f"/console/papers/{paper}/retry").status_code == 409


def test_a_file_that_came_signed_is_handed_out_unchanged(
    console: ConsoleRoom, thu: Operator, paper: str
) -> None:
    info = console.house.blobs.put(PDF)
    with console.house.database.begin() as connection:
        console.house.holdings.register(connection, thu.caller.agency_id, info, "application/pdf")
    _stored(console, paper, original_sha256=info.sha256)
    assert f'href="/console/records/{paper}/original"' in thu.get(f"/console/records/{paper}").text
    answer = thu.get(f"/console/records/{paper}/original")
    assert answer.content == PDF
    assert answer.headers["content-disposition"] == (
        'attachment; filename="H22.12-260301-0001.001.original.pdf"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_strangers_find_nothing(console: ConsoleRoom, thu: Operator, paper: str) -> None:
    other = console.signed_in(agency=OTHER_AGENCY)
    assert paper not in other.get("/console/records").text
    for place in (paper, f"{paper}/record", f"{paper}/original", "ppr_none", "no/thing"):
        assert other.get(f"/console/records/{place}").status_code == 404
    assert console.web.ask("GET", f"/console/records/{paper}").status_code == 303


def test_steps_follow_the_paper(console: ConsoleRoom, thu: Operator, paper: str) -> None:
    checked = console.house.checking.get(thu.caller, paper)
    by = {"name": "Trần Văn Thử", "at": NOW.isoformat()}
    drafted = replace(checked, draft_sha256="d" * 64)
    marked = replace(drafted, state=PaperState.MARKED, marked_sha256="e" * 64, mark=by)
    accepted = replace(marked, state=PaperState.ACCEPTED, accepted=by)
    filed = replace(accepted, state=PaperState.FILED)
    for done, one in enumerate((checked, drafted, marked, accepted, filed), 1):
        steps = steps_of(one, None)
        assert tuple(step.name for step in steps) == STEPS
        behind = ("next", *("later" for _ in STEPS))
        assert tuple(step.state for step in steps) == (*("done",) * done, *behind)[: len(STEPS)]
    assert steps_of(filed, None)[2].who == "Trần Văn Thử"
    assert steps_of(filed, None)[2].at == NOW.isoformat()
    reopened = replace(checked, state=PaperState.TO_CHECK, checks=())
    assert steps_of(reopened, None)[0].state == "next"
