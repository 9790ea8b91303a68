"""From an AlgorithmIdentifier to a verified signature; what is weak, and why.

Old algorithms are still *computed*, so that a genuine file under SHA-1 is told from a forged
one (`domain.md` 5.8), but they are named weak and never pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from signer.verification.der import NULL, SEQUENCE, DERError, Node

_HASHES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.5": ("md5", hashes.MD5()),  # noqa: S303 - recognised, flagged weak
    "1.3.14.3.2.26": ("sha1", hashes.SHA1()),  # noqa: S303 - recognised, flagged weak
    "2.16.840.1.101.3.4.2.4": ("sha224", hashes.SHA224()),
    "2.16.840.1.101.3.4.2.1": ("sha256", hashes.SHA256()),
    "2.16.840.1.101.3.4.2.2": ("sha384", hashes.SHA384()),
    "2.16.840.1.101.3.4.2.3": ("sha512", hashes.SHA512()),
    "2.16.840.1.101.3.4.2.8": ("sha3_256", hashes.SHA3_256()),
    "2.16.840.1.101.3.4.2.9": ("sha3_384", hashes.SHA3_384()),
    "2.16.840.1.101.3.4.2.10": ("sha3_512", hashes.SHA3_512()),
}
_BY_NAME = dict(_HASHES.values())
WEAK_DIGESTS = frozenset({"md5", "sha1"})
_RSA, _PSS, _MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_SIGNATURES: dict[str, tuple[str, str | None]] = {
    _RSA: ("rsa-pkcs1", None),
    "1.2.840.113549.1.1.4": ("rsa-pkcs1", "md5"),
    "1.2.840.113549.1.1.5": ("rsa-pkcs1", "sha1"),
    "1.2.840.113549.1.1.14": ("rsa-pkcs1", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa-pkcs1", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa-pkcs1", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa-pkcs1", "sha512"),
    "2.16.840.1.101.3.4.3.14": ("rsa-pkcs1", "sha3_256"),
    "2.16.840.1.101.3.4.3.15": ("rsa-pkcs1", "sha3_384"),
    "2.16.840.1.101.3.4.3.16": ("rsa-pkcs1", "sha3_512"),
    "1.2.840.10045.4.1": ("ecdsa", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
    "2.16.840.1.101.3.4.3.10": ("ecdsa", "sha3_256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa", "sha3_384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa", "sha3_512"),
    "1.3.101.112": ("ed25519", "sha512"),
    "1.3.101.113": ("ed448", None),
}


class UnknownAlgorithm(ValueError):
    """An algorithm that this verifier does not know; nothing can be said about the signature."""


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """What a SignerInfo, certificate, CRL or OCSP response says it was signed with."""

    family: str  # rsa-pkcs1, rsa-pss, ecdsa, ed25519, ed448
    digest: str
    salt_length: int = 0

    @property
    def name(self) -> str:
        """For reports, for example ``rsa-pss-sha256``."""
        return f"{self.family}-{self.digest}"


def digest_name(identifier: Node) -> str:
    """The digest that an AlgorithmIdentifier names. Raises `DERError`, `UnknownAlgorithm`."""
    parts = identifier.expect(SEQUENCE).children()
    if not parts:
        raise DERError("an empty AlgorithmIdentifier")
    _require_no_parameters(parts[1:])
    oid = parts[0].oid()
    if oid not in _HASHES:
        raise UnknownAlgorithm(f"the digest {oid} is not known")
    return _HASHES[oid][0]


def signature_algorithm(identifier: Node, digest: str | None) -> SignatureAlgorithm:
    """The algorithm of an AlgorithmIdentifier whose digest must be `digest` (None: any).

    Raises `DERError` when the two contradict each other, `UnknownAlgorithm`.
    """
    parts = identifier.expect(SEQUENCE).children()
    if not parts:
        raise DERError("an empty AlgorithmIdentifier")
    oid = parts[0].oid()
    if oid == _PSS:
        found = _pss(parts[1:])
    else:
        if oid not in _SIGNATURES:
            raise UnknownAlgorithm(f"the signature algorithm {oid} is not known")
        _require_no_parameters(parts[1:])
        family, named = _SIGNATURES[oid]
        found = SignatureAlgorithm(family, named or digest or "")
    if digest is not None and found.digest != digest and found.family != "ed448":
        raise DERError(f"signature algorithm {found.name} and digest {digest} do not agree")
    return found


def _require_no_parameters(rest: list[Node]) -> None:
    if rest and not (len(rest) == 1 and rest[0].tag == NULL and not rest[0].content):
        raise DERError("unexpected parameters in an AlgorithmIdentifier")


def _pss(rest: list[Node]) -> SignatureAlgorithm:
    """RSASSA-PSS-params (RFC 4055 3.1): digest and mask digest must agree, trailer 1."""
    if len(rest) != 1:
        raise DERError("RSASSA-PSS without parameters")
    digest, mask, salt = "sha1", "sha1", 20
    last = 0
    for part in rest[0].expect(SEQUENCE).children():
        if part.tag <= last:
            raise DERError("RSASSA-PSS parameters are out of order")
        last = part.tag
        value = part.explicit(part.tag)
        if part.tag == 0xA0:
            digest = digest_name(value)
        elif part.tag == 0xA1:
            generator = value.expect(SEQUENCE).children()
            if len(generator) != 2 or generator[0].oid() != _MGF1:
                raise DERError("RSASSA-PSS with a mask other than MGF1")
            mask = digest_name(generator[1])
        elif part.tag == 0xA2:
            salt = value.integer()
        elif part.tag != 0xA3 or value.integer() != 1:
            raise DERError("RSASSA-PSS with an unknown parameter")
    if digest != mask or not 0 <= salt <= 512:
        raise DERError("RSASSA-PSS parameters do not agree with each other")
    return SignatureAlgorithm("rsa-pss", digest, salt)


def verifies(
    key: PublicKeyTypes, algorithm: SignatureAlgorithm, signature: bytes, signed: bytes
) -> bool:
    """True when `signature` over the octets `signed` is the key's."""
    digest = _BY_NAME.get(algorithm.digest)
    try:
        if algorithm.family in ("rsa-pkcs1", "rsa-pss") and isinstance(key, rsa.RSAPublicKey):
            if digest is None:
                return False
            scheme: padding.AsymmetricPadding = padding.PKCS1v15()
            if algorithm.family == "rsa-pss":
                scheme = padding.PSS(padding.MGF1(digest), algorithm.salt_length)
            key.verify(signature, signed, scheme, digest)
        elif algorithm.family == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            if digest is None:
                return False
            key.verify(signature, signed, ec.ECDSA(digest))
        elif (
            (algorithm.family == "ed25519" and isinstance(key, ed25519.Ed25519PublicKey))
            or (algorithm.family == "ed448" and isinstance(key, ed448.Ed448PublicKey))
        ):  # fmt: skip
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def weakness(key: PublicKeyTypes, algorithm: SignatureAlgorithm) -> str | None:
    """Why key or algorithm is below the minimum (TT 15/2025 1.2-1.3), or None."""
    if algorithm.digest in WEAK_DIGESTS:
        return algorithm.digest.upper()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            return f"RSA-{key.key_size}"
        exponent = key.public_numbers().e
        if exponent < 65537:
            return f"RSA, e={exponent}"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 256:
        return f"EC-{key.key_size}"
    return None
