"""The signed payload of the QR code on a printout: a CWT in a COSE_Sign1, small enough to print.

    proof = sign_proof(claims, key)            # bytes: 190 to 260 of them
    verified = keys.verify(proof, at)          # without any network

COSE_Sign1 (RFC 9052 4.2), tagged 18, with ECDSA (RFC 9053 2.1) and CWT claims (RFC 8392):
issuer (1), expiry (4), time of issue (6); what concerns the result itself stands in one private
claim. The digest is that of the document as it was handed in: the file that bears the code
cannot hold its own, and the register binds the two.

One meaning has one encoding: deterministic CBOR (RFC 8949 4.2.1), no unprotected header, no
octet before or behind, so that no bit of a code may change and leave it valid.
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
from signer.errors import PolicyRefused, ProofForged, ProofKeyUnknown, ProofMalformed
from signer.trust import TrustStore

KEY_ID_BYTES = 8
MAX_PROOF_BYTES = 1024
_MAX_TEXT = 120  # characters of one claim
_SHA256_BYTES = 32
_COSE_SIGN1 = 18
_ALG, _CRIT, _KID = 1, 2, 4  # header parameters (RFC 9052 3.1)
_ISS, _EXP, _IAT = 1, 4, 6  # claims (RFC 8392 4)
_RESULT = -65537  # claims below -65536 are for private use (RFC 8392 9.1)
_CODE, _NUMBER, _DATE, _HOLDER, _DIGEST = 1, 2, 3, 4, 5  # within _RESULT
_EPOCH = dt.date(1970, 1, 1)
_MAX_TIME = 253402300799  # the last second of the year 9999
_MAX_DAY = (dt.date(9999, 12, 31) - _EPOCH).days


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


@dataclass(frozen=True, slots=True)
class ProofClaims:
    """What the code says of a result.

    `digest` is the SHA-256 of the document as it was handed in; `holder` is masked already
    (`signer.prooftext.masked`). Times are aware; whole seconds are kept.
    """

    issuer: str
    code: str
    digest: bytes
    issued_at: dt.datetime
    number: str | None = None
    decided_on: dt.date | None = None
    holder: str | None = None
    valid_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A code whose signature holds under a key that is trusted for such codes."""

    claims: ProofClaims
    certificate: x509.Certificate
    expired: bool


def sign_proof(claims: ProofClaims, key: SigningKey) -> bytes:
    """The payload of a QR code; one use of `key`, blocking.

    Raises `PolicyRefused` for a key that makes no small signatures or claims that do not fit,
    and `hsm.errors.HSMError`.
    """
    algorithm = require_proof_key(key)
    protected = _encoded({_ALG: algorithm.identifier, _KID: key_id(key.certificate)})
    payload = _encoded(_claims_map(claims))
    signed = hashlib.new(key.scheme.digest_name, _signed_bytes(protected, payload)).digest()
    [signature] = key.sign_digests([signed])
    r, s = utils.decode_dss_signature(signature)
    raw = r.to_bytes(algorithm.half, "big") + s.to_bytes(algorithm.half, "big")
    return _encoded(cbor2.CBORTag(_COSE_SIGN1, [protected, {}, payload, raw]))


def require_proof_key(key: SigningKey) -> _Algorithm:
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


