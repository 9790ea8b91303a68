"""Reading keys and certificates from a token, and proving which belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm import _cryptoki as ck
from hsm._schemes import PublicKey
from hsm._session import Session, Value
from hsm.errors import KeyMismatch, KeyNotFound
from hsm.keys import KeyRef

RETIRED: Final = "retired "  # a label that begins so belongs to a key that must not sign
CURVES: Final[dict[bytes, ec.EllipticCurve]] = {
    bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("06052b81040022"): ec.SECP384R1(),
}


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A private key object. `handle` is good for the generation it was read in."""

    handle: int
    id: bytes
    label: str
    public_key: PublicKey | None  # None: of another type or curve, or not to be read
    always_authenticate: bool

    @property
    def retired(self) -> bool:
        """Whether the label says that the key must not sign any more."""
        return self.label.startswith(RETIRED)


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate object."""

    handle: int
    id: bytes
    label: str
    certificate: x509.Certificate


def read_keys(session: Session, ref: KeyRef) -> list[StoredKey]:
    """The private keys that `ref` names by label and id."""
    template: dict[int, Value] = {ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}
    if ref.object is not None:
        template[ck.CKA_LABEL] = ref.object
    if ref.id is not None:
        template[ck.CKA_ID] = ref.id
    return [_read_key(session, handle) for handle in session.find(template)]


def read_key(session: Session, ref: KeyRef) -> StoredKey:
    """The one private key that `ref` names. Raises `KeyNotFound` when it names none or several."""
    keys = read_keys(session, ref)
    if len(keys) != 1:
        raise KeyNotFound(
            f"{len(keys)} private keys match {ref}"
            + (
                "; add the id to name one"
                if keys
                else "; list the keys of the token with: sohoa keys list"
            )
        )
    if keys[0].retired:
        raise KeyNotFound(f"{keys[0].label!r} is retired and does not sign; use its successor")
    return keys[0]


def _read_key(session: Session, handle: int) -> StoredKey:
    identity = session.read(handle, ck.CKA_ID) or b""
    label = (session.read(handle, ck.CKA_LABEL) or b"").decode("utf-8", "replace")
    return StoredKey(
        handle,
        identity,
        label,
        _public_key(session, handle, identity),
        session.flag(handle, ck.CKA_ALWAYS_AUTHENTICATE),
    )


def _public_key(session: Session, private: int, identity: bytes) -> PublicKey | None:
    """From the private key object's own attributes, else from the public key of the same id."""
    kind = session.number(private, ck.CKA_KEY_TYPE)
    handles = [private]
    if identity:
        handles += session.find({ck.CKA_CLASS: ck.CKO_PUBLIC_KEY, ck.CKA_ID: identity})
    for handle in handles:
        if kind == ck.CKK_RSA:
            modulus = session.read(handle, ck.CKA_MODULUS)
            exponent = session.read(handle, ck.CKA_PUBLIC_EXPONENT)
            if modulus and exponent:
                numbers = int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
                return rsa.RSAPublicNumbers(*numbers).public_key()
        elif kind == ck.CKK_EC:
            curve = CURVES.get(session.read(handle, ck.CKA_EC_PARAMS) or b"")
            point = session.read(handle, ck.CKA_EC_POINT)
            if curve and point:
                # a DER octet string; some tokens leave the two bytes of its header away
                size = 1 + 2 * ((curve.key_size + 7) // 8)
                return ec.EllipticCurvePublicKey.from_encoded_point(curve, point[-size:])
    return None


def read_certificates(session: Session) -> list[StoredCertificate]:
    """The X.509 certificates of the token; objects that are not certificates are passed over."""
    found = []
    for handle in session.find({ck.CKA_CLASS: ck.CKO_CERTIFICATE}):
        try:
            certificate = x509.load_der_x509_certificate(session.read(handle, ck.CKA_VALUE) or b"")
        except ValueError:
            continue
        identity = session.read(handle, ck.CKA_ID) or b""
        label = (session.read(handle, ck.CKA_LABEL) or b"").decode("utf-8", "replace")
        found.append(StoredCertificate(handle, identity, label, certificate))
    return found


def certificate_for(key: StoredKey, stored: Iterable[StoredCertificate]) -> x509.Certificate:
    """The newest certificate of the key's id that matches it (signing.md, trap 7).

    Raises `KeyNotFound` when there is none of that id, `KeyMismatch` when none of them matches.
    """
    candidates = [entry.certificate for entry in stored if entry.id == key.id]
    if not candidates:
        raise KeyNotFound(
            f"the token holds no certificate for the key {key.label!r}; "
            "import it with: sohoa keys import"
        )
    matching = [c for c in candidates if key.public_key is None or matches(c, key.public_key)]
    if not matching:
        raise mismatch(key.label)
    return max(matching, key=lambda c: c.not_valid_before_utc)


def matches(certificate: x509.Certificate, public_key: PublicKey) -> bool:
    """Whether the certificate is about this public key (compared as SubjectPublicKeyInfo)."""
    return spki(certificate.public_key()) == spki(public_key)


def mismatch(label: str) -> KeyMismatch:
    """The error for a certificate that is not about the key `label`."""
    return KeyMismatch(
        f"the certificate does not belong to the key {label!r}; "
        "import the one that was issued for it, or sign with the key it was issued for"
    )


def spki(public_key: object) -> bytes:
    """A public key as DER SubjectPublicKeyInfo."""
    encoding = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return public_key.public_bytes(*encoding)  # type: ignore[attr-defined, no-any-return]


def chain_of(
    certificate: x509.Certificate, pool: Iterable[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """Issuers of `certificate` from `pool`, nearest first, each proved by its signature."""
    issuers = list(pool)
    chain: list[x509.Certificate] = []
    current = certificate
    while current.issuer != current.subject:
        issuer = next((c for c in issuers if c not in chain and _issued(current, c)), None)
        if issuer is None:
            break
        chain.append(issuer)
        current = issuer
    return tuple(chain)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
