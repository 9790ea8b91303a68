"""Certificates and CRLs signed through a `SigningKey` (RFC 5280): the key never leaves its token.

`cryptography` encodes names, keys and extensions; its builders want the private key itself,
so the outer structures are put together here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import signature_algorithm
from signer.insecure_testpki.keys import PublicKey

_VERSION_3 = der.explicit(0, der.integer(2))
_VERSION_2 = der.integer(1)


class DigestSigner(Protocol):
    """What `SigningKey` and `BareKey` share."""

    @property
    def scheme(self) -> SignatureScheme:
        """The scheme of `sign_digests`."""
        ...

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign digests made with the scheme's digest."""
        ...


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One revokedCertificates entry; times are aware and in whole seconds."""

    serial: int
    at: dt.datetime
    reason: x509.ReasonFlags | None = None


def sign_value(signer: DigestSigner, to_be_signed: bytes, *more: bytes) -> bytes:
    """``SEQUENCE { toBeSigned, AlgorithmIdentifier, BIT STRING, more… }`` (X.509, CRL, OCSP)."""
    digest = hashlib.new(signer.scheme.digest_name, to_be_signed).digest()
    (signature,) = signer.sign_digests([digest])
    return der.sequence(
        to_be_signed, signature_algorithm(signer.scheme), der.bit_string(signature), *more
    )


def extensions(values: Iterable[tuple[x509.ExtensionType, bool]]) -> bytes:
    """``Extensions`` of (value, critical) pairs."""
    return der.sequence(
        *(
            der.sequence(
                der.oid(value.oid.dotted_string),
                *([der.boolean(True)] if critical else []),
                der.octet_string(value.public_bytes()),
            )
            for value, critical in values
        )
    )


def build_certificate(
    *,
    subject: x509.Name,
    public_key: PublicKey,
    issuer: x509.Name,
    signer: DigestSigner,
    serial: int,
    not_before: dt.datetime,
    not_after: dt.datetime,
    values: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """A version 3 certificate over `public_key`, signed by `signer` in the name of `issuer`."""
    info = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    to_be_signed = der.sequence(
        _VERSION_3,
        der.integer(serial),
        signature_algorithm(signer.scheme),
        issuer.public_bytes(),
        der.sequence(der.x509_time(not_before), der.x509_time(not_after)),
        subject.public_bytes(),
        info,
        der.explicit(3, extensions(values)),
    )
    return x509.load_der_x509_certificate(sign_value(signer, to_be_signed))


def build_crl(
    *,
    issuer: x509.Name,
    signer: DigestSigner,
    this_update: dt.datetime,
    next_update: dt.datetime,
    revoked: Sequence[RevokedEntry],
    values: Iterable[tuple[x509.ExtensionType, bool]],
) -> bytes:
    """A DER CertificateList of version 2."""
    entries = [
        der.sequence(
            der.integer(entry.serial),
            der.x509_time(entry.at),
            *([extensions([(x509.CRLReason(entry.reason), False)])] if entry.reason else []),
        )
        for entry in revoked
    ]
    to_be_signed = der.sequence(
        _VERSION_2,
        signature_algorithm(signer.scheme),
        issuer.public_bytes(),
        der.x509_time(this_update),
        der.x509_time(next_update),
        *([der.sequence(*entries)] if entries else []),  # absent when empty (RFC 5280 5.1.2.6)
        der.explicit(0, extensions(values)),
    )
    return sign_value(signer, to_be_signed)
