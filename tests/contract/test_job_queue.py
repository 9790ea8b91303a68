"""The durable queue: the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import LeaseLost, NotFound, StoreError
from dossier.model import Caller, JobState, Role
from dossier.queue.jobs import MAX_CRASHES, Follower, Job, JobQueue, NewJob
from dossier.storage.database import Database
from dossier.storage.tables import jobs
from dossier.storage.tables import settings as house_settings

AUDITOR = Caller("prn-1", "Kiểm tra mẫu", "H22.12", frozenset({Role.AUDITOR}))
SOON_S = 0.05  # a lease that runs out while a test waits


class Notes(Follower):
    """Keeps what a follower was told."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, str]] = []

    def claimed(self, connection, taken) -> None:
        self.moves += [("claimed", job.subject) for job in taken]

    def waiting(self, connection, job, error) -> None:
        self.moves.append(("waiting", job.subject))

    def failed(self, connection, job, error) -> None:
        self.moves.append(("failed", job.subject))


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def queue(database: Database, audit: AuditLog) -> JobQueue:
    return JobQueue(database, audit)


def add(queue: JobQueue, *subjects: str, **entries) -> list[str]:
    """Enqueue one job a subject."""
    with queue.database.begin() as connection:
        return queue.enqueue_many(
            connection,
            [NewJob("seal", "signature", s, "H22.12", {"n": s}, **entries) for s in subjects],
        )


def take(queue: JobQueue, worker: str = "w1", limit: int = 10, lease_s: float = 60) -> list[Job]:
    return queue.claim("seal", worker, limit, lease_s)


def finish(queue: JobQueue, *taken: Job) -> None:
    with queue.database.begin() as connection:
        queue.done_many(connection, taken)


def view(queue: JobQueue, job_id: str):
    return queue.get(AUDITOR, job_id)


def expire() -> None:
    time.sleep(SOON_S * 2)


def subjects(taken: list[Job]) -> list[str]:
    return [job.subject for job in taken]


def test_jobs_come_by_priority_then_age(queue):
    add(queue, "a", "b")
    add(queue, "urgent", priority=-1)
    add(queue, "idle", priority=9)
    assert subjects(take(queue, limit=3)) == ["urgent", "a", "b"]
    assert subjects(take(queue)) == ["idle"]
    assert take(queue) == []


def test_a_job_is_not_taken_before_its_time(queue):
    now = dt.datetime.now(dt.UTC)
    add(queue, "later", run_at=now + dt.timedelta(seconds=0.3))
    assert take(queue) == []
    time.sleep(0.35)
    assert subjects(take(queue)) == ["later"]


def test_a_claimed_job_has_what_was_put_in(queue):
    add(queue, "a", priority=3)
    (job,) = take(queue)
    assert (job.kind, job.subject, job.agency_id) == ("signature", "a", "H22.12")
    assert (job.payload, job.priority) == ({"n": "a"}, 3)
    assert (job.attempt, job.crashes, job.worker, job.isolated) == (1, 0, "w1", False)


def test_other_queues_are_left_alone(queue):
    add(queue, "a")
    assert queue.claim("ocr", "w1", 5, 60) == []


def test_an_enqueued_job_is_undone_with_its_transaction(queue):
    def work(connection: sa.Connection) -> None:
        queue.enqueue(connection, queue="seal", kind="signature", subject="a", agency_id=None)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        queue.database.together(work)
    assert take(queue) == []


