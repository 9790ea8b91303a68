"""Exact bytes of a certificate's parts, as CMS and OCSP compare and hash them.

Re-encoding a Name may change it, so these are cut from the certificate itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from signer import der

# What `cryptography` raises on values that it parses only when they are looked at.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_VERSION_TAG = 0xA0
_CACHED = 1024  # certificates; a service meets few


class CertificateParts(NamedTuple):
    """DER of the fields that identify a certificate and its holder."""

    encoded: bytes  # the whole certificate
    issuer: bytes  # Name
    serial: bytes  # INTEGER
    subject: bytes  # Name
    key_bits: bytes  # content of subjectPublicKey, without the count of unused bits

    @property
    def issuer_and_serial(self) -> bytes:
        """IssuerAndSerialNumber (RFC 5652 10.2.4)."""
        return der.sequence(self.issuer, self.serial)


@lru_cache(maxsize=_CACHED)
def certificate_parts(certificate: x509.Certificate) -> CertificateParts:
    """The parts of `certificate`, which `cryptography` has read as DER already."""
    fields = der.parse(certificate.tbs_certificate_bytes).fields(6)
    if fields[0].tag == _VERSION_TAG:
        del fields[0]
    serial, _, issuer, _, subject, public_key = fields[:6]
    _, key = public_key.pair()
    return CertificateParts(
        certificate.public_bytes(serialization.Encoding.DER),
        issuer.raw,
        serial.raw,
        subject.raw,
        key.expect(der.BIT_STRING).content[1:],
    )
