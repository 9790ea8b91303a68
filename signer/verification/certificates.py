"""X.509 certificates as the verifier needs them, and who signed what.

A thin immutable value over `cryptography`'s parser: everything that may fail is read once, in
`load`, so that nothing unexpected escapes later. Certificates, CRLs and OCSP responses are all
``SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }``; `signed_by` checks all three.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID, NameOID

from signer.verification.algorithms import (
    SignatureAlgorithm,
    UnknownAlgorithm,
    signature_algorithm,
    verifies,
)
from signer.verification.der import BIT_STRING, DERError, Node, read_exactly

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.OCSP_NO_CHECK,
    }
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
    key: PublicKeyTypes = field(compare=False, repr=False)
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
        return self.subject == self.issuer


@lru_cache(maxsize=2048)
def load(der: bytes) -> Certificate:
    """Parse one certificate; remembered, for the same few issuers stand in every file.

    Raises `CertificateUnreadable`.
    """
    try:
        outer = read_exactly(der).children()
        if len(outer) != 3 or outer[1].octets != _inner_algorithm(outer[0]).octets:
            raise CertificateUnreadable("the two signature algorithms of a certificate differ")
        serial = _tbs_fields(outer[0])[0].integer()
        with warnings.catch_warnings():
            # old roots have the serial number 0, which the parser warns about
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            parsed = x509.load_der_x509_certificate(der)
        extensions = parsed.extensions
        key = parsed.public_key()
        key_octets = _key_octets(outer[0])
        subject_key = hashlib.sha1(key_octets, usedforsecurity=False).digest()
        usages, extended, constraints, authority_key = None, None, None, None
        critical_extended = False
        for extension in extensions:
            value = extension.value
            if isinstance(value, x509.KeyUsage):
                usages = _usage_names(value)
            elif isinstance(value, x509.ExtendedKeyUsage):
                extended = frozenset(oid.dotted_string for oid in value)
                critical_extended = extension.critical
            elif isinstance(value, x509.BasicConstraints):
                constraints = value
            elif isinstance(value, x509.SubjectKeyIdentifier):
                subject_key = value.digest
            elif isinstance(value, x509.AuthorityKeyIdentifier):
                authority_key = value.key_identifier
        return Certificate(
            der=der,
            subject=parsed.subject.public_bytes(),
            issuer=parsed.issuer.public_bytes(),
            serial=serial,
            key=key,
            key_octets=key_octets,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            is_v1=parsed.version is x509.Version.v1,
            is_ca=bool(constraints and constraints.ca),
            path_length=constraints.path_length if constraints else None,
            usages=usages,
            extended_usages=extended,
            extended_usage_is_critical=critical_extended,
            has_ocsp_no_check=any(e.oid == ExtensionOID.OCSP_NO_CHECK for e in extensions),
            subject_key=subject_key,
            authority_key=authority_key,
            unknown_critical=tuple(
                e.oid.dotted_string for e in extensions if e.critical and e.oid not in _UNDERSTOOD
            ),
            common_name=_first(parsed.subject, NameOID.COMMON_NAME),
            organisation=_first(parsed.subject, NameOID.ORGANIZATION_NAME),
            issuer_name=_first(parsed.issuer, NameOID.COMMON_NAME)
            or parsed.issuer.rfc4514_string(),
            names=tuple((a.oid.dotted_string, str(a.value)) for a in parsed.subject),
        )
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise CertificateUnreadable(f"an unreadable certificate: {error}") from error


def _tbs_fields(tbs: Node) -> list[Node]:
    """serial, algorithm, issuer, validity, subject, key, …: without the version."""
    fields = tbs.children()
    return fields[1:] if fields and fields[0].tag == 0xA0 else fields


def _inner_algorithm(tbs: Node) -> Node:
    fields = _tbs_fields(tbs)
    if len(fields) < 6:
        raise DERError("a certificate has too few fields")
    return fields[1]


def _key_octets(tbs: Node) -> bytes:
    parts = _tbs_fields(tbs)[5].children()
    return parts[-1].expect(BIT_STRING).content[1:]


def _usage_names(usage: x509.KeyUsage) -> frozenset[str]:
    names = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign")
    return frozenset(name for name in names if getattr(usage, name))


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    values = name.get_attributes_for_oid(oid)
    return str(values[0].value) if values else ""


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
    try:
        tbs, identifier, signature = signed_parts(octets)
        algorithm = signature_algorithm(identifier, None)
    except (DERError, UnknownAlgorithm):
        return None
    return algorithm if verifies(issuer.key, algorithm, signature, tbs) else None


class CertificatePool:
    """All certificates at hand, by subject; remembers who issued whom. One verification's."""

    def __init__(self, trusted: Iterable[Certificate] = ()) -> None:
        """`trusted` come from the trust store and need no issuer to be explained."""
        self._by_subject: dict[bytes, list[Certificate]] = {}
        self._known: set[bytes] = set()
        self._issued: dict[tuple[bytes, bytes], SignatureAlgorithm | None] = {}
        for certificate in trusted:
            self.add(certificate)
        self._trusted = frozenset(self._known)

    def add(self, certificate: Certificate) -> None:
        """Take one more certificate; doubles are dropped."""
        if certificate.der not in self._known:
            self._known.add(certificate.der)
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def named(self, subject: bytes) -> list[Certificate]:
        """The certificates of one subject."""
        return self._by_subject.get(subject, [])

    def find(self, issuer: bytes, serial: int) -> Certificate | None:
        """The certificate with this issuer and serial number."""
        for certificates in self._by_subject.values():
            for certificate in certificates:
                if certificate.serial == serial and certificate.issuer == issuer:
                    return certificate
        return None

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
        if child.is_self_issued or any(i.subject_key == child.authority_key for i in issuers):
            return False
        return None