class ProofKeys:
    """The keys whose codes are believed: a small pinned list. Immutable, safe for threads."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """The certificates are pinned: being given here is the trust."""
        self._keys = {key_id(certificate): certificate for certificate in certificates}

    @classmethod
    def under(cls, certificates: Iterable[x509.Certificate], store: TrustStore) -> ProofKeys:
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

    def verify(self, proof: bytes, at: dt.datetime) -> VerifiedProof:
        """Check a code as of `at` (aware). Asks nobody.

        Raises `ProofMalformed` for what is no such code, `ProofKeyUnknown` when its key is not
        in the list or was not valid when the code was made, `ProofForged` when the signature
        does not hold.
        """
        message = _Message.read(proof)
        certificate = self._keys.get(message.key_id)
        if certificate is None:
            raise ProofKeyUnknown(
                f"Mã do một khóa chưa được tin cậy ký ({message.key_id.hex()}); hãy hỏi cơ quan "
                "cấp, hoặc cập nhật danh sách khóa. / The code is signed with a key that is not on "
                "the list of trusted keys; ask the agency, or update the list."
            )
        message.check_signature(certificate)
        claims = message.claims
        if not (
            certificate.not_valid_before_utc <= claims.issued_at <= certificate.not_valid_after_utc
        ):
            raise ProofKeyUnknown(
                "Mã nêu thời điểm cấp ngoài thời hạn của chứng thư đã ký nó; hãy hỏi cơ quan cấp. "
                "/ The code says it was made when its key's certificate was not valid; ask the "
                "agency."
            )
        expired = claims.valid_until is not None and at > claims.valid_until
        return VerifiedProof(claims, certificate, expired)


def unverified_claims(proof: bytes) -> ProofClaims:
    """What a code says, believed by nobody yet. Raises `ProofMalformed`."""
    return _Message.read(proof).claims


@dataclass(frozen=True, slots=True)
class _Message:
    """A COSE_Sign1 taken apart."""

    algorithm: _Algorithm
    key_id: bytes
    claims: ProofClaims
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, proof: bytes) -> _Message:
        outer = _decoded(proof)
        if not isinstance(outer, cbor2.CBORTag) or outer.tag != _COSE_SIGN1:
            raise _malformed("it is no COSE_Sign1")
        parts = outer.value
        if not isinstance(parts, list | tuple) or len(parts) != 4:
            raise _malformed("a COSE_Sign1 has four parts")
        protected, unprotected, payload, signature = parts
        if unprotected != {}:
            raise _malformed("it has header parameters that no signature protects")
        if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
            raise _malformed("header, payload and signature are byte strings")
        header = _decoded(protected)
        if not isinstance(header, dict):
            raise _malformed("the protected header is no map")
        if _CRIT in header:
            raise _malformed("it has critical header parameters, which are unknown here")
        algorithm = _BY_IDENTIFIER.get(_typed(header, _ALG, int))
        kid = _typed(header, _KID, bytes)
        if algorithm is None:
            raise _malformed("its algorithm is not ES256 or ES384")
        if len(kid) != KEY_ID_BYTES or len(signature) != 2 * algorithm.half:
            raise _malformed("key identifier or signature have the wrong length")
        return cls(
            algorithm, kid, _claims_of(payload), _signed_bytes(protected, payload), signature
        )

    def check_signature(self, certificate: x509.Certificate) -> None:
        public = certificate.public_key()
        half = self.algorithm.half
        r = int.from_bytes(self.signature[:half], "big")
        s = int.from_bytes(self.signature[half:], "big")
        if (
            not isinstance(public, ec.EllipticCurvePublicKey)
            or public.curve.name != self.algorithm.curve
        ):
            raise _forged()
        try:
            public.verify(
                utils.encode_dss_signature(r, s), self.signed, ec.ECDSA(self.algorithm.digest())
            )
        except InvalidSignature as error:
            raise _forged() from error


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
    return _encoded(["Signature1", protected, b"", payload])


def _encoded(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def _decoded(data: bytes) -> Any:  # noqa: ANN401 - CBOR holds anything
    """One item in its only permitted encoding. Raises `ProofMalformed`."""
    if len(data) > MAX_PROOF_BYTES:
        raise _malformed(f"it is longer than {MAX_PROOF_BYTES} bytes")
    try:
        value = cbor2.loads(data, max_depth=4, allow_indefinite=False, allow_duplicate_keys=False)
        if _encoded(value) != data:
            raise _malformed("it is not encoded deterministically (RFC 8949 4.2)")
    except ProofMalformed:
        raise
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _malformed(f"it is no CBOR ({type(error).__name__})") from error
    return value


def _claims_map(claims: ProofClaims) -> dict[int, object]:
    result: dict[int, object] = {_CODE: claims.code, _DIGEST: claims.digest}
    for label, text in ((_NUMBER, claims.number), (_HOLDER, claims.holder)):
        if text is not None:
            result[label] = text
    if claims.decided_on is not None:
        result[_DATE] = (claims.decided_on - _EPOCH).days
    found: dict[int, object] = {
        _ISS: claims.issuer,
        _IAT: int(claims.issued_at.timestamp()),
        _RESULT: result,
    }
    if claims.valid_until is not None:
        found[_EXP] = int(claims.valid_until.timestamp())
    try:
        _claims_of(_encoded(found))
    except ProofMalformed as error:
        raise PolicyRefused(
            f"Dữ liệu của mã QR không hợp lệ: {error} / What the code should say does not fit; "
            "correct issuer, code, number, date or holder."
        ) from error
    return found


def _claims_of(payload: bytes) -> ProofClaims:
    found = _decoded(payload)
    if not isinstance(found, dict):
        raise _malformed("the payload is no map of claims")
    result = _typed(found, _RESULT, dict)
    digest = _typed(result, _DIGEST, bytes)
    if len(digest) != _SHA256_BYTES:
        raise _malformed("the digest is no SHA-256")
    expiry = _optional(found, _EXP, int)
    day = _optional(result, _DATE, int)
    if day is not None and not 0 <= day <= _MAX_DAY:
        raise _malformed("the date is out of range")
    return ProofClaims(
        issuer=_text(_typed(found, _ISS, str)),
        code=_text(_typed(result, _CODE, str)),
        digest=digest,
        issued_at=_time(_typed(found, _IAT, int)),
        number=_optional_text(result, _NUMBER),
        decided_on=None if day is None else _EPOCH + dt.timedelta(days=day),
        holder=_optional_text(result, _HOLDER),
        valid_until=None if expiry is None else _time(expiry),
    )


def _typed(found: Mapping[Any, Any], label: int, kind: type) -> Any:  # noqa: ANN401
    value = found.get(label)
    if type(value) is not kind:  # True is an int to isinstance
        raise _malformed(f"entry {label} is missing or of another type")
    return value


def _optional(found: Mapping[Any, Any], label: int, kind: type) -> Any:  # noqa: ANN401
    return _typed(found, label, kind) if label in found else None


def _optional_text(found: Mapping[Any, Any], label: int) -> str | None:
    return _text(_typed(found, label, str)) if label in found else None


def _text(value: str) -> str:
    """Text that can be shown as it is: no controls, no marks that turn its direction."""
    if not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise _malformed("a text is empty, too long or not printable")
    return value


def _time(seconds: int) -> dt.datetime:
    if not 0 <= seconds <= _MAX_TIME:
        raise _malformed("a time is out of range")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _malformed(why: str) -> ProofMalformed:
    return ProofMalformed(
        f"Mã không phải mã xác thực kết quả ({why}); hãy chụp lại cho rõ, hoặc tra cứu bằng mã kết "
        f"quả. / This is no code of an issued result: {why}; photograph it again, or look the "
        "result code up."
    )


def _forged() -> ProofForged:
    return ProofForged(
        "Chữ ký trong mã không đúng: nội dung mã đã bị sửa hoặc giả mạo; đừng tin bản in này. / "
        "The signature in the code does not hold: its content was altered or forged; do not trust "
        "this printout."
    )
