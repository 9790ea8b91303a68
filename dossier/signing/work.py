"""Makes the signatures that were ordered: the handler of jobs of the kind "signature".

    read the source > lay out, hash, sign, timestamp > verify the very bytes > store > publish

The intent was committed when the order was accepted, and the key agent commits one more for each
hash before it signs. Nothing is published but by the swap of the job, so a worker that was
thought dead publishes nothing; what it signed stays unpublished, and the audit log says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder
from dossier.printout.issuing import PrintedCode, ResultFacts, make_code
from dossier.queue.jobs import Job, JobQueue
from dossier.register.codes import printed
from dossier.signing.evidence import KeptValues, evidence_json, report_json
from dossier.signing.publisher import Publisher, PublishHook, Ready
from dossier.signing.records import Publication, Records, SignatureOrder
from dossier.signing.sealing import Finished, SealOrder, SealStep, require_ours, seal_and_verify
from dossier.signing.workshop import Desk, KeyFor, WatchedKey, Workshop, require_organisation
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SMALL_BYTES, SmallBlobs
from dossier.storage.store import BlobStore, digest_of
from hsm.keys import SigningKey
from signer.clock import VIETNAM
from signer.sealing.appearance.plan import CopyForm
from signer.services import RevocationEvidence

__all__ = ["Desk", "KeyFor", "SigningWork"]

_LAST_SECOND = time(23, 59, 59)


class SigningWork:
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
        """`insist_s`: how long a finished document waits for a database or store that is away.

        It is not thrown away meanwhile: signing it again would use the key again.
        """
        self._shop = Workshop(database, blobs, audit, desk, insist_s=insist_s)
        self._blobs = blobs
        self._desk = desk
        self._values = KeptValues(database, blobs, holdings)
        self._small = blobs if isinstance(blobs, SmallBlobs) else None
        self._publisher = Publisher(database, jobs, records, holdings, on_published, self._small)

    def __call__(self, job: Job) -> None:
        """Make the record that `job` is for. Raises what `dossier.queue.retrying` judges."""
        order = SignatureOrder.from_json(job.payload["order"])
        key = WatchedKey(self._desk.key_for(order.key, _context(job)))
        try:
            with self._publisher.making():
                self._make(job, order, key)
        except Exception as error:
            self._shop.explain(job, key, error)
            raise

    def _make(self, job: Job, order: SignatureOrder, key: WatchedKey) -> None:
        require_organisation(key, order.expected_agency)
        source = self._blobs.get(job.payload["source"])  # hashed again as it is read
        at = datetime.now(VIETNAM).replace(microsecond=0)
        # before the key is used: what cannot be had would waste a signature
        relied_on = self._shop.relied_on(key, at)
        if relied_on is not None:
            self._values.keep(job.agency_id or "", relied_on)
        sealing = self._seal_order(job, order, key, at)
        if self._wants_code(order):
            sealing = replace(sealing, code=self._code(job, order, key, at))
        finished = seal_and_verify(
            source,
            sealing,
            self._desk.services,
            judge=require_ours,
        )
        ready = self._store(job, order, key, finished, relied_on, at)
        self._shop.insist(lambda: self._publisher.publish(ready))

    def _seal_order(
        self, job: Job, order: SignatureOrder, key: SigningKey, at: datetime
    ) -> SealOrder:
        images = self._desk.images_for(order.key)
        steps = tuple(
            SealStep(
                role=order.key,
                key=key,
                profile=profile,
                images=images,
                reason=order.reason,
                field_name=order.field_name,
            )
            for profile in order.profiles or (None,)
        )
        return SealOrder(
            steps=steps,
            level=order.level,
            at=at,
            agency=self._shop.agency_name(job.agency_id or ""),
            number_symbol=number_symbol(job.payload["number"] or order.number, order.symbol),
            copy_form=CopyForm[order.copy_form] if order.copy_form else None,
            location=order.location,
        )

    def _wants_code(self, order: SignatureOrder) -> bool:
        """Whether a code is printed. Raises `InvalidOrder` for one that nobody can make."""
        printer = self._desk.code_printer
        if order.proof_code and printer is None:
            raise InvalidOrder(
                "Hệ thống chưa có khóa ký mã QR; hãy bỏ proof_code hoặc cấu hình keys.proof. / "
                "This installation has no key for codes; leave proof_code out, or configure it.",
                field="proof_code",
            )
        if order.proof_code is None:
            return printer is not None and printer.always
        return order.proof_code

    def _code(
        self, job: Job, order: SignatureOrder, key: WatchedKey, at: datetime
    ) -> PrintedCode | None:
        """The code of the result, signed; its use of a key is told with the document's own."""
        printer = self._desk.code_printer
        if printer is None:
            return None
        context = _context(job) | {"purpose": "proof"}
        signing = WatchedKey(self._desk.key_for(printer.key_label, context)).beside(key)
        until = order.valid_until
        facts = ResultFacts(
            issuer=self._shop.agency_name(job.agency_id or ""),
            code=job.payload["code"],
            printed_code=printed(job.payload["code"]),
            source_sha256=job.payload["source"],
            at=at,
            number=number_symbol(job.payload["number"] or order.number, order.symbol),
            decided_on=order.decided_on,
            holder=order.holder,
            valid_until=None if until is None else datetime.combine(until, _LAST_SECOND, VIETNAM),
        )
        return make_code(facts, signing, printer.printing)

    def _store(
        self,
        job: Job,
        order: SignatureOrder,
        key: WatchedKey,
        finished: Finished,
        relied_on: RevocationEvidence | None,
        at: datetime,
    ) -> Ready:
        """Keep result, report and evidence; durable when it returns."""
        assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
        result = self._shop.put(finished.pdf)
        report = report_json(finished)
        evidence = evidence_json(
            job.subject,
            finished,
            key,
            relied_on,
            at=at,
            source_sha256=job.payload["source"],
            result_sha256=result.sha256,
            report_sha256=digest_of(report),
        )
        details: dict[str, Any] = {
            "result_sha256": result.sha256,
            "report_sha256": digest_of(report),
            "evidence_sha256": digest_of(evidence),
            "attempt": job.attempt,
            "digests": key.digests,
            "key": order.key,
            "level": order.level.value,
            "request_id": job.payload["request"],
        }
        publication = Publication(
            record_id=job.subject,
            agency_id=job.agency_id or "",
            supersedes=order.supersedes,
            result_sha256=result.sha256,
            report_sha256=details["report_sha256"],
            evidence_sha256=details["evidence_sha256"],
            result_bytes=result.size_bytes,
            level=order.level.value,
            published_at=datetime.now(VIETNAM),
            renew_at=self._desk.renew_at(finished),
            actor=f"worker:{job.worker}",
            details=details,
            batch=_batch_place(job),
            held=bool(job.payload.get("held")),
        )
        return Ready(job, publication, result, self._papers(report, evidence))

    def _papers(self, *papers: bytes) -> tuple[bytes, ...]:
        """Those that are kept when the record is published; the others are put now."""
        is_small = [self._small is not None and len(data) <= SMALL_BYTES for data in papers]
        for data, small in zip(papers, is_small, strict=True):
            if not small:
                self._shop.put(data)
        return tuple(data for data, small in zip(papers, is_small, strict=True) if small)


def number_symbol(number: int | None, symbol: str | None) -> str | None:
    """Number and symbol as they are written: a number below 10 has a leading 0 (NĐ 30/2020)."""
    return f"{number:02d}/{symbol}" if number is not None and symbol else None


def _batch_place(job: Job) -> tuple[str, int] | None:
    place = job.payload.get("batch")
    return (str(place[0]), int(place[1])) if place else None


def _context(job: Job) -> dict[str, Any]:
    return {
        "agency": job.agency_id,
        "principal": job.payload["principal"],
        "purpose": "document",
        "subject": job.subject,
        "attempt": job.attempt,
        "document_sha256": job.payload["source"],
        "request_id": job.payload["request"],
    }
