"""Brings batches forward: the handler of jobs of the kind "batch".

    RELEASED   the list's hash is signed with the batch's key, before any document
    RUNNING    the next documents become records, a hundred in one transaction
    at the end the result sheet is made, signed and kept

What is to be done is read from the batch itself, so a job that is repeated after a crash, or
comes twice, does what is left to do and no more.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dossier.batches import batchtable
from dossier.batches.accounts import CHUNK, LOW, BatchAccounts, enqueue
from dossier.batches.handout import hand_out
from dossier.batches.order import Batch, Policy, canonical
from dossier.batches.sheet import sheet_of
from dossier.errors import LeaseLost, StateConflict
from dossier.model import JSON, AuditEvent, BatchState
from dossier.signing import recordtable
from dossier.signing.numbers import despite_races, give_back
from dossier.signing.registering import enter_published
from dossier.signing.sealing import SealOrder, SealStep, require_ours, seal_and_verify
from dossier.signing.workshop import Desk, WatchedKey, Workshop, unpublished
from dossier.storage.store import BlobInfo
from signer.clock import VIETNAM
from signer.statement import sign_statement

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.batches.batches import Batches
    from dossier.queue.jobs import Job, JobQueue
    from dossier.signing.publisher import PublishHook
    from dossier.signing.records import Records
    from dossier.storage.database import Database
    from dossier.storage.holdings import Holdings
    from dossier.storage.store import BlobStore

_PDF = "application/pdf"
_AT_ONCE = 500  # rows, or events of the audit log
_WITHHELD: JSON = {
    "kind": "BatchWithheld",
    "message": "Lô “tất cả hoặc không” không hoàn thành nên không phát hành kết quả nào. / The "
    "all-or-nothing batch was not completed, so none of its results is released.",
}


class BatchWork:
    """The handler; safe for the threads of one process."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        audit: AuditLog,
        jobs: JobQueue,
        records: Records,
        desk: Desk,
        batches: Batches,
        *,
        on_published: Sequence[PublishHook] = (),
        on_finished: Sequence[Any] = (),
        insist_s: float = 30.0,
    ) -> None:
        """`on_finished` hooks (connection, batch) run where a batch ends; else as `SigningWork`."""
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._records = records
        self._desk = desk
        self._accounts: BatchAccounts = batches.accounts
        self._hooks = tuple(on_published)
        self._on_finished = tuple(on_finished)
        self._shop = Workshop(database, blobs, audit, desk, insist_s=insist_s)

    def __call__(self, job: Job) -> None:
        """Do what the batch needs now. Raises what `dossier.queue.retrying` judges."""
        with self._database.read() as connection:
            batch = self._read(connection, job)
        if batch.state is BatchState.RELEASED:
            self._sign_list(job, batch)
        elif _is_over(batch):
            self._finish(job, batch)
        else:
            self._hand_out(job)

    @staticmethod
    def _read(connection: sa.Connection, job: Job, *, locked: bool = False) -> Batch:
        statement = batchtable.LOCKED if locked else batchtable.ONE
        values = {"id_": job.subject, "agency": job.agency_id}
        return batchtable.required(connection.execute(statement, values).first(), job.subject)

    # --- the list ------------------------------------------------------------------------

    def _sign_list(self, job: Job, batch: Batch) -> None:
        """Sign the list's hash, the first use of the key for this batch."""
        statement = canonical(
            {
                "format": "sohoa-batch-list-1",
                "batch": batch.id,
                "agency": batch.agency_id,
                "list_sha256": batch.list_sha256,
                "total": batch.total,
                "created_by": batch.created_by,
                "approved_by": batch.approved_by,
                "released_by": batch.released_by,
            }
        )
        key = self._key(job, batch, "batch-list")
        level = batch.order.order.level
        timestamper = self._desk.timestamper if level.timestamped else None
        try:
            signed = sign_statement(statement, key, timestamper)
            token = signed.timestamp_token
            signature: dict[str, JSON] = {
                "statement": statement.decode(),
                "key": key.label,
                "at": datetime.now(VIETNAM).isoformat(timespec="seconds"),
                "cms": base64.b64encode(signed.signature).decode(),
                "timestamp_token": base64.b64encode(token).decode() if token else None,
            }
            self._commit(
                job,
                lambda: self._begin(job, batch, key, signature),
                lambda now: now.list_signature == signature,
            )
        except Exception as error:
            self._shop.explain(job, key, error)
            raise

    def _begin(self, job: Job, batch: Batch, key: WatchedKey, signature: dict[str, JSON]) -> None:
        with self._database.begin() as connection:
            self._jobs.done(connection, job)
            if self._read(connection, job, locked=True).state is not BatchState.RELEASED:
                self._audit.append(connection, [unpublished(job, key, _changed(batch))])
                return  # cancelled meanwhile
            connection.execute(batchtable.LIST_SIGNED, {"id_": batch.id, "signature": signature})
            enqueue(connection, self._jobs, batch.id, batch.agency_id)
            details = {
                "list_sha256": batch.list_sha256,
                "total": batch.total,
                "key": signature["key"],
                "digests": key.digests,
            }
            self._audit.append(connection, [_event("batch.list-signed", job, batch, details)])

    def _commit(self, job: Job, work: Callable[[], None], is_done: Callable[[Batch], bool]) -> None:
        """Commit what cost a use of the key, waiting for a database that is away."""
        try:
            self._shop.insist(work)
        except LeaseLost:
            # the answer to an earlier commit may have been lost with the connection
            with self._database.read() as connection:
                now = self._read(connection, job)
            if not is_done(now):
                raise

    # --- handing out ---------------------------------------------------------------------

    def _hand_out(self, job: Job) -> None:
        """Make records of the next documents, and end the job, in one transaction."""
        despite_races(lambda: self._hand_out_once(job))

    def _hand_out_once(self, job: Job) -> None:
        with self._database.begin() as connection:
            self._jobs.done(connection, job)
            batch = self._read(connection, job, locked=True)
            if batch.state is not BatchState.RUNNING or batch.in_flight > LOW:
                return
            values = {"batch": batch.id, "limit_": CHUNK}
            rows = connection.execute(batchtable.NEXT_ITEMS, values).all()
            if rows:
                details = hand_out(connection, self._records, self._accounts, batch, rows)
                self._audit.append(connection, [_event("batch.handed-out", job, batch, details)])

    # --- the end -------------------------------------------------------------------------

    def _finish(self, job: Job, batch: Batch) -> None:
        """Release or drop what is held; make, sign and keep the result sheet."""
        if batch.finished_at is not None:
            with self._database.begin() as connection:
                self._jobs.done(connection, job)
            return
        is_whole = batch.state is BatchState.RUNNING and batch.failed == 0
        at = datetime.now(VIETNAM).replace(microsecond=0)
        key = self._key(job, batch, "result-sheet")
        agency = self._shop.agency_name(batch.agency_id)
        try:
            pdf = sheet_of(self._database, batch, key, agency, at, is_whole=is_whole)
            order = SealOrder(
                steps=(SealStep("sheet", key, field_name="sheet"),),
                level=batch.order.order.level,
                at=at,
                agency=agency,
            )
            finished = seal_and_verify(pdf, order, self._desk.services, judge=require_ours)
            assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
            sheet = self._shop.put(finished.pdf)
            self._commit(
                job,
                lambda: self._end(job, batch, key, sheet, is_whole=is_whole),
                lambda now: now.sheet_sha256 == sheet.sha256,
            )
        except Exception as error:
            self._shop.explain(job, key, error)
            raise

    def _end(
        self, job: Job, batch: Batch, key: WatchedKey, sheet: BlobInfo, *, is_whole: bool
    ) -> None:
        is_cancelled = batch.state is BatchState.CANCELLED
        to = BatchState.CANCELLED if is_cancelled else BatchState.DONE
        with self._database.begin() as connection:
            self._jobs.done(connection, job)
            now = self._read(connection, job, locked=True)
            if now.finished_at is not None or now.version != batch.version:
                self._audit.append(connection, [unpublished(job, key, _changed(batch))])
                return
            self._holdings.register(connection, batch.agency_id, sheet, _PDF)
            published = batch.published
            unused: list[JSON] = []
            pages: Iterable[Sequence[AuditEvent]] = ()
            if batch.order.policy is Policy.ALL and not is_whole:
                dropped, unused = _drop_held(connection, job, batch)
                pages = [dropped]
                published = 0
            elif batch.order.policy is Policy.ALL:
                self._release_held(connection, batch)
                pages = self._released(connection, job, batch)
            connection.execute(
                batchtable.FINISH,
                {
                    "id_": batch.id,
                    "to": to,
                    "good": published,
                    "sheet": sheet.sha256,
                    "at": self._database.now(connection),
                },
            )
            ended = self._read(connection, job)
            for hook in self._on_finished:
                hook(connection, ended)
            details: dict[str, JSON] = {
                "published": published,
                "failed": batch.failed,
                "total": batch.total,
                "sheet_sha256": sheet.sha256,
                "withheld": batch.published - published,
                "unused_numbers": unused,
                "digests": key.digests,
            }
            if published:
                self._enter_released(connection, batch)
            for page in filter(None, pages):  # last of all; in pages, for there may be very many
                self._audit.append(connection, page)
            self._audit.append(connection, [_event(f"batch.{to}", job, batch, details)])

    def _release_held(self, connection: sa.Connection, batch: Batch) -> None:
        """All results are there: publish them together."""
        held = connection.execute(batchtable.HELD_RESULTS, {"batch": batch.id}).all()
        results = [(BlobInfo(row.result_sha256, row.result_bytes), _PDF) for row in held]
        self._holdings.register_all(connection, batch.agency_id, results)
        connection.execute(
            batchtable.RELEASE_HELD, {"batch": batch.id, "at": self._database.now(connection)}
        )
        connection.execute(batchtable.RELEASE_ITEMS, {"batch": batch.id})

    def _released(
        self, connection: sa.Connection, job: Job, batch: Batch
    ) -> Iterator[list[AuditEvent]]:
        """Show released records to the hooks; what the audit log and subscribers are told.

        It says what the event of a record that stands for itself says, but for the use of the
        key: that was told when the result was held.
        """
        after = 0
        while True:
            values = {"batch": batch.id, "after": after, "limit_": _AT_ONCE}
            rows = connection.execute(batchtable.RELEASED, values).all()
            if self._hooks:
                found = recordtable.find_all(connection, [row.id for row in rows])
                for record in sorted(found, key=lambda one: one.batch_position or 0):
                    for hook in self._hooks:
                        hook(connection, record)
            yield [
                _record_event(
                    "signature.published",
                    job,
                    batch,
                    row.id,
                    {
                        "result_sha256": row.result_sha256,
                        "report_sha256": row.report_sha256,
                        "evidence_sha256": row.evidence_sha256,
                        "key": batch.order.order.key,
                        "level": row.level,
                        "request_id": row.request_id,
                        "batch": batch.id,
                    },
                )
                for row in rows
            ]
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].batch_position

    def _enter_released(self, connection: sa.Connection, batch: Batch) -> None:
        """Enter what was held in the register; what stands for itself was entered before."""
        if batch.order.policy is not Policy.ALL:
            return
        after = 0
        while True:
            values = {"batch": batch.id, "after": after, "limit_": _AT_ONCE}
            rows = connection.execute(batchtable.RELEASED, values).all()
            enter_published(connection, self._records.register, [row.id for row in rows])
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].batch_position

    def _key(self, job: Job, batch: Batch, purpose: str) -> WatchedKey:
        context = {
            "agency": batch.agency_id,
            "principal": batch.released_by,
            "purpose": purpose,
            "subject": batch.id,
            "attempt": job.attempt,
            "document_sha256": batch.list_sha256,
            "request_id": batch.id,
        }
        return WatchedKey(self._desk.key_for(batch.order.order.key, context))


