"""X.509 certificates as the verifier needs them, and who signed what.

An immutable value that `x509_fields` reads: everything that may fail is read once, in `load`, so
that nothing unexpected escapes later. Certificates, CRLs and OCSP responses are all
``SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }``; `signed_by` checks all three.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from signer.verification.signature.algorithms import (
    SignatureAlgorithm,
    UnknownAlgorithm,
    signature_algorithm,
    verifies,
)
from signer.verification.signature.der import (
    BIT_STRING,
    INTEGER,
    SEQUENCE,
    DERError,
    Node,
    read_exactly,
)
from signer.verification.signature.x509_fields import (
    COMMON_NAME,
    ORGANISATION,
    PublicKey,
    first,
    key_octets,
    name_key,
    read_extensions,
    read_key,
    read_names,
    read_time,
)


class CertificateUnreadable(ValueError):
    """The octets are not a certificate that can be read."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate; equal when the octets are."""

    der: bytes = field(repr=False)
    subject: bytes = field(compare=False, repr=False)
    issuer: bytes = field(compare=False, repr=False)
    serial: int = field(compare=False)
    key: PublicKey | None = field(compare=False, repr=False)  # None: not computable here
    key_octets: bytes = field(compare=False, repr=False)  # of the subjectPublicKey BIT STRING
    not_before: dt.datetime = field(compare=False)
    not_after: dt.datetime = field(compare=False)
    is_v1: bool = field(compare=False)
    is_ca: bool = field(compare=False)
    path_length: int | None = field(compare=False)
    usages: frozenset[str] | None = field(compare=False)  # None: no KeyUsage extension
    extended_usages: frozenset[str] | None = field(compare=False)
    extended_usage_is_critical: bool = field(compare=False)
    has_ocsp_no_check: bool = field(compare=False)
    subject_key: bytes = field(compare=False, repr=False)  # SubjectKeyIdentifier, else SHA-1
    authority_key: bytes | None = field(compare=False, repr=False)
    unknown_critical: tuple[str, ...] = field(compare=False)
    common_name: str = field(compare=False)
    organisation: str = field(compare=False)
    issuer_name: str = field(compare=False)
    names: tuple[tuple[str, str], ...] = field(compare=False)  # of the subject: OID, value

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are the same name."""
        return name_key(self.subject) == name_key(self.issuer)


@dataclass(frozen=True, slots=True)
class SignerIdentifier:
    """Whom a SignerInfo names: issuer and serial number, or a key identifier."""

    issuer: bytes  # empty when it is a key identifier
    serial: int
    key: bytes

    def names(self, certificate: Certificate) -> bool:
        """True when it means this certificate; which key signed is another question."""
        if self.key:
            return self.key in (certificate.subject_key, _sha1(certificate.key_octets))
        if self.serial != certificate.serial:
            return False
        return name_key(self.issuer) == name_key(certificate.issuer)


def _sha1(octets: bytes) -> bytes:
    """As RFC 5280 4.2.1.2 makes key identifiers; nothing depends on its strength."""
    return hashlib.sha1(octets, usedforsecurity=False).digest()


@lru_cache(maxsize=2048)
def load(der: bytes) -> Certificate:
    """Parse one certificate; remembered, for the same few issuers stand in every file.

    Raises `CertificateUnreadable`.
    """
    try:
        outer = read_exactly(der, is_ber=True).expect(SEQUENCE).children()
        if len(outer) != 3:
            raise DERError("not a certificate")  # noqa: TRY301 - one place that says whose fault
        parts = outer[0].expect(SEQUENCE).children()
        is_v1 = not parts or parts[0].tag != 0xA0
        fields = parts if is_v1 else parts[1:]
        if len(fields) < 6:
            raise DERError("a certificate has too few fields")  # noqa: TRY301 - as above
        serial, algorithm, issuer, validity, subject, info, *rest = fields
        if outer[1].octets != algorithm.octets:
            raise DERError("its two signature algorithms differ")  # noqa: TRY301 - as above
        not_before, not_after = (read_time(node) for node in validity.children())
        listed = next((part.explicit(0xA3) for part in rest if part.tag == 0xA3), None)
        extensions = read_extensions(listed)
        octets = key_octets(info.expect(SEQUENCE).children()[-1])
        names, issuer_names = read_names(subject), read_names(issuer)
        return Certificate(
            der=der,
            subject=subject.octets,
            issuer=issuer.octets,
            serial=int.from_bytes(serial.expect(INTEGER).content, signed=True),
            key=read_key(info),
            key_octets=octets,
            not_before=not_before,
            not_after=not_after,
            is_v1=is_v1,
            is_ca=extensions.is_ca,
            path_length=extensions.path_length,
            usages=extensions.usages,
            extended_usages=extensions.extended_usages,
            extended_usage_is_critical=extensions.extended_usage_is_critical,
            has_ocsp_no_check=extensions.has_ocsp_no_check,
            subject_key=extensions.subject_key or _sha1(octets),
            authority_key=extensions.authority_key,
            unknown_critical=extensions.unknown_critical,
            common_name=first(names, COMMON_NAME),
            organisation=first(names, ORGANISATION),
            issuer_name=first(issuer_names, COMMON_NAME)
            or ", ".join(value for _, value in reversed(issuer_names)),
            names=names,
        )
    except (DERError, ValueError, IndexError) as error:
        raise CertificateUnreadable(f"an unreadable certificate: {error}") from error


def signed_parts(octets: bytes) -> tuple[bytes, Node, bytes]:
    """tbs octets, AlgorithmIdentifier and signature of a signed structure. Raises `DERError`."""
    parts = read_exactly(octets).children()
    if len(parts) < 3:
        raise DERError("a signed structure has too few parts")
    bits = parts[2].expect(BIT_STRING).content
    if bits[:1] != b"\0":
        raise DERError("a signature is not a whole number of octets")
    return parts[0].octets, parts[1], bits[1:]


def signed_by(octets: bytes, issuer: Certificate) -> SignatureAlgorithm | None:
    """The algorithm, when the structure's signature verifies under `issuer`; else None."""
    if issuer.key is None:
        return None
    try:
        tbs, identifier, signature = signed_parts(octets)
        algorithm = signature_algorithm(identifier, None)
        return algorithm if verifies(issuer.key, algorithm, signature, tbs) else None
    except (DERError, UnknownAlgorithm):
        return None


