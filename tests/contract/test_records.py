"""Accepting orders: one decision in one transaction, on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dossier.errors import (
    AccessRefused,
    AuditUnavailable,
    IdempotencyConflict,
    InvalidOrder,
    NotFound,
    NumberTaken,
    Overloaded,
    StateConflict,
    TooManyOpen,
    VersionConflict,
)
from dossier.model import RecordState, Role
from dossier.queue.jobs import JobQueue
from dossier.signing.records import Records, SignatureOrder
from tests.fixtures_signed import plain_pdf
from tests.fixtures_signing import OTHER_AGENCY, SigningRoom, caller_of

BOOK = {"from_book": True, "symbol": "QĐ-UBND", "decided_on": dt.date(2026, 3, 2)}


def numbered(number: int, **entries):
    return {"number": number, "symbol": "QĐ-UBND", "decided_on": dt.date(2026, 3, 2), **entries}


def in_threads(count: int, work: Callable[[int], object], times: int) -> list[object]:
    """What `work(n)` gave or raised, `times` times over `count` threads that start together."""
    gate = threading.Barrier(count)

    def begin() -> None:
        gate.wait()

    def one(n: int) -> object:
        try:
            return work(n)
        except Exception as error:  # noqa: BLE001 - judged by the test
            return error

    with ThreadPoolExecutor(count, initializer=begin) as pool:
        return list(pool.map(one, range(times)))


def test_the_same_key_gives_the_same_record(signing_room: SigningRoom):
    first, created = signing_room.order(idempotency_key="k-1")
    again, created_again = signing_room.order(idempotency_key="k-1")
    assert (created, created_again) == (True, False)
    assert again == first
    assert signing_room.event_names() == ["signature.accepted"]


def test_another_request_under_the_same_key_is_refused(signing_room: SigningRoom):
    signing_room.order(idempotency_key="k-1")
    with pytest.raises(IdempotencyConflict, match="Idempotency-Key"):
        signing_room.records.accept(
            signing_room.caller,
            SignatureOrder("seal"),
            signing_room.source,
            idempotency_key="k-1",
            request_sha256="1" * 64,
        )


def test_keys_belong_to_their_principal(signing_room: SigningRoom):
    first, _ = signing_room.order(idempotency_key="k-1")
    signing_room.put(plain_pdf(), OTHER_AGENCY)
    signing_room.caller = caller_of(OTHER_AGENCY)
    second, created = signing_room.order(idempotency_key="k-1")
    assert created
    assert second.id != first.id


def test_a_thousand_duplicates_make_one_record_and_one_signature(signing_room: SigningRoom):
    answers = in_threads(
        16, lambda n: signing_room.order(idempotency_key="same", **BOOK), times=1000
    )
    assert not [a for a in answers if isinstance(a, Exception)]
    assert len({record.id for record, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    signing_room.work_off()
    assert signing_room.signatures == 1
    assert len(signing_room.published()) == 1


def test_of_fifty_racers_for_a_number_one_gets_it(signing_room: SigningRoom):
    answers = in_threads(50, lambda n: signing_room.order(**numbered(7)), times=50)
    winners = [a for a in answers if not isinstance(a, Exception)]
    losers = [a for a in answers if isinstance(a, Exception)]
    assert len(winners) == 1
    assert {type(loser) for loser in losers} == {NumberTaken}
    winner = winners[0][0]
    assert all(f"supersedes={winner.id}" in str(loser) for loser in losers)
    assert signing_room.event_names() == ["signature.accepted"]


def test_a_book_is_gapless_whatever_fails(signing_room: SigningRoom, monkeypatch):
    dice = random.Random(4)
    append = signing_room.audit.append

    def sometimes(connection, events):
        if dice.random() < 0.3:
            raise AuditUnavailable("the disk is full")
        return append(connection, events)

    monkeypatch.setattr(signing_room.audit, "append", sometimes)
    answers = in_threads(16, lambda n: signing_room.order(**BOOK), times=320)
    refused = [a for a in answers if isinstance(a, Exception)]
    assert refused
    assert {type(error) for error in refused} == {AuditUnavailable}
    numbers = sorted(a[0].number for a in answers if not isinstance(a, Exception))
    assert numbers == list(range(1, len(numbers) + 1))


def test_books_of_several_agencies_do_not_wait_for_each_other(signing_room: SigningRoom):
    """Two processes' groups that want two books in opposite orders."""
    signing_room.put(plain_pdf(), OTHER_AGENCY)
    callers = [caller_of(), caller_of(OTHER_AGENCY)]
    processes = [
        Records(
            signing_room.database, None, signing_room.holdings, signing_room.audit,
            JobQueue(signing_room.database, signing_room.audit),
        )
        for _ in range(2)
    ]  # fmt: skip

    def one(n: int) -> object:
        return processes[n % 2].accept(
            callers[(n // 2 + n) % 2],
            SignatureOrder("seal", **BOOK),
            signing_room.source,
            idempotency_key=f"k-{n // 4}",
            request_sha256="0" * 64,
        )

    answers = in_threads(12, one, times=240)
    assert not [a for a in answers if isinstance(a, Exception)]
    made = Counter((r.agency_id, r.number) for r, created in answers if created)
    for caller in callers:
        numbers = sorted(number for agency, number in made if agency == caller.agency_id)
        assert numbers == list(range(1, len(numbers) + 1))
    assert set(made.values()) == {1}


def test_the_book_steps_over_a_number_given_by_hand(signing_room: SigningRoom):
    by_hand, _ = signing_room.order(**numbered(2))
    given = [signing_room.order(**BOOK)[0].number for _ in range(3)]
    assert by_hand.number == 2
    assert given == [1, 3, 4]


def test_years_have_books_of_their_own(signing_room: SigningRoom):
    signing_room.order(**BOOK)
    record, _ = signing_room.order(**{**BOOK, "decided_on": dt.date(2027, 1, 4)})
    assert (record.number, record.year) == (1, 2027)


def test_a_failed_last_number_is_given_again(signing_room: SigningRoom):
    signing_room.order(**BOOK)
    signing_room.work_off()
    broken = signing_room.put(b"%PDF-1.7 this is none")
    failed, _ = signing_room.order(source=broken, **BOOK)
    signing_room.work_off()
    assert signing_room.record(failed.id).state is RecordState.FAILED
    assert signing_room.event_names(failed.id)[-2:] == ["signature.failed", "number.freed"]
    assert failed.number == 2
    assert signing_room.order(**BOOK)[0].number == 2


def test_a_failed_number_in_the_middle_is_accounted_for(signing_room: SigningRoom):
    broken = signing_room.put(b"%PDF-1.7 this is none")
    failed, _ = signing_room.order(source=broken, **BOOK)
    later, _ = signing_room.order(**BOOK)
    signing_room.work_off()
    assert (failed.number, later.number) == (1, 2)
    unused = signing_room.events(failed.id)[-1]
    assert unused.event == "number.unused"
    assert unused.details["number"] == 1
    assert failed.id in unused.details["reason"]
    assert signing_room.order(**BOOK)[0].number == 3
    # and it may be filled by naming it
    assert signing_room.order(**numbered(1))[0].number == 1


def test_a_superseding_decision_takes_the_number_over(signing_room: SigningRoom):
    old, _ = signing_room.order(**numbered(5))
    with pytest.raises(NumberTaken):  # not published yet
        signing_room.order(**numbered(5, supersedes=old.id))
    signing_room.work_off()
    new, _ = signing_room.order(**numbered(5, supersedes=old.id))
    with pytest.raises(NumberTaken, match="not replaced yet"):
        signing_room.order(**numbered(5, supersedes=old.id))
    assert signing_room.record(old.id).state is RecordState.PUBLISHED
    signing_room.work_off()
    replaced = signing_room.record(old.id)
    assert (replaced.state, replaced.superseded_by) == (RecordState.SUPERSEDED, new.id)
    assert replaced.result_sha256 is not None
    assert signing_room.record(new.id).state is RecordState.PUBLISHED
    with pytest.raises(NumberTaken, match=new.id):
        signing_room.order(**numbered(5))


def test_what_would_have_been_superseded_stands_when_the_new_one_fails(signing_room: SigningRoom):
    old, _ = signing_room.order(**numbered(5))
    signing_room.work_off()
    broken = signing_room.put(b"%PDF-1.7 this is none")
    new, _ = signing_room.order(source=broken, **numbered(5, supersedes=old.id))
    signing_room.work_off()
    assert signing_room.record(new.id).state is RecordState.FAILED
    kept = signing_room.record(old.id)
    assert (kept.state, kept.superseded_by) == (RecordState.PUBLISHED, None)
    with pytest.raises(NumberTaken, match=old.id):
        signing_room.order(**numbered(5))


def test_only_a_record_with_that_number_can_be_superseded(signing_room: SigningRoom):
    old, _ = signing_room.order(**numbered(5))
    signing_room.work_off()
    with pytest.raises(NumberTaken):
        signing_room.order(**numbered(6, supersedes=old.id))
    signing_room.put(plain_pdf(), OTHER_AGENCY)
    signing_room.caller = caller_of(OTHER_AGENCY)
    with pytest.raises(NumberTaken):
        signing_room.order(**numbered(5, supersedes=old.id))


def test_annexes_and_copies_cite_a_number_without_taking_it(signing_room: SigningRoom):
    signing_room.order(**numbered(5))
    annexes = [signing_room.order(**numbered(5, annex=True))[0] for _ in range(2)]
    copy, _ = signing_room.order(**numbered(5, copy_form="SY"))
    assert [r.number for r in (*annexes, copy)] == [None, None, None]
    with pytest.raises(InvalidOrder):
        SignatureOrder("seal", annex=True, **BOOK)


def test_cancelling_before_anybody_begins(signing_room: SigningRoom):
    record, _ = signing_room.order(**BOOK)
    with pytest.raises(VersionConflict):
        signing_room.records.cancel(signing_room.caller, record.id, version=9)
    gone = signing_room.records.cancel(signing_room.caller, record.id, version=record.version)
    assert gone.state is RecordState.CANCELLED
    assert signing_room.event_names(record.id)[1:] == ["signature.cancelled", "number.freed"]
    signing_room.work_off()
    assert signing_room.signatures == 0
    with pytest.raises(StateConflict):
        signing_room.records.cancel(signing_room.caller, record.id)


def test_what_is_being_signed_cannot_be_cancelled(signing_room: SigningRoom):
    record, _ = signing_room.order()
    signing_room.jobs.claim("seal", "w1", 1, 60)
    assert signing_room.record(record.id).state is RecordState.SIGNING
    with pytest.raises(StateConflict):
        signing_room.records.cancel(signing_room.caller, record.id)


def test_above_the_backlog_nothing_is_accepted(signing_room: SigningRoom):
    records = Records(
        signing_room.database, signing_room.blobs, signing_room.holdings, signing_room.audit,
        signing_room.jobs, max_backlog=3,
    )  # fmt: skip
    signing_room.records = records
    for _ in range(3):
        signing_room.order()
    with pytest.raises(Overloaded) as refused:
        signing_room.order()
    assert refused.value.retry_after_s >= 1
    assert len(signing_room.event_names()) == 3


def test_who_has_enough_under_way_waits(signing_room: SigningRoom):
    signing_room.caller = replace(signing_room.caller, open_jobs=2)
    for _ in range(2):
        signing_room.order()
    with pytest.raises(TooManyOpen) as refused:
        signing_room.order()
    assert refused.value.retry_after_s >= 1
    signing_room.caller = replace(signing_room.caller, principal_id="prn_other")
    signing_room.order()  # it is each principal's own allowance
    signing_room.caller = replace(signing_room.caller, principal_id="prn_third", open_jobs=None)
    assert len(signing_room.event_names()) == 3


def test_rights_are_asked_before_anything_is_kept(signing_room: SigningRoom):
    for caller in (
        caller_of(keys=frozenset({"officer"})),
        caller_of("H22.12", Role.SCANNER, Role.ADMIN, Role.AUDITOR),
    ):
        signing_room.caller = caller
        with pytest.raises(AccessRefused):
            signing_room.order()
    assert signing_room.event_names() == []


def test_another_agencys_blobs_and_records_do_not_exist(signing_room: SigningRoom):
    record, _ = signing_room.order()
    mine = signing_room.caller
    signing_room.caller = caller_of(OTHER_AGENCY)
    with pytest.raises(NotFound):
        signing_room.order()
    with pytest.raises(NotFound):
        signing_room.record(record.id)
    with pytest.raises(NotFound):
        signing_room.records.cancel(signing_room.caller, record.id)
    assert signing_room.records.list(signing_room.caller) == []
    assert [r.id for r in signing_room.records.list(mine)] == [record.id]


def test_a_refused_order_leaves_nothing_behind(signing_room: SigningRoom):
    with pytest.raises(NotFound):
        signing_room.order(idempotency_key="k", source="f" * 64, **BOOK)
    record, created = signing_room.order(idempotency_key="k", **BOOK)
    assert created
    assert record.number == 1


def test_lists_are_pages_newest_first(signing_room: SigningRoom):
    ids = [signing_room.order()[0].id for _ in range(5)]
    records = signing_room.records
    first = records.list(signing_room.caller, None, 3)
    rest = records.list(signing_room.caller, first[-1].id, 3)
    assert {r.id for r in (*first, *rest)} == set(ids)
    assert [r.id for r in (*first, *rest)] == sorted(ids, reverse=True)
    assert records.list(signing_room.caller, state=RecordState.PUBLISHED) == []


def test_states_of_many_records_in_one_look(signing_room: SigningRoom):
    ids = [signing_room.order()[0].id for _ in range(3)]
    signing_room.jobs.claim("seal", "w", 1, 60)
    states = signing_room.records.states([*ids, "rec_unknown"])
    assert Counter(states.values()) == {RecordState.ACCEPTED: 2, RecordState.SIGNING: 1}
    assert set(states) == set(ids)
    assert signing_room.records.states([]) == {}
