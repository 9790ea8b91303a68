"""Who waits for whom on PostgreSQL: rows in one order, the audit log last."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.model import AuditEvent, JobState
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database
from dossier.storage.tables import jobs, settings
from tests.proof_locks import prove

Open = Callable[[str], Database]


def test_a_storm_of_writers_meets_no_deadlock_and_loses_nothing(
    postgres_url: str, open_database: Open
) -> None:
    """The small twin of tests/proof_locks.py."""
    told = prove(open_database(postgres_url), postgres_url, 4.0, 7, 2, 16)
    assert told["records"] > 0
    assert told["published"] > 0


def test_small_writes_of_two_processes_do_not_cross(postgres_url: str, open_database: Open) -> None:
    """One appends to the log, then another one of the same moment wants a row that a stranger
    holds who waits for the log: in one transaction that would be a circle.
    """
    mine, theirs = open_database(postgres_url), open_database(postgres_url)
    log, other = AuditLog(mine), AuditLog(theirs)
    with mine.begin() as connection:
        connection.execute(sa.insert(settings), {"name": "row", "value": 0})
    log.write(AuditEvent("storm", "test", None, "first"))
    holds, appended, both = threading.Event(), threading.Event(), threading.Barrier(3)

    def stranger() -> None:
        with theirs.begin() as connection:
            connection.execute(sa.update(settings).where(settings.c.name == "row").values(value=1))
            holds.set()
            assert appended.wait(10)
            other.append(connection, [AuditEvent("storm", "test", None, "stranger")])

    def append(connection: sa.Connection) -> None:
        log.append(connection, [AuditEvent("storm", "test", None, "small")])
        appended.set()

    def change(connection: sa.Connection) -> None:
        connection.execute(sa.update(settings).where(settings.c.name == "row").values(value=2))

    def hand_in(work: Callable[[sa.Connection], None]) -> None:
        both.wait(10)
        mine.together(work)

    threads = [
        threading.Thread(target=stranger),
        threading.Thread(target=hand_in, args=(append,)),
        threading.Thread(target=hand_in, args=(change,)),
    ]
    for thread in threads:
        thread.start()
    assert holds.wait(10)
    both.wait(10)
    for thread in threads:
        thread.join(20)
    assert [entry.subject for entry in log.entries(None, 1, 9)] == ["small", "stranger"]
    with mine.read() as connection:
        assert connection.execute(
            sa.select(settings.c.value).where(settings.c.name == "row")
        ).scalar_one() in (1, 2)
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert connection.execute(sa.text(deadlocks)).scalar_one() == 0


@pytest.mark.parametrize("turned", [False, True])
def test_leases_are_kept_in_the_order_in_which_jobs_are_finished(
    postgres_url: str, open_database: Open, *, turned: bool
) -> None:
    database = open_database(postgres_url)
    queue = JobQueue(database, AuditLog(database))
    with database.begin() as connection:
        for n in range(20):
            queue.enqueue(connection, queue="seal", kind="storm", subject=f"s{n}", agency_id=None)
    taken = queue.claim("seal", "w", 20, 30)
    # their places in the table no longer follow their ids
    with database.begin() as connection:
        for job in sorted(taken, key=lambda job: job.id, reverse=True):
            connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(priority=1))
    stop = threading.Event()
    failures: list[Exception] = []

    def keep() -> None:
        while not stop.is_set():
            try:
                queue.keep("w", 30)
            except Exception as error:  # noqa: BLE001 - shown below
                failures.append(error)

    keepers = [threading.Thread(target=keep) for _ in range(3)]
    for keeper in keepers:
        keeper.start()
    ordered = sorted(taken, key=lambda job: job.id, reverse=turned)
    for n in range(0, 20, 4):
        with database.begin() as connection:
            queue.done_many(connection, ordered[n : n + 4])
    stop.set()
    for keeper in keepers:
        keeper.join(10)
    assert not failures
    with database.read() as connection:
        assert set(connection.execute(sa.select(jobs.c.state)).scalars()) == {JobState.DONE}
