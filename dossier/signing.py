"""Makes the signatures that were ordered: the handler of jobs of the kind "signature".

    read the source > lay out, hash, sign, timestamp > verify the very bytes > store > publish

The intent was committed when the order was accepted, and the key agent commits one more for each
hash before it signs. Nothing is published but by the swap of the job, so a worker that was
thought dead publishes nothing; what it signed stays unpublished, and the audit log says so.
"""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.database import Database
from dossier.errors import AuditUnavailable, BlobDamaged, StoreError
from dossier.evidence import evidence_json, organisations, report_json
from dossier.holdings import Holdings
from dossier.jobs import Job, JobQueue
from dossier.model import AuditEvent
from dossier.publisher import Publisher, PublishHook, Ready
from dossier.records import Publication, Records, SignatureOrder
from dossier.retrying import error_json
from dossier.sealing import (
    Finished,
    SealOrder,
    SealStep,
    Services,
    require_ours,
    seal_and_verify,
)
from dossier.store import BlobInfo, BlobStore
from dossier.tables import agencies
from hsm.keys import SignatureScheme, SigningKey
from signer.clock import VIETNAM
from signer.errors import CertificateRefused
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import CopyForm
from signer.services import RevocationEvidence, RevocationSource

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
_NAMES_S = 60.0  # how long an agency's name is remembered

KeyFor = Callable[[str, Mapping[str, Any]], SigningKey]
"""The key with a label, bound to a context (`signer.csc.wire.Context`'s fields)."""


def _no_images(label: str) -> StampImages | None:
    del label
    return None


def _no_renewal(finished: Finished) -> datetime | None:
    del finished
    return None


