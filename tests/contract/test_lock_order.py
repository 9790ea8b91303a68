"""On PostgreSQL everybody locks jobs first and the audit log last; where two may meet all the same.

Each test stops one writer half-way, lets another one run into it, and goes on. In the wrong order
the server would have to break a deadlock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.batches.order import BatchOrder, ListedItem, Policy
from dossier.clerical.order import Claim, Numbering, SequenceOrder, Step
from dossier.digitizing.order import DigitizationOrder
from dossier.errors import VersionConflict
from dossier.model import AuditEvent, BatchState, SequenceState
from dossier.signing.records import SignatureOrder
from dossier.signing.recordtable import NewRecord, Record
from dossier.storage.database import Database
from dossier.storage.tables import deliveries, digitizations, jobs, records, sequences
from tests.lock_storm import AGENCIES, BOOKS, DAY, KEY, SEAL, SOURCES, Storm, caller_of, found

AGENCY = AGENCIES[0]
CALLER = caller_of(AGENCY)
CLAIM = Claim("once", "0" * 64)


@pytest.fixture
def storm(postgres_url: str, tmp_path: Path) -> Iterator[Storm]:
    """The service's classes on one database, with agencies and documents."""
    storm = Storm(postgres_url, 0, 1, tmp_path)
    found(storm.database)
    yield storm
    storm.database.close()


@pytest.fixture
def theirs(postgres_url: str) -> Iterator[Database]:
    """The same database, as another process has it."""
    database = Database(postgres_url)
    yield database
    database.close()


class Other:
    """Runs `work` in a thread; `until_it_waits` for a lock, then `join` for its result."""

    def __init__(self, database: Database, work: Callable[[], object]) -> None:
        self._database = database
        self.result: object = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.result = error

    def until_it_waits(self) -> None:
        deadline = time.monotonic() + 20
        waiting = sa.text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while True:
            with self._database.read() as connection:
                if connection.execute(waiting).scalar_one():
                    return
            assert self._thread.is_alive(), self.result
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def join(self) -> object:
        self._thread.join(20)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def deadlocks(database: Database) -> int:
    """How many the server has had to break."""
    told = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with database.read() as connection:
        return int(connection.execute(sa.text(told)).scalar_one())


def new_record(storm: Storm) -> tuple[sa.Table, str, Callable[[], object]]:
    order = SignatureOrder(key=KEY, from_book=True, symbol=BOOKS[0], decided_on=DAY)
    record, _ = storm.records.accept(
        CALLER, order, SOURCES[0], idempotency_key=None, request_sha256="0" * 64
    )
    return records, record.id, lambda: storm.records.cancel(CALLER, record.id)


def new_sequence(storm: Storm) -> tuple[sa.Table, str, Callable[[], object]]:
    order = SequenceOrder(leader_key=KEY, agency_key=SEAL, symbol=BOOKS[0])
    made, _ = storm.sequences.create(CALLER, order, SOURCES[0], CLAIM)
    storm.sequences.step(CALLER, made.id, Step.LEADER, Claim("step", "1" * 64))
    return sequences, made.id, lambda: storm.sequences.cancel(CALLER, made.id)


def new_digitization(storm: Storm) -> tuple[sa.Table, str, Callable[[], object]]:
    order = DigitizationOrder((SOURCES[0],), "Đơn", "HS", "01", "tram", "Mẫu")
    made, _ = storm.digitizations.accept(CALLER, order, "once")
    return digitizations, made.id, lambda: storm.digitizations.cancel(CALLER, made.id)


@pytest.mark.parametrize("make", [new_record, new_sequence, new_digitization])
def test_who_has_the_job_gets_its_subject(
    storm: Storm,
    theirs: Database,
    make: Callable[[Storm], tuple[sa.Table, str, Callable[[], object]]],
) -> None:
    """A worker ends a job while somebody cancels what the job is about."""
    table, subject, cancel = make(storm)
    with theirs.begin() as worker:
        job = sa.select(jobs.c.id).where(jobs.c.subject == subject).with_for_update()
        assert worker.execute(job).first() is not None
        other = Other(theirs, cancel)
        other.until_it_waits()
        worker.execute(sa.select(table.c.id).where(table.c.id == subject).with_for_update())
    other.join()
    assert deadlocks(storm.database) == 0


