"""Raises signatures to LT and LTA, and renews archive timestamps (EN 319 142-1 clause 5.4, 6).

A signature timestamp (B-T) can only be added while signing: it lies inside the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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
from signer.sealing.signeddata import SignedData, load_certificate, order_chain, parse_signed_data
from signer.sealing.syntax import Value, entry
from signer.services import RevocationEvidence, RevocationSource, Timestamper

TIMESTAMP_DIGEST = "sha256"
_TOKEN_HEADROOM = 512  # a serial number or an accuracy may be longer next time


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
        known_certificates: Collection[x509.Certificate] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._timestamper = timestamper
        self._revocation = revocation
        self._known = known_certificates
        self._clock = clock

    def require(self, level: Level) -> None:
        """Raise `PolicyRefused` when a collaborator that the level needs is missing."""
        if level.timestamped:
            self.timestamper_for(level)
        if level.long_term:
            self._revocation_for(level)

    def timestamper_for(self, level: Level) -> Timestamper:
        """The timestamping authority. Raises `PolicyRefused` when there is none."""
        if self._timestamper is None:
            raise PolicyRefused(
                f"Mức {level.value} cần máy chủ dấu thời gian; hãy cấu hình TSA hoặc chọn B-B. / "
                f"Level {level.value} needs a timestamping authority: configure one or choose B-B."
            )
        return self._timestamper

    def _revocation_for(self, level: Level) -> RevocationSource:
        if self._revocation is None:
            raise PolicyRefused(
                f"Mức {level.value} cần OCSP hoặc CRL; hãy cấu hình nguồn hoặc chọn B-T. / Level "
                f"{level.value} needs OCSP or CRLs: configure a source or choose B-T."
            )
        return self._revocation

    def extend(self, source: Path, target: Path, level: Level = Level.B_LTA) -> AugmentResult:
        """Write `source`, raised to `level` (B-LT or B-LTA), to `target` (may be the same).

        Raises `PolicyRefused`, `UnsuitableDocument`, `RevocationError`, `TimestampError`.
        """
        if not level.long_term:
            raise PolicyRefused(
                f"Không nâng được chữ ký đã có lên {level.value}; hãy chọn B-LT hoặc B-LTA. / A "
                f"finished signature cannot be raised to {level.value}; choose B-LT or B-LTA."
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
        covered = self._add_evidence(run, self._revocation_for(level))
        field = None
        if level is Level.B_LTA:
            field = _timestamp_document(run, self.timestamper_for(level))
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
                    "Tài liệu chưa có chữ ký nào để duy trì; hãy ký trước. / The document carries "
                    "no signature to preserve; seal it first."
                )
            return step(run)

    def _add_evidence(self, run: SealingRun, revocation: RevocationSource) -> tuple[str, ...]:
        """Evidence for every signature and timestamp without a VRI entry, in one revision."""
        store = SecurityStore(run.source, run.revisions)
        at = self._clock()
        covered = []
        for field in run.fields.signed:
            contents = _contents(run, field)
            if store.covers(contents):
                continue
            evidence = RevocationEvidence((), (), ())
            for chain in self._chains(field.name, contents, store.certificates):
                evidence = evidence.merged(revocation.collect(chain, at))
            store.add(contents, evidence)
            covered.append(field.name)
        if covered:
            run.revisions.commit()
        return tuple(covered)

    def _chains(
        self, name: str, contents: bytes, stored: Sequence[bytes]
    ) -> Iterator[list[x509.Certificate]]:
        """The chain of a signature's certificate, and that of its timestamp's."""
        pending: bytes | None = contents
        while pending is not None:
            try:
                signed = parse_signed_data(pending)
                chain = self._chain(signed, stored)
            except ValueError as error:
                raise UnsuitableDocument(
                    f"Không đọc được chữ ký trong trường “{name}” ({error}); hãy ký lại tài liệu. "
                    f"/ The signature cannot be read ({error}) and so not preserved; have the "
                    "document signed again."
                ) from error
            yield chain
            pending = signed.timestamp_token

    def _chain(self, signed: SignedData, stored: Sequence[bytes]) -> list[x509.Certificate]:
        known = [*map(load_certificate, stored), *self._known]
        leaf = signed.signer_certificate(known)
        if leaf is None:
            raise ValueError("its signer's certificate is missing")
        carried = map(load_certificate, signed.certificates)
        return order_chain(leaf, (*carried, *known))


def _timestamp_document(run: SealingRun, timestamper: Timestamper) -> str:
    """Append a document timestamp over all that is there (EN 319 142-1 5.4.3)."""
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
                f"Dấu thời gian dài {len(token)} byte, chỉ dành {reserved}; hãy thử lại. / The "
                f"timestamp has {len(token)} bytes, {reserved} were reserved. Nothing was "
                "released; its size is known now, so try again."
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
            f"Chữ ký trong trường “{field.name}” rỗng; hãy ký lại tài liệu. / The signature has no "
            "contents and cannot be preserved; have the document signed again."
        )
    return bytes(contents)
