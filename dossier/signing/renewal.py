"""Renews archive timestamps on schedule, before the last one loses its worth (EN 319 142-1, LTA).

    publication > renew_at = end of the newest document timestamp's certificate less a margin
    sweep (hourly) > a job "renewal" for each record that is due, once
    job > fresh evidence and a new document timestamp > verify > store > swap > next renew_at

No key of an agency is used. The blob before stays where it is; the audit log names both. What is
due is ordered by `dossier.signing.renewals`, which needs nothing that reads documents.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.model import JSON, AuditEvent
from dossier.queue.jobs import Job, JobQueue
from dossier.register.entry import Event, Registration
from dossier.register.log import Register
from dossier.signing.evidence import report_json
from dossier.signing.registering import seals_of_papers
from dossier.signing.renewals import KIND, LIVING, RenewalMoves
from dossier.signing.sealing import Finished, Services
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobInfo, BlobStore
from dossier.storage.tables import records
from signer.errors import SignatureNotValid
from signer.verification.report import Indication, Integrity, VerificationReport

MARGIN = timedelta(days=90)
"""How long before the timestamp's certificate ends a record is renewed, unless set otherwise."""

_MEDIA_TYPE = "application/pdf"
_RANK = (Indication.TOTAL_FAILED, Indication.INDETERMINATE, Indication.TOTAL_PASSED)


def renewal_time(report: VerificationReport, margin: timedelta = MARGIN) -> datetime | None:
    """When to renew the document that `report` is about; None without a document timestamp.

    At the end of the newest timestamp's certificate less `margin`, but never before half of the
    time until then: a short-lived certificate is not renewed at once for ever.
    """
    dated = [
        (token.time, token.authority_until)
        for token in report.document_timestamps
        if token.time is not None and token.authority_until is not None
    ]
    if not dated:
        return None
    made, until = max(dated)
    return until - min(margin, (until - made) / 2)


def renewal_schedule(margin: timedelta = MARGIN) -> Callable[[Finished], datetime | None]:
    """For `dossier.signing.workshop.Desk.renew_at`."""
    return lambda finished: renewal_time(finished.report, margin)


@dataclass(frozen=True, slots=True)
class _Renewed:
    """A renewed document that was verified and stored."""

    result: BlobInfo
    report: BlobInfo
    timestamp_field: str | None
    renew_at: datetime | None


class RenewalWork:
    """The handler of jobs of the kind "renewal"; safe for the threads of one process."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        audit: AuditLog,
        jobs: JobQueue,
        services: Services,
        *,
        margin: timedelta = MARGIN,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._services = services
        self._margin = margin
        self._register = Register(database)
        jobs.follow(KIND, RenewalMoves(audit))

    def __call__(self, job: Job) -> None:
        """Renew the record's document. Raises what `dossier.queue.retrying` judges."""
        source = str(job.payload["result"])
        if self._present(job) == source:
            self._finish(job, source, self._renew(source))
        else:  # a worker that was thought dead has done it
            self._finish(job, source, None)

    def _present(self, job: Job) -> str | None:
        with self._database.read() as connection:
            wanted = sa.select(records.c.result_sha256).where(records.c.id == job.subject)
            found: str | None = connection.execute(wanted).scalar()
        return found

    def _renew(self, source: str) -> _Renewed:
        """Make, verify and store the renewed document."""
        with (
            self._blobs.local(source) as path,
            tempfile.TemporaryDirectory(prefix="sohoa-renew-") as folder,
        ):
            target = Path(folder) / "renewed.pdf"
            before = self._services.verifier.verify(path)
            result = self._services.augmenter.renew(path, target)
            report = self._services.verifier.verify(target)
            _require_no_worse(before, report, result.timestamp_field)
            stored = self._blobs.put(target)
        judged = self._blobs.put(report_json(Finished((), report, None)))
        return _Renewed(stored, judged, result.timestamp_field, renewal_time(report, self._margin))

    def _finish(self, job: Job, source: str, renewed: _Renewed | None) -> None:
        """Swap the document and end the job in one commit. Raises `LeaseLost`."""
        with self._database.begin() as connection:
            self._jobs.done(connection, job)
            if renewed is None or job.agency_id is None:
                return
            swapped = connection.execute(
                sa.update(records)
                .where(
                    records.c.id == job.subject,
                    records.c.result_sha256 == source,
                    records.c.state.in_(LIVING),
                )
                .values(
                    result_sha256=renewed.result.sha256,
                    report_sha256=renewed.report.sha256,
                    result_bytes=renewed.result.size_bytes,
                    renew_at=renewed.renew_at,
                    version=records.c.version + 1,
                )
            )
            if swapped.rowcount != 1:
                return
            self._holdings.register(connection, job.agency_id, renewed.result, _MEDIA_TYPE)
            details: dict[str, JSON] = {
                "attempt": job.attempt,
                "before_sha256": source,
                "result_sha256": renewed.result.sha256,
                "report_sha256": renewed.report.sha256,
                "timestamp_field": renewed.timestamp_field,
                "renew_at": renewed.renew_at,
            }
            event = AuditEvent(
                "signature.renewed", f"worker:{job.worker}", job.agency_id, job.subject, details
            )
            self._enter(connection, job.subject, source)
            self._audit.append(connection, [event])

    def _enter(self, connection: sa.Connection, record_id: str, before: str) -> None:
        """Enter the renewed document's digest in the register, if the document is in it."""
        if seals_of_papers(connection, [record_id]):
            return
        wanted = sa.select(records.c.code, records.c.agency_id, records.c.result_sha256)
        now = connection.execute(wanted.where(records.c.id == record_id)).one()
        renewed = Registration(
            Event.RENEWED, now.code, now.agency_id, now.result_sha256, before_sha256=before
        )
        self._register.append(connection, [renewed])


def _require_no_worse(
    before: VerificationReport, after: VerificationReport, field: str | None
) -> None:
    """The new timestamp `field` is good and covers everything; no verdict fell.

    Raises `SignatureNotValid`. A document that was indeterminate stays renewable: what it lacks
    may come yet, and without a timestamp it would be lost.
    """
    good = any(
        token.field_name == field
        and token.covers_whole_file
        and token.indication is Indication.TOTAL_PASSED
        for token in after.document_timestamps
    )
    fell = _RANK.index(after.indication) < _RANK.index(before.indication)
    if good and not fell and after.integrity is Integrity.INTACT:
        return
    raise SignatureNotValid(
        "Bản gia hạn không đạt kiểm tra nên bị hủy, bản cũ giữ nguyên; hãy xem máy chủ dấu thời "
        "gian và gốc tin cậy. / The renewed document does not pass its check and was discarded, "
        "the record stays as it was; look at the TSA and the trusted roots.",
        report=after,
    )
