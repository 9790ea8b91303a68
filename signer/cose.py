"""COSE_Sign1 for codes on paper: small, one meaning in one encoding, keys pinned.

    signed = sign_message(payload, key)          # payload: deterministic CBOR
    message = SignedMessage.read(signed, most)   # taken apart, believed by nobody yet
    certificate = keys.certificate_of(message)   # PinnedKeys: known, and the signature holds

COSE_Sign1 (RFC 9052 4.2), tagged 18, with ECDSA (RFC 9053 2.1). Deterministic CBOR (RFC 8949
4.2.1), no unprotected header, no octet before or behind, so that no bit of a message may change
and leave it valid. What the payload says is its reader's business (`signer.proofcode`,
`signer.coversheet`); the reader also tells in its own words what is wrong.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hsm.keys import SignatureScheme, SigningKey
from signer.certificate_path import NoPath, find_path
from signer.errors import MessageForged, MessageKeyUnknown, MessageMalformed, PolicyRefused
from signer.trust import TrustStore

KEY_ID_BYTES = 8
ISSUER, EXPIRY, ISSUED_AT, MESSAGE_ID = 1, 4, 6, 7
"""Labels of CWT claims (RFC 8392 4)."""
_MAX_TEXT = 120  # characters of one claim
_COSE_SIGN1 = 18
_MAX_DEPTH = 5  # map of claims, private claim, its list, an entry of it
_ALG, _CRIT, _KID = 1, 2, 4  # header parameters (RFC 9052 3.1)
_MAX_TIME = 253402300799  # the last second of the year 9999


@dataclass(frozen=True, slots=True)
class _Algorithm:
    identifier: int  # COSE
    curve: str
    digest: type[hashes.SHA256] | type[hashes.SHA384]
    half: int  # octets of r and of s


_ALGORITHMS = {
    SignatureScheme.ECDSA_SHA256: _Algorithm(-7, "secp256r1", hashes.SHA256, 32),
    SignatureScheme.ECDSA_SHA384: _Algorithm(-35, "secp384r1", hashes.SHA384, 48),
}
_BY_IDENTIFIER = {algorithm.identifier: algorithm for algorithm in _ALGORITHMS.values()}


def sign_message(payload: bytes, key: SigningKey) -> bytes:
    """The tagged COSE_Sign1 over `payload`; one use of `key`, blocking.

    Raises `PolicyRefused` for a key that makes no small signatures, and `hsm.errors.HSMError`.
    """
    algorithm = require_code_key(key)
    protected = encoded({_ALG: algorithm.identifier, _KID: key_id(key.certificate)})
    signed = hashlib.new(key.scheme.digest_name, _signed_bytes(protected, payload)).digest()
    [signature] = key.sign_digests([signed])
    r, s = utils.decode_dss_signature(signature)
    raw = r.to_bytes(algorithm.half, "big") + s.to_bytes(algorithm.half, "big")
    return encoded(cbor2.CBORTag(_COSE_SIGN1, [protected, {}, payload, raw]))


def require_code_key(key: SigningKey) -> _Algorithm:
    """Raise `PolicyRefused` unless `key` is one for codes: ECDSA on P-256 or P-384."""
    algorithm = _ALGORITHMS.get(key.scheme)
    public = key.certificate.public_key()
    if (
        algorithm is None
        or not isinstance(public, ec.EllipticCurvePublicKey)
        or public.curve.name != algorithm.curve
    ):
        raise PolicyRefused(
            f"Khóa “{key.label}” không ký được mã QR: chữ ký RSA quá dài để in rõ; hãy tạo khóa "
            "P-256 riêng cho mã. / This key cannot sign codes on printouts: it has to be ECDSA on "
            "P-256 with SHA-256 (or P-384 with SHA-384), for an RSA signature makes a code too "
            "dense to be read from paper. Create a P-256 key for codes."
        )
    return algorithm


def key_id(certificate: x509.Certificate) -> bytes:
    """What a code names its key by: the head of the SHA-256 of the public key (SPKI)."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A COSE_Sign1 taken apart. Its payload is believed by nobody yet."""

    algorithm: _Algorithm
    key_id: bytes
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes, most_bytes: int) -> SignedMessage:
        """Raises `MessageMalformed` for all but the one permitted form."""
        outer = decoded(data, most_bytes)
        if not isinstance(outer, cbor2.CBORTag) or outer.tag != _COSE_SIGN1:
            raise MessageMalformed("it is no COSE_Sign1")
        parts = outer.value
        if not isinstance(parts, list | tuple) or len(parts) != 4:
            raise MessageMalformed("a COSE_Sign1 has four parts")
        protected, unprotected, payload, signature = parts
        if unprotected != {}:
            raise MessageMalformed("it has header parameters that no signature protects")
        if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
            raise MessageMalformed("header, payload and signature are byte strings")
        header = decoded(protected, most_bytes)
        if not isinstance(header, dict):
            raise MessageMalformed("the protected header is no map")
        if _CRIT in header:
            raise MessageMalformed("it has critical header parameters, which are unknown here")
        algorithm = _BY_IDENTIFIER.get(typed(header, _ALG, int))
        kid = typed(header, _KID, bytes)
        if algorithm is None:
            raise MessageMalformed("its algorithm is not ES256 or ES384")
        if len(kid) != KEY_ID_BYTES or len(signature) != 2 * algorithm.half:
            raise MessageMalformed("key identifier or signature have the wrong length")
        return cls(algorithm, kid, payload, _signed_bytes(protected, payload), signature)

    def check_signature(self, certificate: x509.Certificate) -> None:
        """Raises `MessageForged` unless the key of `certificate` signed this."""
        public = certificate.public_key()
        half = self.algorithm.half
        r = int.from_bytes(self.signature[:half], "big")
        s = int.from_bytes(self.signature[half:], "big")
        if (
            not isinstance(public, ec.EllipticCurvePublicKey)
            or public.curve.name != self.algorithm.curve
        ):
            raise MessageForged("the key is of another kind")
        try:
            public.verify(
                utils.encode_dss_signature(r, s), self.signed, ec.ECDSA(self.algorithm.digest())
            )
        except InvalidSignature as error:
            raise MessageForged("the signature does not hold") from error


