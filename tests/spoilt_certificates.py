"""Certificates that a sane CA would not issue, signed by the test PKI's issuing CA."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from signer.insecure_testpki import InsecureTestPKI, Role
from signer.insecure_testpki.certificates import build_certificate


def issue_with(
    pki: InsecureTestPKI, values, *, public_key=None, issuer: Role = Role.ISSUING
) -> x509.Certificate:
    """A certificate with exactly the extensions `values`: pairs of value and critical."""
    now = dt.datetime.now(dt.UTC)
    return build_certificate(
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hỏng – TEST ONLY")]),
        public_key=public_key or ec.generate_private_key(ec.SECP256R1()).public_key(),
        issuer=pki.certificate(issuer).subject,
        signer=pki.key(issuer),
        serial=x509.random_serial_number(),
        not_before=now - dt.timedelta(hours=1),
        not_after=now + dt.timedelta(days=365),
        values=values,
    )


def key_usage() -> x509.KeyUsage:
    """digitalSignature and contentCommitment."""
    return x509.KeyUsage(True, True, False, False, False, False, False, False, False)


def with_duplicate_extension(pki: InsecureTestPKI) -> x509.Certificate:
    """The same extension twice, which RFC 5280 4.2 forbids."""
    return issue_with(pki, [(key_usage(), True), (key_usage(), True)])


def with_odd_locations(pki: InsecureTestPKI) -> x509.Certificate:
    """AIA and CDP that name no address to ask."""
    directory = x509.DirectoryName(pki.certificate(Role.ISSUING).subject)
    uri = x509.UniformResourceIdentifier("http://127.0.0.1:9/x")
    reasons = frozenset([x509.ReasonFlags.key_compromise])
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    access = AuthorityInformationAccessOID
    return issue_with(
        pki,
        [
            (
                x509.AuthorityInformationAccess(
                    [
                        x509.AccessDescription(access.OCSP, directory),
                        x509.AccessDescription(access.CA_ISSUERS, uri),
                    ]
                ),
                False,
            ),
            (
                x509.CRLDistributionPoints(
                    [
                        x509.DistributionPoint([directory], None, None, None),
                        x509.DistributionPoint(None, relative, None, None),
                        x509.DistributionPoint([uri], None, reasons, None),
                        x509.DistributionPoint([uri], None, None, [directory]),
                    ]
                ),
                False,
            ),
        ],
    )
