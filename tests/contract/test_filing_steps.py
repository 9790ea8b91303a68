"""Acceptance and seal of papers over both databases: nobody before the mark, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from dossier.errors import AccessRefused, NotFound, StateConflict
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


def test_a_key_that_the_check_names_is_the_one_that_marks(room, tmp_path):
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=50))], key="leader")
    room.ocr()
    room.seal()
    paper = room.paper(paper_id)
    assert (paper.state, paper.mark["key"]) == (PaperState.MARKED, "test-leader")
    assert paper.mark["by"] == "prn_mau"
    assert room.keys["leader"].calls == 1
