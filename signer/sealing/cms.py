"""CMS SignedData for PAdES (RFC 5652; ETSI EN 319 122-1, EN 319 142-1): the hot path.

Per key only two values change from signature to signature, the message digest and the
signature; everything else is encoded once. No signing-time attribute: PAdES keeps the claimed
time in /M (EN 319 142-1 6.3).
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import digest_algorithm, signature_algorithm
from signer.certificate_parts import certificate_parts
from signer.errors import PolicyRefused, ReservationTooSmall
from signer.oids import (
    OID_CONTENT_TYPE,
    OID_MESSAGE_DIGEST,
    OID_SIGNED_DATA,
    OID_SIGNING_CERTIFICATE_V2,
)
from signer.sealing.signeddata import OID_DATA, OID_SIGNATURE_TIME_STAMP

_MESSAGE_DIGEST = der.oid(OID_MESSAGE_DIGEST)
_SIGNED_DATA = der.oid(OID_SIGNED_DATA)
_DATA = der.oid(OID_DATA)
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
        """Raises `PolicyRefused` for a certificate whose key is neither RSA nor EC."""
        parts = certificate_parts(certificate)
        algorithm = digest_algorithm(scheme.digest_name)
        # ESSCertIDv2 with its default hash SHA-256 (RFC 5035 4), whatever the scheme's digest.
        fingerprint = der.octet_string(hashlib.sha256(parts.encoded).digest())
        ess = der.sequence(der.sequence(der.sequence(fingerprint)))
        self._content_type = _attribute(OID_CONTENT_TYPE, _DATA)
        self._signing_certificate = _attribute(OID_SIGNING_CERTIFICATE_V2, ess)
        self._before_attributes = der.integer(1) + parts.issuer_and_serial + algorithm
        self._signature_algorithm = signature_algorithm(scheme)
        # A root is known to whoever trusts it; carrying it would only make files larger.
        issuers = [certificate_parts(c).encoded for c in chain if c.subject != c.issuer]
        certificates = sorted({parts.encoded, *issuers})
        self._before_signer_infos = b"".join(
            (
                der.integer(1),
                der.set_of([algorithm]),
                der.sequence(_DATA),
                der.explicit(0, *certificates),
            )
        )
        attributes = self.signed_attributes(hashlib.new(scheme.digest_name).digest())
        longest = self.assemble(attributes, bytes(_longest_signature(certificate)))
        self._longest_plain = len(longest) + _MARGIN

    def reservation(self, timestamp_size: int = 0) -> int:
        """Bytes that always hold the result, with a timestamp token of at most that size."""
        if not timestamp_size:
            return self._longest_plain
        return self._longest_plain + timestamp_size + _TIMESTAMP_OVERHEAD

    def signed_attributes(self, message_digest: bytes) -> bytes:
        """The attributes as a DER SET OF: what is hashed and signed (RFC 5652 5.4)."""
        digest = der.sequence(_MESSAGE_DIGEST, der.tlv(der.SET, der.octet_string(message_digest)))
        return der.set_of([self._content_type, digest, self._signing_certificate])

    def assemble(
        self, signed_attributes: bytes, signature: bytes, timestamp_token: bytes | None = None
    ) -> bytes:
        """The ContentInfo; the token becomes the signature-time-stamp attribute (B-T)."""
        unsigned = b""
        if timestamp_token is not None:
            unsigned = der.explicit(1, _attribute(OID_SIGNATURE_TIME_STAMP, timestamp_token))
        signer_info = der.sequence(
            self._before_attributes,
            b"\xa0" + signed_attributes[1:],  # [0] IMPLICIT in place of SET (RFC 5652 5.3)
            self._signature_algorithm,
            der.octet_string(signature),
            unsigned,
        )
        signed_data = der.sequence(self._before_signer_infos, der.tlv(der.SET, signer_info))
        return der.sequence(_SIGNED_DATA, der.explicit(0, signed_data))


def _attribute(dotted: str, value: bytes) -> bytes:
    return der.sequence(der.oid(dotted), der.tlv(der.SET, value))


def _longest_signature(certificate: x509.Certificate) -> int:
    """The most bytes that a signature by this certificate's key can have."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return (key.key_size + 7) // 8
    if isinstance(key, ec.EllipticCurvePublicKey):
        largest = der.integer(2 ** (8 * ((key.key_size + 7) // 8)) - 1)
        return len(der.sequence(largest, largest))
    name = certificate.subject.rfc4514_string()
    raise PolicyRefused(
        f"Khóa trong chứng thư “{name}” không phải RSA hay ECC; hãy dùng chứng thư khác. / "
        "The certificate holds neither an RSA nor an elliptic-curve key; use another one."
    )


def fit(cms: bytes, reserved: int) -> bytes:
    """Return `cms`, or raise `ReservationTooSmall` when it outgrew its room.

    The key has signed by then. It is not asked again on its own account: a second operation
    of an agency's key is a decision, and a record, of the caller's.
    """
    if len(cms) > reserved:
        raise ReservationTooSmall(
            f"Chữ ký cần {len(cms)} byte nhưng chỉ dành {reserved} byte; khóa đã ký một lần, chưa "
            f"có tệp nào được phát hành. Hãy ghi nhận rồi ký lại. / The signature needs {len(cms)} "
            f"bytes, {reserved} were reserved. Nothing was released, yet the key has signed once: "
            f"record that, then seal again (bytes_reserved of at least {len(cms)})."
        )
    return cms
