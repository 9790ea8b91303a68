"""Whom we believe: pinned trust anchors in named domains (K1, K2).

Agency signatures live under the Government Cipher Committee's roots (NĐ 68/2024), public ones
under the national root (NĐ 23/2025, TT 15/2025); a report always names the domain it applied.
A PEM file may say its domain in a line of its own before the certificates::

    Trust-Domain: OFFICIAL_DUTY

A certificate in the file whose issuer is in the store too is an intermediate (K9); any other
is an anchor, whoever signed it: being in the file is the pin.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

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


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A certificate that is believed because it is pinned."""

    certificate: x509.Certificate
    domain: TrustDomain


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Several roots alive at once, and intermediates that files may leave out."""

    anchors: tuple[TrustAnchor, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()

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
        except ValueError as error:
            raise TrustError(
                f"a trusted certificate cannot be read ({error}); export it again as PEM"
            ) from error
        said = _domain_in(pem)
        return _sort(certificates, domain or said or TrustDomain.PINNED)

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
        anchors = {a.certificate: a for a in other.anchors + self.anchors}
        order = dict.fromkeys(a.certificate for a in self.anchors + other.anchors)
        inner = dict.fromkeys(self.intermediates + other.intermediates)
        return TrustStore(tuple(anchors[c] for c in order), tuple(inner))


def _domain_in(pem: bytes) -> TrustDomain | None:
    found = _DOMAIN.search(pem.decode("utf-8", "replace"))
    if found is None:
        return None
    try:
        return TrustDomain(found[1])
    except ValueError as error:
        known = ", ".join(domain.value for domain in TrustDomain)
        raise TrustError(f"unknown trust domain {found[1]}; use one of {known}") from error


def _sort(certificates: Sequence[x509.Certificate], domain: TrustDomain) -> TrustStore:
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
