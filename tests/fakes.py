"""Hand-written stand-ins that pass the same contract suites as the real parts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

from hsm.keys import SignatureScheme

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


class SoftwareKey:
    """A `SigningKey` whose private key is in memory: for tests of what lies above hsm only.

    `signed` holds the digests signed, `calls` counts them; `corrupt` flips a bit of each signature.
    """

    is_hardware = False

    def __init__(
        self,
        scheme: SignatureScheme = SignatureScheme.ECDSA_SHA256,
        *,
        label: str = "software",
        certificate: x509.Certificate | None = None,
        chain: tuple[x509.Certificate, ...] = (),
        private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
        bits: int = 2048,
    ) -> None:
        self.scheme = scheme
        self.label = label
        self.private_key = private_key or _generate(scheme, bits)
        self.certificate = certificate or self_signed(self.private_key, label)
        self.chain = chain
        self.signed: list[bytes] = []
        self.corrupt = False

    @property
    def calls(self) -> int:
        return len(self.signed)

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        out = []
        for digest in digests:
            self.signed.append(digest)
            signature = self._sign(digest)
            if self.corrupt:
                signature = signature[:-1] + bytes([signature[-1] ^ 1])
            out.append(signature)
        return out

    def _sign(self, digest: bytes) -> bytes:
        algorithm = utils.Prehashed(_HASHES[self.scheme.digest_name])
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return self.private_key.sign(digest, ec.ECDSA(algorithm))
        if self.scheme.family == "rsa-pss":
            pad: padding.AsymmetricPadding = padding.PSS(
                padding.MGF1(_HASHES[self.scheme.digest_name]), len(digest)
            )
        else:
            pad = padding.PKCS1v15()
        return self.private_key.sign(digest, pad, algorithm)


def _generate(scheme: SignatureScheme, bits: int) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if scheme.family == "ecdsa":
        curve = ec.SECP384R1() if scheme is SignatureScheme.ECDSA_SHA384 else ec.SECP256R1()
        return ec.generate_private_key(curve)
    return rsa.generate_private_key(65537, bits)


def self_signed(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, common_name: str
) -> x509.Certificate:
    """A ten-year self-signed certificate with the key usages of a signer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(
            x509.KeyUsage(True, True, False, False, False, False, False, False, False), True
        )
        .sign(key, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)
