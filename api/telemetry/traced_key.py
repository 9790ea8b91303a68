"""A signing key whose every use is a span: the step from a job to the key agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

    from api.telemetry.tracing import Tracing
    from hsm.keys import SignatureScheme, SigningKey


@dataclass(frozen=True, slots=True)
class TracedKey:
    """A `SigningKey` around another one. Safe for threads, as that one is."""

    key: SigningKey
    tracing: Tracing
    request_id: str

    @property
    def label(self) -> str:
        """As the key within."""
        return self.key.label

    @property
    def certificate(self) -> x509.Certificate:
        """As the key within."""
        return self.key.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """As the key within."""
        return self.key.chain

    @property
    def scheme(self) -> SignatureScheme:
        """As the key within."""
        return self.key.scheme

    @property
    def is_hardware(self) -> bool:
        """As the key within."""
        return self.key.is_hardware

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """As the key within, in a span that names the key and counts the digests."""
        attributes: dict[str, str | int] = {"key": self.key.label, "digests": len(digests)}
        with self.tracing.span("agent sign", self.request_id, attributes):
            return self.key.sign_digests(digests)
