"""Carries out the steps of clerical sequences: the handler of jobs of the kind "sequence-step".

    look at the document as it stands > lay out > sign > verify the very bytes > store > move on

No step is made over a signature that is not valid (S5): the document is verified before any key
is used, with revocation answers of this moment, and again before it is kept. The last step
publishes the document as a record, in the transaction that ends its job.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from cryptography import x509

from dossier.clerical import sequencetable
from dossier.clerical.order import ClericalSequence, Step, StepDone
from dossier.clerical.stamps import DATE, LEADER, NUMBER, SEAL, ClericalStamps
from dossier.errors import LeaseLost, StateConflict
from dossier.model import JSON, AuditEvent
from dossier.signing.evidence import evidence_json, report_json
from dossier.signing.recordtable import Publication
from dossier.signing.sealing import Finished, common_name, require_ours
from dossier.signing.workshop import Desk, WatchedKey, Workshop, require_organisation
from signer.clock import VIETNAM
from signer.errors import SignatureNotValid
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from signer.sealing.stamp import StampPlan
from signer.verification.report import (
    Indication,
    Integrity,
    SubIndication,
    VerificationReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dossier.audit.log import AuditLog
    from dossier.queue.jobs import Job, JobQueue
    from dossier.signing.publisher import PublishHook
    from dossier.signing.records import Records
    from dossier.storage.database import Database
    from dossier.storage.holdings import Holdings
    from dossier.storage.store import BlobInfo, BlobStore

_PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class _Errand:
    """One step at work."""

    job: Job
    sequence: ClericalSequence
    step: Step
    at: datetime
    folder: Path
    document: Path
    stamps: ClericalStamps


class SequenceWork:
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
        *,
        on_published: Sequence[PublishHook] = (),
        insist_s: float = 30.0,
    ) -> None:
        """Parameters as of `SigningWork`."""
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._records = records
        self._desk = desk
        self._hooks = tuple(on_published)
        self._shop = Workshop(database, blobs, audit, desk, insist_s=insist_s)

    def __call__(self, job: Job) -> None:
        """Do the step that `job` is for. Raises what `dossier.queue.retrying` judges."""
        with self._errand(job) as errand:
            order, is_leaders = errand.sequence.order, errand.step is Step.LEADER
            label = order.leader_key if is_leaders else order.agency_key
            key = WatchedKey(self._desk.key_for(label, _context(job, errand.sequence)))
            try:
                if not is_leaders:
                    require_organisation(key, order.expected_agency)
                self._require_sound(errand)
                finished, sealed = self._seal(errand, key)
                result = self._shop.insist(lambda: self._blobs.put(sealed))
                self._finish(errand, key, finished, result)
            except Exception as error:
                self._shop.explain(job, key, error)
                raise

    @contextmanager
    def _errand(self, job: Job) -> Iterator[_Errand]:
        sequence = self._read(job)
        step = Step(job.payload["step"])
        if sequence.step_running is not step:
            raise StateConflict(
                "Bước này đã kết thúc. / This step has ended already; nothing is left to do."
            )
        at = datetime.now(VIETNAM).replace(microsecond=0)
        with (
            self._blobs.local(sequence.current_sha256) as document,
            tempfile.TemporaryDirectory(prefix="sohoa-sequence-") as folder,
        ):
            profiles = self._desk.services.profiles
            stamps = ClericalStamps(sequence.order, document, profiles, at)
            yield _Errand(job, sequence, step, at, Path(folder), document, stamps)

    def _read(self, job: Job) -> ClericalSequence:
        values = {"id_": job.subject, "agency": job.agency_id}
        with self._database.read() as connection:
            row = connection.execute(sequencetable.ONE, values).first()
        return sequencetable.required(row, job.subject)

    # --- looking -------------------------------------------------------------------------

    def _require_sound(self, errand: _Errand) -> None:
        """Raise `SignatureNotValid` unless every signature that is there holds (S5).

        The leader's certificate must not have been withdrawn since, whatever the file says.
        """
        report = self._desk.services.verifier.verify(errand.document)
        sound = {
            signature.field_name
            for signature in report.signatures
            if signature.indication is Indication.TOTAL_PASSED
            # before the seal brings its evidence, only the status of the certificate is missing
            or signature.sub_indication is SubIndication.TRY_LATER
        }
        wanted = {
            Step.LEADER: set[str](),
            Step.NUMBER: {errand.stamps.field(LEADER)},
            Step.ISSUE: {errand.stamps.field(LEADER)},
            Step.SEAL: {errand.stamps.field(part) for part in (LEADER, NUMBER, DATE)},
        }[errand.step]
        is_intact = report.integrity is Integrity.INTACT or (
            not report.signatures and report.integrity is Integrity.NONE
        )
        if not is_intact or report.indication is Indication.TOTAL_FAILED or wanted - sound:
            raise _not_sound(report)
        signed = errand.sequence.done(Step.LEADER)
        if signed is not None and self._desk.revocation is not None:
            chain = [
                x509.load_pem_x509_certificate(str(pem).encode()) for pem in signed.facts["chain"]
            ]
            self._desk.revocation.collect(chain, errand.at)

    # --- signing -------------------------------------------------------------------------

    def _seal(self, errand: _Errand, key: WatchedKey) -> tuple[Finished, Path]:
        """Sign what the step signs, and verify the whole of the result."""
        source = errand.document
        if errand.step is Step.LEADER:
            source = self._prepare(errand, key)
        requests = self._requests(errand, key)
        services, sealed = self._desk.services, errand.folder / "sealed.pdf"
        seals = services.sealer.seal_many(source, sealed, requests)
        report = services.verifier.verify(sealed)
        require_ours(report, seals, requests[-1].level)
        return Finished(tuple(seals), report, None), sealed

    def _prepare(self, errand: _Errand, key: WatchedKey) -> Path:
        """The draft with all its fields, still unsigned."""
        order, stamps = errand.sequence.order, errand.stamps
        leader = stamps.leader(common_name(key), self._desk.images_for(order.leader_key))
        seal = stamps.seal(self._agency(errand), self._desk.images_for(order.agency_key))
        prepared = errand.folder / "prepared.pdf"
        plans = stamps.fields(leader, seal)
        self._desk.services.sealer.prepare_fields(errand.document, prepared, plans)
        return prepared

    def _requests(self, errand: _Errand, key: WatchedKey) -> list[SealRequest]:
        """The step's signatures; the seal, which is the last of all, brings the evidence."""
        order, stamps = errand.sequence.order, errand.stamps
        wanted: list[tuple[str, StampPlan]] = []
        if errand.step is Step.LEADER:
            images = self._desk.images_for(order.leader_key)
            wanted.append((LEADER, stamps.leader(common_name(key), images)))
        if Step.NUMBER in errand.step.parts:
            decided_on = date.fromisoformat(errand.job.payload["decided_on"])
            wanted.append((NUMBER, stamps.number(errand.sequence.number or 0)))
            wanted.append((DATE, stamps.date(decided_on)))
        if Step.SEAL in errand.step.parts:
            images = self._desk.images_for(order.agency_key)
            wanted.append((SEAL, stamps.seal(self._agency(errand), images)))
        early = Level.B_T if order.level.timestamped else Level.B_B
        return [
            SealRequest(
                key=key,
                level=order.level if part == SEAL else early,
                field_name=stamps.field(part),
                stamp=stamp,
                reason=order.reason,
                location=order.location,
                claimed_at=errand.at,
            )
            for part, stamp in wanted
        ]

    def _agency(self, errand: _Errand) -> str:
        return self._shop.agency_name(errand.sequence.agency_id)

    # --- keeping -------------------------------------------------------------------------

    def _finish(
        self, errand: _Errand, key: WatchedKey, finished: Finished, result: BlobInfo
    ) -> None:
        """Move the sequence, its record and its job in one transaction."""
        sequence, job = errand.sequence, errand.job
        report = self._shop.put(report_json(finished))
        steps = [*sequence.steps, *self._parts(errand, key, result)]
        publication = None
        if Step.SEAL in errand.step.parts:
            publication = self._publication(errand, key, finished, result, report)
        event = AuditEvent(
            f"sequence.{errand.step.value}.done",
            f"worker:{job.worker}",
            sequence.agency_id,
            sequence.id,
            self._told(errand, key, finished, result) | {"report_sha256": report.sha256},
        )

        def commit() -> None:
            with self._database.begin() as connection:
                self._jobs.done(connection, job)
                self._holdings.register(connection, sequence.agency_id, result, _PDF)
                self._move(connection, errand, steps, result)
                if publication is not None:
                    self._records.publish(connection, [publication], self._hooks)
                self._audit.append(connection, [event])

        try:
            self._shop.insist(commit)
        except LeaseLost:
            # the answer to an earlier commit may have been lost with the connection
            if self._read(job).current_sha256 != result.sha256:
                raise

    @staticmethod
    def _move(
        connection: sa.Connection, errand: _Errand, steps: list[StepDone], result: BlobInfo
    ) -> None:
        moved = connection.execute(
            sequencetable.FINISH,
            {
                "id_": errand.sequence.id,
                "from_": errand.sequence.state,
                "step": errand.step.value,
                "to": errand.step.reached,
                "steps_": [part.to_json() for part in steps],
                "current": result.sha256,
            },
        )
        if moved.rowcount != 1:
            raise StateConflict(
                "Quy trình đã đổi trạng thái trong khi ký. / The sequence was changed meanwhile."
            )

    @staticmethod
    def _parts(errand: _Errand, key: WatchedKey, result: BlobInfo) -> list[StepDone]:
        payload = errand.job.payload
        facts: dict[str, JSON] = {}
        if errand.step is Step.LEADER:
            chain = (key.certificate, *key.chain)
            facts = errand.stamps.facts() | {"chain": [_pem(one) for one in chain]}
        return [
            StepDone(
                step=part,
                by=payload["principal"],
                name=payload["name"],
                key=key.label,
                at=errand.at.isoformat(),
                sha256=result.sha256,
                request_id=payload["request"],
                facts=facts,
            )
            for part in errand.step.parts
        ]

    @staticmethod
    def _told(
        errand: _Errand, key: WatchedKey, finished: Finished, result: BlobInfo
    ) -> dict[str, JSON]:
        return {
            "result_sha256": result.sha256,
            "attempt": errand.job.attempt,
            "digests": list(key.digests),
            "key": key.label,
            "fields": [seal.field_name for seal in finished.seals],
            "principal": errand.job.payload["principal"],
            "request_id": errand.job.payload["request"],
        }

    def _publication(
        self,
        errand: _Errand,
        key: WatchedKey,
        finished: Finished,
        result: BlobInfo,
        report: BlobInfo,
    ) -> Publication:
        """The record that the issued document is."""
        sequence, record_id = errand.sequence, errand.sequence.record_id
        if record_id is None:
            raise StateConflict("Chưa cấp số. / The document has no number yet; number it first.")
        evidence = self._shop.put(
            evidence_json(
                record_id,
                finished,
                key,
                self._shop.relied_on(key, errand.at),
                at=errand.at,
                source_sha256=sequence.source_sha256,
                result_sha256=result.sha256,
                report_sha256=report.sha256,
            )
        )
        return Publication(
            record_id=record_id,
            agency_id=sequence.agency_id,
            supersedes=None,
            result_sha256=result.sha256,
            report_sha256=report.sha256,
            evidence_sha256=evidence.sha256,
            result_bytes=result.size_bytes,
            level=sequence.order.level.value,
            published_at=datetime.now(VIETNAM),
            renew_at=self._desk.renew_at(finished),
            actor=f"worker:{errand.job.worker}",
            details=self._told(errand, key, finished, result)
            | {"sequence": sequence.id, "evidence_sha256": evidence.sha256},
        )


def _not_sound(report: VerificationReport) -> SignatureNotValid:
    vi, en = report.sentence
    return SignatureNotValid(
        f"Một chữ ký đã có trên văn bản không hợp lệ nên không làm bước tiếp theo: {vi} Hãy hủy "
        f"quy trình và trình ký lại. / A signature that the document carries is not valid, so the "
        f"next step is refused: {en} Cancel the sequence and have the document signed anew.",
        report=report,
    )


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _context(job: Job, sequence: ClericalSequence) -> dict[str, JSON]:
    return {
        "agency": job.agency_id,
        "principal": job.payload["principal"],
        "purpose": "sequence",
        "subject": sequence.id,
        "attempt": job.attempt,
        "document_sha256": sequence.current_sha256,
        "request_id": job.payload["request"],
    }
