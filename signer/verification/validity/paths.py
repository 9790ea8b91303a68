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

from signer.trust import Service, TrustAnchor, TrustDomain, TrustStore
from signer.trust.rule_book import RuleBook
from signer.trust.rules import Rules
from signer.verification.signature.certificates import Certificate, CertificatePool, load

MAX_LENGTH = 10
MAX_STEPS = 400


@dataclass(frozen=True, slots=True)
class Path:
    """End entity first, anchor last. `weak` names what the domain's `rules` do not accept."""

    certificates: tuple[Certificate, ...]
    anchor: TrustAnchor
    rules: Rules
    weak: tuple[str, ...]

    @property
    def domain(self) -> TrustDomain:
        """The trust domain that it ends in."""
        return self.anchor.domain

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
        """Raises `signer.verification.signature.certificates.CertificateUnreadable`."""
        self.known: dict[bytes, TrustAnchor] = {}
        self.certificates: list[Certificate] = []
        for anchor in trust.anchors:
            certificate = load(_octets(anchor.certificate))
            self.known[certificate.der] = anchor
            self.certificates.append(certificate)
        self.intermediates = [load(_octets(c)) for c in trust.intermediates]


def _octets(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass(slots=True)
class _Search:
    pool: CertificatePool
    anchors: Anchors
    steps: int = 0
    refusal: str = ""


def find_path(
    leaf: Certificate,
    pool: CertificatePool,
    anchors: Anchors,
    moment: dt.datetime,
    *,
    service: Service = Service.SIGNING,
    rules: RuleBook | None = None,
) -> tuple[Path | None, str]:
    """The best path for `moment`, or None and why not.

    The first whose certificates are valid and whose anchor is granted for `service` then; else
    one with a granted anchor; else the first. `rules` default to those of the program.
    """
    book = rules or RuleBook.default()
    search = _Search(pool, anchors)
    best: tuple[int, Path] | None = None
    for chain in _extend((leaf,), search):
        anchor = anchors.known[chain[-1].der]
        applied = book.at(anchor.domain, moment)
        path = Path(chain, anchor, applied, _weak(chain, pool, applied))
        is_granted = anchor.is_granted(service, moment)
        rank = 2 * is_granted + (is_granted and path.invalid_at(moment) is None)
        if rank == 3:
            return path, ""
        if best is None or rank > best[0]:
            best = (rank, path)
    return (best[1] if best else None), search.refusal


def _extend(chain: tuple[Certificate, ...], search: _Search) -> Iterator[tuple[Certificate, ...]]:
    """Chains that end in an anchor.

    No name comes twice with the same key (RFC 4158, 2.4.2): authorities that certify each
    other are no circle, and a root's new key under its old one (RFC 4210, 4.4) is no end.
    """
    last = chain[-1]
    anchors, pool = search.anchors, search.pool
    if last.der in anchors.known:
        yield chain
        return
    if len(chain) >= MAX_LENGTH:
        return
    seen = {(one.subject, one.key_octets) for one in chain}
    for issuer in pool.named(last.issuer):
        search.steps += 1
        if search.steps > MAX_STEPS:
            search.refusal = "the search for a path was given up: too many candidates"
            return
        if (issuer.subject, issuer.key_octets) in seen or pool.issued(last, issuer) is None:
            continue
        refusal = _may_issue(issuer, chain, issuer.der in anchors.known)
        if refusal:
            search.refusal = refusal
            continue
        yield from _extend((*chain, issuer), search)


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


def _weak(chain: tuple[Certificate, ...], pool: CertificatePool, rules: Rules) -> tuple[str, ...]:
    """Weak keys and signatures below the anchor, whose own signature means nothing."""
    out: list[str] = []
    for child, issuer in pairwise(chain):
        algorithm = pool.issued(child, issuer)
        reason = (
            rules.weakness(algorithm.family, algorithm.digest, issuer.key) if algorithm else None
        )
        if reason:
            out.append(f"{child.common_name}: {reason}")
    return tuple(out)
