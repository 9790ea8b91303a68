"""CMS SignedData for PAdES (RFC 5652; ETSI EN 319 122-1, EN 319 142-1): the hot path.

Per key only two values change from signature to signature, the message digest and the
signature; everything else is encoded once. No signing-time attribute: PAdES keeps the claimed
time in /M (EN 319 142-1 6.3).
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from hsm.keys import SignatureScheme, SigningKey
from signer.errors import PolicyRefused, ReservationTooSmall
from signer.sealing.der import NULL, OCTET_STRING, integer, oid, sequence, set_of, tlv
from signer.sealing.signeddata import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNATURE_TIME_STAMP,
    SIGNED_DATA,
    issuer_and_serial,
)

DATA = oid("1.2.840.113549.1.7.1")
_SIGNING_CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.47")
_MGF1 = oid("1.2.840.113549.1.1.8")
_RSASSA_PSS = oid("1.2.840.113549.1.1.10")

DIGESTS = {
    "sha256": oid("2.16.840.1.101.3.4.2.1"),
    "sha384": oid("2.16.840.1.101.3.4.2.2"),
    "sha512": oid("2.16.840.1.101.3.4.2.3"),
}
_RSA_PKCS1 = {
    "sha256": oid("1.2.840.113549.1.1.11"),
    "sha384": oid("1.2.840.113549.1.1.12"),
    "sha512": oid("1.2.840.113549.1.1.13"),
}
_ECDSA = {
    "sha256": oid("1.2.840.10045.4.3.2"),
    "sha384": oid("1.2.840.10045.4.3.3"),
    "sha512": oid("1.2.840.10045.4.3.4"),
}

_TIMESTAMP_OVERHEAD = 64  # the unsigned attribute around a token, and longer length octets
_MARGIN = 32  # length octets of the outer structures


class CMSBuilder:
    """Builds the SignedData of one key. Immutable after construction, safe for threads."""

    def __init__(
        self,
        certificate: x509.Certificate,
        chain: tuple[x509.Certificate, ...],
        scheme: SignatureScheme,
    ) -> None:
        der = certificate.public_bytes(Encoding.DER)
        digest_algorithm = sequence(DIGESTS[scheme.digest_name])
        # ESSCertIDv2 with its default hash SHA-256 (RFC 5035 4): whatever the scheme's digest.
        ess = sequence(sequence(sequence(tlv(OCTET_STRING, hashlib.sha256(der).digest()))))
        self._content_type = sequence(CONTENT_TYPE, set_of([DATA]))
        self._signing_certificate = sequence(_SIGNING_CERTIFICATE_V2, set_of([ess]))
        self._before_attributes = b"".join((integer(1), issuer_and_serial(der), digest_algorithm))
        self._signature_algorithm = signature_algorithm(scheme)
        # A root is known to whoever trusts it; carrying it would only make files larger.
        issuers = [c.public_bytes(Encoding.DER) for c in chain if c.subject != c.issuer]
        self._before_signer_infos = b"".join(
            (
                integer(1),
                set_of([digest_algorithm]),
                sequence(DATA),
                set_of(dict.fromkeys([der, *issuers]), tag=0xA0),
            )
        )
        self.digest_name = scheme.digest_name
        self._longest_signature = longest_signature(certificate)
        empty = self.assemble(
            self.signed_attributes(hashlib.new(scheme.digest_name).digest()),
            bytes(self._longest_signature),
        )
        self._longest_plain = len(empty) + _MARGIN

    @classmethod
    def for_key(cls, key: SigningKey) -> CMSBuilder:
        """The builder of a key's certificate, chain and scheme."""
        return cls(key.certificate, key.chain, key.scheme)

    def reservation(self, timestamp_size: int = 0) -> int:
        """Bytes that always hold the result, with a timestamp token of at most that size."""
        if not timestamp_size:
            return self._longest_plain
        return self._longest_plain + timestamp_size + _TIMESTAMP_OVERHEAD

    def signed_attributes(self, message_digest: bytes) -> bytes:
        """The attributes as a DER SET OF: what is hashed and signed (RFC 5652 5.4)."""
        digest = sequence(MESSAGE_DIGEST, set_of([tlv(OCTET_STRING, message_digest)]))
        return set_of([self._content_type, digest, self._signing_certificate])

    def assemble(
        self, signed_attributes: bytes, signature: bytes, timestamp_token: bytes | None = None
    ) -> bytes:
        """The ContentInfo; the token becomes the signature-time-stamp attribute (B-T)."""
        unsigned = b""
        if timestamp_token is not None:
            attribute = sequence(SIGNATURE_TIME_STAMP, set_of([timestamp_token]))
            unsigned = set_of([attribute], tag=0xA1)
        signer_info = sequence(
            self._before_attributes,
            b"\xa0" + signed_attributes[1:],  # [0] IMPLICIT in place of SET (RFC 5652 5.3)
            self._signature_algorithm,
            tlv(OCTET_STRING, signature),
            unsigned,
        )
        signed_data = sequence(self._before_signer_infos, set_of([signer_info]))
        return sequence(SIGNED_DATA, tlv(0xA0, signed_data))


def signature_algorithm(scheme: SignatureScheme) -> bytes:
    """The AlgorithmIdentifier (RFC 4055, RFC 5758); PSS salt as long as the digest."""
    digest = scheme.digest_name
    if scheme.family == "rsa-pkcs1":
        return sequence(_RSA_PKCS1[digest], tlv(NULL))
    if scheme.family == "ecdsa":
        return sequence(_ECDSA[digest])
    hash_algorithm = sequence(DIGESTS[digest])
    salt = hashlib.new(digest).digest_size
    parameters = sequence(
        tlv(0xA0, hash_algorithm),
        tlv(0xA1, sequence(_MGF1, hash_algorithm)),
        tlv(0xA2, integer(salt)),
    )
    return sequence(_RSASSA_PSS, parameters)


def longest_signature(certificate: x509.Certificate) -> int:
    """The most bytes that a signature by this certificate's key can have."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return (key.key_size + 7) // 8
    if isinstance(key, ec.EllipticCurvePublicKey):
        half = bytes([0xFF]) * ((key.key_size + 7) // 8)
        return len(sequence(*[integer(int.from_bytes(half, "big"))] * 2))
    raise PolicyRefused(
        f"The certificate of {certificate.subject.rfc4514_string()} holds neither an RSA nor an "
        "elliptic-curve key; use another certificate."
    )


def fit(cms: bytes, reserved: int) -> bytes:
    """Return `cms`, or raise `ReservationTooSmall` when it outgrew its room."""
    if len(cms) > reserved:
        raise ReservationTooSmall(
            f"The signature needs {len(cms)} bytes, but {reserved} were reserved. Nothing was "
            "released, yet the key has signed once: record that, then seal again with "
            f"bytes_reserved of at least {len(cms)}."
        )
    return cms
