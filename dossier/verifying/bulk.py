"""Bulk verification: a list of uploaded documents, verified by workers a few at a time.

    READY <──> RUNNING ──> DONE, FAILED
      └───────────┴──────> CANCELLED

A worker takes some documents, notes what came of each, and leaves the rest to the next job, so
that a long list neither blocks a worker nor is begun again when one dies. The state follows the
job's, in the same transactions.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound, QuotaExceeded, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, JobState, Role, new_id
from dossier.queue.jobmodel import SubjectMoves
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.recordtable import claim_key
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobInfo
from dossier.storage.tables import verification_batches, verification_items
from dossier.verifying.bulk_rows import bulk_of, item_of, require_held
from dossier.verifying.bulk_values import (
    MAX_ITEMS,
    Bulk,
    BulkItem,
    BulkOrder,
    ItemOutcome,
    ListedDocument,
    request_digest,
)

QUEUE = "ocr"  # where strangers' files are read: no keys, no network
KIND = "verify"
MAY_ASK = (Role.SCANNER, Role.OFFICER, Role.LEADER, Role.CLERK, Role.AUDITOR)
_MOST_OPEN = 20  # of one agency
_ROWS = 500  # rows in one statement
_OPEN = (JobState.READY, JobState.RUNNING)
_COUNTERS = {
    "TOTAL-PASSED": "passed",
    "INDETERMINATE": "undetermined",
    "TOTAL-FAILED": "failed",
    None: "stopped",
}
_batches, _items = verification_batches, verification_items


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one document: a report in the blob store, or why there is none."""

    position: int
    report: BlobInfo | None = None
    indication: str | None = None
    sub_indication: str | None = None
    integrity: str | None = None
    error: JSON = None


