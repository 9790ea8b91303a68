"""How the test PKI comes by its keys: in a token for users, in memory for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.keys import SignatureScheme, SigningKey

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class BareKey(Protocol):
    """A fresh key pair that has no certificate yet."""

    @property
    def public_key(self) -> PublicKey:
        """The public half, to be certified."""
        ...

    @property
    def scheme(self) -> SignatureScheme:
        """The scheme that `sign_digests` uses."""
        ...

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """As `hsm.keys.SigningKey.sign_digests`; a root signs its own certificate with it."""
        ...

    def install(
        self, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SigningKey:
        """Keep `certificate` beside the key and return the usable signing key."""
        ...


class KeyMaker(Protocol):
    """Makes key pairs, in a token or (in tests) in memory."""

    def __call__(self, label: str, scheme: SignatureScheme) -> BareKey:
        """Make a key pair under `label`; RSA keys have 3072 bits, EC keys use P-256."""
        ...


class KeyLoader(Protocol):
    """Finds a key that an earlier process made."""

    def __call__(
        self, label: str, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SigningKey:
        """The key under `label`, proved to match `certificate`. Raises `hsm.errors.HSMError`."""
        ...
