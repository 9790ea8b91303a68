"""Revocation evidence found in or beside the file: OCSP responses and CRLs (K3, K5).

Unknown is never good. Evidence counts when its signature leads to the certificate's own
issuer and when it is fresh for the moment that is asked about: produced after it, or valid
(thisUpdate to nextUpdate, and not older than the policy's maximum) at it, which is what
TT 15/2025 calls the newest list at signing time.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.certificate_parts import UNREADABLE
from signer.services import RevocationEvidence
from signer.trust.rules import RevocationPolicy as RevocationPolicy
from signer.verification.signature.algorithms import digest_name, digest_of
from signer.verification.signature.certificates import (
    Certificate,
    CertificatePool,
    CertificateUnreadable,
    load,
    signed_by,
    signed_parts,
)
from signer.verification.signature.der import (
    ENUMERATED,
    INTEGER,
    SEQUENCE,
    DERError,
    Node,
    read_exactly,
)
from signer.verification.signature.x509_fields import name_key
from signer.verification.validity.list_scope import list_covers

_BASIC_OCSP = "1.3.6.1.5.5.7.48.1.1"
MAX_VALUES = 500


class Standing(enum.Enum):
    """Of a certificate at a moment."""

    GOOD = "good"
    REVOKED = "revoked"
    STALE = "stale"  # evidence there is, but none that speaks of that moment
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the evidence says of one certificate."""

    standing: Standing
    source: str = ""  # OCSP or CRL
    produced: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    detail: str = ""
    in_file: bool = False


@dataclass(frozen=True, slots=True)
class _Single:
    """One SingleResponse of an OCSP response."""

    digest: str
    name_hash: bytes
    key_hash: bytes
    serial: int
    revoked_at: dt.datetime | None
    is_good: bool
    this_update: dt.datetime
    next_update: dt.datetime | None


@dataclass(frozen=True, slots=True)
class _Response:
    basic: bytes = field(repr=False)
    responder_name: bytes
    responder_key: bytes
    produced: dt.datetime
    singles: tuple[_Single, ...]
    certificates: tuple[Certificate, ...]
    in_file: bool


@dataclass(frozen=True, slots=True)
class _List:
    octets: bytes = field(repr=False)
    parsed: x509.CertificateRevocationList
    issuer: bytes
    in_file: bool


