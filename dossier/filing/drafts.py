"""The rows behind drafts: codes are taken, drafts published, papers put on hold.

Locks, as everywhere at the station: jobs, stacks, papers, books of numbers, the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.rows import one_paper
from dossier.checking.values import DRAFT_PAPER, Paper
from dossier.filing.codes import CodeTemplate, give_back_code, still_fits, take_code
from dossier.filing.faithfulness import ENGINE, Faithfulness
from dossier.filing.material import Material
from dossier.filing.stages import MARK_PAPER, SEAL_QUEUE, PaperErrors
from dossier.model import JSON, AuditEvent, require_move
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.numbers import despite_races
from dossier.stacks.values import PAPER_MOVES, PaperState
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import papers
from dossier.storage.store import BlobInfo
from ocr.errors import OCRError
from signer.clock import VIETNAM

_PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that was proved and stored. `original` is a signed PDF that it is derived from."""

    record: BlobInfo
    original: str | None
    proof: Faithfulness
    scanned_at: datetime


class Drafts:
    """Drafts of one database's papers. Safe for threads. Follows the jobs that make them."""

    def __init__(
        self, database: Database, holdings: Holdings, audit: AuditLog, jobs: JobQueue
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        jobs.follow(DRAFT_PAPER, PaperErrors())

    def wanted(self, job: Job) -> Paper | None:
        """The paper, if it waits for its record; else the job is finished: None."""

        def work(connection: sa.Connection) -> Paper | None:
            paper = one_paper(connection, job.agency_id, job.subject)
            if paper.state is PaperState.CHECKED:
                return paper
            self._jobs.done(connection, job)
            return None

        return self._database.together(work)

    def code_for(self, job: Job, paper: Paper, template: CodeTemplate, material: Material) -> str:
        """The paper's digitization code, which it gets once, in the transaction that counts it.

        A paper that was checked again and belongs to another book by now gets another code; the
        old one goes back if it is its book's last, else the audit log says that it stays unused.
        """
        facts, day = material.code_facts, material.scanned_at.astimezone(VIETNAM).date()

        def work(connection: sa.Connection) -> str:
            here = one_paper(connection, job.agency_id, paper.id, lock=True)
            known = here.digitization_code
            if not _is_same(here, paper) or (
                known is not None and still_fits(template, facts, day, known)
            ):
                return known or ""
            code = take_code(connection, paper.agency_id, template, facts, day)
            connection.execute(
                sa.update(papers).where(papers.c.id == paper.id).values(digitization_code=code)
            )
            events = [_event(job, paper, "coded", {"code": code, "template": template.id})]
            if known is not None:
                freed = give_back_code(connection, paper.agency_id, known, day)
                name = "code-freed" if freed else "code-unused"
                events.append(_event(job, paper, name, {"code": known, "now": code}))
            self._audit.append(connection, events)
            return code

        def once() -> str:
            with self._database.begin() as connection:
                return work(connection)

        return despite_races(once)

    def publish(self, job: Job, paper: Paper, draft: Draft) -> None:
        """Keep the draft and order its mark; nothing when the paper was opened again meanwhile.

        Raises `LeaseLost`, `StoreError`.
        """

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            here = one_paper(connection, job.agency_id, paper.id, lock=True)
            if not _is_same(here, paper):
                return
            self._holdings.register(connection, paper.agency_id, draft.record, _PDF)
            connection.execute(
                sa.update(papers)
                .where(papers.c.id == paper.id)
                .values(
                    draft_sha256=draft.record.sha256,
                    original_sha256=draft.original,
                    error=sa.null(),
                    version=papers.c.version + 1,
                )
            )
            by = paper.checks[-1]
            self._jobs.enqueue(
                connection,
                queue=SEAL_QUEUE,
                kind=MARK_PAPER,
                subject=paper.id,
                agency_id=paper.agency_id,
                payload={
                    "draft": draft.record.sha256,
                    "scanned_at": draft.scanned_at.isoformat(),
                    "principal": by.by,
                    "name": by.name,
                },
                priority=paper.priority,
            )
            told: dict[str, JSON] = {
                "draft_sha256": draft.record.sha256,
                "original_sha256": draft.original,
                "pages": draft.proof.pages,
                "compared_with": ENGINE,
                "difference": round(draft.proof.share, 3),
            }
            self._audit.append(connection, [_event(job, paper, "drafted", told)])

        self._database.together(work)

    def hold(self, job: Job, paper: Paper, error: Exception) -> None:
        """Put the paper on hold; why. Raises `LeaseLost`, `StoreError`.

        It is checked again, or, once the cause is gone, tried again with the checks that the hold
        keeps (`Filing.retry`).
        """
        why = str(error) if not isinstance(error, OCRError) else _told(error)

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            here = one_paper(connection, job.agency_id, paper.id, lock=True)
            if not _is_same(here, paper):
                return
            require_move(here.state, PaperState.HELD, PAPER_MOVES)
            ended = [check.to_json() for check in here.checks]
            held: dict[str, JSON] = {
                "why": why,
                "by": f"worker:{job.worker}",
                "name": "",
                "at": self._database.now(connection).isoformat(),
                "from": here.state.value,
                "checks": ended,
            }
            connection.execute(
                sa.update(papers)
                .where(papers.c.id == paper.id)
                .values(
                    state=PaperState.HELD,
                    hold=held,
                    checks=[],
                    draft_sha256=None,
                    error={"kind": type(error).__name__, "message": why},
                    version=papers.c.version + 1,
                )
            )
            told: dict[str, JSON] = {"why": why, "checks": ended}
            self._audit.append(connection, [_event(job, paper, "held", told)])

        self._database.together(work)


def _is_same(here: Paper, paper: Paper) -> bool:
    """Whether it is still the very check that the draft is made for."""
    return (
        here.state is PaperState.CHECKED
        and here.checks == paper.checks
        and here.arrangement_seq == paper.arrangement_seq
    )


def _told(error: Exception) -> str:
    return (
        f"Không lập được bản ghi: {error}. Hãy quét lại trang đó. / The record cannot be made: "
        f"{error}. Scan that page again."
    )


def _event(job: Job, paper: Paper, what: str, details: dict[str, JSON]) -> AuditEvent:
    return AuditEvent(f"paper.{what}", f"worker:{job.worker}", paper.agency_id, paper.id, details)
