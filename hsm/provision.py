"""The key ceremony: make keys in the token, request and import certificates, retire keys.

    create ──> request (CSR, to the CA) ──> import_certificates ──> … ──> retire

Keys are made in the token, sensitive and not extractable, and this package never writes a
private key into a token. Nothing is overwritten and, unless told so twice, nothing destroyed.
"""

from __future__ import annotations

import datetime as dt
import enum
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from hsm import _cryptoki as ck
from hsm._csr import SubjectName, build_request
from hsm._objects import (
    CURVES,
    RETIRED,
    StoredCertificate,
    StoredKey,
    chain_of,
    matches,
    mismatch,
    read_certificates,
    read_keys,
)
from hsm._pkcs11 import error_for
from hsm._schemes import describe
from hsm._session import Session, Value
from hsm.errors import CeremonyRefused, KeyNotFound, SchemeNotSupported
from hsm.keys import KeyRef, SignatureScheme
from hsm.token import Token

__all__ = [
    "CertificateInfo",
    "KeyInfo",
    "KeyKind",
    "Retirement",
    "SubjectName",
    "create",
    "import_certificates",
    "list_keys",
    "request",
    "retire",
]

MAX_LABEL_BYTES: Final = 64


class KeyKind(enum.Enum):
    """The kinds of key that can be made."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    P_256 = "p-256"
    P_384 = "p-384"


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """A certificate stored under the id of a key."""

    common_name: str  # of the subject; empty when it has none
    subject: str  # RFC 4514
    issuer: str
    serial_number: str  # hexadecimal
    not_before: dt.datetime  # aware, UTC
    not_after: dt.datetime
    sha256: str  # of the DER, hexadecimal
    matches_key: bool


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A private key on the token, with what belongs to it. No secret is in it."""

    label: str
    ref: KeyRef
    kind: str  # as `KeyKind`, or "unknown"
    non_exportable: bool  # the token says: sensitive, not extractable
    made_in_token: bool | None  # None: the token does not say
    retired: bool
    certificates: tuple[CertificateInfo, ...]  # newest first


@dataclass(frozen=True, slots=True)
class Retirement:
    """What `retire` did."""

    label: str
    new_label: str | None  # None: the key was destroyed
    forbidden_by_token: bool  # the token itself refuses to sign with it from now on


def create(token: Token, label: str, kind: KeyKind) -> KeyInfo:
    """Make a key pair in the token: stored, private, sensitive, not extractable, for signing only.

    Raises `CeremonyRefused` when the label is taken or unusable, or when the token made a key
    that can be exported (it is destroyed again).
    """
    _check_label(label)
    if (_generator(kind)) not in token.mechanisms:
        raise SchemeNotSupported(
            f"the token cannot make keys of kind {kind.value}; choose another kind"
        )
    identity = secrets.token_bytes(16)

    def work(session: Session) -> KeyInfo:
        if read_keys(session, KeyRef(object=label)):
            raise CeremonyRefused(
                f"the token already holds a key {label!r}; choose another label, or retire it first"
            )
        public, private = _templates(label, identity, kind)
        public_handle, handle = session.generate_pair(_generator(kind), public, private)
        if not _non_exportable(session, handle):
            session.destroy(handle)
            session.destroy(public_handle)
            raise CeremonyRefused(
                "the token made a key that can be exported; it was destroyed again: check the "
                "token's policy before you make keys in it"
            )
        (stored,) = read_keys(session, KeyRef(object=label, id=identity))
        return _describe(session, token, stored, [])

    return token.in_session(work, writable=True)


def list_keys(token: Token) -> list[KeyInfo]:
    """All private keys of the token with the certificates of their ids, by label."""

    def work(session: Session) -> list[KeyInfo]:
        known = read_certificates(session)
        return [_describe(session, token, key, known) for key in read_keys(session, KeyRef())]

    return sorted(token.in_session(work), key=lambda info: (info.retired, info.label))


def request(
    token: Token,
    ref: str | KeyRef,
    subject: SubjectName,
    scheme: SignatureScheme | None = None,
) -> bytes:
    """A certificate request (DER PKCS#10) for the key, signed by it inside the token."""
    return build_request(token.private_key(ref, scheme), subject)


