"""Hand-written stand-ins for what sealing asks of the outside world, and a sealed document.

`FakeTimestamper` and `FakeRevocation` answer at once and can be told to fail the way the real
ones fail; tests that need real tokens use `test_pki`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cryptography import x509

from signer.errors import RevocationError, TimestampError
from signer.services import RevocationEvidence


class FakeTimestamper:
    """Passes requests on to a real timestamper, and can lie about size, bytes, or be down."""

    def __init__(self, real) -> None:
        self._real = real
        self.requests = 0
        self.down_after: int | None = None
        self.size_hint_is: int | None = None
        self.stamps_something_else = False
        self.answers: bytes | None = None

    @property
    def size_hint(self) -> int:
        return self._real.size_hint if self.size_hint_is is None else self.size_hint_is

    def timestamp(self, imprint: bytes, digest_name: str = "sha256") -> bytes:
        if self.down_after is not None and self.requests >= self.down_after:
            raise TimestampError("the TSA does not answer")
        self.requests += 1
        if self.answers is not None:
            return self.answers
        if self.stamps_something_else:
            imprint = imprint[::-1]
        return self._real.timestamp(imprint, digest_name)


class FakeRevocation:
    """Gives out what it was told, and notes the chains it was asked about."""

    def __init__(self, evidence: RevocationEvidence | None = None) -> None:
        self.evidence = evidence or RevocationEvidence((), (b"crl",), (b"ocsp",))
        self.asked: list[list[x509.Certificate]] = []
        self.down = False

    def collect(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> RevocationEvidence:
        assert at.tzinfo is not None
        if self.down:
            raise RevocationError("no OCSP response and no CRL")
        self.asked.append(list(chain))
        return self.evidence