class PinnedKeys:
    """The keys whose codes are believed: a small pinned list. Immutable, safe for threads."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """The certificates are pinned: being given here is the trust."""
        self._keys = {key_id(certificate): certificate for certificate in certificates}

    @classmethod
    def under(cls, certificates: Iterable[x509.Certificate], store: TrustStore) -> PinnedKeys:
        """Those of `certificates` that lead to an anchor of `store`.

        A certificate may have ended since: the codes that it signed while it was valid stay
        good, so the path is looked at as of the last moment of its life, or of its issuer's.
        """
        anchors = [anchor.certificate for anchor in store.anchors]
        return cls(
            certificate
            for certificate in certificates
            if _has_path(certificate, store.intermediates, anchors)
        )

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Every key, as its certificate."""
        return tuple(self._keys.values())

    def certificate_of(self, message: SignedMessage) -> x509.Certificate:
        """Whose key signed `message`. Asks nobody.

        Raises `MessageKeyUnknown` when its key is not in the list, `MessageForged` when the
        signature does not hold.
        """
        certificate = self._keys.get(message.key_id)
        if certificate is None:
            raise MessageKeyUnknown(message.key_id.hex())
        message.check_signature(certificate)
        return certificate


def valid_at(certificate: x509.Certificate, at: dt.datetime) -> bool:
    """Whether `at` lies within the certificate's life."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _has_path(
    certificate: x509.Certificate,
    intermediates: Iterable[x509.Certificate],
    anchors: list[x509.Certificate],
) -> bool:
    known = list(intermediates)
    ends = sorted({c.not_valid_after_utc for c in (certificate, *known, *anchors)})
    for at in ends:
        if at > certificate.not_valid_after_utc:
            break
        try:
            find_path(certificate, known, anchors, at)
        except NoPath:
            continue
        return True
    return False


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure (RFC 9052 4.4), without external data."""
    return encoded(["Signature1", protected, b"", payload])


# --- deterministic CBOR, and values that can be shown -------------------------------------------


def encoded(value: object) -> bytes:
    """`value` in its only permitted encoding."""
    return cbor2.dumps(value, canonical=True)


def decoded(data: bytes, most_bytes: int) -> Any:  # noqa: ANN401 - CBOR holds anything
    """One item in its only permitted encoding. Raises `MessageMalformed`."""
    if len(data) > most_bytes:
        raise MessageMalformed(f"it is longer than {most_bytes} bytes")
    try:
        value = cbor2.loads(
            data, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False
        )
        deterministic = encoded(value) == data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MessageMalformed(f"it is no CBOR ({type(error).__name__})") from error
    if not deterministic:
        raise MessageMalformed("it is not encoded deterministically (RFC 8949 4.2)")
    return value


def typed(found: Mapping[Any, Any], label: int, kind: type) -> Any:  # noqa: ANN401
    """The entry, of exactly this type. Raises `MessageMalformed`."""
    value = found.get(label)
    if type(value) is not kind:  # True is an int to isinstance
        raise MessageMalformed(f"entry {label} is missing or of another type")
    return value


def optional(found: Mapping[Any, Any], label: int, kind: type) -> Any:  # noqa: ANN401
    """The entry, None when there is none. Raises `MessageMalformed` for another type."""
    return typed(found, label, kind) if label in found else None


def shown_text(value: str) -> str:
    """Text that can be shown as it is: no controls, no marks that turn its direction."""
    if not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise MessageMalformed("a text is empty, too long or not printable")
    return value


def instant(seconds: int) -> dt.datetime:
    """A time of a CWT. Raises `MessageMalformed` beyond the year 9999."""
    if not 0 <= seconds <= _MAX_TIME:
        raise MessageMalformed("a time is out of range")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