def import_certificates(token: Token, ref: str | KeyRef, data: bytes) -> KeyInfo:
    """Store the certificate of the key, and its issuers, from PEM, DER or PKCS#7 `data`.

    Of `data` exactly the certificates of the chain are stored, each once; the certificate is
    proved to match the key first. Raises `KeyMismatch`, `CeremonyRefused` (unreadable data).
    """
    offered = _certificates(data)
    key = token.private_key(ref)

    def work(session: Session) -> KeyInfo:
        stored = token.find_key(session, key.ref)
        own = [c for c in offered if matches(c, key.public_key)]
        if not own:
            raise mismatch(key.label)
        leaf = max(own, key=lambda c: c.not_valid_before_utc)
        known = [entry.certificate for entry in read_certificates(session)]
        if leaf not in known:
            session.create(_certificate_template(leaf, stored.label, stored.id))
        for issuer in chain_of(leaf, offered):
            if issuer not in known:
                name = issuer.subject.rfc4514_string()
                identity = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
                session.create(_certificate_template(issuer, name, identity))
        return _describe(session, token, stored, read_certificates(session))

    return token.in_session(work, writable=True)


def retire(token: Token, ref: str | KeyRef, *, confirm: str, destroy: bool = False) -> Retirement:
    """End the use of a key; `confirm` must repeat its label.

    By default nothing is lost: the key stays under a label that `Token.signing_key` refuses
    (``retired 2026-01-31 officer``), the token is told to refuse signatures with it where it
    can, and the label becomes free for the successor. With `destroy` the private and the public
    key are destroyed for good. Certificates always stay: they are evidence.

    Raises `CeremonyRefused` when the confirmation is wrong.
    """
    key_ref = token.resolve(ref)

    def work(session: Session) -> Retirement:
        stored = _to_retire(token, session, key_ref, destroy)
        if confirm != stored.label:
            raise CeremonyRefused(
                f"the confirmation does not repeat the label {stored.label!r}; "
                "nothing was changed, type the label exactly to go on"
            )
        publics = session.find({ck.CKA_CLASS: ck.CKO_PUBLIC_KEY, ck.CKA_ID: stored.id})
        if destroy:
            session.destroy(stored.handle)
            for handle in publics if stored.id else []:
                session.destroy(handle)
            return Retirement(stored.label, None, forbidden_by_token=True)
        new_label = f"{RETIRED}{dt.datetime.now(dt.UTC).date()} {stored.label}"
        code = session.write(stored.handle, {ck.CKA_LABEL: new_label})
        if code != ck.CKR_OK:
            raise error_for(code, "C_SetAttributeValue")
        forbidden = session.write(stored.handle, {ck.CKA_SIGN: False}) == ck.CKR_OK
        return Retirement(stored.label, new_label, forbidden)

    return token.in_session(work, writable=True)


def _to_retire(token: Token, session: Session, ref: KeyRef, destroy: bool) -> StoredKey:
    """The key to retire; a retired one may still be destroyed."""
    if not destroy:
        return token.find_key(session, ref)
    keys = read_keys(session, ref)
    if len(keys) != 1:
        raise KeyNotFound(
            f"{len(keys)} private keys match {ref}; name exactly one, see: sohoa keys list"
        )
    return keys[0]


def _check_label(label: str) -> None:
    if not label.strip() or not label.isprintable() or len(label.encode()) > MAX_LABEL_BYTES:
        raise CeremonyRefused(
            f"a label has 1 to {MAX_LABEL_BYTES} bytes and no control characters; choose another"
        )
    if label.startswith(RETIRED) or label.lower().startswith("pkcs11:"):
        raise CeremonyRefused(
            f"labels do not begin with {RETIRED!r} or 'pkcs11:', which have a meaning here; "
            "choose another"
        )


def _generator(kind: KeyKind) -> int:
    return ck.CKM_RSA_PKCS_KEY_PAIR_GEN if kind.value.startswith("rsa") else ck.CKM_EC_KEY_PAIR_GEN


