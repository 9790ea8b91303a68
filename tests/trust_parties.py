"""Authorities and lists of trust made up for tests: certificates, cross-certificates, lists.

    root = Party.root("Gốc Thử G1")
    inner = root.certify("CA Thử", is_ca=True)
    xml = etsi_list([ListedService(root.certificate, "CA/QC", [("granted", begins)])], operator)

All keys are P-256 in memory and remembered by name, so that two certificates of one name can
have one key, or two.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from lxml import etree

from hsm.keys import SignatureScheme
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from tests.fakes import SoftwareKey
from tests.sealed import blank, sealer

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
YEAR = dt.timedelta(days=365)
TSL = "http://uri.etsi.org/02231/v2#"
TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"


@cache
def key_named(name: str) -> ec.EllipticCurvePrivateKey:
    """One key for one name, for as long as the process lives."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def subject_of(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Cơ quan Thử nghiệm"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


@dataclass(frozen=True)
class Party:
    """A certificate, its key, and whoever issued it (None: itself)."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    issuer: Party | None = field(default=None, repr=False)

    @classmethod
    def root(cls, name: str, *, key: str | None = None, **dates) -> Party:
        own = key_named(key or name)
        return cls(name, own, _certificate(name, own, name, own, is_ca=True, **dates))

    def certify(
        self, name: str, *, key: str | None = None, is_ca: bool = False, usage=None, **dates
    ) -> Party:
        """A certificate signed by this party: an inner one, a cross-certificate, a leaf."""
        own = key_named(key or name)
        made = _certificate(name, own, self.name, self.key, is_ca=is_ca, usage=usage, **dates)
        return Party(name, own, made, self)

    @property
    def signing_key(self) -> SoftwareKey:
        """It as a `SigningKey`, with the chain that issued it."""
        chain, one = [], self.issuer
        while one is not None:
            chain.append(one.certificate)
            one = one.issuer
        return SoftwareKey(
            SignatureScheme.ECDSA_SHA256,
            label=self.name,
            certificate=self.certificate,
            chain=tuple(chain),
            private_key=self.key,
        )

    def crl(self, *, this_update: dt.datetime = NOW, days: int = 7, revoked=()) -> bytes:
        """Its revocation list, DER; `revoked` are (certificate, time)."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(subject_of(self.name))
            .last_update(this_update)
            .next_update(this_update + days * DAY)
        )
        for certificate, moment in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(moment)
                .build()
            )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def ocsp_response(self, certificate: x509.Certificate, *, this_update=NOW) -> bytes:
        """Its own answer that `certificate` is good, DER."""
        return (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=certificate,
                issuer=self.certificate,
                algorithm=hashes.SHA1(),  # noqa: S303 - a look-up key, nothing else
                cert_status=ocsp.OCSPCertStatus.GOOD,
                this_update=this_update,
                next_update=this_update + 7 * DAY,
                revocation_time=None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.NAME, self.certificate)
            .sign(self.key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def _certificate(
    name, key, issuer, issuer_key, *, is_ca=False, usage=None, begins=NOW - YEAR, ends=NOW + YEAR,
    crl_url=None, ocsp_url=None,
):  # fmt: skip
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_of(name))
        .issuer_name(subject_of(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(
            x509.KeyUsage(not is_ca, not is_ca, False, False, False, is_ca, is_ca, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if usage == "timestamping":
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    if crl_url is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if ocsp_url is not None:
        place = x509.UniformResourceIdentifier(ocsp_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def signed_by(party: Party, pdf: bytes | None = None, **request) -> bytes:
    """A PDF with one more signature, at B-B; `claimed_at` and the like go to the request."""
    asked = SealRequest(party.signing_key, Level.B_B, **request)
    return sealer().seal_bytes(pdf or blank(), asked)[0]


def base64_of(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def government_list(certificates, *, sequence: int = 1, issued=NOW, until=NOW + YEAR, **more):
    """The JSON of a ``gca.ctl``."""
    said = {
        "Version": 1,
        "ListIdentifier": "GCA-THU",
        "SequenceNumber": sequence,
        "ThisUpdate": issued.isoformat(),
        "NextUpdate": until.isoformat(),
        "Certificates": [base64_of(one) for one in certificates],
        **more,
    }
    return json.dumps({k: v for k, v in said.items() if v is not None}).encode()


@dataclass(frozen=True)
class ListedService:
    """A service of a trusted list. `statuses`: (word, since), the newest first."""

    certificate: x509.Certificate
    kind: str
    statuses: list[tuple[str, dt.datetime]]


def etsi_text(
    services, *, sequence: int | str = 1, issued=NOW, until=NOW + 90 * DAY, version: str = "5"
) -> bytes:
    """A trusted list (TS 119 612) without its signature."""
    listed = "".join(_service(one) for one in services)
    update = f"<dateTime>{_utc(until)}</dateTime>" if until else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<TrustServiceStatusList xmlns="{TSL}" Id="list" '
        f'TSLTag="http://uri.etsi.org/19612/TSLTag"><SchemeInformation>'
        f"<TSLVersionIdentifier>{version}</TSLVersionIdentifier>"
        f"<TSLSequenceNumber>{sequence}</TSLSequenceNumber>"
        f"<TSLType>http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUgeneric</TSLType>"
        f'<SchemeOperatorName><Name xml:lang="vi">Cơ quan điều hành thử nghiệm</Name>'
        f'<Name xml:lang="en">Test scheme operator</Name></SchemeOperatorName>'
        f"<ListIssueDateTime>{_utc(issued)}</ListIssueDateTime>"
        f"<NextUpdate>{update}</NextUpdate></SchemeInformation>"
        f"<TrustServiceProviderList><TrustServiceProvider><TSPInformation><TSPName>"
        f'<Name xml:lang="en">Test provider</Name></TSPName></TSPInformation>'
        f"<TSPServices>{listed}</TSPServices></TrustServiceProvider>"
        f"</TrustServiceProviderList></TrustServiceStatusList>"
    ).encode()


def _service(one: ListedService) -> str:
    identity = (
        "<ServiceDigitalIdentity><DigitalId><X509Certificate>"
        f"{base64_of(one.certificate)}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
    )
    (status, since), *older = one.statuses
    history = "".join(
        f"<ServiceHistoryInstance>{_status(one.kind, '', word, begins)}</ServiceHistoryInstance>"
        for word, begins in older
    )
    return (
        f"<TSPService><ServiceInformation>{_status(one.kind, identity, status, since)}"
        f"</ServiceInformation><ServiceHistory>{history}</ServiceHistory></TSPService>"
    )


def _status(kind: str, identity: str, word: str, begins: dt.datetime) -> str:
    return (
        f"<ServiceTypeIdentifier>{TYPE}{kind}</ServiceTypeIdentifier>"
        f'<ServiceName><Name xml:lang="en">Test service</Name></ServiceName>{identity}'
        f"<ServiceStatus>{STATUS}{word}</ServiceStatus>"
        f"<StatusStartingTime>{_utc(begins)}</StatusStartingTime>"
    )


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_xml(text: bytes, operator: Party) -> bytes:
    """`text` with an enveloped XAdES signature, written as schemes write it (TS 119 612, 5.7.1).

    By hand and by lxml's canonicalization, so that whoever verifies it is not whoever made it.
    """
    root = etree.fromstring(text)
    covered = canonical(root)
    root.append(etree.fromstring(signature_text(operator)))
    complete_signature(root[-1], covered, operator)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def complete_signature(signature, covered: bytes, operator: Party) -> None:
    """Fill in the digests, that of `covered` first, and sign them."""
    properties = signature.find(f".//{{{XADES}}}SignedProperties")
    values = signature.findall(f".//{{{DS}}}SignedInfo/{{{DS}}}Reference/{{{DS}}}DigestValue")
    values[0].text, values[1].text = _digest(covered), _digest(canonical(properties))
    info = canonical(signature.find(f"{{{DS}}}SignedInfo"))
    r, s = decode_dss_signature(operator.key.sign(info, ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    signature.find(f"{{{DS}}}SignatureValue").text = base64.b64encode(raw).decode()


def signature_text(operator: Party) -> str:
    """A signature over the whole document whose values are still to come."""
    exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
    digest = '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    certificate = operator.certificate.public_bytes(Encoding.DER)
    return (
        f'<ds:Signature xmlns:ds="{DS}" Id="sig"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{exclusive}"/>'
        f'<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>'
        f'<ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'
        f'<ds:Transform Algorithm="{exclusive}"/></ds:Transforms>{digest}'
        f"<ds:DigestValue>AA==</ds:DigestValue></ds:Reference>"
        f'<ds:Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#props">'
        f'<ds:Transforms><ds:Transform Algorithm="{exclusive}"/></ds:Transforms>{digest}'
        f"<ds:DigestValue>AA==</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        f"<ds:SignatureValue>AA==</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{base64_of(operator.certificate)}</ds:X509Certificate>"
        f"</ds:X509Data></ds:KeyInfo><ds:Object>"
        f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#sig">'
        f'<xades:SignedProperties Id="props"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{_utc(NOW)}</xades:SigningTime><xades:SigningCertificateV2>"
        f"<xades:Cert><xades:CertDigest>{digest}<ds:DigestValue>{_digest(certificate)}"
        f"</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        f"</xades:SignedSignatureProperties></xades:SignedProperties>"
        f"</xades:QualifyingProperties></ds:Object></ds:Signature>"
    )


def canonical(element) -> bytes:
    """Exclusive canonical XML of an element, in its place."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _digest(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


def etsi_list(services, operator: Party, **scheme) -> bytes:
    """A whole trusted list, signed by `operator`."""
    return signed_xml(etsi_text(services, **scheme), operator)
