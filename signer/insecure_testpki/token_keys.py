"""The test PKI's keys in a PKCS#11 token, where the embedded default keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hsm import provision
from hsm.keys import SignatureScheme, SigningKey
from hsm.token import Token
from signer.insecure_testpki.keys import BareKey, PublicKey


class TokenKeys:
    """Makes (`make`) and finds (`load`) keys of one token, for `InsecureTestPKI`."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def make(self, label: str, scheme: SignatureScheme) -> BareKey:
        """A `signer.insecure_testpki.KeyMaker`. Raises `hsm.errors.HSMError`."""
        ecdsa = scheme.family == "ecdsa"
        kind = provision.KeyKind.P_256 if ecdsa else provision.KeyKind.RSA_3072
        provision.create(self._token, label, kind)
        return _TokenBareKey(self._token, label, scheme)

    def load(
        self, label: str, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SigningKey:
        """A `signer.insecure_testpki.KeyLoader`. Raises `hsm.errors.HSMError`."""
        return self._token.signing_key(label, certificate=certificate, chain=chain)


class _TokenBareKey:
    def __init__(self, token: Token, label: str, scheme: SignatureScheme) -> None:
        self._token = token
        self._label = label
        self._key = token.private_key(label, scheme)
        self.scheme = scheme

    @property
    def public_key(self) -> PublicKey:
        return self._key.public_key

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        return self._key.sign_digests(digests)

    def install(
        self, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SigningKey:
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (certificate, *chain))
        provision.import_certificates(self._token, self._label, pem)
        return self._token.signing_key(
            self._label, self.scheme, certificate=certificate, chain=chain
        )