@dataclass(frozen=True, slots=True)
class Desk:
    """What signing works with beside the database: services, keys, images, evidence.

    `images_for` gives the pictures of a key's stamps. `revocation` is the source that the
    sealer asks too, so that it answers from its cache. `renew_at` says when the archive
    timestamp of a finished document should be renewed.
    """

    services: Services
    key_for: KeyFor
    images_for: Callable[[str], StampImages | None] = _no_images
    revocation: RevocationSource | None = None
    renew_at: Callable[[Finished], datetime | None] = _no_renewal


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
        self._database = database
        self._blobs = blobs
        self._audit = audit
        self._desk = desk
        self._insist_s = insist_s
        self._publisher = Publisher(database, jobs, records, holdings, on_published)
        self._names: dict[str, tuple[float, str]] = {}
        self._stopped = threading.Event()

    def __call__(self, job: Job) -> None:
        """Make the record that `job` is for. Raises what `dossier.retrying` judges."""
        order = SignatureOrder.from_json(job.payload["order"])
        key = _Watched(self._desk.key_for(order.key, _context(job)))
        try:
            self._make(job, order, key)
        except Exception as error:
            if key.uses:
                self._explain(job, key.uses, error)
            raise

    def _make(self, job: Job, order: SignatureOrder, key: _Watched) -> None:
        _require_organisation(key, order.expected_agency)
        source = self._blobs.get(job.payload["source"])  # hashed again as it is read
        at = datetime.now(VIETNAM).replace(microsecond=0)
        finished = seal_and_verify(
            source,
            self._seal_order(job, order, key, at),
            self._desk.services,
            judge=require_ours,
        )
        ready = self._store(job, order, key, finished, at)
        self._insist(lambda: self._publisher.publish(ready))

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
            agency=self._agency_name(job.agency_id or ""),
            number_symbol=number_symbol(job.payload["number"] or order.number, order.symbol),
            copy_form=CopyForm[order.copy_form] if order.copy_form else None,
            location=order.location,
        )

    def _store(
        self, job: Job, order: SignatureOrder, key: SigningKey, finished: Finished, at: datetime
    ) -> Ready:
        """Keep result, report and evidence; durable when it returns."""
        assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
        result = self._put(finished.pdf)
        report = self._put(report_json(finished))
        source = job.payload["source"]
        evidence = self._put(
            evidence_json(
                job.subject,
                finished,
                key,
                self._relied_on(key, at),
                at=at,
                source_sha256=source,
                result_sha256=result.sha256,
                report_sha256=report.sha256,
            )
        )
        details = {
            "result_sha256": result.sha256,
            "report_sha256": report.sha256,
            "evidence_sha256": evidence.sha256,
            "attempt": job.attempt,
            "key": order.key,
            "level": order.level.value,
            "request_id": job.payload["request"],
        }
        publication = Publication(
            record_id=job.subject,
            agency_id=job.agency_id or "",
            supersedes=order.supersedes,
            result_sha256=result.sha256,
            report_sha256=report.sha256,
            evidence_sha256=evidence.sha256,
            result_bytes=result.size_bytes,
            level=order.level.value,
            published_at=datetime.now(VIETNAM),
            renew_at=self._desk.renew_at(finished),
            actor=f"worker:{job.worker}",
            details=details,
            batch=_batch_place(job),
            held=bool(job.payload.get("held")),
        )
        return Ready(job, publication, result)

    def _put(self, data: bytes) -> BlobInfo:
        return self._insist(lambda: self._blobs.put(data))

    def _relied_on(self, key: SigningKey, at: datetime) -> RevocationEvidence | None:
        if self._desk.revocation is None:
            return None
        return self._desk.revocation.collect((key.certificate, *key.chain), at)

    def _insist(self, work: Callable[[], T]) -> T:
        """Do what a finished document still needs, waiting for a store that is away."""
        until = time.monotonic() + self._insist_s
        pause = 0.1
        while True:
            try:
                return work()
            except BlobDamaged:
                raise
            except (StoreError, AuditUnavailable):
                if time.monotonic() + pause > until:
                    raise
            self._stopped.wait(pause)
            pause = min(2 * pause, 2.0)

    def _explain(self, job: Job, uses: int, error: Exception) -> None:
        """Say in the audit log why a signature that was made is not published."""
        event = AuditEvent(
            "signature.unpublished",
            f"worker:{job.worker}",
            job.agency_id,
            job.subject,
            {"attempt": job.attempt, "signatures": uses, "error": error_json(error)},
        )
        try:
            self._audit.write(event)
        except (AuditUnavailable, StoreError):  # the agent's chain has the use, with its attempt
            _LOG.exception("%s: a signature stays unpublished", job.subject)

    def _agency_name(self, agency_id: str) -> str:
        until, name = self._names.get(agency_id, (0.0, ""))
        if time.monotonic() < until:
            return name
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(agencies.c.name).where(agencies.c.id == agency_id)
            ).scalar_one()
        self._names[agency_id] = (time.monotonic() + _NAMES_S, str(found))
        return str(found)


def number_symbol(number: int | None, symbol: str | None) -> str | None:
    """Number and symbol as they are written: a number below 10 has a leading 0 (NĐ 30/2020)."""
    return f"{number:02d}/{symbol}" if number is not None and symbol else None


class _Watched:
    """A `SigningKey` that counts the signatures it gave."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.uses = 0
        self.certificate = key.certificate
        self.chain = key.chain
        self.scheme: SignatureScheme = key.scheme

    @property
    def label(self) -> str:
        return self._key.label

    @property
    def is_hardware(self) -> bool:
        return self._key.is_hardware

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        signatures = self._key.sign_digests(digests)
        self.uses += len(signatures)
        return signatures


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


def _require_organisation(key: SigningKey, expected: str | None) -> None:
    """Raise `CertificateRefused` unless the certificate names the agency (K14)."""
    if expected is None:
        return
    named = organisations(key.certificate)
    if _folded(expected) not in {_folded(name) for name in named}:
        raise CertificateRefused(
            f"Chứng thư của khóa “{key.label}” thuộc “{', '.join(named) or 'không rõ'}”, không "
            f"phải “{expected}”; hãy chọn khóa của đúng cơ quan. / The certificate belongs to "
            "another organisation than the expected agency; choose that agency's key."
        )


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
