"""What making signatures takes beside the database: keys, services, and patience.

Shared by the handlers that sign records, steps of sequences, lists and sheets of batches.
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
from dossier.errors import AuditUnavailable, BlobDamaged, StoreError
from dossier.model import AuditEvent
from dossier.printout.issuing import CodePrinter
from dossier.queue.jobs import Job
from dossier.queue.retrying import error_json
from dossier.signing.evidence import organisations
from dossier.signing.sealing import Finished, Services
from dossier.storage.database import Database
from dossier.storage.store import BlobInfo, BlobStore
from dossier.storage.tables import agencies
from hsm.errors import AnswerLost, HSMError, SignatureFault
from hsm.keys import SignatureScheme, SigningKey
from signer.errors import CertificateRefused, SignerError
from signer.sealing.appearance.pictures import StampImages
from signer.services import RevocationEvidence, RevocationSource, Timestamper

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
    timestamp of a finished document should be renewed. `timestamper` is for what is no PDF: the
    lists of batches; the sealer has its own. `code_printer` makes the codes on printouts; None: no
    document gets one.
    """

    services: Services
    key_for: KeyFor
    images_for: Callable[[str], StampImages | None] = _no_images
    revocation: RevocationSource | None = None
    renew_at: Callable[[Finished], datetime | None] = _no_renewal
    timestamper: Timestamper | None = None
    code_printer: CodePrinter | None = None


class Workshop:
    """Tools of one process's handlers; safe for its threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        audit: AuditLog,
        desk: Desk,
        *,
        insist_s: float = 30.0,
    ) -> None:
        """`insist_s`: how long finished work waits for a database or store that is away."""
        self._database = database
        self._blobs = blobs
        self._audit = audit
        self._desk = desk
        self._insist_s = insist_s
        self._names: dict[str, tuple[float, str]] = {}
        self._stopped = threading.Event()

    def put(self, data: bytes) -> BlobInfo:
        """Keep the bytes; durable when it returns. Raises `StoreError` when patience ends."""
        return self.insist(lambda: self._blobs.put(data))

    def relied_on(self, key: SigningKey, at: datetime) -> RevocationEvidence | None:
        """The revocation evidence that the sealer asked for, from its cache."""
        if self._desk.revocation is None:
            return None
        return self._desk.revocation.collect((key.certificate, *key.chain), at)

    def insist(self, work: Callable[[], T]) -> T:
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

    def explain(self, job: Job, key: WatchedKey, error: Exception) -> None:
        """Say in the audit log why what `key` signed, if anything, is not published."""
        if not key.digests:
            return
        try:
            self.insist(lambda: self._audit.write(unpublished(job, key, error)))
        except (AuditUnavailable, StoreError):  # the agent's chain has the use, with its attempt
            _LOG.exception("%s: a signature stays unpublished", job.subject)

    def agency_name(self, agency_id: str) -> str:
        """The agency's name as its stamps say it."""
        until, name = self._names.get(agency_id, (0.0, ""))
        if time.monotonic() < until:
            return name
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(agencies.c.name).where(agencies.c.id == agency_id)
            ).scalar_one()
        self._names[agency_id] = (time.monotonic() + _NAMES_S, str(found))
        return str(found)


def unpublished(job: Job, key: WatchedKey, error: Exception) -> AuditEvent:
    """What the audit log says of signatures that were made, or may have been, for nothing."""
    return AuditEvent(
        "signature.unpublished",
        f"worker:{job.worker}",
        job.agency_id,
        job.subject,
        {
            "attempt": job.attempt,
            "digests": list(key.digests),
            "key": key.label,
            "signatures": len(key.digests),
            "error": error_json(error),
        },
    )


class WatchedKey:
    """A `SigningKey` that remembers what it signed, or may have signed.

    `digests` (hex) holds what the key agent was asked for, answered or not; a refusal and a
    fault that the service itself told of are none. They go into the audit log, where
    `dossier.audit.explain` matches them, one by one, to the agent's intents.
    """

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.digests: list[str] = []
        self.certificate = key.certificate
        self.chain = key.chain
        self.scheme: SignatureScheme = key.scheme

    def beside(self, other: WatchedKey) -> WatchedKey:
        """This key, its uses told together with those of `other`: one document, two keys."""
        self.digests = other.digests
        return self

    @property
    def label(self) -> str:
        return self._key.label

    @property
    def is_hardware(self) -> bool:
        return self._key.is_hardware

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        asked = [digest.hex() for digest in digests]
        before = len(self.digests)
        self.digests += asked
        try:
            return self._key.sign_digests(digests)
        except (HSMError, SignerError) as error:
            # of several some may have been signed; of one, the agent's chain says it was not
            if len(asked) == 1 and not isinstance(error, AnswerLost | SignatureFault):
                del self.digests[before:]
            raise


def require_organisation(key: SigningKey, expected: str | None) -> None:
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
