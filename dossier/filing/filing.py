"""From the officer's mark to the filed record: acceptance, the seal, what may be had of it.

    filing = Filing(database, holdings, audit, jobs, records, seal_key="seal", level=Level.B_LTA)
    filing.accept(caller, paper_id)          # a named person accepts the data; the seal is ordered
    filing.files_of(caller, paper_id)        # what there is, by name and digest
    filing.retry(caller, paper_id)           # after what failed for good was mended

The seal is a signature record like any other (`dossier.signing.records`): idempotent publication,
evidence, renewal, audit and explanation come from there. It is inserted in the transaction that
accepts the paper, and the transaction that publishes it makes the paper FILED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.rows import CHECKERS, one_paper
from dossier.checking.values import DRAFT_PAPER, Paper
from dossier.errors import NotFound, StateConflict
from dossier.filing.codes import CodeTemplates, code_templates, file_name
from dossier.filing.stages import INDEX_PAPER, MARK_PAPER, PaperErrors
from dossier.model import JSON, AuditEvent, Caller, RecordState, require_move
from dossier.queue.jobmodel import NewJob
from dossier.queue.jobs import JobQueue
from dossier.signing.order import SignatureOrder
from dossier.signing.records import NewRecord, Publication, Record, Records
from dossier.signing.recordtable import find
from dossier.stacks.history import QUEUE
from dossier.stacks.stackrows import end_if_done
from dossier.stacks.values import PAPER_MOVES, PaperState
from dossier.storage.database import Database
from dossier.storage.station_tables import papers, stacks
from signer.clock import VIETNAM
from signer.sealing.levels import Level

SEAL_PROFILE = "P6"
_REASON = "Bản số hóa từ giấy, lưu vào hồ sơ điện tử"


@dataclass(frozen=True, slots=True)
class Acceptor:
    """The named person who accepts the data, and the request (or job) by which they do."""

    id: str
    name: str
    request_id: str


@dataclass(frozen=True, slots=True)
class PaperFiles:
    """What there is of a paper's record; digests of blobs, None: not there (yet).

    `name` is the file's name by rule (D14). `original` is a PDF that came signed and stays as it
    is; `record` then is its searchable derivative, whose manifest names the original under the
    seal: `link` is the file that proves the two belong together. `record` is the one in force,
    renewed where its timestamp was.
    """

    name: str
    digitization_code: str
    record: str | None
    draft: str | None
    marked: str | None
    original: str | None
    link: str | None


class Filing:
    """The acceptance and filing of one database's papers. Safe for threads.

    Watches the records of the process and follows its jobs: make one in each process that accepts,
    marks or seals.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jobs: JobQueue,
        records: Records,
        *,
        seal_key: str,
        level: Level,
        templates: CodeTemplates | None = None,
        with_mark: bool = True,
    ) -> None:
        """`seal_key` is the label of the agency's key, `level` that of finished records.

        `with_mark`: who finished the check accepted with it, once the mark is there; without, a
        person calls `accept`.
        """
        self._database = database
        self._audit = audit
        self._jobs = jobs
        self._records = records
        self._seal_key = seal_key
        self._level = level
        self._templates = templates or code_templates()
        self._with_mark = with_mark
        jobs.follow(MARK_PAPER, PaperErrors())
        records.watch(_Sealed(database, jobs))

    def accept(self, caller: Caller, paper_id: str) -> Paper:
        """Accept a marked paper's data, and order the seal. May be repeated.

        Raises `AccessRefused`, `NotFound`, `StateConflict` before the officer's mark is there.
        """
        caller.require(*CHECKERS)

        def work(connection: sa.Connection) -> Paper:
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            if paper.state in (PaperState.ACCEPTED, PaperState.FILED):
                return paper
            if paper.state is not PaperState.MARKED:
                raise StateConflict(
                    "Chưa có chữ ký số của cán bộ số hóa trên bản ghi nên chưa được tiếp nhận dữ "
                    f"liệu (TT 01/2023/TT-VPCP, Điều 8); giấy tờ đang “{paper.state}”. / The "
                    "officer's mark is not on the record yet, and data are accepted only after it "
                    f"(D6); the paper is {paper.state}."
                )
            acceptor = Acceptor(caller.principal_id, caller.name, caller.request_id)
            self._audit.append(connection, self._accepted(connection, paper, acceptor))
            return one_paper(connection, caller.agency_id, paper_id)

        return self._database.together(work)

    def accept_marked(
        self, connection: sa.Connection, paper: Paper, acceptor: Acceptor
    ) -> list[AuditEvent]:
        """Accept in the transaction that keeps the mark, as the check's end ordered it.

        Returns what the audit log is told, last of all.
        """
        return self._accepted(connection, paper, acceptor) if self._with_mark else []

    def _accepted(
        self, connection: sa.Connection, paper: Paper, acceptor: Acceptor
    ) -> list[AuditEvent]:
        require_move(paper.state, PaperState.ACCEPTED, PAPER_MOVES)
        now = self._database.now(connection)
        accepted: dict[str, JSON] = {
            "by": acceptor.id,
            "name": acceptor.name,
            "at": now.isoformat(),
        }
        return self._seal(connection, paper, acceptor, now, accepted)

    def _seal(
        self,
        connection: sa.Connection,
        paper: Paper,
        acceptor: Acceptor,
        now: datetime,
        accepted: JSON,
    ) -> list[AuditEvent]:
        """Insert the record that seals the marked file; the paper is ACCEPTED by it."""
        order = SignatureOrder(
            key=self._seal_key,
            profiles=(SEAL_PROFILE,),
            level=self._level,
            reason=_REASON,
            proof_code=False,  # a code is printed before the first signature, and here is one
        )
        new = NewRecord(
            paper.agency_id,
            acceptor.id,
            acceptor.request_id,
            order,
            paper.marked_sha256 or "",
            priority=paper.priority,
        )
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper.id)
            .values(
                state=PaperState.ACCEPTED,
                accepted=accepted,
                record_id=new.id,
                error=sa.null(),
                version=papers.c.version + 1,
            )
        )
        self._records.insert(connection, [new], now)
        return [
            AuditEvent(
                "paper.accepted",
                acceptor.id,
                paper.agency_id,
                paper.id,
                {"record": new.id, "name": acceptor.name, "request_id": acceptor.request_id},
            ),
            AuditEvent(
                "signature.accepted",
                acceptor.id,
                paper.agency_id,
                new.id,
                {
                    "source_sha256": new.source_sha256,
                    "key": order.key,
                    "level": order.level.value,
                    "paper": paper.id,
                    "request_id": acceptor.request_id,
                },
            ),
        ]

    def retry(self, caller: Caller, paper_id: str) -> Paper:
        """Order again what failed for good: draft, mark or seal; or what filing put on hold.

        The checks of a paper on hold stand again: nothing of it was changed since. Raises
        `StateConflict` where nothing failed, `AccessRefused`, `NotFound`.
        """
        caller.require(*CHECKERS)

        def work(connection: sa.Connection) -> Paper:
            waiting = self._jobs.cancel(connection, paper_id)  # jobs before papers
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            events: list[AuditEvent] = []
            is_held = held_by_filing(paper)
            if is_held or (
                paper.state is PaperState.CHECKED and (paper.error is not None or waiting)
            ):
                if is_held:
                    _check_stands(connection, paper)
                # the draft depends on nothing that was lost: it is made again, then marked
                again = NewJob(QUEUE, DRAFT_PAPER, paper.id, paper.agency_id, {}, paper.priority)
                self._jobs.enqueue_many(connection, [again])
            elif paper.state is PaperState.ACCEPTED and self._is_lost(connection, paper):
                acceptor = Acceptor(caller.principal_id, caller.name, caller.request_id)
                now = self._database.now(connection)
                events = self._seal(connection, paper, acceptor, now, paper.accepted)
            else:
                raise _nothing_failed(paper)
            connection.execute(
                sa.update(papers)
                .where(papers.c.id == paper.id)
                .values(error=sa.null(), version=papers.c.version + 1)
            )
            told = {"state": paper.state.value, "request_id": caller.request_id}
            events.append(
                AuditEvent("paper.retried", caller.principal_id, paper.agency_id, paper.id, told)
            )
            self._audit.append(connection, events)
            return one_paper(connection, caller.agency_id, paper_id)

        return self._database.together(work)

    @staticmethod
    def _is_lost(connection: sa.Connection, paper: Paper) -> bool:
        record = find(connection, paper.agency_id, paper.record_id or "")
        return record is None or record.state in (RecordState.FAILED, RecordState.CANCELLED)

    def files_of(self, caller: Caller, paper_id: str) -> PaperFiles:
        """What there is of a paper's record. Raises `NotFound`, `InvalidOrder` for a paper
        without any dossier's code."""
        with self._database.read() as connection:
            paper = one_paper(connection, caller.agency_id, paper_id)
            found = find(connection, paper.agency_id, paper.record_id) if paper.record_id else None
            ordinal = _ordinal(connection, paper)
        template = self._templates.on(paper.created_at.astimezone(VIETNAM).date())
        current = found.result_sha256 if found is not None else None
        return PaperFiles(
            name=file_name(template, paper.dossier_code or paper.id, ordinal),
            digitization_code=paper.digitization_code or "",
            record=current if paper.state is PaperState.FILED else None,
            draft=paper.draft_sha256,
            marked=paper.marked_sha256,
            original=paper.original_sha256,
            link=paper.link_sha256,
        )

    def record_of(self, caller: Caller, paper_id: str) -> Record:
        """The signature record that seals a paper. Raises `NotFound` where there is none yet."""
        with self._database.read() as connection:
            paper = one_paper(connection, caller.agency_id, paper_id)
            found = find(connection, paper.agency_id, paper.record_id) if paper.record_id else None
        if found is None:
            raise NotFound(
                "Giấy tờ chưa có bản ghi được đóng dấu; hãy chờ hoặc xem lỗi. / The paper has no "
                "sealed record yet; wait, or look at its error."
            )
        return found


