"""What a signing key is: the types that every other floor signs with."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from cryptography import x509


class SignatureScheme(enum.Enum):
    """A signature algorithm with its digest, as TT 15/2025 1.2-1.3 allows them (no SHA-1)."""

    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"  # MGF1 with the same digest, salt as long as the digest
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"

    @property
    def digest_name(self) -> str:
        """The digest as `hashlib` names it: ``sha256``, ``sha384`` or ``sha512``."""
        return self.value.rsplit("-", 1)[1]

    @property
    def family(self) -> str:
        """``rsa-pkcs1``, ``rsa-pss`` or ``ecdsa``."""
        return self.value.rsplit("-", 1)[0]


class SigningKey(Protocol):
    """A private key in a token, together with the certificate proved to match it.

    Implementations are safe to call from several threads at once.
    """

    @property
    def label(self) -> str:
        """The key's CKA_LABEL, for messages and audit records."""
        ...

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate; its public key was proved to match when the key was loaded."""
        ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Issuers of `certificate`, nearest first; the root may be absent."""
        ...

    @property
    def scheme(self) -> SignatureScheme:
        """The scheme that `sign_digests` uses."""
        ...

    @property
    def is_hardware(self) -> bool:
        """False for software tokens, which production settings refuse (S11)."""
        ...

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign digests already computed with ``scheme.digest_name``; blocking.

        Each signature has the form that CMS wants (RSA: the octet string, ECDSA: a DER
        ``Ecdsa-Sig-Value``, RFC 5753) and was verified against `certificate` before it is
        returned. Raises `hsm.errors.HSMError`; then no signature of the batch is returned.
        """
        ...