def test_a_webhook_that_is_being_deleted_holds_up_nobody(storm: Storm, theirs: Database) -> None:
    """Who deletes it waits for the audit log, whose holder has something more to tell it."""
    made, _ = storm.webhooks.create(CALLER, "http://127.0.0.1:9/", ["*"])
    kept, _ = storm.webhooks.create(CALLER, "http://127.0.0.1:9/", ["*"])
    event = AuditEvent("signature.published", "test", AGENCY, "rec", {})
    with storm.database.begin() as connection:
        storm.audit.append(connection, [AuditEvent("storm", "test", AGENCY, "first")])
        other = Other(theirs, lambda: storm.webhooks.delete(CALLER, made.id, made.version))
        other.until_it_waits()
        storm.audit.append(connection, [event])
    other.join()
    assert deadlocks(storm.database) == 0
    with storm.database.read() as connection:
        told = connection.execute(sa.select(deliveries.c.webhook_id)).scalars().all()
    assert set(told) == {kept.id}


def test_a_webhook_that_is_not_deleted_after_all_is_told(storm: Storm) -> None:
    """Neither who may not delete it nor who sends it a trial message keeps messages from it."""
    made, _ = storm.webhooks.create(CALLER, "http://127.0.0.1:9/", ["signature.published"])
    with storm.database.begin() as connection:
        storm.webhooks.emit(connection, AGENCY, "signature.published", {})
        with pytest.raises(VersionConflict):
            storm.webhooks.delete(CALLER, made.id, made.version + 1)
        storm.webhooks.test(CALLER, made.id)
        storm.webhooks.emit(connection, AGENCY, "signature.published", {})
    assert len(storm.webhooks.deliveries(CALLER, made.id)) == 3


def name_number_one(storm: Storm, connection: sa.Connection) -> None:
    """A record that names the number 1, not committed yet."""
    order = SignatureOrder(key=KEY, number=1, symbol=BOOKS[0], decided_on=DAY)
    new = NewRecord(AGENCY, CALLER.principal_id, "req", order, SOURCES[1], 1, DAY.year)
    storm.records.insert(connection, [new])


def test_a_batch_passes_over_a_number_that_was_named_meanwhile(
    storm: Storm, theirs: Database
) -> None:
    order = SignatureOrder(key=KEY, from_book=True, symbol=BOOKS[0], decided_on=DAY)
    listed = [ListedItem(SOURCES[0]), ListedItem(SOURCES[2])]
    batch, _ = storm.batches.create(
        CALLER, BatchOrder(order, Policy.EACH, "lô"), listed, "f" * 64, CLAIM
    )
    storm.batches.approve(CALLER, batch.id)
    storm.batches.release(CALLER, batch.id)
    storm.work["batch"](*storm.jobs.claim("seal", "w", 1, 30))
    assert storm.batches.get(CALLER, batch.id).state is BatchState.RUNNING
    (job,) = storm.jobs.claim("seal", "w", 1, 30)
    with theirs.begin() as connection:
        name_number_one(storm, connection)
        other = Other(theirs, lambda: storm.work["batch"](job))
        other.until_it_waits()
    other.join()
    with storm.database.read() as connection:
        mine = sa.select(records.c.number).where(records.c.batch_id == batch.id)
        assert sorted(connection.execute(mine).scalars()) == [2, 3]


def test_a_named_number_that_the_book_passed_over_is_told_unused(storm: Storm) -> None:
    """The document that named it is cancelled: the gap is explained; before, there is none."""

    def accept(**numbered: Any) -> Record:
        order = SignatureOrder(key=KEY, symbol=BOOKS[0], decided_on=DAY, **numbered)
        return storm.records.accept(
            CALLER, order, SOURCES[0], idempotency_key=None, request_sha256="0" * 64
        )[0]

    ahead, passed = accept(number=9), accept(number=1)
    assert accept(from_book=True).number == 2
    for record in (ahead, passed):
        storm.records.cancel(CALLER, record.id)
    told = [
        (entry.subject, entry.details["number"])
        for entry in storm.audit.entries(AGENCY, 0, 100)
        if entry.event.startswith("number.")
    ]
    assert told == [(passed.id, 1)]


def test_a_sequence_passes_over_a_number_that_was_named_meanwhile(
    storm: Storm, theirs: Database
) -> None:
    _, sequence, _ = new_sequence(storm)
    with storm.database.begin() as connection:  # the leader has signed
        row = sequences.c.id == sequence
        done = sa.update(sequences).where(row).values(state=SequenceState.SIGNED, step_running=None)
        connection.execute(done)
    with theirs.begin() as connection:
        name_number_one(storm, connection)
        other = Other(
            theirs,
            lambda: storm.sequences.step(
                CALLER, sequence, Step.NUMBER, Claim("n", "2" * 64), numbering=Numbering(DAY)
            ),
        )
        other.until_it_waits()
    other.join()
    assert storm.sequences.get(CALLER, sequence).number == 2