def held_by_filing(paper: Paper) -> bool:
    """Whether no record could be made of the paper as it was checked, and it still is as it was.

    Pages that were arranged anew are read again, which takes the error away.
    """
    kept = (paper.hold or {}).get("checks")
    return paper.state is PaperState.HELD and bool(kept) and paper.error is not None


def may_be_retried(paper: Paper) -> bool:
    """Whether something failed that `Filing.retry` orders again, as far as the paper's row says."""
    failed = paper.error is not None and paper.state in (PaperState.CHECKED, PaperState.ACCEPTED)
    return failed or held_by_filing(paper)


def _check_stands(connection: sa.Connection, paper: Paper) -> None:
    """Put a paper that filing held back to where its check had ended."""
    require_move(paper.state, PaperState.CHECKED, PAPER_MOVES)
    connection.execute(
        sa.update(papers)
        .where(papers.c.id == paper.id)
        .values(state=PaperState.CHECKED, checks=paper.hold["checks"], hold=sa.null())
    )


def _nothing_failed(paper: Paper) -> StateConflict:
    if paper.state is PaperState.HELD:
        return StateConflict(
            "Giấy tờ đang tạm giữ chờ người kiểm tra, không phải vì lập bản ghi hỏng; hãy đưa trở "
            "lại hàng đợi rồi kiểm tra. / The paper was put on hold by a person, or was changed "
            "since: resume it and check it."
        )
    return StateConflict(
        f"Không có việc nào hỏng để làm lại; giấy tờ đang “{paper.state}”. Hãy tải lại để xem "
        f"giấy tờ đang ở bước nào. / Nothing failed that could be tried again; the paper is "
        f"{paper.state}. Load it again to see how far it is."
    )


