"""Certification paths from a certificate to a pinned anchor (RFC 5280, 6.1).

Signatures, basic constraints, path length, key usage and critical extensions are checked while
building; times are judged later, at the best time that the evidence proves. Extensions that
would narrow a path and are not understood (name and policy constraints) refuse it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.trust import TrustDomain, TrustStore
from signer.verification.algorithms import weakness
from signer.verification.certificates import Certificate, CertificatePool, load

MAX_LENGTH = 10
MAX_STEPS = 400


@dataclass(frozen=True, slots=True)
class Path:
    """End entity first, anchor last. `weak` names algorithms below the minimum."""

    certificates: tuple[Certificate, ...]
    domain: TrustDomain
    weak: tuple[str, ...]

    def links(self) -> Iterator[tuple[Certificate, Certificate]]:
        """(certificate, issuer) for each certificate but the anchor."""
        yield from pairwise(self.certificates)

    def invalid_at(self, moment: dt.datetime) -> Certificate | None:
        """The first certificate that is not within its validity period at `moment`."""
        for certificate in self.certificates:
            if not certificate.not_before <= moment <= certificate.not_after:
                return certificate
        return None


class Anchors:
    """The trust store's certificates, parsed once."""

    def __init__(self, trust: TrustStore) -> None:
        """Raises `signer.verification.certificates.CertificateUnreadable`."""
        self.domains: dict[bytes, TrustDomain] = {}
        self.certificates: list[Certificate] = []
        for anchor in trust.anchors:
            certificate = load(_octets(anchor.certificate))
            self.domains[certificate.der] = anchor.domain
            self.certificates.append(certificate)
        self.intermediates = [load(_octets(c)) for c in trust.intermediates]


def _octets(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(slots=True)
class _Search:
    steps: int = 0
    refusal: str = ""


def find_path(
    leaf: Certificate, pool: CertificatePool, anchors: Anchors, moment: dt.datetime
) -> tuple[Path | None, str]:
    """The first path that is valid at `moment`, else the first path; or None and why not."""
    search = _Search()
    first: Path | None = None
    for path in _extend((leaf,), pool, anchors, search):
        if path.invalid_at(moment) is None:
            return path, ""
        first = first or path
    return first, search.refusal


def _extend(
    chain: tuple[Certificate, ...], pool: CertificatePool, anchors: Anchors, search: _Search
) -> Iterator[Path]:
    last = chain[-1]
    if last.der in anchors.domains:
        yield Path(chain, anchors.domains[last.der], _weak(chain, pool))
        return
    if len(chain) >= MAX_LENGTH or (last.is_self_issued and len(chain) > 1):
        return
    for issuer in pool.named(last.issuer):
        search.steps += 1
        if search.steps > MAX_STEPS:
            search.refusal = "the search for a path was given up: too many candidates"
            return
        if issuer in chain or pool.issued(last, issuer) is None:
            continue
        refusal = _may_issue(issuer, chain, issuer.der in anchors.domains)
        if refusal:
            search.refusal = refusal
            continue
        yield from _extend((*chain, issuer), pool, anchors, search)


def _may_issue(issuer: Certificate, chain: tuple[Certificate, ...], is_anchor: bool) -> str:
    """Why `issuer` may not stand above `chain`; empty when it may."""
    name = issuer.common_name or "?"
    if not issuer.is_ca and not (issuer.is_v1 and is_anchor):
        return f"{name} is not a certification authority"
    if issuer.usages is not None and "key_cert_sign" not in issuer.usages:
        return f"{name} may not sign certificates"
    below = sum(1 for certificate in chain[1:] if not certificate.is_self_issued)
    if issuer.path_length is not None and below > issuer.path_length:
        return f"{name} allows no path of this length"
    for certificate in (issuer, chain[-1]):
        if certificate.unknown_critical:
            return f"critical extension {certificate.unknown_critical[0]} is not understood"
    return ""


def _weak(chain: tuple[Certificate, ...], pool: CertificatePool) -> tuple[str, ...]:
    """Weak keys and signatures below the anchor, whose own signature means nothing."""
    out: list[str] = []
    for child, issuer in pairwise(chain):
        algorithm = pool.issued(child, issuer)
        reason = weakness(issuer.key, algorithm) if algorithm else None
        if reason:
            out.append(f"{child.common_name}: {reason}")
    return tuple(out)