def _drop_held(
    connection: sa.Connection, job: Job, batch: Batch
) -> tuple[list[AuditEvent], list[JSON]]:
    """Not all results are there: none is released. Events, and numbers that stay unused.

    The last numbers of a book go back to it; those before numbers that were given since can only
    be named by another document, and the audit log explains the gap.
    """
    values = {"batch": batch.id, "error_": _WITHHELD}
    held = connection.execute(batchtable.HELD, values).all()
    connection.execute(batchtable.SKIP_HELD, values)
    connection.execute(batchtable.DROP_HELD, values)
    numbers = [
        (row.symbol, row.year, row.number, row.order.get("from_book", False))
        for row in held
        if row.number is not None and not row.order.get("supersedes")
    ]
    unused: list[JSON] = [
        {"symbol": symbol, "year": year, "number": number}
        for symbol, year, number, from_book in sorted(numbers, reverse=True)
        if give_back(connection, batch.agency_id, symbol, year, number, from_book=from_book)
        is False
    ]
    events = [
        _record_event(
            "signature.cancelled",
            job,
            batch,
            row.id,
            {"withheld_sha256": row.result_sha256, "batch": batch.id, "error": _WITHHELD},
        )
        for row in held
    ]
    return events, unused


def _is_over(batch: Batch) -> bool:
    if batch.in_flight:
        return False
    return batch.state in (BatchState.CANCELLED, BatchState.DONE) or (
        batch.state is BatchState.RUNNING and batch.handed == batch.total
    )


def _changed(batch: Batch) -> StateConflict:
    return StateConflict(
        f"Lô {batch.id} đã đổi trong khi ký nên chữ ký này bị bỏ. / The batch was changed while "
        "this was signed, so the signature is not used."
    )


def _event(name: str, job: Job, batch: Batch, details: dict[str, JSON]) -> AuditEvent:
    return AuditEvent(name, f"worker:{job.worker}", batch.agency_id, batch.id, details)


def _record_event(
    name: str, job: Job, batch: Batch, record_id: str, details: dict[str, JSON]
) -> AuditEvent:
    return AuditEvent(name, f"worker:{job.worker}", batch.agency_id, record_id, details)
