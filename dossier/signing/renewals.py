"""Orders renewals of archive timestamps that are due (see `dossier.signing.renewal`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.model import JSON, AuditEvent, JobState, RecordState
from dossier.queue.jobs import Follower, Job, JobQueue, NewJob
from dossier.storage.database import Database
from dossier.storage.tables import jobs as job_rows
from dossier.storage.tables import records

KIND = "renewal"
QUEUE = "seal"
_PRIORITY = 100  # behind whatever somebody waits for
_AGAIN = timedelta(days=1)  # after a renewal that was ordered or failed
LIVING = (RecordState.PUBLISHED, RecordState.SUPERSEDED, RecordState.ANNULLED)
_OPEN = (JobState.READY, JobState.RUNNING)


class RenewalDesk:
    """Enqueues what is due. Safe for threads and processes; make one in each process."""

    def __init__(self, database: Database, audit: AuditLog, jobs: JobQueue) -> None:
        self._database = database
        self._jobs = jobs
        jobs.follow(KIND, RenewalMoves(audit))

    def sweep(self, limit: int = 1000) -> int:
        """Order the renewal of at most `limit` records that are due; how many. Call it hourly.

        A record is ordered once however many sweep: its date moves by a day in the transaction
        that enqueues its job, and one whose job is still open is left alone. Raises `StoreError`.
        """
        with self._database.begin() as connection:
            now = self._database.now(connection)
            due = (
                sa.select(records.c.id, records.c.agency_id, records.c.result_sha256)
                .where(records.c.renew_at <= now, records.c.state.in_(LIVING))
                .order_by(records.c.renew_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            found = connection.execute(due).all()
            if not found:
                return 0
            ids = [row.id for row in found]
            connection.execute(
                sa.update(records).where(records.c.id.in_(ids)).values(renew_at=now + _AGAIN)
            )
            open_jobs = sa.select(job_rows.c.subject).where(
                job_rows.c.subject.in_(ids),
                job_rows.c.kind == KIND,
                job_rows.c.state.in_(_OPEN),
            )
            ordered = set(connection.execute(open_jobs).scalars())
            new = [
                NewJob(
                    QUEUE,
                    KIND,
                    row.id,
                    row.agency_id,
                    {"result": row.result_sha256},
                    priority=_PRIORITY,
                )
                for row in found
                if row.id not in ordered
            ]
            self._jobs.enqueue_many(connection, new)
        return len(new)


class RenewalMoves(Follower):
    """A renewal that fails for good is told, and ordered again by a later sweep."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def failed(self, connection: sa.Connection, job_: Job, error: JSON) -> None:
        details: dict[str, Any] = {"attempt": job_.attempt, "error": error}
        again = datetime.now(UTC) + _AGAIN
        connection.execute(
            sa.update(records)
            .where(records.c.id == job_.subject, records.c.renew_at.is_not(None))
            .values(renew_at=again)
        )
        event = AuditEvent(
            "signature.renewal-failed",
            f"worker:{job_.worker}",
            job_.agency_id,
            job_.subject,
            details,
        )
        self._audit.append(connection, [event])
