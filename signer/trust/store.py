"""Whom we believe: pinned trust anchors in named domains (K1, K2).

Agency signatures live under the Government Cipher Committee's roots (NĐ 68/2024), public ones
under the national root (NĐ 23/2025, TT 15/2025); a report always names the domain it applied.
A PEM file may say its domain in a line of its own before the certificates::

    Trust-Domain: OFFICIAL_DUTY

A certificate in the file whose issuer is in the store too is an intermediate (K9); any other
is an anchor, whoever signed it: being in the file is the pin.

Anchors that come from a published list (`signer.trust_lists`) may be believed for some services
and at some times only; a PEM file's are believed for all, always.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.certificate_parts import UNREADABLE
from signer.errors import TrustError

TEST_MARK = "CHỈ DÙNG THỬ / TEST ONLY"
"""In every name of the test authority's certificates; production trusts none that bears it."""

_DOMAIN = re.compile(r"^[ \t]*Trust-Domain:[ \t]*([A-Z_]+)[ \t]*\r?$", re.MULTILINE)
_BEGIN = b"-----BEGIN CERTIFICATE-----"


class TrustDomain(enum.Enum):
    """The rule set that a path ends in."""

    OFFICIAL_DUTY = "OFFICIAL_DUTY"  # chữ ký số chuyên dùng công vụ
    PUBLIC = "PUBLIC"  # chữ ký số công cộng
    TEST = "TEST"  # never for real documents
    PINNED = "PINNED"  # given by whoever asked for the verification, no domain named


class Service(enum.Enum):
    """What an anchor is believed for (TS 119 612, 5.5.1: CA/QC, TSA/QTST and their kin)."""

    SIGNING = "SIGNING"  # certificates of signers
    TIMESTAMPING = "TIMESTAMPING"  # timestamp authorities


EVERY_SERVICE = frozenset(Service)


@dataclass(frozen=True, slots=True)
class Grant:
    """For what, and from `begins` until before `ends`, an anchor is believed; None is open.

    Raises `ValueError` for a naive time.
    """

    services: frozenset[Service] = EVERY_SERVICE
    begins: dt.datetime | None = None
    ends: dt.datetime | None = None

    def __post_init__(self) -> None:
        if any(end is not None and end.utcoffset() is None for end in (self.begins, self.ends)):
            raise ValueError("a grant of trust needs times with a zone")

    def covers(self, service: Service, moment: dt.datetime) -> bool:
        """Whether it is for `service` at `moment` (aware)."""
        return (
            service in self.services
            and (self.begins is None or self.begins <= moment)
            and (self.ends is None or moment < self.ends)
        )