class Evidence:
    """All OCSP responses and CRLs of one verification, parsed once.

    `faults` are those of the file itself, not of evidence from outside.
    """

    def __init__(self, policy: RevocationPolicy) -> None:
        self._policy = policy
        self._responses: list[_Response] = []
        self._lists: list[_List] = []
        self._seen: set[bytes] = set()
        self.faults: list[str] = []

    def add(self, values: RevocationEvidence, pool: CertificatePool, *, in_file: bool) -> None:
        """Take values; certificates of responders go to `pool`."""
        for ocsp in values.ocsps:
            self._add_ocsp(ocsp, pool, in_file)
        for crl in values.crls:
            self._add_crl(crl, in_file)

    def _add_ocsp(self, octets: bytes, pool: CertificatePool, in_file: bool) -> None:
        if not self._is_new(octets):
            return
        try:
            response = _read_response(octets, in_file)
        except (DERError, ValueError) as error:
            self._note(f"unreadable OCSP response: {error}", in_file)
            return
        for certificate in response.certificates:
            pool.add(certificate)
        self._responses.append(response)

    def _add_crl(self, octets: bytes, in_file: bool) -> None:
        if not self._is_new(octets):
            return
        try:
            parsed = x509.load_der_x509_crl(octets)
            issuer = _list_issuer(octets)
            _ = parsed.extensions
        except UNREADABLE as error:
            self._note(f"unreadable CRL: {error}", in_file)
            return
        self._lists.append(_List(octets, parsed, issuer, in_file))

    def _note(self, fault: str, in_file: bool) -> None:
        if in_file:
            self.faults.append(fault)

    def _is_new(self, octets: bytes) -> bool:
        if octets in self._seen or len(self._seen) >= MAX_VALUES:
            return False
        self._seen.add(octets)
        return True

    def signature_hashes(self) -> set[str]:
        """SHA-1 of each value's own signature, as /VRI may name them (ISO 32000-2, 12.8.4.4)."""
        values = [r.basic for r in self._responses] + [item.octets for item in self._lists]
        out: set[str] = set()
        for octets in values:
            with suppress(DERError):  # a damaged signature has no name; `unverified` tells of it
                out.add(_sha1(signed_parts(octets)[2]).hex().upper())
        return out

    def unverified(self, pool: CertificatePool) -> list[str]:
        """Values of the file whose signature leads to no certificate at hand."""
        out: list[str] = []
        for response in (r for r in self._responses if r.in_file):
            signers = [
                c
                for c in (*response.certificates, *pool.named(response.responder_name))
                if pool.has_issuer(c) and signed_by(response.basic, c) is not None
            ]
            if not signers or not all(pool.has_issuer(c) for c in response.certificates):
                out.append("an OCSP response that nobody vouches for")
        for item in (i for i in self._lists if i.in_file):
            if not any(signed_by(item.octets, c) for c in pool.named(item.issuer)):
                out.append("a CRL that nobody vouches for")
        return out

    def standing(
        self,
        certificate: Certificate,
        issuer: Certificate,
        moment: dt.datetime,
        now: dt.datetime,
        policy: RevocationPolicy | None = None,
    ) -> Answer:
        """What is known of `certificate` for `moment`; evidence from after `now` is ignored.

        `policy` is that of the rules to apply; None: the one given at the start.
        """
        fresh = policy or self._policy
        answers = [
            a
            for a in (
                *self._from_ocsp(certificate, issuer, moment, fresh),
                *self._from_lists(certificate, issuer, moment, fresh),
            )
            if a.produced is not None and a.produced <= now + fresh.tolerance
        ]
        if not answers:
            return Answer(Standing.UNKNOWN, detail="no OCSP response and no CRL speaks of it")
        revoked = [a for a in answers if a.standing is Standing.REVOKED]
        if revoked:
            return min(revoked, key=lambda a: a.revoked_at or moment)
        good = [a for a in answers if a.standing is Standing.GOOD]
        # what the file itself carries comes first: levels are read from it
        return max(good or answers, key=lambda a: (a.in_file, a.produced or moment))

    def _from_ocsp(
        self,
        certificate: Certificate,
        issuer: Certificate,
        moment: dt.datetime,
        fresh: RevocationPolicy,
    ) -> Iterator[Answer]:
        for response in self._responses:
            for single in response.singles:
                if not _speaks_of(single, certificate, issuer):
                    continue
                if not self._responder_may_speak(response, issuer):
                    self._note("an OCSP response has the wrong signer", response.in_file)
                    continue
                yield _answer(
                    fresh, "OCSP", certificate, moment, single.this_update, single.next_update,
                    single.revoked_at, single.is_good, response.in_file,
                )  # fmt: skip

    def _responder_may_speak(self, response: _Response, issuer: Certificate) -> bool:
        for candidate in (issuer, *response.certificates):
            if response.responder_name:
                named = name_key(candidate.subject) == name_key(response.responder_name)
            else:
                named = _sha1(candidate.key_octets) == response.responder_key
            if not named or signed_by(response.basic, candidate) is None:
                continue
            if candidate.der == issuer.der:
                return True
            delegated = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string in (
                candidate.extended_usages or ()
            )
            in_time = candidate.not_before <= response.produced <= candidate.not_after
            if (
                delegated
                and in_time
                and name_key(candidate.issuer) == name_key(issuer.subject)
                and signed_by(candidate.der, issuer) is not None
            ):
                return True
        return False

    def _from_lists(
        self,
        certificate: Certificate,
        issuer: Certificate,
        moment: dt.datetime,
        fresh: RevocationPolicy,
    ) -> Iterator[Answer]:
        for item in self._lists:
            parsed = item.parsed
            if name_key(item.issuer) != name_key(certificate.issuer) or not list_covers(
                parsed, certificate
            ):
                continue
            if issuer.usages is not None and "crl_sign" not in issuer.usages:
                continue
            if signed_by(item.octets, issuer) is None:
                self._note("a CRL is not signed by the issuer that it names", item.in_file)
                continue
            entry = parsed.get_revoked_certificate_by_serial_number(certificate.serial)
            yield _answer(
                fresh, "CRL", certificate, moment, parsed.last_update_utc, parsed.next_update_utc,
                entry.revocation_date_utc if entry else None, True, item.in_file,
            )  # fmt: skip


