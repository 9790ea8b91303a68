"""Raises signatures to LT and LTA, and renews archive timestamps (EN 319 142-1 clause 5.4, 6).

A signature timestamp (B-T) can only be added while signing: it lies inside the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
from cryptography import x509

from signer.errors import PolicyRefused, ReservationTooSmall, UnsuitableDocument
from signer.sealing.check import check_timestamp
from signer.sealing.fields import INVISIBLE, SignatureField, signature_value
from signer.sealing.levels import Level
from signer.sealing.release import opened, released
from signer.sealing.securitystore import SecurityStore
from signer.sealing.session import SealingRun, sealing_run
from signer.sealing.signeddata import SignedData, der_of, order_chain, parse
from signer.sealing.syntax import Value, entry
from signer.services import RevocationEvidence, RevocationSource, Timestamper

TIMESTAMP_DIGEST = "sha256"
_TOKEN_HEADROOM = 512  # a serial number, an accuracy or a fresh OCSP-free chain may grow a little


def now() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AugmentResult:
    """What was added to a document."""

    evidence_for: tuple[str, ...]  # fields whose signatures got revocation evidence
    timestamp_field: str | None  # the document timestamp


class Augmenter:
    """Adds evidence and document timestamps to documents that are signed already.

    `known_certificates` complete chains that signatures and tokens do not carry whole. Safe
    for several threads when its collaborators are.
    """

    def __init__(
        self,
        timestamper: Timestamper | None = None,
        revocation: RevocationSource | None = None,
        *,
        known_certificates: Iterable[x509.Certificate] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.timestamper = timestamper
        self.revocation = revocation
        self._known = tuple(known_certificates)
        self._clock = clock

    def require(self, level: Level) -> None:
        """Raise `PolicyRefused` when a collaborator that the level needs is missing."""
        if self.timestamper is None and level.timestamped:
            raise PolicyRefused(
                f"Level {level.value} needs a timestamping authority; configure one, or choose B-B."
            )
        if self.revocation is None and level.long_term:
            raise PolicyRefused(
                f"Level {level.value} needs OCSP or CRLs; configure a source, or seal at B-T."
            )

    def extend(self, source: Path, target: Path, level: Level = Level.B_LTA) -> AugmentResult:
        """Write `source`, raised to `level` (B-LT or B-LTA), to `target` (may be the same).

        Raises `PolicyRefused`, `UnsuitableDocument`, `RevocationError`, `TimestampError`.
        """
        if not level.long_term:
            raise PolicyRefused(
                f"A finished signature cannot be raised to {level.value}; choose B-LT or B-LTA."
            )
        self.require(level)
        return self._augment(source, target, lambda run: self.raise_level(run, level))

    def renew(self, source: Path, target: Path) -> AugmentResult:
        """Collect evidence for the last document timestamp and add a new one over it all.

        To be done while the last timestamp's certificate is valid and its algorithms are strong
        (EN 319 142-1 annex A.2 gives the order). Raises as `extend`.
        """
        self.require(Level.B_LTA)
        return self._augment(source, target, lambda run: self.raise_level(run, Level.B_LTA))

    def raise_level(self, run: SealingRun, level: Level) -> AugmentResult:
        """Append the DSS revision and, for B-LTA, the document timestamp's revision."""
        covered = self._add_evidence(run)
        field = self._timestamp_document(run) if level is Level.B_LTA else None
        return AugmentResult(covered, field)

    def _augment(
        self, source: Path, target: Path, step: Callable[[SealingRun], AugmentResult]
    ) -> AugmentResult:
        with (
            opened(source) as source_fd,
            released(target) as target_fd,
            sealing_run(source_fd, target_fd, [TIMESTAMP_DIGEST]) as run,
        ):
            if not run.fields.signed:
                raise UnsuitableDocument(
                    "The document carries no signature to preserve; seal it first."
                )
            return step(run)

    def _add_evidence(self, run: SealingRun) -> tuple[str, ...]:
        """Evidence for every signature and timestamp without a VRI entry, in one revision."""
        store = SecurityStore(run.source, run.revisions)
        at = self._clock()
        covered = []
        for field in run.fields.signed:
            contents = _contents(run, field)
            if store.covers(contents):
                continue
            store.add(contents, self._evidence(field.name, contents, store.certificates, at))
            covered.append(field.name)
        if covered:
            run.revisions.commit()
        return tuple(covered)

    def _evidence(
        self, name: str, contents: bytes, stored: list[bytes], at: datetime
    ) -> RevocationEvidence:
        """Evidence for a signature's chain and for that of its timestamp."""
        if self.revocation is None:  # `require` has refused before
            raise PolicyRefused("Revocation evidence needs a source; configure OCSP or CRLs.")
        found = RevocationEvidence((), (), ())
        pending: bytes | None = contents
        while pending is not None:
            try:
                signed = parse(pending)
                chain = self._chain(signed, stored)
            except ValueError as error:
                raise UnsuitableDocument(
                    f"The signature in field {name} cannot be read ({error}); it cannot be "
                    "preserved."
                ) from error
            found = found.merged(self.revocation.collect(chain, at))
            pending = signed.timestamp_token
        return found

    def _chain(self, signed: SignedData, stored: list[bytes]) -> list[x509.Certificate]:
        leaf = signed.signer_certificate((*stored, *map(der_of, self._known)))
        if leaf is None:
            raise ValueError("its signer's certificate is missing")
        pool = [x509.load_der_x509_certificate(der) for der in (*signed.certificates, *stored)]
        return order_chain(x509.load_der_x509_certificate(leaf), (*pool, *self._known))

    def _timestamp_document(self, run: SealingRun) -> str:
        """Append a document timestamp over all that is there (EN 319 142-1 5.4.3)."""
        timestamper = self.timestamper
        if timestamper is None:  # `require` has refused before
            raise PolicyRefused("A document timestamp needs a timestamping authority.")
        name = run.fields.unused_name("Timestamp")
        ref = run.revisions.allocate()
        run.fields.fill(run.fields.create(name, 0, INVISIBLE), ref, None)
        entries: dict[str, Value] = {
            "/Type": b"/DocTimeStamp",
            "/Filter": b"/Adobe.PPKLite",
            "/SubFilter": b"/ETSI.RFC3161",
        }
        reserved = token_room(timestamper)

        def fill(digest: bytes) -> bytes:
            token = timestamper.timestamp(digest, TIMESTAMP_DIGEST)
            if len(token) > reserved:
                raise ReservationTooSmall(
                    f"The timestamp has {len(token)} bytes, but {reserved} were reserved. Nothing "
                    "was released; its size is known now, so try again."
                )
            return token

        written = run.commit_signature(ref, entries, reserved, TIMESTAMP_DIGEST, fill)
        check_timestamp(written.contents, written.digest)
        return name


def token_room(timestamper: Timestamper) -> int:
    """Bytes to reserve for one token."""
    return timestamper.size_hint + _TOKEN_HEADROOM


def _contents(run: SealingRun, field: SignatureField) -> bytes:
    """The /Contents value of a signature, of this run or of the document as it came."""
    if field.signature in run.contents:
        return run.contents[field.signature]
    contents = entry(signature_value(run.source, field), "/Contents")
    if not isinstance(contents, pikepdf.String):
        raise UnsuitableDocument(
            f"The signature in field {field.name} has no contents; it cannot be preserved."
        )
    return bytes(contents)
