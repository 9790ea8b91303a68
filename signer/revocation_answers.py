"""Judging OCSP responses (RFC 6960) and CRLs (RFC 5280 6.3) before they become evidence.

Only the certificate's own issuer, or a responder that it certified for OCSP, is believed.
Indirect, delta and reason-partitioned CRLs are refused: they cannot stand alone in a DSS.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer import der
from signer.algorithm_policy import AlgorithmPolicy
from signer.algorithms import scheme_of, verify_digest
from signer.certificate_parts import UNREADABLE, certificate_parts
from signer.certificate_path import extensions_of, is_issued_by


class UnusableEvidence(ValueError):
    """The response or CRL proves nothing about the certificate at the time asked for."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when evidence speaks, and how it is held against a time."""

    this_update: dt.datetime
    next_update: dt.datetime  # where the issuer gave none: thisUpdate and the maximum age

    def contains(self, at: dt.datetime, skew: dt.timedelta) -> bool:
        """Whether it was made by `at` (clocks differ by `skew`) and is not outdated then."""
        return self.this_update - skew <= at < self.next_update

    def require(self, at: dt.datetime, skew: dt.timedelta) -> None:
        """Raise `UnusableEvidence` unless it contains `at`."""
        if not self.contains(at, skew):
            raise UnusableEvidence(
                f"it speaks from {self.this_update:%Y-%m-%d %H:%M:%S} to "
                f"{self.next_update:%Y-%m-%d %H:%M:%S} UTC, not for {at:%Y-%m-%d %H:%M:%S}"
            )


@dataclass(frozen=True, slots=True)
class Revoked:
    """When, and for which reason, a certificate was revoked or put on hold."""

    at: dt.datetime
    reason: str  # as RFC 5280 5.3.1 names it, or "unspecified"


@dataclass(frozen=True, slots=True)
class OCSPAnswer:
    """A checked response about one certificate."""

    encoded: bytes  # OCSPResponse
    window: Window
    revoked: Revoked | None
    responder: x509.Certificate | None  # delegated responder; None: the issuer itself
    responder_needs_evidence: bool  # no id-pkix-ocsp-nocheck


@dataclass(frozen=True, slots=True)
class CheckedCRL:
    """A CRL whose issuer, signature and scope were checked."""

    encoded: bytes
    window: Window
    crl: x509.CertificateRevocationList

    def status(self, certificate: x509.Certificate) -> Revoked | None:
        """Whether it lists `certificate`. Raises `UnusableEvidence` when out of its scope."""
        _check_scope(self.crl, certificate)
        entry = self.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return None
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        except (x509.ExtensionNotFound, ValueError):
            reason = "unspecified"
        return Revoked(entry.revocation_date_utc, reason)


# --- OCSP -----------------------------------------------------------------------------


def build_ocsp_request(
    certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None
) -> bytes:
    """A DER OCSPRequest about one certificate.

    CertID is hashed with SHA-1: it is a look-up key, and the only hash that every responder
    knows (RFC 5019 2.1.1, RFC 6960 4.3). Nothing is trusted on account of it.
    """
    parts = certificate_parts(issuer)
    cert_id = der.sequence(
        der.sequence(der.oid("1.3.14.3.2.26"), der.null()),
        der.octet_string(_sha1(parts.subject)),
        der.octet_string(_sha1(parts.key_bits)),
        certificate_parts(certificate).serial,
    )
    request = der.sequence(der.sequence(der.sequence(cert_id)))
    if nonce is None:
        return der.sequence(request)
    extension = der.sequence(
        der.oid("1.3.6.1.5.5.7.48.1.2"), der.octet_string(der.octet_string(nonce))
    )
    body = der.parse(request).content
    return der.sequence(der.sequence(body, der.explicit(2, der.sequence(extension))))


def read_ocsp_response(
    encoded: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    at: dt.datetime,
    *,
    nonce: bytes | None,
    skew: dt.timedelta,
    maximum_age: dt.timedelta,
    policy: AlgorithmPolicy,
) -> OCSPAnswer:
    """Check an OCSPResponse about `certificate` at `at`. Raises `UnusableEvidence`.

    A nonce is compared when one was sent and comes back; responders may leave it out.
    """
    try:
        response = ocsp.load_der_ocsp_response(encoded)
        window, revoked = _read_status(response, certificate, issuer, maximum_age)
        window.require(at, skew)
        _check_nonce(response, nonce)
        responder, needs_evidence = _find_responder(response, issuer, at, policy)
        _check_ocsp_signature(encoded, responder or issuer, policy, at)
    except UnusableEvidence:
        raise
    except UNREADABLE as error:
        raise UnusableEvidence(f"the OCSP response is unusable: {error}") from error
    return OCSPAnswer(encoded, window, revoked, responder, needs_evidence)


def _read_status(
    response: ocsp.OCSPResponse,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    maximum_age: dt.timedelta,
) -> tuple[Window, Revoked | None]:
    """What the response says, before it is known who says so."""
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise UnusableEvidence(f"the responder says {response.response_status.name}")
    single = _find_single(response.responses, certificate, issuer)
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise UnusableEvidence("the responder does not know the certificate")
    revoked = None
    if single.revocation_time_utc is not None:
        reason = single.revocation_reason
        revoked = Revoked(single.revocation_time_utc, reason.value if reason else "unspecified")
    return _window(single.this_update_utc, single.next_update_utc, maximum_age), revoked


