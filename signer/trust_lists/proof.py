"""What makes a list believable: the pin of its octets, or a pinned certificate's signature.

Three ways, as `ProofKind` names them. CMS was chosen for what carries no signature of its own:
every agency's token makes it (``openssl cms -sign -binary -cades -outform DER``), the strict
reader of `signer.statement` is there already, and it covers the octets as they are; JWS would
need a canonical form of JSON first. The certificate that signs is pinned itself: a path to a
root would make trust depend on what is being imported.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from signer.algorithm_policy import AlgorithmPolicy, ForbiddenAlgorithm, public_key_of
from signer.errors import StatementInvalid, TrustError
from signer.statement import SignedStatement, verify_statement
from signer.trust_lists.content import ListUnreadable


class ProofKind(enum.Enum):
    """How a list was proved."""

    SHA256 = "SHA256"  # whoever imports it gave the digest, from another source
    CMS = "CMS"  # a detached signature beside it
    XADES = "XADES"  # the signature inside it


@dataclass(frozen=True, slots=True)
class Proof:
    """`by` is the SHA-256 (hex) of the file, or of the certificate that signed it."""

    kind: ProofKind
    by: str
    name: str = ""  # of the certificate's subject


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the importer gives: any of a pin, a detached signature, certificates it trusts."""

    sha256: str | None = None
    signature: bytes | None = None  # CMS SignedData, DER
    signers: tuple[x509.Certificate, ...] = ()

    def check_pin(self, content: bytes) -> Proof | None:
        """The proof by pin; None when no pin was given. Raises `ListUnreadable`."""
        if self.sha256 is None:
            return None
        wanted = self.sha256.replace(":", "").strip().lower()
        found = hashlib.sha256(content).hexdigest()
        if wanted != found:
            raise ListUnreadable(f"its SHA-256 is {found}, not the pin {wanted}")
        return Proof(ProofKind.SHA256, found)

    def check_signature(self, content: bytes, at: dt.datetime) -> Proof | None:
        """The proof by detached CMS; None when none was given. Raises `ListUnreadable`."""
        if self.signature is None:
            return None
        try:
            signed = verify_statement(content, SignedStatement(self.signature), None)
        except StatementInvalid as error:
            raise ListUnreadable(f"the detached signature is not genuine: {error}") from error
        require_signer(signed.signer, self.signers, at)
        return proof_by(ProofKind.CMS, signed.signer)


def require_signer(
    signer: x509.Certificate, pinned: Collection[x509.Certificate], at: dt.datetime
) -> None:
    """Raise `ListUnreadable` unless `signer` is pinned, in force at `at` and strong enough."""
    name = signer.subject.rfc4514_string()
    if signer not in pinned:
        raise ListUnreadable(f"it is signed by {name}, whose certificate is not pinned for lists")
    if not signer.not_valid_before_utc <= at <= signer.not_valid_after_utc:
        raise ListUnreadable(f"the certificate of {name} is not in force")
    try:
        AlgorithmPolicy.default().check_key(public_key_of(signer), at)
    except ForbiddenAlgorithm as error:
        raise ListUnreadable(f"{name}: {error}") from error


def proof_by(kind: ProofKind, signer: x509.Certificate) -> Proof:
    """The proof that a signature by `signer` is."""
    return Proof(kind, signer.fingerprint(hashes.SHA256()).hex(), signer.subject.rfc4514_string())


def unproved() -> TrustError:
    """Nothing makes the list believable."""
    return TrustError(
        "Danh sách tin cậy chưa được chứng minh: hãy đưa SHA-256 lấy từ nguồn khác (--sha256), "
        "hoặc chữ ký tách rời (--signature) cùng chứng thư người ký đã ghim (--signer). / Nothing "
        "proves this list of trust: give its SHA-256 from another source (--sha256), or a "
        "detached signature (--signature) with the pinned certificate that made it (--signer)."
    )
