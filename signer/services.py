"""What sealing asks of the outside world: timestamps and revocation evidence.

Protocols and values only; `signer.timestamp` and `signer.revocation` hold the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509


class Timestamper(Protocol):
    """A time-stamping authority (RFC 3161). Safe to call from several threads."""

    @property
    def size_hint(self) -> int:
        """Upper estimate in bytes of a token, learned from earlier ones."""
        ...

    def timestamp(self, imprint: bytes, digest_name: str = "sha256") -> bytes:
        """Return a DER TimeStampToken over `imprint`, its nonce and imprint checked.

        Blocking, exactly one request. Raises `signer.errors.TimestampError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class RevocationEvidence:
    """DER values for a DSS dictionary (ETSI EN 319 142-1 5.4.2), without duplicates."""

    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsps: tuple[bytes, ...]  # OCSPResponse (RFC 6960), not BasicOCSPResponse

    def merged(self, other: RevocationEvidence) -> RevocationEvidence:
        """The union of both, in a stable order."""
        return RevocationEvidence(
            tuple(dict.fromkeys(self.certificates + other.certificates)),
            tuple(dict.fromkeys(self.crls + other.crls)),
            tuple(dict.fromkeys(self.ocsps + other.ocsps)),
        )


class RevocationSource(Protocol):
    """Collects OCSP responses and CRLs; cached for their validity window. Thread-safe."""

    def collect(self, chain: Sequence[x509.Certificate], at: datetime) -> RevocationEvidence:
        """Evidence for each certificate of `chain` (end entity first) but trust anchors.

        Includes the certificates of `chain` and those of OCSP responders. `at` is aware.
        Raises `signer.errors.RevocationError` when a certificate that needs evidence has
        none, and `signer.errors.CertificateRefused` when one is revoked.
        """
        ...