def _find_single(
    singles: Iterable[ocsp.OCSPSingleResponse],
    certificate: x509.Certificate,
    issuer: x509.Certificate,
) -> ocsp.OCSPSingleResponse:
    parts = certificate_parts(issuer)
    for single in singles:
        name = single.hash_algorithm.name
        if (
            single.serial_number == certificate.serial_number
            and single.issuer_name_hash == _hash(name, parts.subject)
            and single.issuer_key_hash == _hash(name, parts.key_bits)
        ):
            return single
    raise UnusableEvidence("the response is about another certificate")


def _find_responder(
    response: ocsp.OCSPResponse,
    issuer: x509.Certificate,
    at: dt.datetime,
    policy: AlgorithmPolicy,
) -> tuple[x509.Certificate | None, bool]:
    """The delegated responder and whether it needs evidence; (None, False): the issuer."""
    if _is_named(response, issuer):
        return None, False
    for candidate in response.certificates:
        if not _is_named(response, candidate):
            continue
        if not is_issued_by(candidate, issuer):
            raise UnusableEvidence("its signer was not certified by the certificate's issuer")
        if not candidate.not_valid_before_utc <= at <= candidate.not_valid_after_utc:
            raise UnusableEvidence("the responder's certificate is not in force")
        policy.check_certificate(candidate, at)
        extensions = extensions_of(candidate)
        try:
            usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
        if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
            raise UnusableEvidence("its signer may not sign OCSP responses")
        no_check = any(extension.oid == x509.OCSPNoCheck.oid for extension in extensions)
        return candidate, not no_check
    raise UnusableEvidence("the responder's certificate is missing")


def _is_named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    parts = certificate_parts(certificate)
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == _sha1(parts.key_bits)


def _check_ocsp_signature(
    encoded: bytes, responder: x509.Certificate, policy: AlgorithmPolicy, at: dt.datetime
) -> None:
    _, wrapper = der.parse(encoded).pair()
    _, octets = wrapper.unwrap().pair()
    signed, algorithm, signature = der.parse(octets.content).fields(3)[:3]
    scheme = scheme_of(algorithm.raw)
    policy.check(scheme, responder.public_key(), at)
    digest = hashlib.new(scheme.digest_name, signed.raw).digest()
    verify_digest(responder.public_key(), scheme, signature.as_octets(), digest)


def _check_nonce(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    try:
        found = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return
    if nonce is not None and found != nonce:
        raise UnusableEvidence("the nonce is not the one sent: the answer may be a replay")


# --- CRL ------------------------------------------------------------------------------


def read_crl(
    encoded: bytes,
    issuer: x509.Certificate,
    at: dt.datetime,
    *,
    skew: dt.timedelta,
    maximum_age: dt.timedelta,
    policy: AlgorithmPolicy,
) -> CheckedCRL:
    """Check a DER CRL of `issuer` at `at`. Raises `UnusableEvidence`."""
    try:
        crl = x509.load_der_x509_crl(encoded)
        der.parse(encoded).fields(3)[2].as_octets()
        window = _window(crl.last_update_utc, crl.next_update_utc, maximum_age)
        window.require(at, skew)
        policy.check_signature_of(crl, at)
        _check_crl_issuer(crl, issuer)
        _check_crl_extensions(crl)
    except UnusableEvidence:
        raise
    except UNREADABLE as error:
        raise UnusableEvidence(f"the CRL is unusable: {error}") from error
    return CheckedCRL(encoded, window, crl)


def _check_crl_issuer(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    if crl.issuer != issuer.subject:
        raise UnusableEvidence("the CRL is of another issuer")
    try:
        usage = extensions_of(issuer).get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        raise UnusableEvidence("the issuer may not sign CRLs")
    if not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]  # refuses others
        raise UnusableEvidence("the CRL's signature does not hold")


def _check_crl_extensions(crl: x509.CertificateRevocationList) -> None:
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise UnusableEvidence("a delta CRL cannot stand alone")
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                raise UnusableEvidence("the CRL is indirect or holds only a part of the reasons")
        elif extension.critical:
            raise UnusableEvidence(
                f"the CRL has the critical extension {extension.oid.dotted_string}, "
                "which is not processed here"
            )


def _check_scope(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return
    is_ca = _is_ca(certificate)
    if (scope.only_contains_user_certs and is_ca) or (scope.only_contains_ca_certs and not is_ca):
        raise UnusableEvidence("the CRL does not cover this kind of certificate")
    if scope.full_name is not None and not set(scope.full_name) & set(_points(certificate)):
        raise UnusableEvidence("the CRL is of another distribution point")


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _points(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    except x509.ExtensionNotFound:
        return
    for point in extension.value:
        yield from point.full_name or ()


# --- shared ---------------------------------------------------------------------------


def _window(
    this_update: dt.datetime, next_update: dt.datetime | None, maximum_age: dt.timedelta
) -> Window:
    return Window(this_update, next_update or this_update + maximum_age)


def _sha1(content: bytes) -> bytes:
    return _hash("sha1", content)


def _hash(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content, usedforsecurity=False).digest()
