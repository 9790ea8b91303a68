"""Keeps a batch's account in the very transactions that end its records.

The transaction that leaves little in flight enqueues the next chunk, the last one the end; both
are decided on the batch's own row, which every one of them locks, so each is enqueued once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dossier.batches import batchtable
from dossier.batches.order import Batch, Policy
from dossier.model import JSON, AuditEvent, BatchState, ItemState, RecordState
from dossier.queue.jobs import Follower, Job
from dossier.signing.records import QUEUE
from dossier.signing.recordtable import Publication, Record

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.queue.jobs import JobQueue

KIND = "batch"
CHUNK = 200
"""Documents that become records in one transaction."""
LOW = 150
"""With so few in flight the next chunk is handed out: two machines of two processes still have
work in hand while it is made."""


class BatchAccounts:
    """The `RecordWatcher` of batches. Safe for threads."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    def published(self, connection: sa.Connection, made: Sequence[Publication]) -> None:
        """Note results, count them, and see what comes next."""
        listed = [p for p in made if p.batch is not None]
        if not listed:
            return
        rows: list[dict[str, Any]] = []
        counts: defaultdict[str, int] = defaultdict(int)
        for p in listed:
            assert p.batch is not None  # noqa: S101 - filtered above
            batch_id, position = p.batch
            counts[batch_id] += 1
            rows.append(
                {
                    "batch": batch_id,
                    "at": position,
                    "to": ItemState.HELD if p.held else ItemState.PUBLISHED,
                    "result": None if p.held else p.result_sha256,
                    "error_": None,
                }
            )
        connection.execute(batchtable.END_ITEM, rows)
        for batch_id, good in counts.items():
            batch, is_due = self._count(connection, batch_id, good=good)
            if is_due:
                enqueue(connection, self._jobs, batch_id, batch.agency_id)

    def ended(
        self, connection: sa.Connection, record: Record, state: RecordState, error: JSON
    ) -> None:
        """Note a failure; under the policy ``all`` it stops the batch."""
        if record.batch_id is None:
            return
        is_failed = state is RecordState.FAILED
        told = error or {"kind": "Cancelled", "message": "Đã hủy. / Cancelled."}
        connection.execute(
            batchtable.END_ITEM,
            {
                "batch": record.batch_id,
                "at": record.batch_position,
                "to": ItemState.FAILED if is_failed else ItemState.SKIPPED,
                "result": None,
                "error_": told,
            },
        )
        self.failed(connection, record.batch_id, [(record.batch_position or 0, told)])

    def failed(
        self, connection: sa.Connection, batch_id: str, ends: Sequence[tuple[int, JSON]]
    ) -> None:
        """Count failures (position, error) whose items say so already."""
        batch, is_due = self._count(connection, batch_id, bad=len(ends))
        is_going = batch.state in (BatchState.RUNNING, BatchState.PAUSED)
        if batch.order.policy is Policy.ALL and is_going:
            position, error = ends[0]
            stop(connection, self._jobs, batch, {"position": position, "error": error})
        elif is_due:
            enqueue(connection, self._jobs, batch.id, batch.agency_id)

    @staticmethod
    def _count(
        connection: sa.Connection, batch_id: str, *, good: int = 0, bad: int = 0
    ) -> tuple[Batch, bool]:
        """Count; the batch as it is now, and whether a worker has to look after it."""
        values = {"id_": batch_id, "good": good, "bad": bad}
        batch = batchtable.batch_of(connection.execute(batchtable.COUNT, values).one())
        before, after = batch.in_flight + good + bad, batch.in_flight
        is_low = after <= LOW < before and batch.handed < batch.total
        is_going = batch.state in (BatchState.RUNNING, BatchState.CANCELLED)
        return batch, is_going and (after == 0 or (is_low and batch.state is BatchState.RUNNING))


class BatchMoves(Follower):
    """What becomes of a batch whose own job failed for good: it waits for somebody to act.

    Resuming tries again; a cancelled batch ends without its sheet.
    """

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """Pause what was running, end what has nothing more to sign."""
        row = connection.execute(batchtable.LOCKED, {"id_": job.subject}).first()
        batch = batchtable.required(row, job.subject)
        values = {"id_": batch.id, "error_": error}
        if batch.state is BatchState.RUNNING:
            connection.execute(batchtable.HALT, values)
        elif batch.state is BatchState.RELEASED or batch.finished_at is None:
            connection.execute(batchtable.STOP, values | {"at": datetime.now(UTC)})
            connection.execute(batchtable.SKIP_LISTED, {"batch": batch.id})
        event = AuditEvent(
            "batch.halted",
            f"worker:{job.worker}",
            batch.agency_id,
            batch.id,
            {"error": error, "attempt": job.attempt, "state": batch.state.value},
        )
        self._audit.append(connection, [event])


def enqueue(connection: sa.Connection, jobs: JobQueue, batch_id: str, agency_id: str) -> None:
    """Let a worker look after the batch, ahead of the records that wait."""
    jobs.enqueue(
        connection, queue=QUEUE, kind=KIND, subject=batch_id, agency_id=agency_id, priority=-1
    )


def stop(connection: sa.Connection, jobs: JobQueue, batch: Batch, error: JSON) -> None:
    """Cancel a batch whose row is locked: nothing more is handed out.

    With nothing in flight the end is prepared at once; otherwise the last in flight does it.
    """
    ended_at = None if batch.handed else datetime.now(UTC)
    connection.execute(batchtable.STOP, {"id_": batch.id, "error_": error, "at": ended_at})
    connection.execute(batchtable.SKIP_LISTED, {"batch": batch.id})
    if batch.in_flight == 0 and batch.handed:
        enqueue(connection, jobs, batch.id, batch.agency_id)
