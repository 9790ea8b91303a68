"""Paths from a certificate to a pinned anchor (RFC 5280 6.1), for our own certificates.

Fails closed: name constraints and critical extensions that are not processed here refuse the
path. The paths of strangers' signatures are verification's to judge.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from signer import der
from signer.algorithm_policy import AlgorithmPolicy, ForbiddenAlgorithm
from signer.certificate_parts import UNREADABLE, certificate_parts

MAX_PATH = 8  # certificates, anchor included
MAX_LINKS = 64  # signatures looked at before a search is given up
_PROCESSED = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.CertificatePolicies.oid,
}


class NoPath(ValueError):
    """No valid path to an anchor; the text says why the best candidate failed."""


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the names chain and the issuer's key verifies the certificate's signature."""
    if not _names_chain(certificate, issuer):
        return False
    try:
        der.parse(certificate_parts(certificate).encoded).fields(3)[2].as_octets()
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _names_chain(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    return certificate_parts(certificate).issuer == certificate_parts(issuer).subject


def find_issuer(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """The first of `candidates` that issued `certificate`."""
    return next((issuer for issuer in candidates if is_issued_by(certificate, issuer)), None)


def find_path(
    certificate: x509.Certificate,
    candidates: Iterable[x509.Certificate],
    anchors: Collection[x509.Certificate],
    at: dt.datetime,
    *,
    policy: AlgorithmPolicy | None = None,
) -> tuple[x509.Certificate, ...]:
    """`certificate` first, an anchor last; valid at `at`. Raises `NoPath`.

    An anchor is trusted because it is pinned: only its time of validity is looked at.
    """
    search = _Search(
        tuple(dict.fromkeys((*anchors, *candidates))),
        frozenset(anchors),
        at,
        policy or AlgorithmPolicy.default(),
    )
    found = search.extend((certificate,))
    if found is None:
        raise NoPath("; ".join(dict.fromkeys(search.reasons)))
    return found


class _Search:
    """Depth first, anchors first; the work is bounded whatever certificates are offered."""

    def __init__(
        self,
        known: tuple[x509.Certificate, ...],
        anchors: frozenset[x509.Certificate],
        at: dt.datetime,
        rules: AlgorithmPolicy,
    ) -> None:
        self._known = known
        self._anchors = anchors
        self._at = at
        self._rules = rules
        self._links_left = MAX_LINKS
        self.reasons: list[str] = []

    def extend(self, path: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        """`path` and its continuation to an anchor, or None and a reason."""
        last = path[-1]
        try:
            _check_time(last, self._at)
            if last in self._anchors:
                return path
            self._rules.check_certificate(last, self._at)
            _check_extensions(last)
        except (NoPath, ForbiddenAlgorithm) as error:
            self.reasons.append(str(error))
            return None
        for issuer in self._known:
            if issuer in path or len(path) >= MAX_PATH or not self._is_link(last, issuer):
                continue
            try:
                _check_issuer(issuer, below=len(path) - 1)
            except NoPath as error:
                self.reasons.append(str(error))
                continue
            found = self.extend((*path, issuer))
            if found is not None:
                return found
        if not self.reasons:
            self.reasons.append(f"no known certificate issued {_name(last)}")
        return None

    def _is_link(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Names are compared first: only signatures are counted."""
        if not _names_chain(certificate, issuer):
            return False
        self._links_left -= 1
        return self._links_left >= 0 and is_issued_by(certificate, issuer)


def _check_time(certificate: x509.Certificate, at: dt.datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise NoPath(
            f"{_name(certificate)} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
            f"to {certificate.not_valid_after_utc:%Y-%m-%d} only"
        )


def _check_extensions(certificate: x509.Certificate) -> None:
    """Critical extensions are processed or refused (RFC 5280 4.2)."""
    for extension in extensions_of(certificate):
        if extension.critical and extension.oid not in _PROCESSED:
            raise NoPath(
                f"{_name(certificate)} has the critical extension {extension.oid.dotted_string}, "
                "which is not processed here"
            )


def _check_issuer(issuer: x509.Certificate, *, below: int) -> None:
    """A CA, allowed to sign certificates, with room for the CAs below it (RFC 5280 6.1.4)."""
    extensions = extensions_of(issuer)
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise NoPath(f"{_name(issuer)} is not a CA") from None
    if not constraints.ca:
        raise NoPath(f"{_name(issuer)} is not a CA")
    if constraints.path_length is not None and constraints.path_length < below:
        raise NoPath(f"the path below {_name(issuer)} is longer than it allows")
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise NoPath(f"{_name(issuer)} may not sign certificates")


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """The extensions, all readable. Raises `NoPath`."""
    try:
        return certificate.extensions
    except UNREADABLE as error:
        raise NoPath(f"{_name(certificate)} has unreadable extensions: {error}") from error


def _name(certificate: x509.Certificate) -> str:
    return f"“{certificate.subject.rfc4514_string()}”"
