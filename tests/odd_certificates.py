"""Certificates written by hand, with the encodings that genuine old and odd ones have.

office = OddAuthority("CA cơ quan thử")          # self-signed, RSA 2048
key = office.issue(name(("CN", "Trần Mẫu")))      # a leaf with its private key
key.certificate                                   # DER
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.der import (
    bit_string,
    boolean,
    explicit,
    integer,
    octet_string,
    oid,
    sequence,
    tlv,
    x509_time,
)
from tests.cms_surgery import grow
from tests.der_writing import NULL, algorithm, name

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)  # fmt: skip
SHA1_RSA, SHA256_RSA = "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.11"
DIGITAL_SIGNATURE, NON_REPUDIATION, CERT_SIGN, CRL_SIGN = 0x80, 0x40, 0x04, 0x02
EKU, TIME_STAMPING = "2.5.29.37", "1.3.6.1.5.5.7.3.8"


@lru_cache(maxsize=32)
def rsa_key(label: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same label: making one takes long."""
    return rsa.generate_private_key(65537, bits)


def spki(key: PrivateKey, *, negative_modulus: bool = False, null: bytes = NULL) -> bytes:
    """SubjectPublicKeyInfo; a negative modulus lacks the leading zero octet, as old cards did."""
    public = key.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    numbers = public.public_numbers()
    modulus = integer(numbers.n)
    if negative_modulus:
        modulus = tlv(0x02, numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8))
    return sequence(
        algorithm("1.2.840.113549.1.1.1", null), bit_string(sequence(modulus, integer(numbers.e)))
    )


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(oid(kind), boolean(True) if critical else b"", octet_string(value))


def key_usage(mask: int) -> bytes:
    unused = (mask & -mask).bit_length() - 1
    return extension("2.5.29.15", bit_string(bytes([mask]), unused), critical=True)


def extended_usage(*purposes: str, critical: bool = False) -> bytes:
    return extension(EKU, sequence(*(oid(purpose) for purpose in purposes)), critical=critical)


@dataclass(frozen=True)
class OddKey:
    """A private key with its certificate, and the certificates above it."""

    private: PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def fields(self) -> Sequence[bytes]:
        """serial, algorithm, issuer, validity, subject, key, …: encoded."""
        tbs = grow(self.certificate)[0][0]
        return [part.dump() for part in tbs.value if part.tag != 0xA0]

    @property
    def serial(self) -> bytes:
        return self.fields[0]

    @property
    def issuer(self) -> bytes:
        return self.fields[2]

    @property
    def key_identifier(self) -> bytes:
        """RFC 5280 4.2.1.2, method 1."""
        return x509.SubjectKeyIdentifier.from_public_key(self.private.public_key()).digest


def certificate(
    signer: rsa.RSAPrivateKey, issuer: bytes, subject: bytes, public: bytes, *,
    serial: bytes = b"", start: dt.datetime | None = None, end: dt.datetime | None = None,
    extensions: Sequence[bytes] = (), sha1: bool = False, null: bytes = NULL,
) -> bytes:  # fmt: skip
    """An X.509 certificate signed with RSA; nothing about it is checked."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    start, end = start or now - dt.timedelta(days=30), end or now + dt.timedelta(days=1000)
    how = algorithm(SHA1_RSA if sha1 else SHA256_RSA, null)
    tbs = sequence(
        explicit(0, integer(2)),
        serial or integer(int.from_bytes(b"\x01" + x509.random_serial_number().to_bytes(20)[:9])),
        how,
        issuer,
        sequence(x509_time(start), x509_time(end)),
        subject,
        public,
        *([explicit(3, sequence(*extensions))] if extensions else []),
    )
    digest = hashes.SHA1() if sha1 else hashes.SHA256()  # noqa: S303 - genuine ones have it
    return sequence(tbs, how, bit_string(signer.sign(tbs, padding.PKCS1v15(), digest)))


class OddAuthority:
    """A self-signed root that issues what it is asked to."""

    def __init__(
        self, common_name: str = "CA cơ quan thử", *, bits: int = 2048, encoding: str = "utf8",
        sha1: bool = False,
    ) -> None:  # fmt: skip
        self.private = rsa_key(common_name, bits)
        self.name = name(("C", "VN"), ("CN", common_name), encoding=encoding)
        self.sha1 = sha1
        self.certificate = certificate(
            self.private, self.name, self.name, spki(self.private), sha1=sha1,
            extensions=[
                extension("2.5.29.19", sequence(boolean(True)), critical=True),
                key_usage(CERT_SIGN | CRL_SIGN),
            ],
        )  # fmt: skip

    @property
    def anchor(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.certificate)

    def issue(
        self, subject: bytes, private: PrivateKey | None = None, *, public: bytes = b"",
        usage: int = DIGITAL_SIGNATURE | NON_REPUDIATION, extensions: Sequence[bytes] = (),
        issuer: bytes = b"", **options,
    ) -> OddKey:  # fmt: skip
        """A leaf; `issuer` is its issuer name when it is spelt otherwise than the root's."""
        private = private or rsa_key(subject.hex())
        made = certificate(
            self.private, issuer or self.name, subject, public or spki(private),
            extensions=[*([key_usage(usage)] if usage else []), *extensions],
            **{"sha1": self.sha1, **options},
        )  # fmt: skip
        return OddKey(private, made, (self.certificate,))