def _ordinal(connection: sa.Connection, paper: Paper) -> int:
    """The document's number in its dossier: papers that are, or will be, records, as they came."""
    counted = sa.select(sa.func.count()).where(
        papers.c.agency_id == paper.agency_id,
        papers.c.dossier_code == paper.dossier_code,
        papers.c.state == PaperState.FILED,
        sa.or_(
            papers.c.filed_at < paper.filed_at,
            sa.and_(papers.c.filed_at == paper.filed_at, papers.c.id < paper.id),
        )
        if paper.filed_at is not None
        else sa.true(),
    )
    return int(connection.execute(counted).scalar_one()) + 1


class _Sealed:
    """Moves papers with the records that seal them; a `RecordWatcher`."""

    def __init__(self, database: Database, jobs: JobQueue) -> None:
        self._database = database
        self._jobs = jobs

    def published(self, connection: sa.Connection, made: Sequence[Publication]) -> None:
        """The papers are FILED, their stacks DONE when all of them are."""
        results = {one.record_id: one.result_sha256 for one in made if not one.held}
        rows = connection.execute(
            sa.select(papers.c.id, papers.c.stack_id, papers.c.record_id, papers.c.agency_id,
                      papers.c.original_sha256, papers.c.priority)
            .where(papers.c.record_id.in_(list(results)), papers.c.state == PaperState.ACCEPTED)
        ).all()  # fmt: skip
        if not rows:
            return
        now = self._database.now(connection)
        touched = sorted({row.stack_id for row in rows})
        connection.execute(  # stacks before papers, as whoever arranges them takes them
            sa.select(stacks.c.id).where(stacks.c.id.in_(touched)).order_by(stacks.c.id)
            .with_for_update()
        )  # fmt: skip
        for row in sorted(rows, key=lambda row: str(row.id)):
            sealed = results[row.record_id]
            connection.execute(
                sa.update(papers)
                .where(papers.c.id == row.id)
                .values(
                    state=PaperState.FILED,
                    sealed_sha256=sealed,
                    link_sha256=sealed if row.original_sha256 is not None else None,
                    filed_at=now,
                    error=sa.null(),
                    version=papers.c.version + 1,
                )
            )
        self._jobs.enqueue_many(
            connection,
            [NewJob(QUEUE, INDEX_PAPER, row.id, row.agency_id, {}, row.priority) for row in rows],
        )
        for stack_id in touched:
            end_if_done(connection, stack_id, now)

    def ended(
        self, connection: sa.Connection, record: Record, state: RecordState, error: JSON
    ) -> None:
        """The seal failed, or was cancelled: the paper says so, and `Filing.retry` goes on."""
        told = error or {
            "kind": "Cancelled",
            "message": "Việc đóng dấu đã bị hủy. / The sealing was cancelled.",
        }
        del state
        connection.execute(
            sa.update(papers)
            .where(papers.c.record_id == record.id)
            .values(error=told, version=papers.c.version + 1)
        )