def _answer(
    fresh: RevocationPolicy, source: str, certificate: Certificate, moment: dt.datetime,
    this_update: dt.datetime, next_update: dt.datetime | None,
    revoked_at: dt.datetime | None, is_good: bool, in_file: bool,
) -> Answer:  # fmt: skip
    if revoked_at is not None:
        return Answer(Standing.REVOKED, source, this_update, revoked_at, "", in_file)
    if not is_good:
        return Answer(Standing.UNKNOWN, source, this_update, None, "the responder knows not")
    age = fresh.max_age_authority if certificate.is_ca else fresh.max_age
    is_later = this_update + fresh.tolerance >= moment
    in_window = (
        fresh.allow_current
        and next_update is not None
        and moment <= next_update
        and moment - this_update <= age
    )
    # an expired certificate may have been dropped from later lists (RFC 5280, 3.3)
    speaks = this_update <= certificate.not_after
    standing = Standing.GOOD if speaks and (is_later or in_window) else Standing.STALE
    return Answer(standing, source, this_update, None, f"of {this_update.isoformat()}", in_file)


def is_vouched_list(octets: bytes, pool: CertificatePool) -> bool:
    """True when the octets are a CRL that a certificate at hand signed."""
    try:
        issuer = _list_issuer(octets)
    except DERError:
        return False
    return any(signed_by(octets, candidate) for candidate in pool.named(issuer))


def _list_issuer(octets: bytes) -> bytes:
    """The issuer of a CRL as it is written there. Raises `DERError`."""
    fields = read_exactly(signed_parts(octets)[0]).children()
    if fields and fields[0].tag == INTEGER:  # the version
        fields = fields[1:]
    if len(fields) < 3:
        raise DERError("a revocation list has too few fields")
    return fields[1].expect(SEQUENCE).octets


def _sha1(octets: bytes) -> bytes:
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def _speaks_of(single: _Single, certificate: Certificate, issuer: Certificate) -> bool:
    if single.serial != certificate.serial:
        return False
    name = digest_of(single.digest, issuer.subject)
    key = digest_of(single.digest, issuer.key_octets)
    return single.name_hash == name and single.key_hash == key


def _read_response(octets: bytes, in_file: bool) -> _Response:
    outer = read_exactly(octets).expect(SEQUENCE).children()
    if len(outer) != 2 or outer[0].expect(ENUMERATED).content != b"\0":
        raise DERError("the responder did not answer")
    typed = outer[1].explicit(0xA0).expect(SEQUENCE).children()
    if len(typed) != 2 or typed[0].oid() != _BASIC_OCSP:
        raise DERError("not a basic OCSP response")
    basic = typed[1].octet_string()
    parts = read_exactly(basic).expect(SEQUENCE).children()
    if len(parts) not in (3, 4):
        raise DERError("an unreadable basic OCSP response")
    certificates = parts[3].explicit(0xA0).expect(SEQUENCE).children() if len(parts) == 4 else []
    fields = parts[0].expect(SEQUENCE).children()
    if fields and fields[0].tag == 0xA0:
        fields = fields[1:]
    if len(fields) < 3:
        raise DERError("unreadable response data")
    identity = fields[0].explicit(fields[0].tag)
    return _Response(
        basic=basic,
        responder_name=identity.octets if fields[0].tag == 0xA1 else b"",
        responder_key=identity.content if fields[0].tag == 0xA2 else b"",
        produced=fields[1].time(),
        singles=tuple(_read_single(n) for n in fields[2].expect(SEQUENCE).children()),
        certificates=tuple(_readable(n.octets for n in certificates)),
        in_file=in_file,
    )


def _readable(octets: Iterable[bytes]) -> Iterator[Certificate]:
    for value in octets:
        try:
            yield load(value)
        except CertificateUnreadable as error:
            raise DERError(str(error)) from error


def _read_single(node: Node) -> _Single:
    fields = node.expect(SEQUENCE).children()
    if len(fields) < 3:
        raise DERError("an unreadable single response")
    identifier = fields[0].expect(SEQUENCE).children()
    if len(identifier) != 4 or fields[1].tag not in (0x80, 0xA1, 0x82):
        raise DERError("an unreadable single response")
    next_update = next((f.explicit(0xA0).time() for f in fields[3:] if f.tag == 0xA0), None)
    revoked_at = fields[1].children()[0].time() if fields[1].tag == 0xA1 else None
    return _Single(
        digest=digest_name(identifier[0]),
        name_hash=identifier[1].octet_string(),
        key_hash=identifier[2].octet_string(),
        serial=identifier[3].integer(),
        revoked_at=revoked_at,
        is_good=fields[1].tag == 0x80,
        this_update=fields[2].time(),
        next_update=next_update,
    )
