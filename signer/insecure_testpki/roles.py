"""Who the test PKI certifies, and what their certificates say. All of it is fictitious."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsm.keys import SignatureScheme
from signer.trust import TEST_MARK

_ORGANIZATION = f"Cơ quan giả định – {TEST_MARK}"


class Role(enum.StrEnum):
    """The keys of the test PKI; the value is the file name of the certificate."""

    ROOT = "root"
    ISSUING = "issuing"
    OCSP = "ocsp"
    TSA = "tsa"
    OFFICER = "officer"
    LEADER = "leader"
    SEAL = "seal"
    AUDIT = "audit"
    PROOF = "proof"
    REGISTER = "register"

    @property
    def is_authority(self) -> bool:
        """True for the keys of the authority itself: they sign no document of the agency."""
        return self in (Role.ROOT, Role.ISSUING, Role.OCSP, Role.TSA)

    @property
    def label(self) -> str:
        """CKA_LABEL of the key."""
        return f"test-{self.value}"


@dataclass(frozen=True, slots=True)
class KeyUses:
    """The bits of KeyUsage (RFC 5280 4.2.1.3) that matter here; the others are never set."""

    digital_signature: bool = False
    content_commitment: bool = False
    key_cert_sign: bool = False
    crl_sign: bool = False

    def extension(self) -> x509.KeyUsage:
        """The extension's value."""
        return x509.KeyUsage(
            digital_signature=self.digital_signature,
            content_commitment=self.content_commitment,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=self.key_cert_sign,
            crl_sign=self.crl_sign,
            encipher_only=False,
            decipher_only=False,
        )


_CA = KeyUses(key_cert_sign=True, crl_sign=True)
_SIGNER = KeyUses(digital_signature=True, content_commitment=True)


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """What a certificate of the test PKI says; tests `replace` fields to spoil one."""

    common_name: str
    scheme: SignatureScheme
    lifetime: dt.timedelta
    uses: KeyUses = _SIGNER
    title: str | None = None
    extended_key_usage: tuple[x509.ObjectIdentifier, ...] = ()
    path_length: int | None = None  # set for a CA
    ocsp_no_check: bool = False
    has_ocsp: bool = True  # AIA names the OCSP responder
    has_crl: bool = True  # CDP names the issuer's CRL
    starts_after: dt.timedelta = -dt.timedelta(minutes=5)  # relative to the time of issue

    @property
    def subject(self) -> x509.Name:
        """The distinguished name, each with the mark of a test."""
        attributes = [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
        ]
        if self.title:
            attributes.append(x509.NameAttribute(NameOID.TITLE, self.title))
        attributes.append(
            x509.NameAttribute(NameOID.COMMON_NAME, f"{self.common_name} – {TEST_MARK}")
        )
        return x509.Name(attributes)

    def but(self, **changes: object) -> CertificateProfile:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]  # replace() checks the names


_YEAR = dt.timedelta(days=365)
_P256 = SignatureScheme.ECDSA_SHA256
_RSA = SignatureScheme.RSA_PKCS1_SHA256

PROFILES: dict[Role, CertificateProfile] = {
    Role.ROOT: CertificateProfile(
        "CA gốc thử", _P256, 20 * _YEAR, _CA, path_length=1, has_ocsp=False, has_crl=False
    ),
    Role.ISSUING: CertificateProfile(
        "CA cấp phát thử", _P256, 10 * _YEAR, _CA, path_length=0, has_ocsp=False
    ),
    Role.OCSP: CertificateProfile(
        "Trả lời OCSP thử",
        _P256,
        3 * _YEAR,
        KeyUses(digital_signature=True),
        extended_key_usage=(ExtendedKeyUsageOID.OCSP_SIGNING,),
        ocsp_no_check=True,
        has_ocsp=False,
    ),
    Role.TSA: CertificateProfile(
        "Dấu thời gian thử",
        _P256,
        3 * _YEAR,
        extended_key_usage=(ExtendedKeyUsageOID.TIME_STAMPING,),
    ),
    Role.OFFICER: CertificateProfile(
        "Nguyễn Văn Thử", _RSA, 3 * _YEAR, title="Công chức Một cửa (giả định)"
    ),
    Role.LEADER: CertificateProfile("Trần Thị Mẫu", _RSA, 3 * _YEAR, title="Chủ tịch (giả định)"),
    Role.SEAL: CertificateProfile("UBND xã Thử Nghiệm", _P256, 3 * _YEAR),
    Role.AUDIT: CertificateProfile("Niêm phong nhật ký thử", _P256, 3 * _YEAR),
    Role.PROOF: CertificateProfile("Mã QR trên bản in thử", _P256, 3 * _YEAR),
    Role.REGISTER: CertificateProfile("Sổ kết quả thử", _P256, 3 * _YEAR),
}