class BulkVerifications:
    """The bulk verifications of one database. Safe for threads."""

    def __init__(
        self, database: Database, holdings: Holdings, audit: AuditLog, jobs: JobQueue
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        jobs.follow(KIND, SubjectMoves(self))

    def accept(
        self,
        caller: Caller,
        order: BulkOrder,
        documents: Sequence[ListedDocument],
        idempotency_key: str | None = None,
    ) -> tuple[Bulk, bool]:
        """Take a list; the bulk verification, and whether it is new. Durable when it returns.

        Every document has to be the agency's already. Raises `AccessRefused`, `InvalidOrder`,
        `QuotaExceeded`, `IdempotencyConflict`, `StoreError`, `AuditUnavailable`.
        """
        caller.require(*MAY_ASK)
        if not 1 <= len(documents) <= MAX_ITEMS:
            raise InvalidOrder(
                f"Danh sách có từ 1 đến {MAX_ITEMS} văn bản. / The list has 1 to {MAX_ITEMS} "
                "documents; split it.",
                field="items",
            )
        new = new_id("ver")
        with self._database.begin() as connection:  # long: it shares no commit with small writes
            now = self._database.now(connection)
            digest = request_digest(order, documents)
            earlier = claim_key(connection, caller.principal_id, idempotency_key, digest, new, now)
            if earlier is not None:
                return self._one(connection, caller.agency_id, earlier), False
            self._require_room(connection, caller.agency_id)
            require_held(connection, caller.agency_id, documents)
            connection.execute(
                sa.insert(_batches).values(
                    id=new,
                    agency_id=caller.agency_id,
                    principal_id=caller.principal_id,
                    state=JobState.READY,
                    order=order.to_json(),
                    total=len(documents),
                    created_at=now,
                )
            )
            rows = [
                {
                    "batch_id": new,
                    "position": position,
                    "sha256": one.sha256,
                    "reference": one.reference,
                    "state": ItemOutcome.LISTED,
                }
                for position, one in enumerate(documents, 1)
            ]
            for start in range(0, len(rows), _ROWS):
                connection.execute(sa.insert(_items), rows[start : start + _ROWS])
            self.enqueue(connection, new, caller.agency_id)
            details = {"total": len(documents), "request_id": caller.request_id}
            self._tell(connection, "accepted", caller.principal_id, caller.agency_id, new, details)
            return self._one(connection, caller.agency_id, new), True

    def get(self, caller: Caller, bulk_id: str) -> Bulk:
        """One bulk verification. Raises `NotFound`, also for another agency's."""
        with self._database.read() as connection:
            return self._one(connection, caller.agency_id, bulk_id)

    def list(
        self, caller: Caller, after: str | None = None, limit: int = 50
    ) -> builtins.list[Bulk]:
        """Those of the caller's agency, newest first; `after` is the last page's last id."""
        wanted = sa.select(_batches).where(_batches.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(_batches.c.id < after)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(_batches.c.id.desc()).limit(limit)).all()
        return [bulk_of(row) for row in rows]

    def items(
        self,
        caller: Caller,
        bulk_id: str,
        after: int = 0,
        limit: int = 50,
        indication: str | None = None,
    ) -> builtins.list[BulkItem]:
        """The documents behind position `after`, in the order of the list. Raises `NotFound`."""
        wanted = sa.select(_items).where(_items.c.batch_id == bulk_id, _items.c.position > after)
        if indication is not None:
            wanted = wanted.where(_items.c.indication == indication)
        with self._database.read() as connection:
            self._one(connection, caller.agency_id, bulk_id)
            rows = connection.execute(wanted.order_by(_items.c.position).limit(limit)).all()
        return [item_of(row) for row in rows]

    def item(self, caller: Caller, bulk_id: str, position: int) -> BulkItem:
        """One document of a list. Raises `NotFound`."""
        found = self.items(caller, bulk_id, position - 1, 1)
        if not found or found[0].position != position:
            raise NotFound(f"Danh sách không có mục {position}. / The list has no item {position}.")
        return found[0]

    def cancel(self, caller: Caller, bulk_id: str, version: int | None = None) -> Bulk:
        """Verify no more documents of the list; what is done stays.

        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `StateConflict`.
        """
        caller.require(*MAY_ASK)

        def work(connection: sa.Connection) -> Bulk:
            self._one(connection, caller.agency_id, bulk_id)
            # the job before its subject, as a worker that claims takes them
            self._jobs.cancel(connection, bulk_id)
            found = self._one(connection, caller.agency_id, bulk_id, lock=True)
            if version is not None and found.version != version:
                raise VersionConflict(
                    "Việc kiểm tra đã thay đổi; hãy đọc lại rồi hủy. / The bulk verification was "
                    "changed meanwhile; read it again, then cancel."
                )
            if found.state not in _OPEN:
                raise StateConflict(
                    f"Việc kiểm tra đang ở trạng thái “{found.state}” nên không hủy được. / Only "
                    "what is not finished can be cancelled."
                )
            return self._end(connection, found, JobState.CANCELLED, caller.principal_id)

        return self._database.together(work)

    # --- for the worker ------------------------------------------------------------------

    def begun(self, job: Job, limit: int) -> tuple[Bulk, builtins.list[BulkItem]] | None:
        """The next documents of the job's list; None when it was cancelled."""
        wanted = (
            sa.select(_items)
            .where(_items.c.batch_id == job.subject, _items.c.state == ItemOutcome.LISTED)
            .order_by(_items.c.position)
            .limit(limit)
        )
        with self._database.read() as connection:
            found = self._one(connection, job.agency_id, job.subject)
            rows = connection.execute(wanted).all()
        return (found, [item_of(row) for row in rows]) if found.state in _OPEN else None

    def note(self, bulk: Bulk, outcomes: Sequence[Outcome]) -> bool:
        """Note what came of documents, each once, and count it. False: cancelled, so stop."""

        def work(connection: sa.Connection) -> bool:
            # holdings before the rows of batches, as everybody takes them
            reports = [(one.report, "application/json") for one in outcomes if one.report]
            self._holdings.register_all(connection, bulk.agency_id, reports)
            now = self._one(connection, bulk.agency_id, bulk.id, lock=True)
            if now.state not in _OPEN:
                return False
            counts: dict[str, int] = {}
            for one in outcomes:
                changed = connection.execute(
                    sa.update(_items)
                    .where(
                        _items.c.batch_id == bulk.id,
                        _items.c.position == one.position,
                        _items.c.state == ItemOutcome.LISTED,
                    )
                    .values(
                        state=ItemOutcome.STOPPED if one.report is None else ItemOutcome.DONE,
                        indication=one.indication,
                        sub_indication=one.sub_indication,
                        integrity=one.integrity,
                        report_sha256=one.report.sha256 if one.report else None,
                        error=sa.null() if one.error is None else one.error,
                    )
                )
                name = _COUNTERS[one.indication]
                counts[name] = counts.get(name, 0) + changed.rowcount
            connection.execute(
                sa.update(_batches)
                .where(_batches.c.id == bulk.id)
                .values({name: _batches.c[name] + count for name, count in counts.items()})
            )
            return True

        return self._database.together(work)

    def finish(self, job: Job) -> None:
        """End the job: with nothing left the list is done, else the next job goes on.

        Raises `LeaseLost`.
        """

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            found = self._one(connection, job.agency_id, job.subject, lock=True)
            if found.state not in _OPEN:
                return
            if found.done < found.total:
                self.enqueue(connection, found.id, found.agency_id)
                return
            self._end(connection, found, JobState.DONE, f"worker:{job.worker}")

        self._database.together(work)

    def enqueue(self, connection: sa.Connection, bulk_id: str, agency_id: str | None) -> None:
        """Let a worker take the next documents."""
        self._jobs.enqueue(connection, queue=QUEUE, kind=KIND, subject=bulk_id, agency_id=agency_id)

    def taken(self, connection: sa.Connection, subjects: Sequence[str]) -> None:
        """A worker begins, or goes on."""
        self._move(connection, subjects, JobState.RUNNING, None)

    def put_back(self, connection: sa.Connection, subject: str, error: JSON) -> None:
        """The work waits for another try."""
        self._move(connection, [subject], JobState.READY, error)

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """The job failed for good."""
        found = self._one(connection, job.agency_id, job.subject, lock=True)
        if found.state in _OPEN:
            self._end(connection, found, JobState.FAILED, f"worker:{job.worker}", error)

    @staticmethod
    def _move(
        connection: sa.Connection, subjects: Sequence[str], to: JobState, error: JSON
    ) -> None:
        connection.execute(
            sa.update(_batches)
            .where(_batches.c.id.in_(subjects), _batches.c.state.in_(_OPEN))
            .values(state=to, error=sa.null() if error is None else error)
        )

    # --- rows ----------------------------------------------------------------------------

    def _end(
        self,
        connection: sa.Connection,
        found: Bulk,
        state: JobState,
        actor: str,
        error: JSON = None,
    ) -> Bulk:
        connection.execute(
            sa.update(_items)
            .where(_items.c.batch_id == found.id, _items.c.state == ItemOutcome.LISTED)
            .values(state=ItemOutcome.SKIPPED)
        )
        connection.execute(
            sa.update(_batches)
            .where(_batches.c.id == found.id)
            .values(
                state=state,
                error=sa.null() if error is None else error,
                finished_at=self._database.now(connection),
                version=_batches.c.version + 1,
            )
        )
        ended = self._one(connection, found.agency_id, found.id)
        details: dict[str, JSON] = {
            "total": ended.total,
            "passed": ended.passed,
            "undetermined": ended.undetermined,
            "failed": ended.failed,
            "stopped": ended.stopped,
        }
        self._tell(connection, state.value, actor, found.agency_id, found.id, details)
        return ended

    def _require_room(self, connection: sa.Connection, agency_id: str) -> None:
        count = connection.execute(
            sa.select(sa.func.count()).where(
                _batches.c.agency_id == agency_id, _batches.c.state.in_(_OPEN)
            )
        ).scalar_one()
        if count >= _MOST_OPEN:
            raise QuotaExceeded(
                f"Đã có {_MOST_OPEN} việc kiểm tra chưa xong; hãy đợi hoặc hủy bớt. / As many bulk "
                "verifications as allowed are open; wait, or cancel some."
            )

    def _tell(
        self,
        connection: sa.Connection,
        what: str,
        actor: str,
        agency_id: str,
        subject: str,
        details: dict[str, Any],
    ) -> None:
        event = AuditEvent(f"verification-batch.{what}", actor, agency_id, subject, details)
        self._audit.append(connection, [event])

    @staticmethod
    def _one(
        connection: sa.Connection, agency_id: str | None, wanted: str, *, lock: bool = False
    ) -> Bulk:
        query = sa.select(_batches).where(
            _batches.c.id == wanted, _batches.c.agency_id == agency_id
        )
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound(
                f"Không có việc kiểm tra {wanted}. / There is no bulk verification {wanted}; look "
                "it up in the list."
            )
        return bulk_of(row)
