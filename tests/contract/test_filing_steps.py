"""Acceptance and seal of papers over both databases: nobody before the mark, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import pytest
import sqlalchemy as sa

from dossier.checking.values import DRAFT_PAPER
from dossier.errors import AccessRefused, NotFound, StateConflict
from dossier.filing.codes import read_templates
from dossier.filing.drafting import DraftWork
from dossier.filing.stages import MARK_PAPER
from dossier.model import RecordState, Role
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import papers
from dossier.storage.tables import jobs, records
from tests.filing_room import DOSSIER, OFFICER, FilingRoom, scan_of
from tests.fixtures_signing import OTHER_AGENCY, caller_of
from tests.record_pages import PageSpec


@pytest.fixture
def room(database, tmp_path, test_pki) -> Iterator[FilingRoom]:
    found = FilingRoom(database, tmp_path, test_pki, with_mark=False)
    yield found
    found.close()


@pytest.fixture
def marked(room, tmp_path) -> str:
    """A paper whose mark is there and that nobody accepted."""
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=50))])
    with room.database.begin() as connection:
        connection.execute(sa.delete(jobs).where(jobs.c.subject == paper_id))
    set_paper(room, paper_id, state=PaperState.MARKED, marked_sha256=room.source)
    return paper_id


def set_paper(room: FilingRoom, paper_id: str, **values: object) -> None:
    with room.database.begin() as connection:
        connection.execute(sa.update(papers).where(papers.c.id == paper_id).values(**values))


def test_a_named_person_accepts_once_the_mark_is_there(room, marked):
    set_paper(room, marked, state=PaperState.CHECKED)
    with pytest.raises(StateConflict, match="TT 01/2023/TT-VPCP, Điều 8"):
        room.filing.accept(OFFICER, marked)
    set_paper(room, marked, state=PaperState.MARKED)
    with pytest.raises(AccessRefused):
        room.filing.accept(caller_of(OFFICER.agency_id, Role.AUDITOR), marked)
    with pytest.raises(NotFound):
        room.filing.accept(caller_of(OTHER_AGENCY, Role.OFFICER), marked)
    with pytest.raises(NotFound, match="no sealed"):
        room.filing.record_of(OFFICER, marked)
    first = room.filing.accept(OFFICER, marked)
    assert (first.state, first.accepted["by"]) == (PaperState.ACCEPTED, "prn_mau")
    assert room.filing.accept(OFFICER, marked).record_id == first.record_id
    with room.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(records)).scalar() == 1
    with pytest.raises(StateConflict, match="Không có việc nào hỏng"):
        room.filing.retry(OFFICER, marked)
    room.seal()
    paper = room.paper(marked)
    assert paper.state is PaperState.FILED
    assert room.filing.accept(OFFICER, marked).version == paper.version
    assert room.filing.files_of(OFFICER, marked).name == f"{DOSSIER}.001.pdf"


def test_a_seal_that_failed_is_shown_and_ordered_again(room, marked):
    accepted = room.filing.accept(OFFICER, marked)
    room.records.cancel(room.caller, accepted.record_id)
    shown = room.paper(marked)
    assert shown.state is PaperState.ACCEPTED
    assert "hủy" in shown.error["message"]
    again = room.filing.retry(OFFICER, marked)
    assert again.error is None
    assert again.record_id != accepted.record_id
    assert again.accepted == accepted.accepted
    room.seal()
    assert room.paper(marked).state is PaperState.FILED
    assert room.records.get(room.caller, accepted.record_id).state is RecordState.CANCELLED


def test_what_failed_before_the_mark_is_drafted_again(room, marked):
    set_paper(room, marked, state=PaperState.CHECKED, error={"kind": "X", "message": "x"})
    assert room.filing.retry(OFFICER, marked).error is None
    assert room.jobs.waiting("ocr") == 1
    room.filing.retry(OFFICER, marked)  # while it waits: in its place
    assert room.jobs.waiting("ocr") == 1


def test_a_paper_on_hold_is_tried_again_with_the_checks_that_stood(room, tmp_path):
    scan = scan_of(tmp_path, PageSpec(dpi=50))
    paper_id = room.checked([scan], {"field:abstract": "Đơn mẫu"})
    checks = room.paper(paper_id).checks
    room.ocr()
    for attempt in range(2):  # the cause is still there: held again, and to be tried again
        held = room.paper(paper_id)
        assert (held.state, held.checks) == (PaperState.HELD, ())
        assert "owner_id" in held.hold["why"]
        if not attempt:
            assert room.filing.retry(OFFICER, paper_id).checks == checks
            room.ocr()
    with pytest.raises(AccessRefused):
        room.filing.retry(caller_of(OFFICER.agency_id, Role.AUDITOR), paper_id)
    with pytest.raises(NotFound):
        room.filing.retry(caller_of(OTHER_AGENCY, Role.OFFICER), paper_id)
    again = room.filing.retry(OFFICER, paper_id)
    assert (again.state, again.checks, again.hold, again.error) == (
        PaperState.CHECKED, checks, None, None,
    )  # fmt: skip
    shipped = resources.files("dossier.filing").joinpath("codes.toml").read_text("utf-8")
    noted = shipped.replace('without_owner = "demand"', 'without_owner = "note"')
    assert noted != shipped
    templates = read_templates(noted, "mẫu")
    drafting = DraftWork(room.database, room.blobs, room.drafts, room.workplace, templates)
    room._off("ocr", {DRAFT_PAPER: drafting}, 60.0)
    paper = room.paper(paper_id)
    assert (paper.state, paper.error) == (PaperState.CHECKED, None)
    assert paper.draft_sha256 is not None
    assert room.jobs.waiting("seal") == 1
    retried = [entry for entry in room.events(paper_id) if entry.event == "paper.retried"]
    assert [entry.details["state"] for entry in retried] == ["held", "held"]


def test_what_a_person_held_or_changed_is_checked_and_not_tried_again(room, marked):
    by_person = {"why": "chờ bổ sung", "by": "prn_mau", "name": "Mẫu", "from": "to-check"}
    set_paper(room, marked, state=PaperState.HELD, hold=by_person, error=None)
    with pytest.raises(StateConflict, match="resume it and check it"):
        room.filing.retry(OFFICER, marked)
    kept = [check.to_json() for check in room.paper(marked).checks]
    arranged_since = {**by_person, "from": "checked", "checks": kept}
    set_paper(room, marked, hold=arranged_since, checks=[])
    with pytest.raises(StateConflict, match="was changed since"):
        room.filing.retry(OFFICER, marked)
    assert room.paper(marked).state is PaperState.HELD


def test_documents_are_numbered_within_their_dossier(room, marked, tmp_path):
    other = room.checked([scan_of(tmp_path, PageSpec(dpi=50))])
    with room.database.begin() as connection:
        connection.execute(sa.delete(jobs).where(jobs.c.subject == other))
    set_paper(room, other, state=PaperState.MARKED, marked_sha256=room.source)
    for paper_id in (other, marked):
        room.filing.accept(OFFICER, paper_id)
        room.seal()
    names = [room.filing.files_of(OFFICER, paper_id).name for paper_id in (other, marked)]
    assert names == [f"{DOSSIER}.001.pdf", f"{DOSSIER}.002.pdf"]


@pytest.mark.parametrize(("whose", "label"), [("prn_mau", "leader"), ("prn_khac", "officer")])
def test_the_own_key_of_whoever_finished_the_check_marks(room, tmp_path, whose, label):
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=50))])
    room.ocr()
    marking = room.marking(officer_keys={whose: "leader"})
    room._off("seal", {MARK_PAPER: marking}, 60.0)
    paper = room.paper(paper_id)
    assert (paper.state, paper.mark["key"]) == (PaperState.MARKED, f"test-{label}")
    assert paper.mark["by"] == "prn_mau"
    assert room.keys[label].calls == 1