def test_no_job_is_handed_out_twice(queue):
    add(queue, *(f"s{n}" for n in range(300)))
    got: list[str] = []

    def worker(name: str) -> None:
        while taken := take(queue, name, limit=7):
            got.extend(subjects(taken))
            finish(queue, *taken)

    threads = [threading.Thread(target=worker, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(f"s{n}" for n in range(300))
    assert queue.waiting("seal") == 0


def test_a_lease_that_ran_out_is_retaken_and_stands_in_the_audit_log(queue, audit):
    (job_id,) = add(queue, "a")
    (first,) = take(queue, "w1", lease_s=SOON_S)
    expire()
    (second,) = take(queue, "w2")
    assert (second.attempt, second.crashes, second.isolated) == (2, 1, True)
    (entry,) = audit.entries(None, 0, 10)
    assert (entry.event, entry.subject, entry.actor) == ("signature.retaken", "a", "worker:w2")
    assert entry.details["worker"] == "w1"
    assert entry.details["attempt"] == 1
    with pytest.raises(LeaseLost):
        finish(queue, first)
    finish(queue, second)
    assert view(queue, job_id).state is JobState.DONE


def test_what_a_late_worker_records_is_undone(queue, database):
    add(queue, "a")
    (late,) = take(queue, "w1", lease_s=SOON_S)
    expire()
    take(queue, "w2")

    def record(connection: sa.Connection) -> None:
        connection.execute(sa.insert(house_settings), {"name": "result", "value": 1})
        queue.done(connection, late)

    with pytest.raises(LeaseLost):
        database.together(record)
    with database.read() as connection:
        names = connection.execute(sa.select(house_settings.c.name)).scalars().all()
    assert "result" not in names


def test_an_earlier_attempt_of_the_same_worker_is_fenced_off(queue):
    add(queue, "a")
    (hung,) = take(queue, "w1", lease_s=SOON_S)
    expire()
    (again,) = take(queue, "w1")
    with pytest.raises(LeaseLost):
        finish(queue, hung)
    finish(queue, again)


def test_one_lost_job_of_a_group_undoes_the_group(queue):
    add(queue, "a", "b")
    a, b = take(queue, "w1")
    finish(queue, a)
    with pytest.raises(LeaseLost):
        finish(queue, a, b)
    finish(queue, b)


def test_an_expired_lease_may_still_finish_while_nobody_took_the_job(queue):
    add(queue, "a")
    (job,) = take(queue, lease_s=SOON_S)
    expire()
    finish(queue, job)
    assert take(queue, "w2") == []


def test_suspects_are_handed_out_alone(queue):
    add(queue, "a", "b", "c")
    take(queue, "w1", limit=3, lease_s=SOON_S)
    add(queue, "fresh")
    expire()
    got = [take(queue, "w2") for _ in range(4)]
    assert [len(taken) for taken in got] == [1, 1, 1, 1]
    assert {taken[0].subject for taken in got if taken[0].isolated} == {"a", "b", "c"}


def test_fresh_jobs_before_a_suspect_come_without_it(queue):
    add(queue, "suspect")
    take(queue, "w1", lease_s=SOON_S)
    add(queue, "first", "second", priority=-1)
    expire()
    assert subjects(take(queue, "w2")) == ["suspect"]  # whose lease ran out goes first
    with queue.database.begin() as connection:
        connection.execute(
            sa.update(jobs).where(jobs.c.subject == "suspect").values(state="ready", worker=None)
        )
    assert subjects(take(queue, "w2")) == ["first", "second"]
    assert subjects(take(queue, "w2")) == ["suspect"]


def test_a_document_that_kills_its_workers_fails_for_good(queue, audit):
    notes = Notes()
    queue.follow("signature", notes)
    (job_id,) = add(queue, "poison")
    for crash in range(MAX_CRASHES):
        (job,) = take(queue, f"w{crash}", lease_s=SOON_S)
        assert job.crashes == crash
        expire()
    assert take(queue, "w9") == []
    failed = view(queue, job_id)
    assert failed.state is JobState.FAILED
    assert failed.error["kind"] == "WorkerCrashed"
    assert "document crashes the worker" in failed.error["message"]
    assert notes.moves[-1] == ("failed", "poison")
    names = [entry.event for entry in audit.entries(None, 0, 100)]
    assert names == ["signature.retaken"] * (MAX_CRASHES - 1) + ["signature.given-up"]


def test_retry_puts_back_with_the_error_in_sight(queue):
    notes = Notes()
    queue.follow("signature", notes)
    (job_id,) = add(queue, "a")
    (job,) = take(queue)
    with queue.database.begin() as connection:
        queue.retry(connection, job, {"kind": "TimestampError", "message": "…"}, 0.2)
    waiting = view(queue, job_id)
    assert (waiting.state, waiting.attempts) == (JobState.READY, 1)
    assert waiting.error["kind"] == "TimestampError"
    assert take(queue) == []
    time.sleep(0.25)
    (again,) = take(queue)
    assert (again.attempt, again.crashes, again.stumbles) == (2, 0, 0)
    assert notes.moves == [("claimed", "a"), ("waiting", "a"), ("claimed", "a")]


def test_what_stumbles_is_counted_apart_from_what_waits(queue):
    add(queue, "a")
    for stumbled in (False, True, False, True):
        (job,) = take(queue)
        with queue.database.begin() as connection:
            queue.retry(connection, job, None, 0, stumbled=stumbled)
    (job,) = take(queue)
    assert (job.attempt, job.stumbles) == (5, 2)


def test_fail_ends_the_job_for_good(queue):
    notes = Notes()
    queue.follow("signature", notes)
    (job_id,) = add(queue, "a")
    (job,) = take(queue)
    with queue.database.begin() as connection:
        queue.fail(connection, job, {"kind": "PolicyRefused", "message": "…"})
    assert view(queue, job_id).state is JobState.FAILED
    assert view(queue, job_id).finished_at is not None
    assert notes.moves[-1] == ("failed", "a")
    with pytest.raises(LeaseLost), queue.database.begin() as connection:
        queue.retry(connection, job, None, 0)


def test_what_is_given_back_was_never_begun(queue):
    (job_id,) = add(queue, "a")
    queue.give_back(take(queue))
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == (JobState.READY, 0)
    (again,) = take(queue, "w2")
    assert (again.attempt, again.crashes) == (1, 0)


def test_keep_renews_what_it_is_told_and_says_what_is_held(queue):
    a_id, b_id = add(queue, "a", "b")
    take(queue, "w1", lease_s=SOON_S)
    assert queue.keep("w1", 60, [a_id]) == {a_id}
    assert queue.keep("w2", 60) == frozenset()
    assert queue.keep("w1", 60, []) == frozenset()
    expire()
    assert subjects(take(queue, "w2")) == ["b"]
    assert queue.keep("w1", 60) == {a_id}
    assert queue.keep("w2", 60) == {b_id}


def test_cancel_takes_what_waits_and_leaves_what_runs(queue):
    add(queue, "a", "b")
    take(queue, limit=1)
    with queue.database.begin() as connection:
        assert queue.cancel(connection, "a") == 0
        assert queue.cancel(connection, "b") == 1
    assert take(queue) == []


def test_finished_jobs_are_swept_after_their_time(queue):
    done_id, open_id = add(queue, "a", "b")
    finish(queue, take(queue, limit=1)[0])
    assert queue.sweep() == 0
    assert queue.sweep(dt.timedelta(0)) == 1
    with pytest.raises(NotFound):
        view(queue, done_id)
    assert view(queue, open_id).state is JobState.READY


def test_jobs_of_another_agency_do_not_exist(queue):
    (job_id,) = add(queue, "a")
    stranger = Caller("prn-2", "Người lạ", "H22.13", frozenset({Role.ADMIN}))
    with pytest.raises(NotFound):
        queue.get(stranger, job_id)
    assert queue.list(stranger) == []


def test_lists_are_pages_newest_first(queue):
    ids = add(queue, *(f"s{n}" for n in range(5)))
    first = queue.list(AUDITOR, None, 3)
    second = queue.list(AUDITOR, first[-1].id, 3)
    assert {one.id for one in (*first, *second)} == set(ids)
    assert len(second) == 2
    assert [one.subject for one in queue.list(AUDITOR, subject="s3")] == ["s3"]
    assert queue.list(AUDITOR, state=JobState.DONE) == []


@pytest.fixture
def cut_off(
    postgres, postgres_url: str, open_database: Callable[[str], Database]
) -> Callable[[float], JobQueue]:
    """A queue that was away while the worker "first" held a job for so many seconds."""

    def cut(lease_s: float) -> JobQueue:
        database = open_database(postgres_url)
        queue = JobQueue(database, AuditLog(database))
        add(queue, "a")
        take(queue, "first", lease_s=lease_s)
        postgres.stop()
        with pytest.raises(StoreError):
            take(queue, "other", lease_s=lease_s)
        time.sleep(lease_s)
        postgres.start()
        return queue

    return cut


def test_after_an_outage_leases_are_spared_for_a_while(cut_off):
    queue = cut_off(0.5)
    assert take(queue, "other", lease_s=0.5) == []  # its worker lives and gets time to say so
    assert len(queue.keep("first", 60)) == 1
    time.sleep(0.6)
    assert take(queue, "other", lease_s=0.5) == []


def test_a_worker_that_died_in_an_outage_is_replaced_after_the_grace(cut_off):
    queue = cut_off(0.2)
    until = time.monotonic() + 10
    while not (taken := take(queue, "other", lease_s=0.2)):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert taken[0].crashes == 1
