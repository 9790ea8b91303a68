"""Signature records: accepted in one transaction, followed through their jobs, published once.

`Records.accept` is the one decision of the service: idempotency, number, record, job and audit
event are durable together or not at all. What happens afterwards to a record happens in the
transaction that moves its job (`_Moves`), so record and job never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, RecordState, Role
from dossier.queue.jobs import Follower, Job, JobQueue, NewJob
from dossier.register.log import Register
from dossier.signing import recordtable
from dossier.signing.acceptance import Acceptance, Holder, Incoming
from dossier.signing.backlog import Backlog, OpenOrders
from dossier.signing.numbers import give_back
from dossier.signing.order import SignatureOrder
from dossier.signing.recordtable import (
    NewRecord,
    Publication,
    Record,
    RecordWatcher,
    find,
    find_all,
    payload,
    record_of,
    required,
    row_of,
)
from dossier.signing.registering import enter_published
from dossier.storage.database import Database
from dossier.storage.store import BlobInfo
from dossier.storage.tables import records

__all__ = ["NewRecord", "Publication", "Record", "Records", "SignatureOrder"]

QUEUE = "seal"
KIND = "signature"
_SIGNERS = (Role.OFFICER, Role.LEADER, Role.CLERK)


class Records:
    """The signature records of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: object,
        holdings: Holder,
        audit: AuditLog,
        jobs: JobQueue,
        *,
        max_backlog: int = 5000,
    ) -> None:
        """`max_backlog`: jobs waiting or running above which nothing new is accepted."""
        del blobs  # records name bytes, they never read them
        self._database = database
        self._acceptance = Acceptance(database, holdings, audit, self.insert)
        self._audit = audit
        self._jobs = jobs
        self._backlog = Backlog(jobs, QUEUE, max_backlog)
        self._open = OpenOrders(database)
        self.register = Register(database)
        self._watchers: list[RecordWatcher] = []
        jobs.follow(KIND, _Moves(database, audit, self._watchers))

    def watch(self, watcher: RecordWatcher) -> None:
        """Let `watcher` keep account of records as they end. Call it at the start."""
        self._watchers.append(watcher)

    def accept(
        self,
        caller: Caller,
        order: SignatureOrder,
        source_sha256: str,
        *,
        idempotency_key: str | None,
        request_sha256: str,
        uploaded: BlobInfo | None = None,
    ) -> tuple[Record, bool]:
        """Take an order; the record, and whether it is new. Durable when it returns.

        `uploaded` is a PDF that came with the order and is in the blob store: it becomes the
        agency's in the same commit. The same principal, key and `request_sha256` give the same
        record.
        Raises `AccessRefused`, `Overloaded`, `TooManyOpen`, `IdempotencyConflict`, `NotFound`
        (source or superseded record), `NumberTaken`, `StateConflict`, `StoreError`,
        `AuditUnavailable`.
        """
        caller.require(*_SIGNERS)
        caller.require_key(order.key)
        self._backlog.require_room()
        self._open.require_room(caller)

        claim = (idempotency_key, request_sha256)
        incoming = Incoming(caller, order, source_sha256, claim, uploaded)
        record, created = self._acceptance.take(incoming)
        if created:
            self._backlog.added()
        return record, created

    def insert(
        self, connection: sa.Connection, new: Sequence[NewRecord], now: datetime | None = None
    ) -> list[Record]:
        """Add records and their jobs in the caller's transaction, in two statements.

        Numbers, rights and the audit event are the caller's affair.
        """
        at = now or self._database.now(connection)
        added = [recordtable.made(entry, at) for entry in new]
        connection.execute(recordtable.INSERT, [row_of(record) for record in added])
        self._jobs.enqueue_many(
            connection,
            [
                NewJob(QUEUE, KIND, entry.id, entry.agency_id, payload(entry), entry.priority)
                for entry in new
            ],
        )
        return added

    def get(self, caller: Caller, record_id: str) -> Record:
        """One record. Raises `NotFound`, also for another agency's."""
        with self._database.read() as connection:
            return required(find(connection, caller.agency_id, record_id), record_id)

    def with_code(self, caller: Caller, code: str) -> Record:
        """The record with this result code, as it is kept. Raises `NotFound`, as `get`."""
        mine = (records.c.agency_id == caller.agency_id) & (records.c.code == code)
        with self._database.read() as connection:
            row = connection.execute(sa.select(records).where(mine)).first()
        return required(None if row is None else record_of(row), code)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        state: RecordState | None = None,
    ) -> list[Record]:
        """Records of the caller's agency, newest first; `after` is the last page's last id."""
        wanted = sa.select(records).where(records.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(records.c.id < after)
        if state is not None:
            wanted = wanted.where(records.c.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(records.c.id.desc()).limit(limit)).all()
        return [record_of(row) for row in rows]

    def states(self, ids: Iterable[str]) -> dict[str, RecordState]:
        """The states of these records in one look-up; unknown ids are left out.

        For the web's waiting clients, who were checked when they asked.
        """
        wanted = list(ids)
        if not wanted:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(recordtable.STATES, {"ids": wanted}).all()
        return {row.id: RecordState(row.state) for row in rows}

    def cancel(self, caller: Caller, record_id: str, version: int | None = None) -> Record:
        """Cancel a record that no worker has begun with.

        `version` is the one that the caller read (None: whatever it is). Its number is free
        again if it is the last of its book. Raises `AccessRefused`, `NotFound`,
        `VersionConflict`, `StateConflict`, `StoreError`.
        """
        caller.require(*_SIGNERS)

        with self._database.begin() as connection:
            required(find(connection, caller.agency_id, record_id), record_id)
            # the job before the record, as a worker that claims takes them
            waiting = self._jobs.cancel(connection, record_id)
            row = connection.execute(
                recordtable.ONE.with_for_update(), {"id_": record_id, "agency": caller.agency_id}
            ).first()
            record = required(record_of(row) if row else None, record_id)
            if version is not None and record.version != version:
                raise VersionConflict(
                    f"Hồ sơ ký {record_id} đã thay đổi; hãy đọc lại rồi hủy. / The record was "
                    "changed meanwhile; read it again, then cancel."
                )
            if record.state is not RecordState.ACCEPTED or not waiting:
                raise StateConflict(
                    f"Hồ sơ ký {record_id} đang ở trạng thái “{record.state}” nên không hủy được. "
                    "/ Only what no worker has begun with can be cancelled."
                )
            event = AuditEvent(
                "signature.cancelled", caller.principal_id, caller.agency_id, record_id
            )
            end_unpublished(
                connection,
                self._audit,
                record,
                RecordState.CANCELLED,
                None,
                event,
                watchers=self._watchers,
            )
            return required(find(connection, caller.agency_id, record_id), record_id)

    def publish(
        self,
        connection: sa.Connection,
        made: Sequence[Publication],
        hooks: Sequence[Callable[[sa.Connection, Record], None]] = (),
    ) -> None:
        """Publish records in the caller's transaction, which also finishes their jobs.

        `hooks` see each published record; the register comes behind them and the audit log last,
        for their locks are everybody's.
        Raises `StateConflict` when one of them is not being signed.
        """
        rows = [
            {
                "id_": p.record_id,
                "to": p.state,
                "result": p.result_sha256,
                "report": p.report_sha256,
                "evidence": p.evidence_sha256,
                "size": p.result_bytes,
                "published": None if p.held else p.published_at,
                "renew": p.renew_at,
            }
            for p in made
        ]
        if connection.execute(recordtable.PUBLISH, rows).rowcount != len(rows):
            raise StateConflict(
                "Hồ sơ không còn ở trạng thái đang ký. / A record is not being signed any more."
            )
        replaced = [{"id_": p.supersedes, "by": p.record_id} for p in made if p.supersedes]
        if replaced and connection.execute(recordtable.REPLACE, replaced).rowcount != len(replaced):
            raise StateConflict(
                "Văn bản bị thay thế đã đổi trạng thái. / The superseded record has changed."
            )
        for watcher in self._watchers:
            watcher.published(connection, made)
        published = [p.record_id for p in made if not p.held]
        if hooks:
            for record in find_all(connection, published):
                for hook in hooks:
                    hook(connection, record)
        enter_published(connection, self.register, published)
        told = [
            AuditEvent(f"signature.{p.state}", p.actor, p.agency_id, p.record_id, p.details)
            for p in made
        ]
        told += [
            AuditEvent(
                "signature.superseded", p.actor, p.agency_id, p.supersedes, {"by": p.record_id}
            )
            for p in made
            if p.supersedes is not None
        ]
        self._audit.append(connection, told)


class _Moves(Follower):
    """Moves records with their jobs."""

    def __init__(
        self, database: Database, audit: AuditLog, watchers: Sequence[RecordWatcher]
    ) -> None:
        self._database = database
        self._audit = audit
        self._watchers = watchers

    def claimed(self, connection: sa.Connection, taken: Sequence[Job]) -> None:
        connection.execute(
            recordtable.BEGIN, [{"id_": job.subject, "tries": job.attempt} for job in taken]
        )

    def waiting(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        connection.execute(recordtable.WAIT, {"id_": job.subject, "error_": error})

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        row = connection.execute(
            recordtable.ONE, {"id_": job.subject, "agency": job.agency_id}
        ).first()
        record = required(record_of(row) if row else None, job.subject)
        event = AuditEvent(
            "signature.failed",
            f"worker:{job.worker}",
            record.agency_id,
            record.id,
            {"error": error, "attempt": job.attempt},
        )
        end_unpublished(
            connection,
            self._audit,
            record,
            RecordState.FAILED,
            error,
            event,
            watchers=self._watchers,
        )


def end_unpublished(
    connection: sa.Connection,
    audit: AuditLog,
    record: Record,
    state: RecordState,
    error: JSON,
    event: AuditEvent,
    *,
    watchers: Sequence[RecordWatcher] = (),
) -> None:
    """Fail or cancel a record: its number goes back, what it would have superseded stands.

    A number that its book has come past stays unused, and an event says why, so that the book's
    gap is explained; it is the same for one that the order named and the book passed over.
    """
    connection.execute(recordtable.END, {"id_": record.id, "state_": state, "error_": error})
    events = [event]
    if record.supersedes is not None:
        connection.execute(recordtable.UNSUPERSEDE, {"old": record.supersedes, "by": record.id})
    for watcher in watchers:  # a batch's row before a book's, as where a batch takes numbers
        watcher.ended(connection, record, state, error)
    if record.number and record.symbol and record.year and record.supersedes is None:
        book = (record.agency_id, record.symbol, record.year, record.number)
        freed = give_back(connection, *book, from_book=record.order.from_book)
        details = {"number": record.number, "symbol": record.symbol, "year": record.year}
        if freed is False:
            details["reason"] = (
                f"record {record.id} became {state} after later numbers of the book were given; "
                "the number may be given to another document by naming it"
            )
        if freed is not None:
            name = "number.freed" if freed else "number.unused"
            events.append(AuditEvent(name, event.actor, record.agency_id, record.id, details))
    audit.append(connection, events)