def _templates(
    label: str, identity: bytes, kind: KeyKind
) -> tuple[dict[int, Value], dict[int, Value]]:
    """Templates of the public and of the private key."""
    both: dict[int, Value] = {ck.CKA_TOKEN: True, ck.CKA_LABEL: label, ck.CKA_ID: identity}
    public = both | {ck.CKA_PRIVATE: False, ck.CKA_VERIFY: True}
    bits = int(kind.value.rsplit("-", 1)[1])
    if kind.value.startswith("rsa"):
        public |= {
            ck.CKA_ENCRYPT: False,
            ck.CKA_WRAP: False,
            ck.CKA_MODULUS_BITS: bits,
            ck.CKA_PUBLIC_EXPONENT: b"\x01\x00\x01",
        }
    else:
        public[ck.CKA_EC_PARAMS] = next(
            oid for oid, curve in CURVES.items() if curve.key_size == bits
        )
    private = both | {
        ck.CKA_PRIVATE: True,
        ck.CKA_SENSITIVE: True,
        ck.CKA_EXTRACTABLE: False,
        ck.CKA_SIGN: True,
    }
    if kind.value.startswith("rsa"):
        private |= {ck.CKA_DECRYPT: False, ck.CKA_UNWRAP: False}
    else:
        private[ck.CKA_DERIVE] = False
    return public, private


def _certificate_template(
    certificate: x509.Certificate, label: str, identity: bytes
) -> dict[int, Value]:
    number = certificate.serial_number
    length = number.bit_length() // 8 + 1
    return {
        ck.CKA_CLASS: ck.CKO_CERTIFICATE,
        ck.CKA_CERTIFICATE_TYPE: ck.CKC_X_509,
        ck.CKA_TOKEN: True,
        ck.CKA_PRIVATE: False,
        ck.CKA_LABEL: label,
        ck.CKA_ID: identity,
        ck.CKA_SUBJECT: certificate.subject.public_bytes(),
        ck.CKA_ISSUER: certificate.issuer.public_bytes(),
        ck.CKA_SERIAL_NUMBER: bytes((2, length)) + number.to_bytes(length, "big"),
        ck.CKA_VALUE: certificate.public_bytes(serialization.Encoding.DER),
    }


def _certificates(data: bytes) -> list[x509.Certificate]:
    """From PEM (one or many), DER, or PKCS#7 in either encoding."""
    readers: list[Callable[[bytes], list[x509.Certificate]]]
    if b"-----BEGIN PKCS7-----" in data:
        readers = [pkcs7.load_pem_pkcs7_certificates]
    elif b"-----BEGIN" in data:
        readers = [x509.load_pem_x509_certificates]
    else:
        readers = [lambda der: [x509.load_der_x509_certificate(der)]]
        readers.append(pkcs7.load_der_pkcs7_certificates)
    problem: Exception | None = None
    for read in readers:
        try:
            return read(data)
        except ValueError as error:
            problem = error
    raise CeremonyRefused(
        "the file holds no certificate that can be read; give PEM, DER or PKCS#7 (.p7b)"
    ) from problem


def _non_exportable(session: Session, handle: int) -> bool:
    return session.flag(handle, ck.CKA_SENSITIVE) and not session.flag(handle, ck.CKA_EXTRACTABLE)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _made_in_token(session: Session, handle: int) -> bool | None:
    value = session.read(handle, ck.CKA_LOCAL)
    return None if value is None else value != b"\0"


def _describe(
    session: Session, token: Token, key: StoredKey, known: list[StoredCertificate]
) -> KeyInfo:
    certificates = [
        CertificateInfo(
            common_name=_common_name(entry.certificate),
            subject=entry.certificate.subject.rfc4514_string(),
            issuer=entry.certificate.issuer.rfc4514_string(),
            serial_number=f"{entry.certificate.serial_number:x}",
            not_before=entry.certificate.not_valid_before_utc,
            not_after=entry.certificate.not_valid_after_utc,
            sha256=entry.certificate.fingerprint(hashes.SHA256()).hex(),
            matches_key=key.public_key is not None and matches(entry.certificate, key.public_key),
        )
        for entry in known
        if entry.id == key.id
    ]
    return KeyInfo(
        label=key.label,
        ref=KeyRef(token=token.label, object=key.label, id=key.id, type="private"),
        kind="unknown" if key.public_key is None else describe(key.public_key),
        non_exportable=_non_exportable(session, key.handle),
        made_in_token=_made_in_token(session, key.handle),
        retired=key.retired,
        certificates=tuple(sorted(certificates, key=lambda c: c.not_before, reverse=True)),
    )
