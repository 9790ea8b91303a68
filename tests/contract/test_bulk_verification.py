"""Bulk verification on both databases: counted once, resumed after a fault, never poisoned."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pytest

from dossier.errors import (
    AccessRefused,
    InvalidOrder,
    LeaseLost,
    NotFound,
    Overloaded,
    QuotaExceeded,
    VerificationStopped,
)
from dossier.model import JobState, Role
from dossier.verifying.bulk import BulkVerifications
from dossier.verifying.bulk_values import BulkOrder, ItemOutcome, ListedDocument
from dossier.verifying.bulk_work import BulkWork
from tests.fixtures_signing import OTHER_AGENCY, caller_of

VERDICTS = ("TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED")


class Answering:
    """Stands in for the checkers: answers by the document's first letter, or fails as they do."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.faults: list[Exception] = []
        self.at: set[dt.datetime | None] = set()
        self._lock = threading.Lock()

    def verify(self, path, at=None) -> bytes:
        data = path.read_bytes()
        with self._lock:
            self.asked.append(data)
            self.at.add(at)
            if self.faults:
                raise self.faults.pop()
        if data.startswith(b"x"):
            raise VerificationStopped("Quá lâu. / Too long.")
        verdict = VERDICTS[int(data[:1])]
        return json.dumps(
            {"indication": verdict, "sub_indication": None, "integrity": "INTACT"}
        ).encode()


@pytest.fixture
def bulk(signing_room):
    return BulkVerifications(
        signing_room.database, signing_room.holdings, signing_room.audit, signing_room.jobs
    )


@pytest.fixture
def documents(signing_room):
    def put(*kinds: str) -> list[ListedDocument]:
        return [
            ListedDocument(signing_room.put(f"{kind} {n}".encode()), f"hs-{n}")
            for n, kind in enumerate(kinds)
        ]

    return put


def work_off(room, work, worker="checker", most=100):
    """Do what waits, job by job; how many jobs it took."""
    for count in range(most):
        taken = room.jobs.claim("ocr", worker, 1, 60)
        if not taken:
            return count
        work(*taken)
    raise AssertionError("it never ends")


def test_everything_is_counted_once_whatever_the_size_of_a_job(signing_room, bulk, documents):
    room, checkers = signing_room, Answering()
    made, is_new = bulk.accept(room.caller, BulkOrder("đợt"), documents(*"0120120x"))
    assert (made.state, is_new) == (JobState.READY, True)
    jobs = work_off(room, BulkWork(bulk, room.blobs, checkers, at_once=2, chunk=3))
    now = bulk.get(room.caller, made.id)
    assert jobs == 3
    assert (now.state, now.done) == (JobState.DONE, 8)
    assert (now.passed, now.undetermined, now.failed, now.stopped) == (3, 2, 2, 1)
    assert len(checkers.asked) == 8
    items = bulk.items(room.caller, made.id)
    assert [one.position for one in items] == list(range(1, 9))
    assert items[-1].state is ItemOutcome.STOPPED
    assert "Too long" in items[-1].error["message"]
    assert json.loads(room.blobs.get(items[0].report_sha256))["indication"] == "TOTAL-PASSED"


def test_after_a_fault_of_ours_it_goes_on_where_it_was(signing_room, bulk, documents):
    room, checkers = signing_room, Answering()
    made, _ = bulk.accept(room.caller, BulkOrder(), documents(*"0000"))
    work = BulkWork(bulk, room.blobs, checkers, at_once=1, chunk=10)
    (job,) = room.jobs.claim("ocr", "first", 1, 60)
    checkers.faults = [Overloaded("Chưa được. / Not now.")]
    with pytest.raises(Overloaded):
        work(job)
    with room.database.begin() as connection:
        room.jobs.retry(connection, job, {"kind": "Overloaded", "message": "x"}, 0)
    assert bulk.get(room.caller, made.id).state is JobState.READY
    assert work_off(room, work) == 1
    now = bulk.get(room.caller, made.id)
    assert (now.state, now.passed, now.stopped) == (JobState.DONE, 4, 0)
    assert len(checkers.asked) == 5


def test_two_workers_with_the_same_job_count_nothing_twice(signing_room, bulk, documents):
    """A lease that ran out: the first worker comes back late."""
    room, checkers = signing_room, Answering()
    made, _ = bulk.accept(room.caller, BulkOrder(), documents(*"0011"))
    work = BulkWork(bulk, room.blobs, checkers, chunk=10)
    (late,) = room.jobs.claim("ocr", "late", 1, 0.001)
    threading.Event().wait(0.05)
    work_off(room, work, "quick")
    with pytest.raises(LeaseLost):
        work(late)
    now = bulk.get(room.caller, made.id)
    assert (now.state, now.passed, now.undetermined, now.done) == (JobState.DONE, 2, 2, 4)


def test_what_was_cancelled_meanwhile_is_left(signing_room, bulk, documents):
    room, checkers = signing_room, Answering()
    made, _ = bulk.accept(room.caller, BulkOrder(), documents(*"000"))
    (job,) = room.jobs.claim("ocr", "one", 1, 60)
    bulk.cancel(room.caller, made.id)
    BulkWork(bulk, room.blobs, checkers)(job)
    assert checkers.asked == []
    assert bulk.get(room.caller, made.id).state is JobState.CANCELLED
    assert {one.state for one in bulk.items(room.caller, made.id)} == {ItemOutcome.SKIPPED}
    assert not room.jobs.claim("ocr", "two", 1, 60)


def test_a_job_that_fails_for_good_ends_the_list(signing_room, bulk, documents):
    room = signing_room
    made, _ = bulk.accept(room.caller, BulkOrder(), documents(*"00"))
    (job,) = room.jobs.claim("ocr", "one", 1, 60)
    with room.database.begin() as connection:
        room.jobs.fail(connection, job, {"kind": "X", "message": "hỏng / broken"})
    now = bulk.get(room.caller, made.id)
    assert (now.state, now.error["kind"]) == (JobState.FAILED, "X")
    assert room.event_names(made.id)[-1] == "verification-batch.failed"


def test_the_moment_that_was_asked_about_reaches_each(signing_room, bulk, documents):
    room, checkers = signing_room, Answering()
    at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    bulk.accept(room.caller, BulkOrder(at=at), documents(*"00"))
    work_off(room, BulkWork(bulk, room.blobs, checkers))
    assert checkers.at == {at}


def test_what_is_refused(signing_room, bulk, documents):
    room = signing_room
    listed = documents("0")
    with pytest.raises(InvalidOrder, match="1 to"):
        bulk.accept(room.caller, BulkOrder(), [])
    with pytest.raises(InvalidOrder, match="time zone"):
        BulkOrder(at=dt.datetime(2026, 1, 5))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(InvalidOrder, match="longer than"):
        BulkOrder(expected_agency="x" * 501)
    with pytest.raises(InvalidOrder, match="not uploaded"):
        bulk.accept(caller_of(OTHER_AGENCY), BulkOrder(), listed)
    with pytest.raises(AccessRefused):
        bulk.accept(caller_of("H22.12", Role.ADMIN), BulkOrder(), listed)
    made, _ = bulk.accept(room.caller, BulkOrder(), listed)
    with pytest.raises(NotFound):
        bulk.get(caller_of(OTHER_AGENCY), made.id)
    for _ in range(19):
        bulk.accept(room.caller, BulkOrder(), listed)
    with pytest.raises(QuotaExceeded, match="bulk"):
        bulk.accept(room.caller, BulkOrder(), listed)