ALWAYS = (Grant(),)


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A certificate that is believed because it is pinned, or listed by whom we believe.

    `grants` say for what and when (empty: never); `source` names the list and its version, and
    `next_update` is when that list wanted to be replaced.
    """

    certificate: x509.Certificate
    domain: TrustDomain
    grants: tuple[Grant, ...] = ALWAYS
    source: str = ""
    next_update: dt.datetime | None = None

    def is_granted(self, service: Service, moment: dt.datetime) -> bool:
        """Whether it is believed for `service` at `moment`."""
        return any(grant.covers(service, moment) for grant in self.grants)

    def merged(self, other: TrustAnchor) -> TrustAnchor:
        """What two lists say of one certificate in one domain; of another domain, the first."""
        if self.domain is not other.domain or self == other:
            return self
        ends = (self.next_update, other.next_update)
        return TrustAnchor(
            self.certificate,
            self.domain,
            tuple(dict.fromkeys((*self.grants, *other.grants))),
            ", ".join(dict.fromkeys(filter(None, (self.source, other.source)))),
            max(end for end in ends if end) if all(ends) else None,
        )


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Several roots alive at once, and intermediates that files may leave out.

    `lists` name the imported versions that it is made of, as ``government/7``.
    """

    anchors: tuple[TrustAnchor, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    lists: tuple[str, ...] = ()

    @classmethod
    def from_pem(cls, pem: bytes, domain: TrustDomain | None = None) -> TrustStore:
        """Anchors and intermediates of one PEM text.

        `domain` overrides what the text says; without either it is PINNED. Raises `TrustError`.
        """
        if _BEGIN not in pem:
            raise TrustError(
                "no PEM certificate found; give a file with -----BEGIN CERTIFICATE----- in it"
            )
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except UNREADABLE as error:
            raise TrustError(
                f"a trusted certificate cannot be read ({error}); export it again as PEM"
            ) from error
        said = _domain_in(pem)
        return sorted_store(certificates, domain or said or TrustDomain.PINNED)

    @classmethod
    def from_files(cls, paths: Iterable[Path], domain: TrustDomain | None = None) -> TrustStore:
        """The union of several PEM files. Raises `TrustError`."""
        store = cls()
        for path in paths:
            try:
                pem = path.read_bytes()
            except OSError as error:
                raise TrustError(
                    f"the trust anchors in {path} cannot be read ({error.strerror}); "
                    "check the path and its permissions"
                ) from error
            try:
                store = store.merged(cls.from_pem(pem, domain))
            except TrustError as error:
                raise TrustError(f"{path}: {error}") from error
        return store

    @classmethod
    def of(
        cls,
        anchors: Sequence[x509.Certificate],
        domain: TrustDomain = TrustDomain.PINNED,
        intermediates: Sequence[x509.Certificate] = (),
    ) -> TrustStore:
        """A store from certificates in memory."""
        return cls(tuple(TrustAnchor(c, domain) for c in anchors), tuple(intermediates))

    def merged(self, other: TrustStore) -> TrustStore:
        """The union of both, without duplicates; the first domain named for an anchor stays."""
        anchors: dict[x509.Certificate, TrustAnchor] = {}
        for anchor in self.anchors + other.anchors:
            known = anchors.get(anchor.certificate)
            anchors[anchor.certificate] = known.merged(anchor) if known else anchor
        inner = dict.fromkeys(self.intermediates + other.intermediates)
        lists = dict.fromkeys(self.lists + other.lists)
        return TrustStore(tuple(anchors.values()), tuple(inner), tuple(lists))

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that it says, whatever the order: equal stores judge alike."""
        lines = sorted(
            [_anchor_line(anchor) for anchor in self.anchors]
            + [f"intermediate {_sha256(certificate)}" for certificate in self.intermediates]
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _anchor_line(anchor: TrustAnchor) -> str:
    grants = sorted(
        f"{' '.join(sorted(s.value for s in g.services))} {g.begins}..{g.ends}"
        for g in anchor.grants
    )
    parts = (_sha256(anchor.certificate), anchor.domain.value, *grants, str(anchor.next_update))
    return "anchor " + " | ".join(parts)


def _sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _domain_in(pem: bytes) -> TrustDomain | None:
    found = _DOMAIN.search(pem.decode("utf-8", "replace"))
    if found is None:
        return None
    try:
        return TrustDomain(found[1])
    except ValueError as error:
        known = ", ".join(domain.value for domain in TrustDomain)
        raise TrustError(f"unknown trust domain {found[1]}; use one of {known}") from error


def sorted_store(certificates: Sequence[x509.Certificate], domain: TrustDomain) -> TrustStore:
    """A store of certificates that say nothing more: those whose issuer is there are inner ones."""
    anchors, intermediates = [], []
    for certificate in certificates:
        has_issuer = any(
            other.subject == certificate.issuer and other != certificate for other in certificates
        )
        if certificate.issuer != certificate.subject and has_issuer:
            intermediates.append(certificate)
        else:
            anchors.append(TrustAnchor(certificate, domain))
    return TrustStore(tuple(anchors), tuple(intermediates))
