"""Digitizations: accepted in one transaction, done by `dossier.digitizing.work`, published once.

    READY <──> RUNNING ──> DONE, FAILED
      └───────────┴──────> CANCELLED

The state follows the job's, in the same transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.digitizing.order import Digitization, DigitizationOrder, digitization_of
from dossier.errors import LeaseLost, NotFound, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, JobState, Role, new_id
from dossier.queue.jobmodel import SubjectMoves
from dossier.queue.jobs import Job, JobQueue
from dossier.search.index import SearchIndex
from dossier.search.values import PageText, SearchDocument
from dossier.signing.recordtable import claim_key
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobInfo
from dossier.storage.tables import agencies, digitizations

__all__ = ["Digitization", "DigitizationOrder", "Digitizations", "Made"]

QUEUE = "ocr"
KIND = "digitize"
_ORDERERS = (Role.SCANNER, Role.OFFICER)
_OPEN = (JobState.READY, JobState.RUNNING)
Hook = Callable[[sa.Connection, Digitization], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made, already in the blob store; `words` of its pages are for the search index."""

    record: BlobInfo
    text: BlobInfo
    fields: BlobInfo
    pages: int
    words: tuple[PageText, ...] = ()


class Digitizations:
    """The digitizations of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: object,
        holdings: Holdings,
        audit: AuditLog,
        jobs: JobQueue,
        search: SearchIndex | None = None,
    ) -> None:
        """`search` takes in what is published here; processes that publish nothing need none."""
        del blobs  # digitizations name bytes, they never read them
        self._search = search
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._hooks: list[Hook] = []
        jobs.follow(KIND, SubjectMoves(self))

    def watch(self, hook: Hook) -> None:
        """Let `hook` see each digitization that ends, in that transaction. At the start."""
        self._hooks.append(hook)

    def accept(
        self, caller: Caller, order: DigitizationOrder, idempotency_key: str | None = None
    ) -> tuple[Digitization, bool]:
        """Take an order; the digitization, and whether it is new. Durable when it returns.

        Raises `AccessRefused`, `NotFound` (a scan that the agency does not hold),
        `QuotaExceeded`, `IdempotencyConflict`, `StoreError`, `AuditUnavailable`.
        """
        caller.require(*_ORDERERS)
        self._holdings.require_room(caller.agency_id, 0)

        def work(connection: sa.Connection) -> tuple[Digitization, bool]:
            now = self._database.now(connection)
            new = new_id("dig")
            earlier = claim_key(
                connection, caller.principal_id, idempotency_key, order.digest(), new, now
            )
            if earlier is not None:
                return self._one(connection, caller.agency_id, earlier), False
            for sha256 in dict.fromkeys(order.scans):
                self._holdings.require(connection, caller.agency_id, sha256)
            connection.execute(
                sa.insert(digitizations).values(
                    id=new,
                    agency_id=caller.agency_id,
                    principal_id=caller.principal_id,
                    state=JobState.READY,
                    order=order.to_json(),
                    created_at=now,
                )
            )
            self._jobs.enqueue(
                connection, queue=QUEUE, kind=KIND, subject=new, agency_id=caller.agency_id
            )
            details: dict[str, JSON] = {
                "dossier": order.dossier_code,
                "component": order.component_code,
                "station": order.station,
                "officer": order.officer,
                "scans": list(order.scans),
                "request_id": caller.request_id,
            }
            self._tell(connection, "accepted", caller.principal_id, caller.agency_id, new, details)
            return self._one(connection, caller.agency_id, new), True

        return self._database.together(work)

    def get(self, caller: Caller, digitization_id: str) -> Digitization:
        """One digitization. Raises `NotFound`, also for another agency's."""
        with self._database.read() as connection:
            return self._one(connection, caller.agency_id, digitization_id)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        state: JobState | None = None,
    ) -> list[Digitization]:
        """Those of the caller's agency, newest first; `after` is the last page's last id."""
        wanted = sa.select(digitizations).where(digitizations.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(digitizations.c.id < after)
        if state is not None:
            wanted = wanted.where(digitizations.c.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(digitizations.c.id.desc()).limit(limit))
            return [digitization_of(row) for row in rows]

    def cancel(
        self, caller: Caller, digitization_id: str, version: int | None = None
    ) -> Digitization:
        """Cancel what is not finished; a worker that is at it stops after its page.

        `version` is the one that the caller read (None: whatever it is). Raises `AccessRefused`,
        `NotFound`, `VersionConflict`, `StateConflict`, `StoreError`.
        """
        caller.require(*_ORDERERS)

        def work(connection: sa.Connection) -> Digitization:
            self._one(connection, caller.agency_id, digitization_id)
            # the job before the digitization, as a worker that claims takes them
            self._jobs.cancel(connection, digitization_id)
            found = self._one(connection, caller.agency_id, digitization_id, lock=True)
            if version is not None and found.version != version:
                raise VersionConflict(
                    "Việc số hóa đã thay đổi; hãy đọc lại rồi hủy. / The digitization was changed "
                    "meanwhile; read it again, then cancel."
                )
            if found.state not in _OPEN:
                raise StateConflict(
                    f"Việc số hóa đang ở trạng thái “{found.state}” nên không hủy được. / Only "
                    "what is not finished can be cancelled."
                )
            return self._end(connection, found, JobState.CANCELLED, caller.principal_id)

        return self._database.together(work)

    # --- for the worker ------------------------------------------------------------------

    def begun(self, job: Job) -> tuple[Digitization, str] | None:
        """What the job is about, and the agency's name; None when it was cancelled."""
        with self._database.read() as connection:
            name = connection.execute(
                sa.select(agencies.c.name).where(agencies.c.id == job.agency_id)
            ).scalar_one()
            found = self._one(connection, job.agency_id, job.subject)
        return (found, name) if found.state is JobState.RUNNING else None

    def progress(self, found: Digitization, pages_done: int, pages: int) -> bool:
        """Note how far the work is. False when it was cancelled: stop.

        Raises `LeaseLost` when another worker is at it by now.
        """
        mine = (
            digitizations.c.id == found.id,
            digitizations.c.version == found.version,
            digitizations.c.state == JobState.RUNNING,
        )

        def work(connection: sa.Connection) -> JobState | None:
            """The state; None when it runs, but in other hands."""
            changed = connection.execute(
                sa.update(digitizations).where(*mine).values(pages_done=pages_done, pages=pages)
            )
            if changed.rowcount == 1:
                return JobState.RUNNING
            state = self._one(connection, found.agency_id, found.id).state
            return state if state is JobState.CANCELLED else None

        state = self._database.together(work)
        if state is None:
            raise LeaseLost(
                "Việc số hóa đã được giao cho tiến trình khác. / The digitization is another "
                "worker's by now."
            )
        return state is JobState.RUNNING

    def publish(self, job: Job, made: Made) -> None:
        """Publish what was made and finish the job, in one transaction.

        What was cancelled meanwhile stays so. Raises `LeaseLost`.
        """

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            found = self._one(connection, job.agency_id, job.subject, lock=True)
            if found.state is not JobState.RUNNING:
                return
            self._holdings.register_all(
                connection,
                found.agency_id,
                [
                    (made.record, "application/pdf"),
                    (made.text, "text/plain"),
                    (made.fields, "application/json"),
                ],
            )
            connection.execute(
                sa.update(digitizations)
                .where(digitizations.c.id == found.id)
                .values(
                    pages_done=made.pages,
                    pages=made.pages,
                    result_sha256=made.record.sha256,
                    text_sha256=made.text.sha256,
                    fields_sha256=made.fields.sha256,
                )
            )
            if self._search is not None:
                self._search.put(connection, _as_found(found), made.words)
            details = {"result_sha256": made.record.sha256, "pages": made.pages}
            self._end(connection, found, JobState.DONE, f"worker:{job.worker}", details=details)

        self._database.together(work)

    def stopped(self, job: Job) -> None:
        """Finish the job of a cancelled digitization. Raises `LeaseLost`."""
        self._database.together(lambda connection: self._jobs.done(connection, job))

    def taken(self, connection: sa.Connection, subjects: Sequence[str]) -> None:
        """A worker begins: the version tells its progress from that of earlier ones."""
        connection.execute(
            sa.update(digitizations)
            .where(digitizations.c.id.in_(subjects), digitizations.c.state.in_(_OPEN))
            .values(state=JobState.RUNNING, pages_done=0, version=digitizations.c.version + 1)
        )

    def put_back(self, connection: sa.Connection, subject: str, error: JSON) -> None:
        """The work waits for another try."""
        connection.execute(
            sa.update(digitizations)
            .where(digitizations.c.id == subject, digitizations.c.state == JobState.RUNNING)
            .values(state=JobState.READY, error=error, version=digitizations.c.version + 1)
        )

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """The job failed for good."""
        found = self._one(connection, job.agency_id, job.subject, lock=True)
        if found.state in _OPEN:
            self._end(
                connection, found, JobState.FAILED, f"worker:{job.worker}", error, {"error": error}
            )

    # --- rows ----------------------------------------------------------------------------

    def _end(
        self,
        connection: sa.Connection,
        found: Digitization,
        state: JobState,
        actor: str,
        error: JSON = None,
        details: dict[str, JSON] | None = None,
    ) -> Digitization:
        connection.execute(
            sa.update(digitizations)
            .where(digitizations.c.id == found.id)
            .values(
                state=state,
                error=sa.null() if error is None else error,
                finished_at=self._database.now(connection),
                version=digitizations.c.version + 1,
            )
        )
        ended = self._one(connection, found.agency_id, found.id)
        for hook in self._hooks:
            hook(connection, ended)
        self._tell(connection, state, actor, found.agency_id, found.id, details or {})
        return ended

    def _tell(
        self,
        connection: sa.Connection,
        what: str,
        actor: str,
        agency_id: str,
        subject: str,
        details: dict[str, JSON],
    ) -> None:
        event = AuditEvent(f"digitization.{what}", actor, agency_id, subject, details)
        self._audit.append(connection, [event])

    @staticmethod
    def _one(
        connection: sa.Connection, agency_id: str | None, wanted: str, *, lock: bool = False
    ) -> Digitization:
        query = sa.select(digitizations).where(
            digitizations.c.id == wanted, digitizations.c.agency_id == agency_id
        )
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound(
                f"Không có việc số hóa {wanted}. / There is no digitization {wanted}; look "
                "it up in the list."
            )
        return digitization_of(row)


def _as_found(found: Digitization) -> SearchDocument:
    """How the search index names the record."""
    order = found.order
    return SearchDocument(
        found.id, found.agency_id, order.title, order.dossier_code, order.component_code
    )