def is_computable(octets: bytes, issuer: Certificate) -> bool:
    """False when the structure is signed with what this verifier does not know."""
    try:
        _, identifier, _ = signed_parts(octets)
        signature_algorithm(identifier, None)
    except UnknownAlgorithm:
        return False
    except DERError:
        return True
    return issuer.key is not None


class CertificatePool:
    """All certificates at hand, by subject; remembers who issued whom. One verification's."""

    def __init__(self, trusted: Iterable[Certificate] = ()) -> None:
        """`trusted` come from the trust store and need no issuer to be explained."""
        self._by_subject: dict[object, list[Certificate]] = {}
        self._known: set[bytes] = set()
        self._issued: dict[tuple[bytes, bytes], SignatureAlgorithm | None] = {}
        for certificate in trusted:
            self.add(certificate)
        self._trusted = frozenset(self._known)

    def add(self, certificate: Certificate) -> None:
        """Take one more certificate; doubles are dropped."""
        if certificate.der not in self._known:
            self._known.add(certificate.der)
            self._by_subject.setdefault(name_key(certificate.subject), []).append(certificate)

    def named(self, subject: bytes) -> list[Certificate]:
        """The certificates of one subject, in whatever string types the name is written."""
        return self._by_subject.get(name_key(subject), [])

    def find(self, wanted: SignerIdentifier) -> Certificate | None:
        """The first certificate that a signer identifier names."""
        return next(
            (
                certificate
                for certificates in self._by_subject.values()
                for certificate in certificates
                if wanted.names(certificate)
            ),
            None,
        )

    def issued(self, child: Certificate, issuer: Certificate) -> SignatureAlgorithm | None:
        """The algorithm when `issuer`'s key signed `child`, computed once."""
        key = (child.der, issuer.der)
        if key not in self._issued:
            self._issued[key] = signed_by(child.der, issuer)
        return self._issued[key]

    def has_twin(self, certificate: Certificate) -> bool:
        """True when another certificate at hand has the same subject and key."""
        return any(
            other.der != certificate.der and other.key_octets == certificate.key_octets
            for other in self.named(certificate.subject)
        )

    def has_issuer(self, child: Certificate) -> bool | None:
        """True: a certificate at hand signed it. False: the one that it names by key did not.

        None: its issuer is not at hand (a namesake with another key is not its issuer).
        """
        issuers = self.named(child.issuer)
        if child.der in self._trusted:
            return True
        if any(self.issued(child, issuer) is not None for issuer in issuers):
            return True
        claimed = [i for i in issuers if i.subject_key == child.authority_key]
        if child.is_self_issued and child.authority_key is None:
            claimed = [child]
        return False if any(is_computable(child.der, i) for i in claimed) else None
