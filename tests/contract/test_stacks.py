"""Stacks on both databases: what comes in is durable, edits can be undone, papers follow."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import NotFound, StateConflict, VersionConflict
from dossier.intake.observations import PageObservation
from dossier.intake.splitting import SplitRules, split_stack
from dossier.model import Caller, Role, new_id
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.arranging import Arranging
from dossier.stacks.edits import Replace, Rotate, SetAside, Split
from dossier.stacks.history import Doing, in_force, put_in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.stackrows import SPLIT, one_stack
from dossier.stacks.stacks import LOOK, Stacks
from dossier.stacks.values import PaperState, StackState, Way
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import papers, stack_pages, stack_scans, stacks
from dossier.storage.store import BlobInfo
from dossier.storage.tables import agencies, jobs

CALLER = Caller("prn_1", "Nguyễn Thị Mẫu", "X01.01", frozenset({Role.SCANNER}))
ORDER = StackOrder("quầy 1", "Nguyễn Thị Mẫu")
DIGESTS = tuple(f"{n:064x}" for n in range(4))


class Office:
    """One agency and its stacks."""

    def __init__(self, database) -> None:
        self.database = database
        self.holdings = Holdings(database)
        self.audit = AuditLog(database)
        self.jobs = JobQueue(database, self.audit)
        self.stacks = Stacks(database, self.holdings, self.audit, self.jobs)
        self.arranging = Arranging(database, self.audit, self.jobs)
        with database.begin() as connection:
            now = database.now(connection)
            for agency in ("X01.01", "X01.02"):
                connection.execute(
                    sa.insert(agencies).values(id=agency, name=agency, policy={}, created_at=now)
                )
            infos = [(BlobInfo(digest, 10), "image/jpeg") for digest in DIGESTS]
            self.holdings.register_all(connection, "X01.01", infos)

    def filled(self, pages: int = 4) -> str:
        stack, _ = self.stacks.open(CALLER, Way.HTTP, ORDER)
        for number, digest in enumerate(DIGESTS[:pages]):
            self.stacks.add_scan(CALLER, stack.id, digest, f"{number}.jpg")
        return stack.id

    def arranged(self, pages: int = 4) -> tuple[str, list[str]]:
        """A stack whose pages were read and split into one paper."""
        stack_id = self.filled(pages)
        self.stacks.close(CALLER, stack_id)
        ids = []
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for scan in self.stacks.scans(CALLER, stack_id):
                ids.append(new_id("pg"))
                connection.execute(
                    sa.insert(stack_pages).values(
                        id=ids[-1],
                        stack_id=stack_id,
                        scan_id=scan.id,
                        scan_position=scan.position,
                        index=1,
                        sha256=scan.sha256,
                        state="read",
                    )
                )
                connection.execute(
                    sa.update(stack_scans).where(stack_scans.c.id == scan.id).values(pages=1)
                )
            rules = SplitRules("X01.01", "quầy 1", now)
            split = split_stack([PageObservation() for _ in ids], rules)
            first = Arrangement.of_split(split, ids, lambda: new_id("ppr"))
            stack = one_stack(connection, "X01.01", stack_id, lock=True)
            put_in_force(connection, self.jobs, stack, first, {"kind": "split"}, Doing("máy", now))
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack_id)
                .values(state=StackState.ARRANGED, arranged_at=now)
            )
        return stack_id, ids

    def arrangement(self, stack_id: str) -> Arrangement:
        found = self.arranging.arrangement(CALLER, stack_id)
        assert found is not None
        return found.arrangement

    def papers(self, stack_id: str) -> dict[str, str]:
        with self.database.read() as connection:
            rows = connection.execute(
                sa.select(papers.c.id, papers.c.state).where(papers.c.stack_id == stack_id)
            )
            return {row.id: row.state for row in rows}

    def waiting(self, kind: str) -> list[str]:
        with self.database.read() as connection:
            return list(
                connection.execute(
                    sa.select(jobs.c.subject).where(jobs.c.kind == kind).order_by(jobs.c.id)
                ).scalars()
            )


@pytest.fixture
def office(database):
    return Office(database)


def test_opening_twice_with_one_key_opens_one_stack(office):
    first, is_new = office.stacks.open(CALLER, Way.HTTP, ORDER, "k-1")
    again, is_new_again = office.stacks.open(CALLER, Way.HTTP, ORDER, "k-1")
    assert (first.id, is_new, is_new_again) == (again.id, True, False)


def test_a_scan_is_added_once_at_its_position_and_read_at_once(office):
    stack, _ = office.stacks.open(CALLER, Way.FOLDER, ORDER)
    scan, _ = office.stacks.add_scan(CALLER, stack.id, DIGESTS[0], "a.jpg", position=0)
    again, is_new = office.stacks.add_scan(CALLER, stack.id, DIGESTS[0], "a.jpg", position=0)
    assert (again.id, is_new) == (scan.id, False)
    assert office.waiting(LOOK) == [scan.id]
    with pytest.raises(StateConflict, match="another file"):
        office.stacks.add_scan(CALLER, stack.id, DIGESTS[1], "b.jpg", position=0)


def test_only_what_the_agency_holds_becomes_a_scan(office):
    stack, _ = office.stacks.open(CALLER, Way.HTTP, ORDER)
    with pytest.raises(NotFound):
        office.stacks.add_scan(CALLER, stack.id, "f" * 64, "x.jpg")
    other = Caller("prn_2", "Khác", "X01.02", frozenset({Role.SCANNER}))
    with pytest.raises(NotFound):
        office.stacks.get(other, stack.id)


def test_a_closed_stack_takes_no_more_and_is_split_when_the_last_page_is_read(office):
    stack_id = office.filled(2)
    assert office.stacks.close(CALLER, stack_id).state is StackState.READING
    assert office.waiting(SPLIT) == []
    with pytest.raises(StateConflict):
        office.stacks.add_scan(CALLER, stack_id, DIGESTS[3], "late.jpg")


def test_an_empty_stack_cannot_be_closed(office):
    stack, _ = office.stacks.open(CALLER, Way.HTTP, ORDER)
    with pytest.raises(StateConflict, match="nothing in the stack"):
        office.stacks.close(CALLER, stack.id)


def test_edits_are_undone_and_done_again(office):
    stack_id, pages = office.arranged()
    before = office.arrangement(stack_id)
    office.arranging.edit(CALLER, stack_id, Rotate(pages[1], 1))
    office.arranging.edit(CALLER, stack_id, SetAside(pages[2]))
    both = office.arrangement(stack_id)
    assert both.aside[0].placed.page == pages[2]
    office.arranging.undo(CALLER, stack_id)
    office.arranging.undo(CALLER, stack_id)
    assert office.arrangement(stack_id) == before
    with pytest.raises(StateConflict, match="nothing to undo"):
        office.arranging.undo(CALLER, stack_id)
    office.arranging.redo(CALLER, stack_id)
    office.arranging.redo(CALLER, stack_id)
    assert office.arrangement(stack_id) == both


def test_a_split_makes_a_paper_and_undo_makes_it_go(office):
    stack_id, pages = office.arranged()
    office.arranging.edit(CALLER, stack_id, Split(pages[2], ""))
    made = [p.id for p in office.arrangement(stack_id).papers]
    assert len(made) == 2
    assert office.papers(stack_id) == dict.fromkeys(made, PaperState.PROPOSING)
    office.arranging.undo(CALLER, stack_id)
    assert office.papers(stack_id)[made[1]] == PaperState.GONE
    office.arranging.redo(CALLER, stack_id)
    assert office.papers(stack_id)[made[1]] == PaperState.PROPOSING


def test_what_is_checked_is_not_rearranged(office):
    stack_id, pages = office.arranged()
    with office.database.begin() as connection:
        connection.execute(sa.update(papers).values(state=PaperState.CHECKED))
    with pytest.raises(StateConflict, match="reopen"):
        office.arranging.edit(CALLER, stack_id, Rotate(pages[0], 1))
    assert office.arrangement(stack_id).papers[0].pages[0].turns == 0


def test_two_operators_do_not_overwrite_each_other(office):
    stack_id, pages = office.arranged()
    seen = office.stacks.get(CALLER, stack_id)[0].version
    office.arranging.edit(CALLER, stack_id, Rotate(pages[0], 1), seen)
    with pytest.raises(VersionConflict):
        office.arranging.edit(CALLER, stack_id, Rotate(pages[0], 1), seen)


def test_a_rescan_of_a_page_that_is_not_there_is_refused_before_it_is_read(office):
    stack_id, pages = office.arranged(3)
    scan, _ = office.stacks.add_scan(
        CALLER, stack_id, DIGESTS[3], "again.jpg", purpose=Replace(pages[1], "")
    )
    assert scan.purpose["page"] == pages[1]
    with pytest.raises(Exception, match="no paper"):
        office.stacks.add_scan(
            CALLER, stack_id, DIGESTS[3], "again.jpg", purpose=Replace("pg_none", "")
        )


def test_an_urgent_stack_goes_first(office):
    stack_id = office.filled(2)
    office.stacks.prioritise(CALLER, stack_id, urgent=True)
    with office.database.read() as connection:
        found = set(connection.execute(sa.select(jobs.c.priority)).scalars())
    assert found == {-10}


def test_a_cancelled_stack_keeps_what_was_scanned(office):
    stack_id, pages = office.arranged()
    assert office.stacks.cancel(CALLER, stack_id).state is StackState.CANCELLED
    assert [page.id for page in office.stacks.pages(CALLER, stack_id)] == pages
    with office.database.read() as connection:
        assert in_force(connection, stack_id, 1) is not None
