"""Durable jobs: enqueued in their caller's transaction, taken under a lease, finished by a swap.

    READY ──claim──> RUNNING ──done──> DONE
      ^                 │ │
      ├──retry, drain───┤ └──fail────> FAILED
      └──lease ran out──┘

A job is taken again when its lease runs out, so a worker may be killed at any moment. Whoever
finishes a job does so by compare-and-swap on (worker, attempt, running) in the transaction that
records the result: of two workers that hold the same job for a while, one commits. The lease
lives by the database's clock, which all machines share.

A job whose lease ran out is a suspect: from then on it is handed out alone, and when its workers
keep dying it fails for good, so that one document cannot stop the service.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import LeaseLost, NotFound, StoreError
from dossier.model import JSON, AuditEvent, Caller, JobState, Role, new_id
from dossier.queue.jobmodel import Follower, Job, JobView, NewJob
from dossier.queue.jobtable import JobStatements
from dossier.storage.database import Database
from dossier.storage.tables import jobs

__all__ = ["Follower", "Job", "JobQueue", "JobView", "NewJob"]

MAX_CRASHES = 6
"""Leases that may run out: the first perhaps in company, five more alone."""

RETENTION = timedelta(days=30)
"""How long a finished job can be looked up."""

POISON: Mapping[str, str] = {
    "kind": "WorkerCrashed",
    "message": "Văn bản làm tiến trình xử lý dừng đột ngột nhiều lần nên không thử nữa; hãy kiểm "
    "tra tệp rồi gửi lại. / document crashes the worker: it was tried alone and the worker died "
    "each time; check the file, then send it again.",
}

_NOBODY = Follower()


class JobQueue:
    """The queues of one database. Safe for threads and for several processes."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self.database = database
        self._audit = audit
        self._followers: dict[str, Follower] = {}
        self._sql = JobStatements(database)
        self._grace = _Grace()

    def follow(self, kind: str, follower: Follower) -> None:
        """Let `follower` move the subjects of jobs of `kind`. One a kind; call it at the start."""
        self._followers[kind] = follower

    # --- putting in ----------------------------------------------------------------------

    def enqueue(
        self,
        connection: sa.Connection,
        *,
        queue: str,
        kind: str,
        subject: str,
        agency_id: str | None,
        payload: Mapping[str, JSON] | None = None,
        priority: int = 0,
        run_at: datetime | None = None,
    ) -> str:
        """Add a job in the caller's transaction; its id. `run_at` None: now."""
        job = NewJob(queue, kind, subject, agency_id, payload or {}, priority, run_at)
        return self.enqueue_many(connection, [job])[0]

    def enqueue_many(self, connection: sa.Connection, new: Sequence[NewJob]) -> list[str]:
        """Add jobs in the caller's transaction, in one statement; their ids."""
        if not new:
            return []
        now = datetime.now(UTC)
        rows = [
            {
                "id": new_id("job"),
                "queue": job.queue,
                "kind": job.kind,
                "subject": job.subject,
                "agency_id": job.agency_id,
                "payload": job.payload,
                "priority": job.priority,
                "run_at_": job.run_at,
                "nth": count,
                "created_at": now,
            }
            for count, job in enumerate(new)
        ]
        connection.execute(self._sql.insert, rows)
        return [str(row["id"]) for row in rows]

    # --- working -------------------------------------------------------------------------

    def claim(self, queue: str, worker: str, limit: int, lease_s: float) -> list[Job]:
        """Take at most `limit` jobs: those whose lease ran out first, then ready ones.

        An isolated job comes alone; run it with nothing else in hand. Jobs that crashed their
        workers too often fail here. One transaction; retaken jobs stand in the audit log.
        Raises `StoreError`, `AuditUnavailable`.
        """
        if limit < 1:
            return []
        try:
            with self.database.begin() as connection:
                taken = self._claim(connection, queue, worker, limit, lease_s)
        except StoreError:
            self._grace.lost()
            raise
        self._grace.answered(lease_s)
        return taken

    def _claim(
        self, connection: sa.Connection, queue: str, worker: str, limit: int, lease_s: float
    ) -> list[Job]:
        values = {"queue": queue, "limit_": limit}
        events: list[AuditEvent] = []
        chosen: Sequence[Any] = []
        if not self._grace.is_on():
            chosen = self._retake(connection, values, worker, events)
        chosen = chosen[:1] or connection.execute(self._sql.ready, values).all()
        # a suspect goes alone; those before the first one go together
        first = next((n for n, row in enumerate(chosen) if row.crashes), len(chosen))
        chosen = chosen[: max(first, 1)]
        taken = [_taken(row, worker, row.attempts + 1, row.crashes) for row in chosen]
        if taken:
            lease = {"worker_": worker, "lease_us": int(lease_s * 1e6)}
            connection.execute(self._sql.take, [{"id_": job.id, **lease} for job in taken])
            for kind in {job.kind for job in taken}:
                mine = [job for job in taken if job.kind == kind]
                self._follower(mine[0]).claimed(connection, mine)
        if events:
            self._audit.append(connection, events)
        return taken

    def _retake(
        self,
        connection: sa.Connection,
        values: Mapping[str, Any],
        worker: str,
        events: list[AuditEvent],
    ) -> Sequence[Any]:
        """Put jobs whose lease ran out back among the ready ones; the first that may go on.

        The others stay ready, as suspects, for whoever asks next.
        """
        expired = connection.execute(self._sql.expired, values).all()
        if not expired:
            return []
        # giving up takes what others hold who wait for the audit log: one at a time, and last
        poison = (n for n, row in enumerate(expired) if row.crashes + 1 >= MAX_CRASHES)
        expired = expired[: next(poison, len(expired)) + 1]
        crashed = [{"id_": row.id} for row in expired]
        connection.execute(self._sql.crash, crashed)
        for row in expired:
            is_poison = row.crashes + 1 >= MAX_CRASHES
            family = "signature" if row.kind == "signature" else "job"
            details = {
                "job": row.id,
                "kind": row.kind,
                "worker": row.worker,
                "attempt": row.attempts,
                "crashes": row.crashes + 1,
                "by": worker,
            }
            events.append(
                AuditEvent(
                    f"{family}.{'given-up' if is_poison else 'retaken'}",
                    f"worker:{worker}",
                    row.agency_id,
                    row.subject,
                    details,
                )
            )
            if is_poison:
                self._give_up(connection, row)
        return connection.execute(
            self._sql.chosen, {"ids": [r.id for r in expired if r.crashes + 1 < MAX_CRASHES]}
        ).all()

    def _give_up(self, connection: sa.Connection, row: Any) -> None:  # noqa: ANN401 - a row
        connection.execute(self._sql.poison, {"id_": row.id, "error_": dict(POISON)})
        job = _taken(row, row.worker, row.attempts, row.crashes + 1)
        self._follower(job).failed(connection, job, dict(POISON))

    def keep(
        self, worker: str, lease_s: float, job_ids: Collection[str] | None = None
    ) -> frozenset[str]:
        """Renew the leases of `worker`, of these jobs alone if given; which it still holds.

        Raises `StoreError`; then nothing is known, and finishing a job will tell.
        """
        if job_ids is not None and not job_ids:
            return frozenset()
        values: dict[str, Any] = {"worker_": worker, "lease_us": int(lease_s * 1e6)}
        statement = self._sql.keep
        if job_ids is not None:
            statement, values["ids"] = self._sql.keep_some, list(job_ids)

        with self.database.begin() as connection:
            return frozenset(connection.execute(statement, values).scalars())

    def done(self, connection: sa.Connection, job: Job) -> None:
        """Finish the job in the transaction that records its result. Raises `LeaseLost`."""
        self.done_many(connection, [job])

    def done_many(self, connection: sa.Connection, finished: Sequence[Job]) -> None:
        """Finish jobs in one statement. Raises `LeaseLost` when one of them was lost."""
        rows = [
            {**_held(job), "state_": JobState.DONE, "error_": None}
            for job in sorted(finished, key=_by_id)
        ]
        self._swap(connection, self._sql.finish, rows)

    def retry(
        self,
        connection: sa.Connection,
        job: Job,
        error: JSON,
        delay_s: float,
        *,
        suspect: bool = False,
        stumbled: bool = False,
    ) -> None:
        """Put the job back, to be taken again after `delay_s`; a `suspect` is handed out alone.

        `stumbled`: the fault was the job's own, and `Job.stumbles` counts it. Raises `LeaseLost`.
        """
        counted = {"suspect_": int(suspect), "stumbled_": int(stumbled)}
        row = {**_held(job), "error_": error, "delay_us": int(delay_s * 1e6), **counted}
        self._swap(connection, self._sql.retry, [row])
        self._follower(job).waiting(connection, job, error)

    def fail(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """End the job for good; its subject follows. Raises `LeaseLost`."""
        row = {**_held(job), "state_": JobState.FAILED, "error_": error}
        self._swap(connection, self._sql.finish, [row])
        self._follower(job).failed(connection, job, error)

    def give_back(self, taken: Sequence[Job]) -> None:
        """Put back jobs that were not begun, as if never taken. Raises `StoreError`."""

        if not taken:
            return
        with self.database.begin() as connection:
            given = [
                job
                for job in sorted(taken, key=_by_id)
                if connection.execute(self._sql.give_back, _held(job)).rowcount == 1
            ]
            for job in given:
                self._follower(job).waiting(connection, job, None)

    def cancel(self, connection: sa.Connection, subject: str) -> int:
        """Cancel what waits for `subject`; how many jobs. What is running goes on."""
        return connection.execute(self._sql.cancel, {"subject_": subject}).rowcount

    def _follower(self, job: Job) -> Follower:
        return self._followers.get(job.kind, _NOBODY)

    @staticmethod
    def _swap(connection: sa.Connection, statement: sa.Update, rows: list[dict[str, Any]]) -> None:
        if connection.execute(statement, rows).rowcount != len(rows):
            raise LeaseLost(
                "Việc này đã được giao cho tiến trình khác; kết quả của tiến trình này bị bỏ. / "
                "The job is another worker's by now; this worker's result is dropped."
            )

    # --- looking -------------------------------------------------------------------------

    def get(self, caller: Caller, job_id: str) -> JobView:
        """One job. Raises `NotFound`, also for another agency's."""
        with self.database.read() as connection:
            row = connection.execute(
                sa.select(jobs).where(jobs.c.id == job_id, jobs.c.agency_id == caller.agency_id)
            ).first()
        if row is None:
            raise NotFound(
                f"Không có việc “{job_id}”; hãy kiểm tra mã. / There is no such job; check its id."
            )
        return _view(row)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        *,
        state: JobState | None = None,
        subject: str | None = None,
    ) -> list[JobView]:
        """Jobs of the caller's agency, newest first; `after` is the last page's last id."""
        caller.require(Role.AUDITOR, Role.ADMIN, Role.CLERK, Role.LEADER, Role.OFFICER)
        wanted = sa.select(jobs).where(jobs.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(jobs.c.id < after)
        if state is not None:
            wanted = wanted.where(jobs.c.state == state)
        if subject is not None:
            wanted = wanted.where(jobs.c.subject == subject)
        with self.database.read() as connection:
            rows = connection.execute(wanted.order_by(jobs.c.id.desc()).limit(limit)).all()
        return [_view(row) for row in rows]

    def waiting(self, queue: str) -> int:
        """How many jobs of `queue` are ready or running. Walks them: cache it."""
        with self.database.read() as connection:
            return int(connection.execute(self._sql.waiting, {"queue": queue}).scalar_one())

    def sweep(self, older_than: timedelta = RETENTION, limit: int = 1000) -> int:
        """Forget at most `limit` jobs that finished so long ago; how many. Raises `StoreError`."""
        values = {"age_us": older_than // timedelta(microseconds=1), "limit_": limit}
        with self.database.begin() as connection:
            return connection.execute(self._sql.sweep, values).rowcount


def _taken(row: Any, worker: str, attempt: int, crashes: int) -> Job:  # noqa: ANN401 - a row
    return Job(
        id=row.id,
        queue=row.queue,
        kind=row.kind,
        subject=row.subject,
        agency_id=row.agency_id,
        payload=row.payload,
        priority=row.priority,
        attempt=attempt,
        crashes=crashes,
        worker=worker,
        stumbles=row.stumbles,
    )


def _by_id(job: Job) -> str:
    return job.id


def _held(job: Job) -> dict[str, Any]:
    return {"id_": job.id, "worker_": job.worker, "attempt_": job.attempt}


def _view(row: Any) -> JobView:  # noqa: ANN401 - a row
    return JobView(
        row.id,
        row.queue,
        row.kind,
        row.subject,
        row.agency_id,
        JobState(row.state),
        row.priority,
        row.attempts,
        row.crashes,
        row.error,
        row.run_at,
        row.created_at,
        row.finished_at,
    )


class _Grace:
    """After the database was away, its clients get one lease's time to renew theirs.

    Without it whoever comes back first would take everybody's jobs, and work would be done
    twice after each restart of the database.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_lost = False
        self._until = 0.0

    def lost(self) -> None:
        with self._lock:
            self._is_lost = True

    def answered(self, lease_s: float) -> None:
        with self._lock:
            if self._is_lost:
                self._is_lost = False
                self._until = time.monotonic() + lease_s

    def is_on(self) -> bool:
        with self._lock:
            return self._is_lost or time.monotonic() < self._until
