"""The worker: what it takes, how it drains, what it does with errors, hangs and suspects."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dossier.audit.log import AuditLog
from dossier.errors import AuditUnavailable, InvalidOrder, StoreError
from dossier.model import Caller, JobState, Role
from dossier.queue.jobs import Job, JobQueue, NewJob
from dossier.queue.worker import Worker
from dossier.storage.database import Database
from hsm.errors import TokenUnavailable

AUDITOR = Caller("prn-1", "Kiểm tra mẫu", "H22.12", frozenset({Role.AUDITOR}))


@pytest.fixture
def queue(sqlite_url: str, open_database: Callable[[str], Database]) -> JobQueue:
    database = open_database(sqlite_url)
    return JobQueue(database, AuditLog(database))


def add(queue: JobQueue, *subjects: str, **entries) -> list[str]:
    with queue.database.begin() as connection:
        return queue.enqueue_many(
            connection, [NewJob("seal", "test", s, "H22.12", **entries) for s in subjects]
        )


def done(queue: JobQueue, job: Job) -> None:
    queue.database.together(lambda connection: queue.done(connection, job))


@contextmanager
def running(queue: JobQueue, handler: Callable[[Job], None], **options) -> Iterator[Worker]:
    worker = Worker(queue, "seal", {"test": handler}, **options)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], object], within_s: float = 10) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def states(queue: JobQueue) -> dict[str, JobState]:
    return {view.subject: view.state for view in queue.list(AUDITOR, limit=200)}


def events(queue: JobQueue) -> list[str]:
    return [entry.event for entry in AuditLog(queue.database).entries(None, 0, 99)]


def test_it_works_off_the_queue_with_all_its_threads(queue):
    add(queue, *(f"s{n}" for n in range(60)))
    at_once = threading.Barrier(4, timeout=10)
    threads = set()

    def handler(job: Job) -> None:
        if job.subject in {"s0", "s1", "s2", "s3"}:
            at_once.wait()
        threads.add(threading.current_thread().name)
        done(queue, job)

    with running(queue, handler, threads=4) as worker:
        wait_for(lambda: queue.waiting("seal") == 0)
        wait_for(lambda: worker.health().finished == 60)
        health = worker.health()
    assert (health.ok, health.failed, health.put_back, health.hung) == (True, 0, 0, ())
    assert len(threads) == 4


def test_it_takes_little_more_than_it_can_begin(queue):
    add(queue, *(f"s{n}" for n in range(100)))
    go = threading.Event()

    def handler(job: Job) -> None:
        go.wait(10)
        done(queue, job)

    with running(queue, handler, threads=2) as worker:
        wait_for(lambda: worker.health().running == 2)
        time.sleep(0.1)
        assert worker.health().in_hand <= 6
        go.set()
        wait_for(lambda: queue.waiting("seal") == 0)


def test_a_drain_finishes_what_is_begun_and_gives_the_rest_back(queue):
    add(queue, *(f"s{n}" for n in range(20)))
    begun, go = threading.Semaphore(0), threading.Event()

    def handler(job: Job) -> None:
        begun.release()
        go.wait(10)
        done(queue, job)

    worker = Worker(queue, "seal", {"test": handler}, threads=2)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for _ in range(2):
        assert begun.acquire(timeout=10)
    stop.set()
    wait_for(lambda: list(states(queue).values()).count(JobState.READY) == 18)
    assert thread.is_alive()
    go.set()
    thread.join(10)
    assert not thread.is_alive()
    found = states(queue)
    assert sum(state is JobState.DONE for state in found.values()) == 2
    assert all(view.attempts == (view.state is JobState.DONE) for view in queue.list(AUDITOR))


def test_a_drain_has_an_end(queue):
    add(queue, "endless")
    release, begun = threading.Event(), threading.Event()

    def handler(job: Job) -> None:
        begun.set()
        release.wait(20)

    worker = Worker(queue, "seal", {"test": handler}, drain_s=0.2)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert begun.wait(10)
    stop.set()
    began = time.monotonic()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - began < 3
    release.set()


def test_leases_of_long_jobs_are_kept(queue):
    add(queue, "long")

    def handler(job: Job) -> None:
        time.sleep(1.0)
        done(queue, job)

    with running(queue, handler, lease_s=0.3):
        wait_for(lambda: states(queue)["long"] is JobState.RUNNING)
        time.sleep(0.6)
        assert queue.claim("seal", "other", 1, 1) == []
        wait_for(lambda: states(queue)["long"] is JobState.DONE)


def test_a_handler_that_hangs_loses_its_job_and_is_named(queue):
    add(queue, "hangs")
    release = threading.Event()

    def handler(job: Job) -> None:
        release.wait(20)
        done(queue, job)

    # one thread: a free one might take the job again before the other worker does
    with running(queue, handler, lease_s=1.5, hang_s=0.3, threads=1) as worker:
        wait_for(lambda: worker.health().hung)
        health = worker.health()
        assert not health.ok
        assert [hung.subject for hung in health.hung] == ["hangs"]
        taken: list[Job] = []
        wait_for(lambda: taken.extend(queue.claim("seal", "other", 1, 60)) or taken)
        assert taken[0].crashes == 1
        release.set()
        wait_for(lambda: not worker.health().hung)
        assert worker.health().finished == 0  # what it made was dropped
    assert states(queue)["hangs"] is JobState.RUNNING
    done(queue, taken[0])


def test_the_other_threads_go_on_beside_a_hung_one(queue):
    add(queue, "hangs")
    release = threading.Event()

    def handler(job: Job) -> None:
        if job.subject == "hangs":
            release.wait(20)
            return
        done(queue, job)

    with running(queue, handler, lease_s=60, hang_s=0.2, threads=2) as worker:
        worker._lease_s = 0.3
        wait_for(lambda: worker.health().running == 1)
        add(queue, *(f"s{n}" for n in range(10)))
        wait_for(lambda: worker.health().finished == 10)
        release.set()


def test_a_suspect_runs_alone(queue):
    add(queue, "a", "b", "c")
    queue.claim("seal", "dead", 3, 0.01)
    time.sleep(0.03)
    add(queue, *(f"s{n}" for n in range(10)))
    lock, inside, beside = threading.Lock(), set(), {}

    def handler(job: Job) -> None:
        with lock:
            inside.add(job.subject)
            if job.isolated:
                beside[job.subject] = set(inside)
        time.sleep(0.02)
        with lock:
            for name in beside:
                if name in inside:
                    beside[name] |= inside
            inside.discard(job.subject)
        done(queue, job)

    with running(queue, handler, threads=4):
        wait_for(lambda: queue.waiting("seal") == 0)
    assert beside == {"a": {"a"}, "b": {"b"}, "c": {"c"}}


def test_errors_put_back_or_fail(queue):
    add(queue, "refused", "unforeseen", "away")
    tries: dict[str, int] = {}

    def handler(job: Job) -> None:
        tries[job.subject] = tries.get(job.subject, 0) + 1
        if job.subject == "refused":
            raise InvalidOrder("no")
        if tries[job.subject] == 1:
            raise (StoreError("away") if job.subject == "away" else ZeroDivisionError)
        done(queue, job)

    with running(queue, handler):
        wait_for(lambda: queue.waiting("seal") == 0)
    assert tries == {"refused": 1, "unforeseen": 2, "away": 2}
    assert states(queue) == {
        "refused": JobState.FAILED,
        "unforeseen": JobState.DONE,
        "away": JobState.DONE,
    }


def test_a_kind_that_nobody_handles_is_tried_again(queue):
    add(queue, "x")
    with running(queue, lambda job: None) as worker:
        worker._handlers.clear()
        wait_for(lambda: worker.health().put_back >= 1)
    (view,) = queue.list(AUDITOR)
    assert view.error["kind"] == "Unexpected"


def test_a_queue_that_is_away_is_said_and_waited_for(queue, monkeypatch):
    claim = queue.claim
    away = threading.Event()
    away.set()

    def sometimes(*arguments):
        if away.is_set():
            raise StoreError("the database is away")
        return claim(*arguments)

    monkeypatch.setattr(queue, "claim", sometimes)
    add(queue, "a")
    with running(queue, lambda job: done(queue, job)) as worker:
        wait_for(lambda: worker.health().last_error)
        assert not worker.health().ok
        away.clear()
        wait_for(lambda: worker.health().finished == 1)
        assert worker.health().ok


def test_old_jobs_are_swept_by_the_way(queue, monkeypatch):
    monkeypatch.setattr("dossier.queue.worker._SWEEP_S", 0.05)
    monkeypatch.setattr(queue, "sweep", lambda sweep=queue.sweep: sweep(dt.timedelta(0)))
    add(queue, "a")
    with running(queue, lambda job: done(queue, job), lease_s=0.1):
        wait_for(lambda: queue.waiting("seal") == 0)
        wait_for(lambda: queue.list(AUDITOR) == [])


def test_no_error_of_the_queue_ends_the_worker(queue, monkeypatch):
    faults = iter([ZeroDivisionError("claim")])
    claim, keep = queue.claim, queue.keep

    def sometimes(*arguments):
        for fault in faults:
            raise fault
        return claim(*arguments)

    keeps = iter([ZeroDivisionError("keep")])

    def keep_sometimes(*arguments):
        for fault in keeps:
            raise fault
        return keep(*arguments)

    monkeypatch.setattr(queue, "claim", sometimes)
    monkeypatch.setattr(queue, "keep", keep_sometimes)
    add(queue, "a")

    def handler(job: Job) -> None:
        time.sleep(0.8)
        done(queue, job)

    with running(queue, handler, lease_s=0.5) as worker:
        wait_for(lambda: worker.health().finished == 1)
    assert states(queue) == {"a": JobState.DONE}


def test_while_the_token_is_away_nothing_is_begun(queue):
    """Each job in hand finds out once; those that wait are not begun and put back in turn."""
    add(queue, *(f"s{n}" for n in range(30)))
    away = threading.Event()
    away.set()
    asked = []
    refused = []

    def handler(job: Job) -> None:
        if away.is_set():
            refused.append(job.subject)
            raise TokenUnavailable("gone", retry_after_s=1)
        done(queue, job)

    def is_there() -> bool:
        asked.append(True)
        return not away.is_set()

    with running(queue, handler, threads=2, token_is_there=is_there):
        wait_for(lambda: len(asked) >= 3)
        assert len(refused) == len(set(refused)) <= 2 * 3 + 2
        away.clear()
        wait_for(lambda: queue.waiting("seal") == 0)
    assert set(states(queue).values()) == {JobState.DONE}


def test_what_cannot_be_put_back_is_put_back_when_the_database_answers(queue, monkeypatch):
    """Without waiting for the lease, after which it would be taken for a worker's killer."""
    add(queue, "a")
    retry = queue.retry
    refusals = iter([StoreError("away"), AuditUnavailable("away"), StoreError("away")])
    tries = []

    def retry_later(*arguments, **named):
        for refusal in refusals:
            raise refusal
        retry(*arguments, **named)

    def handler(job: Job) -> None:
        tries.append((job.attempt, job.isolated))
        if len(tries) == 1:
            raise StoreError("the database is away")
        done(queue, job)

    monkeypatch.setattr(queue, "retry", retry_later)
    with running(queue, handler, lease_s=1.5):
        wait_for(lambda: states(queue) == {"a": JobState.DONE})
    assert tries == [(1, False), (2, False)]
    assert events(queue) == []


def test_a_job_that_nobody_can_put_back_is_left_to_its_lease(queue, monkeypatch):
    """An error nobody foresaw must not keep the lease, and so the job, for ever."""
    add(queue, "a")
    retry = queue.retry
    refusals = iter([StoreError("away"), ZeroDivisionError("a fault of ours")])

    def retry_badly(*arguments, **named):
        for refusal in refusals:
            raise refusal
        retry(*arguments, **named)

    attempts = []

    def handler(job: Job) -> None:
        attempts.append(job.attempt)
        if len(attempts) == 1:
            raise StoreError("the database is away")
        done(queue, job)

    monkeypatch.setattr(queue, "retry", retry_badly)
    with running(queue, handler, lease_s=0.4):
        wait_for(lambda: states(queue) == {"a": JobState.DONE})
    assert attempts == [1, 2]
    assert events(queue) == ["job.retaken"]
