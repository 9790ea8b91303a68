"""Of which certificates a revocation list speaks (RFC 5280, 5.2 and 6.3.3).

A list may be divided: by kind of certificate, by reason, by distribution point. The silence of
a part means nothing for certificates of another part.
"""

from __future__ import annotations

from cryptography import x509

from signer.certificate_parts import UNREADABLE
from signer.verification.signature.certificates import Certificate


def list_covers(crl: x509.CertificateRevocationList, certificate: Certificate) -> bool:
    """False for delta lists, indirect lists and lists of another scope."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return False
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl or value.only_some_reasons:
                return False
            if value.only_contains_attribute_certs:
                return False
            if value.only_contains_user_certs and certificate.is_ca:
                return False
            if value.only_contains_ca_certs and not certificate.is_ca:
                return False
            if not _is_point_of(value, certificate):
                return False
        elif extension.critical:
            return False
    return True


def _is_point_of(scope: x509.IssuingDistributionPoint, certificate: Certificate) -> bool:
    """False for a part of a divided list that the certificate does not point to.

    Its silence means nothing there (RFC 5280, 6.3.3 b 2 i). A certificate that names no list was
    not told of any division.
    """
    if scope.full_name is None:
        return scope.relative_name is None
    try:
        parsed = x509.load_der_x509_certificate(certificate.der).extensions
    except UNREADABLE:
        return False  # nobody can say what it points to
    points = [e.value for e in parsed if isinstance(e.value, x509.CRLDistributionPoints)]
    named = {name for value in points for point in value for name in point.full_name or ()}
    return not points or bool(named & set(scope.full_name))
