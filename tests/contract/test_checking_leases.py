"""Leases on both databases: each paper is in one person's hands, and each is done once."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from dossier.checking.taking import Wanted
from dossier.checking.values import Target
from dossier.errors import AccessRefused, LeaseLost, NotFound, StateConflict
from dossier.model import Caller, Role
from dossier.stacks.order import StackOrder
from dossier.stacks.values import PaperState
from tests.checking_room import AGENCY, DU, MAU, STRANGER, VI, CheckingRoom, field_of

NUMBER = Target.parse("field:doc_number")


@pytest.fixture
def room(database, tmp_path) -> CheckingRoom:
    return CheckingRoom(database, tmp_path).found()


def run_out(room: CheckingRoom, paper_id: str) -> None:
    """The time of a lease passes."""
    with room.database.read() as connection:
        past = room.database.now(connection) - timedelta(seconds=1)
    room.set(paper_id, lease_until=past)


@pytest.mark.no_cover  # one step, two hundred times
def test_eight_threads_and_two_hundred_papers_nobody_holds_the_same_and_each_is_done_once(room):
    paper_ids = room.alike(200)
    people = [replace(MAU, principal_id=f"prn_{n}", name=f"Người {n}") for n in range(8)]
    held: dict[str, str] = {}
    done: Counter[str] = Counter()
    faults: list[object] = []
    guard = threading.Lock()

    def work(person: Caller) -> None:
        try:
            while (paper := room.desk.next(person)) is not None:
                with guard:
                    if paper.id in held:
                        faults.append((paper.id, held[paper.id], person.principal_id))
                    held[paper.id] = person.principal_id
                room.desk.type(person, paper.id, NUMBER, person.name, 1)
                with guard:
                    del held[paper.id]
                room.desk.finish(person, paper.id)
                with guard:
                    done[paper.id] += 1
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            faults.append(error)

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert done == Counter(dict.fromkeys(paper_ids, 1))
    assert sorted(room.waiting("draft-paper")) == sorted(paper_ids)
    assert room.desk.health(MAU).waiting == 0


def test_the_most_urgent_paper_comes_first_and_what_one_has_stays(room):
    usual, urgent = room.paper(), room.paper(priority=-10)
    assert [paper.id for paper in room.desk.queue(MAU)] == [urgent, usual]
    first = room.desk.next(MAU)
    assert first is not None
    assert first.id == urgent
    again = room.desk.next(MAU)
    assert again is not None
    assert again.id == urgent
    other = room.desk.next(VI)
    assert other is not None
    assert other.id == usual
    assert room.desk.next(DU) is None
    passed = room.desk.next(MAU, Wanted(passing=frozenset({urgent})))
    assert passed is None, "the other one is in other hands"


def test_the_queue_is_filtered_and_paged(room):
    order = StackOrder("quầy 2", "Lê Thị Dụ")
    mine = [room.paper() for _ in range(3)]
    other = room.paper(order=order, codes=("H22.12-260301-0009", "TP1"))
    found = room.desk.queue(MAU, limit=2)
    more = room.desk.queue(MAU, after=f"0.{found[-1].id}", limit=5)
    assert [paper.id for paper in (*found, *more)] == [*mine, other]
    at_two = room.desk.next(MAU, Wanted(station="quầy 2"))
    assert at_two is not None
    assert at_two.id == other
    by_code = room.desk.queue(MAU, wanted=Wanted(dossier_code="H22.12-260301-0009"))
    assert [paper.id for paper in by_code] == [other]
    assert room.desk.queue(STRANGER) == []


def test_a_lease_that_ran_out_is_taken_over_with_what_was_typed(room):
    paper_id = room.paper()
    room.desk.take(MAU, paper_id)
    room.desk.type(MAU, paper_id, NUMBER, "12", 5)
    with pytest.raises(LeaseLost, match="prn_mau is checking"):
        room.desk.take(VI, paper_id)
    run_out(room, paper_id)
    with pytest.raises(LeaseLost, match="ran out"):
        room.desk.type(MAU, paper_id, NUMBER, "123", 6)
    taken = room.desk.take(VI, paper_id)
    assert taken.lease_by == VI.principal_id
    assert room.desk.entries(VI, paper_id)[str(NUMBER)].value == "12"
    with pytest.raises(LeaseLost, match="prn_vi"):
        room.desk.confirm(MAU, paper_id, NUMBER, "123")
    with pytest.raises(LeaseLost):
        room.desk.finish(MAU, paper_id)
    assert room.desk.holder(MAU, paper_id) == "prn_vi"


def test_every_keystroke_renews_the_lease_and_release_gives_it_back(room):
    paper_id = room.paper()
    first = room.desk.take(MAU, paper_id)
    room.desk.type(MAU, paper_id, NUMBER, "1", 1)
    typed = room.desk.get(MAU, paper_id)
    assert typed.lease_until > first.lease_until
    assert typed.version == first.version, "a keystroke changes nothing that others read"
    assert room.desk.keep(MAU, paper_id) > typed.lease_until
    room.desk.release(VI, paper_id)
    assert room.desk.holder(MAU, paper_id) is not None, "another's release does nothing"
    room.desk.release(MAU, paper_id)
    with pytest.raises(LeaseLost):
        room.desk.keep(MAU, paper_id)
    room.desk.take(VI, paper_id)


def test_two_people_have_to_check_and_nobody_twice(room):
    paper_id = room.paper(fields=[field_of("doc_number", "12", doubtful=True)], people=2)
    room.desk.take(MAU, paper_id)
    room.desk.confirm(MAU, paper_id, NUMBER, "12")
    once = room.desk.finish(MAU, paper_id)
    assert (once.state, len(once.checks)) == (PaperState.TO_CHECK, 1)
    assert room.waiting("draft-paper") == []
    assert room.desk.next(MAU) is None
    with pytest.raises(AccessRefused, match="another person"):
        room.desk.take(MAU, paper_id)
    paper = room.desk.next(VI)
    assert paper is not None
    assert paper.id == paper_id
    [missing] = room.desk.missing(VI, paper_id)
    assert missing.target == str(NUMBER), "the first one's word is a proposal for the second"
    room.desk.confirm(VI, paper_id, NUMBER, "12")
    assert room.desk.finish(VI, paper_id).state is PaperState.CHECKED
    assert room.waiting("draft-paper") == [paper_id]


def test_when_two_disagree_an_officer_decides(room):
    paper_id = room.paper(fields=[field_of("doc_number", "12", doubtful=True)], people=2)
    for person, value in ((MAU, "12"), (VI, "72")):
        room.desk.take(person, paper_id)
        room.desk.confirm(person, paper_id, NUMBER, value)
        paper = room.desk.finish(person, paper_id)
    assert paper.state is PaperState.TO_CHECK
    assert paper.disputed == (str(NUMBER),)
    assert [check.values for check in paper.checks] == [{str(NUMBER): "12"}, {str(NUMBER): "72"}]
    clerk = replace(MAU, principal_id="prn_3", name="Người thứ ba")
    assert room.desk.next(clerk) is None
    with pytest.raises(AccessRefused, match="officer"):
        room.desk.take(clerk, paper_id)
    assert room.desk.next(DU) is not None
    with pytest.raises(StateConflict, match="field:doc_number"):
        room.desk.finish(DU, paper_id)
    room.desk.confirm(DU, paper_id, NUMBER, "72", "dấu bút đè lên số 7")
    done = room.desk.finish(DU, paper_id)
    assert (done.state, done.checks_required, done.doc_number) == (PaperState.CHECKED, 3, "72")


def test_only_those_who_check_and_only_their_own_agency(room):
    paper_id = room.paper()
    auditor = Caller("prn_a", "Kiểm toán", AGENCY, frozenset({Role.AUDITOR}))
    for refused in (room.desk.next, lambda who: room.desk.take(who, paper_id)):
        with pytest.raises(AccessRefused):
            refused(auditor)
    assert room.desk.get(auditor, paper_id).id == paper_id
    for look in (room.desk.get, room.desk.take, room.desk.entries, room.desk.missing):
        with pytest.raises(NotFound):
            look(STRANGER, paper_id)
    assert room.desk.next(STRANGER) is None
