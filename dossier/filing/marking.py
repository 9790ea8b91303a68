"""The officer's mark (P7): the personal signature of whoever finished the check, before acceptance.

    MarkWork(database, blobs, holdings, audit, jobs, filing, desk, officer_key="officer")

    read the draft > lay out top left, sign, timestamp > verify the very bytes > store > MARKED

The mark shows the signer's name and the time of scanning (TT 01/2023/TT-VPCP, Điều 8). Who finished
the check ordered the acceptance with it; the data are accepted in the transaction that keeps the
marked bytes, never before (D6).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dossier.checking.rows import one_paper
from dossier.checking.values import Paper
from dossier.errors import LeaseLost
from dossier.filing.filing import Acceptor, Filing
from dossier.model import JSON, AuditEvent, require_move
from dossier.signing.evidence import report_json
from dossier.signing.sealing import Finished, SealOrder, SealStep, require_ours, seal_and_verify
from dossier.signing.workshop import Desk, WatchedKey, Workshop
from dossier.stacks.values import PAPER_MOVES, PaperState
from dossier.storage.station_tables import papers
from signer.clock import VIETNAM
from signer.sealing.levels import Level

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.queue.jobs import Job, JobQueue
    from dossier.storage.database import Database
    from dossier.storage.holdings import Holdings
    from dossier.storage.store import BlobInfo, BlobStore

PROFILE = "P7"
ROLE = "officer"
_PDF = "application/pdf"
_REASON = "Xác nhận bản số hóa đúng với bản giấy"


class MarkWork:
    """Handler for jobs of the kind ``mark-paper`` on the queue ``seal``. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        audit: AuditLog,
        jobs: JobQueue,
        filing: Filing,
        desk: Desk,
        *,
        officer_key: str,
        officer_keys: Mapping[str, str] | None = None,
        insist_s: float = 30.0,
    ) -> None:
        """`officer_keys` are labels of people's own keys, by principal; `officer_key` is that of
        whoever has none. `insist_s`: as of `SigningWork`."""
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._filing = filing
        self._desk = desk
        self._officer_key = officer_key
        self._officer_keys = dict(officer_keys or {})
        self._shop = Workshop(database, blobs, audit, desk, insist_s=insist_s)

    def __call__(self, job: Job) -> None:
        """Mark the draft that `job` names. Raises what `dossier.queue.retrying` judges."""
        if not self._is_wanted(job):
            return
        label = self._officer_keys.get(job.payload["principal"], self._officer_key)
        key = WatchedKey(self._desk.key_for(label, _context(job)))
        try:
            finished, at = self._mark(job, key)
            assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
            marked = self._shop.put(finished.pdf)
            report = self._shop.put(report_json(finished))
            self._keep(job, key, marked, report, at)
        except Exception as error:
            self._shop.explain(job, key, error)
            raise

    def _is_wanted(self, job: Job) -> bool:
        """Whether the draft still waits for its mark; else the job is finished."""

        def work(connection: sa.Connection) -> bool:
            if _waits(one_paper(connection, job.agency_id, job.subject), job):
                return True
            self._jobs.done(connection, job)
            return False

        return self._database.together(work)

    def _mark(self, job: Job, key: WatchedKey) -> tuple[Finished, datetime]:
        """The draft with the mark, verified."""
        at = datetime.now(VIETNAM).replace(microsecond=0)
        scanned_at = datetime.fromisoformat(job.payload["scanned_at"]).astimezone(VIETNAM)
        self._shop.relied_on(key, at)  # before the key is used
        step = SealStep(
            role=ROLE,
            key=key,
            profile=PROFILE,
            reason=_REASON,
            shown_at=scanned_at.replace(microsecond=0),
        )
        order = SealOrder(
            steps=(step,),
            level=Level.B_B if self._desk.timestamper is None else Level.B_T,
            at=at,
            agency=self._shop.agency_name(job.agency_id or ""),
        )
        source = self._blobs.get(job.payload["draft"])
        return seal_and_verify(source, order, self._desk.services, judge=require_ours), at

    def _keep(
        self, job: Job, key: WatchedKey, marked: BlobInfo, report: BlobInfo, at: datetime
    ) -> None:
        """Keep the marked record and accept it, in one transaction."""
        told: dict[str, JSON] = {
            "marked_sha256": marked.sha256,
            "report_sha256": report.sha256,
            "draft_sha256": job.payload["draft"],
            "attempt": job.attempt,
            "digests": list(key.digests),
            "key": key.label,
            "principal": job.payload["principal"],
        }
        mark: dict[str, JSON] = {
            "by": job.payload["principal"],
            "name": job.payload["name"],
            "key": key.label,
            "at": at.isoformat(),
            "scanned_at": job.payload["scanned_at"],
            "report_sha256": report.sha256,
        }

        def commit() -> None:
            with self._database.begin() as connection:
                self._jobs.done(connection, job)
                self._holdings.register(connection, job.agency_id or "", marked, _PDF)
                paper = one_paper(connection, job.agency_id, job.subject, lock=True)
                what = "mark-dropped"
                events: list[AuditEvent] = []
                if _waits(paper, job):
                    what = "marked"
                    require_move(paper.state, PaperState.MARKED, PAPER_MOVES)
                    connection.execute(
                        sa.update(papers)
                        .where(papers.c.id == paper.id)
                        .values(
                            state=PaperState.MARKED,
                            marked_sha256=marked.sha256,
                            mark=mark,
                            error=sa.null(),
                            version=papers.c.version + 1,
                        )
                    )
                    events = self._filing.accept_marked(
                        connection,
                        one_paper(connection, job.agency_id, paper.id),
                        Acceptor(job.payload["principal"], job.payload["name"], job.id),
                    )
                event = AuditEvent(
                    f"paper.{what}", f"worker:{job.worker}", job.agency_id, job.subject, told
                )
                self._audit.append(connection, [event, *events])

        try:
            self._shop.insist(commit)
        except LeaseLost:
            # the answer to an earlier commit may have been lost with the connection
            if not self._is_kept(job, marked):
                raise

    def _is_kept(self, job: Job, marked: BlobInfo) -> bool:
        with self._database.read() as connection:
            return one_paper(connection, job.agency_id, job.subject).marked_sha256 == marked.sha256


def _waits(paper: Paper, job: Job) -> bool:
    return paper.state is PaperState.CHECKED and paper.draft_sha256 == job.payload["draft"]


def _context(job: Job) -> dict[str, Any]:
    return {
        "agency": job.agency_id,
        "principal": job.payload["principal"],
        "purpose": "document",
        "subject": job.subject,
        "attempt": job.attempt,
        "document_sha256": job.payload["draft"],
        "request_id": job.id,
    }
