"""The signed payload of the QR code on a printout: a CWT in a COSE_Sign1, small enough to print.

    proof = sign_proof(claims, key)            # bytes: 190 to 260 of them
    verified = keys.verify(proof, at)          # without any network

The message is a `signer.cose` one with CWT claims (RFC 8392): issuer (1), expiry (4), time of
issue (6); what concerns the result itself stands in one private claim. The digest is that of the
document as it was handed in: the file that bears the code cannot hold its own, and the register
binds the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from hsm.keys import SigningKey
from signer.cose import (
    EXPIRY,
    ISSUED_AT,
    ISSUER,
    PinnedKeys,
    SignedMessage,
    decoded,
    encoded,
    instant,
    optional,
    shown_text,
    sign_message,
    typed,
    valid_at,
)
from signer.errors import (
    MessageForged,
    MessageKeyUnknown,
    MessageMalformed,
    PolicyRefused,
    ProofForged,
    ProofKeyUnknown,
    ProofMalformed,
)
from signer.trust import TrustStore

MAX_PROOF_BYTES = 1024
_SHA256_BYTES = 32
_RESULT = -65537  # claims below -65536 are for private use (RFC 8392 9.1)
_CODE, _NUMBER, _DATE, _HOLDER, _DIGEST = 1, 2, 3, 4, 5  # within _RESULT
_EPOCH = dt.date(1970, 1, 1)
_MAX_DAY = (dt.date(9999, 12, 31) - _EPOCH).days


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
    return sign_message(encoded(_claims_map(claims)), key)


class ProofKeys:
    """The keys whose codes are believed: a small pinned list. Immutable, safe for threads."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """The certificates are pinned: being given here is the trust."""
        self._keys = PinnedKeys(certificates)

    @classmethod
    def under(cls, certificates: Iterable[x509.Certificate], store: TrustStore) -> ProofKeys:
        """Those of `certificates` that lead to an anchor of `store` (`PinnedKeys.under`)."""
        return cls(PinnedKeys.under(certificates, store).certificates)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Every key, as its certificate."""
        return self._keys.certificates

    def verify(self, proof: bytes, at: dt.datetime) -> VerifiedProof:
        """Check a code as of `at` (aware). Asks nobody.

        Raises `ProofMalformed` for what is no such code, `ProofKeyUnknown` when its key is not
        in the list or was not valid when the code was made, `ProofForged` when the signature
        does not hold.
        """
        message, claims = _read(proof)
        try:
            certificate = self._keys.certificate_of(message)
        except MessageKeyUnknown as error:
            raise ProofKeyUnknown(
                f"Mã do một khóa chưa được tin cậy ký ({error}); hãy hỏi cơ quan cấp, hoặc cập "
                "nhật danh sách khóa. / The code is signed with a key that is not on the list of "
                "trusted keys; ask the agency, or update the list."
            ) from error
        except MessageForged as error:
            raise ProofForged(
                "Chữ ký trong mã không đúng: nội dung mã đã bị sửa hoặc giả mạo; đừng tin bản in "
                "này. / The signature in the code does not hold: its content was altered or "
                "forged; do not trust this printout."
            ) from error
        if not valid_at(certificate, claims.issued_at):
            raise ProofKeyUnknown(
                "Mã nêu thời điểm cấp ngoài thời hạn của chứng thư đã ký nó; hãy hỏi cơ quan cấp. "
                "/ The code says it was made when its key's certificate was not valid; ask the "
                "agency."
            )
        expired = claims.valid_until is not None and at > claims.valid_until
        return VerifiedProof(claims, certificate, expired)


def unverified_claims(proof: bytes) -> ProofClaims:
    """What a code says, believed by nobody yet. Raises `ProofMalformed`."""
    return _read(proof)[1]


def _read(proof: bytes) -> tuple[SignedMessage, ProofClaims]:
    try:
        message = SignedMessage.read(proof, MAX_PROOF_BYTES)
        return message, _claims_of(message.payload)
    except MessageMalformed as error:
        raise ProofMalformed(
            f"Mã không phải mã xác thực kết quả ({error}); hãy chụp lại cho rõ, hoặc tra cứu bằng "
            f"mã kết quả. / This is no code of an issued result: {error}; photograph it again, or "
            "look the result code up."
        ) from error


def _claims_map(claims: ProofClaims) -> dict[int, object]:
    result: dict[int, object] = {_CODE: claims.code, _DIGEST: claims.digest}
    for label, text in ((_NUMBER, claims.number), (_HOLDER, claims.holder)):
        if text is not None:
            result[label] = text
    if claims.decided_on is not None:
        result[_DATE] = (claims.decided_on - _EPOCH).days
    found: dict[int, object] = {
        ISSUER: claims.issuer,
        ISSUED_AT: int(claims.issued_at.timestamp()),
        _RESULT: result,
    }
    if claims.valid_until is not None:
        found[EXPIRY] = int(claims.valid_until.timestamp())
    try:
        _claims_of(encoded(found))
    except MessageMalformed as error:
        raise PolicyRefused(
            f"Dữ liệu của mã QR không hợp lệ: {error} / What the code should say does not fit; "
            "correct issuer, code, number, date or holder."
        ) from error
    return found


def _claims_of(payload: bytes) -> ProofClaims:
    """Raises `MessageMalformed`."""
    found = decoded(payload, MAX_PROOF_BYTES)
    if not isinstance(found, dict):
        raise MessageMalformed("the payload is no map of claims")
    result = typed(found, _RESULT, dict)
    digest = typed(result, _DIGEST, bytes)
    if len(digest) != _SHA256_BYTES:
        raise MessageMalformed("the digest is no SHA-256")
    expiry = optional(found, EXPIRY, int)
    day = optional(result, _DATE, int)
    if day is not None and not 0 <= day <= _MAX_DAY:
        raise MessageMalformed("the date is out of range")
    return ProofClaims(
        issuer=shown_text(typed(found, ISSUER, str)),
        code=shown_text(typed(result, _CODE, str)),
        digest=digest,
        issued_at=instant(typed(found, ISSUED_AT, int)),
        number=_optional_text(result, _NUMBER),
        decided_on=None if day is None else _EPOCH + dt.timedelta(days=day),
        holder=_optional_text(result, _HOLDER),
        valid_until=None if expiry is None else instant(expiry),
    )


def _optional_text(found: dict[Any, Any], label: int) -> str | None:
    return shown_text(typed(found, label, str)) if label in found else None
