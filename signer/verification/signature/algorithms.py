"""From an AlgorithmIdentifier to a verified signature.

Old algorithms are still *computed*, so that a genuine file under SHA-1 is told from a forged
one (`domain.md` 5.8); which are too weak to pass, the rule sets say (`signer.trust.rules`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from signer.verification.attacks import Attack
from signer.verification.signature.der import INTEGER, NULL, OID, SEQUENCE, DERError, Node

_HASHES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.5": ("md5", hashes.MD5()),  # noqa: S303 - recognised, flagged weak
    "1.3.14.3.2.26": ("sha1", hashes.SHA1()),  # noqa: S303 - recognised, flagged weak
    "2.16.840.1.101.3.4.2.4": ("sha224", hashes.SHA224()),
    "2.16.840.1.101.3.4.2.1": ("sha256", hashes.SHA256()),
    "2.16.840.1.101.3.4.2.2": ("sha384", hashes.SHA384()),
    "2.16.840.1.101.3.4.2.3": ("sha512", hashes.SHA512()),
    "2.16.840.1.101.3.4.2.5": ("sha512_224", hashes.SHA512_224()),
    "2.16.840.1.101.3.4.2.6": ("sha512_256", hashes.SHA512_256()),
    "2.16.840.1.101.3.4.2.7": ("sha3_224", hashes.SHA3_224()),
    "2.16.840.1.101.3.4.2.8": ("sha3_256", hashes.SHA3_256()),
    "2.16.840.1.101.3.4.2.9": ("sha3_384", hashes.SHA3_384()),
    "2.16.840.1.101.3.4.2.10": ("sha3_512", hashes.SHA3_512()),
    # Ed448 goes with 64 octets of it (RFC 8419, 3.1)
    "2.16.840.1.101.3.4.2.12": ("shake256", hashes.SHAKE256(64)),
    "2.16.840.1.101.3.4.2.18": ("shake256", hashes.SHAKE256(64)),
}
_SHAKE256_LENGTH = 64
_BY_NAME = dict(_HASHES.values())
_RSA, _PSS, _MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_EC_KEY, _EC_SPECIFIED = "1.2.840.10045.2.1", "1.2.840.10045.4.3"
_SHAKE256_LEN = "2.16.840.1.101.3.4.2.18"
_SIGNATURES: dict[str, tuple[str, str | None]] = {
    _RSA: ("rsa-pkcs1", None),
    "1.2.840.113549.1.1.4": ("rsa-pkcs1", "md5"),
    "1.2.840.113549.1.1.5": ("rsa-pkcs1", "sha1"),
    "1.3.14.3.2.29": ("rsa-pkcs1", "sha1"),  # of the OIW, before PKCS#1 had its own
    "1.2.840.113549.1.1.14": ("rsa-pkcs1", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa-pkcs1", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa-pkcs1", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa-pkcs1", "sha512"),
    "1.2.840.113549.1.1.15": ("rsa-pkcs1", "sha512_224"),
    "1.2.840.113549.1.1.16": ("rsa-pkcs1", "sha512_256"),
    "2.16.840.1.101.3.4.3.13": ("rsa-pkcs1", "sha3_224"),
    "2.16.840.1.101.3.4.3.14": ("rsa-pkcs1", "sha3_256"),
    "2.16.840.1.101.3.4.3.15": ("rsa-pkcs1", "sha3_384"),
    "2.16.840.1.101.3.4.3.16": ("rsa-pkcs1", "sha3_512"),
    _EC_KEY: ("ecdsa", None),  # the key's own identifier, as some write for the signature
    "1.2.840.10045.4.1": ("ecdsa", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
    "2.16.840.1.101.3.4.3.9": ("ecdsa", "sha3_224"),
    "2.16.840.1.101.3.4.3.10": ("ecdsa", "sha3_256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa", "sha3_384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa", "sha3_512"),
    # BSI TR-03111: r and s of the order's length, one behind the other
    "0.4.0.127.0.7.1.1.4.1.1": ("plain-ecdsa", "sha1"),
    "0.4.0.127.0.7.1.1.4.1.2": ("plain-ecdsa", "sha224"),
    "0.4.0.127.0.7.1.1.4.1.3": ("plain-ecdsa", "sha256"),
    "0.4.0.127.0.7.1.1.4.1.4": ("plain-ecdsa", "sha384"),
    "0.4.0.127.0.7.1.1.4.1.5": ("plain-ecdsa", "sha512"),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
    "1.3.101.112": ("ed25519", None),
    "1.3.101.113": ("ed448", None),
}
# these hash for themselves: the digest is that of the message, whichever the signer chose
_OWN_DIGEST = {"ed25519": "sha512", "ed448": "shake256"}


class UnknownAlgorithm(ValueError):
    """An algorithm that this verifier does not know; nothing can be said about the signature."""


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """What a SignerInfo, certificate, CRL or OCSP response says it was signed with."""

    family: str  # rsa-pkcs1, rsa-pss, ecdsa, plain-ecdsa, dsa, ed25519, ed448
    digest: str
    salt_length: int = 0
    mask: str = ""  # the digest of MGF1, where it is not `digest`

    @property
    def name(self) -> str:
        """For reports, for example ``rsa-pss-sha256``."""
        return f"{self.family}-{self.digest}" + (f"-mgf1-{self.mask}" if self.mask else "")


class Hash(Protocol):
    """What `hashlib` gives."""

    def update(self, octets: bytes | memoryview, /) -> None:
        """Take more octets."""

    def copy(self) -> Self:
        """The same state, to go on separately."""

    def digest(self) -> bytes:
        """Of all octets so far."""


class _SHAKE256:
    """SHAKE256 with the length that CMS gives it."""

    def __init__(self) -> None:
        self._state = hashlib.shake_256()

    def update(self, octets: bytes | memoryview, /) -> None:
        self._state.update(octets)

    def copy(self) -> _SHAKE256:
        other = _SHAKE256()
        other._state = self._state.copy()
        return other

    def digest(self) -> bytes:
        return self._state.digest(_SHAKE256_LENGTH)


def new_hash(name: str) -> Hash:
    """A running hash; `name` is one of those that `digest_name` gives.

    The algorithm is the producer's choice; what is weak is named as such, not refused here.
    """
    return _SHAKE256() if name == "shake256" else hashlib.new(name, usedforsecurity=False)


def digest_of(name: str, octets: bytes) -> bytes:
    """The digest of `octets`."""
    running = new_hash(name)
    running.update(octets)
    return running.digest()


def digest_name(identifier: Node) -> str:
    """The digest that an AlgorithmIdentifier names. Raises `DERError`, `UnknownAlgorithm`."""
    parts = identifier.expect(SEQUENCE).children()
    if not parts:
        raise DERError("an empty AlgorithmIdentifier")
    oid = parts[0].oid()
    if oid != _SHAKE256_LEN:
        _require_no_parameters(parts[1:])
    elif len(parts) != 2 or parts[1].expect(INTEGER).integer() != 8 * _SHAKE256_LENGTH:
        raise UnknownAlgorithm("SHAKE256 of an unusual length")
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
    elif oid == _EC_SPECIFIED and len(parts) == 2:
        found = SignatureAlgorithm("ecdsa", digest_name(parts[1]))
    else:
        if oid not in _SIGNATURES:
            raise UnknownAlgorithm(f"the signature algorithm {oid} is not known")
        if oid != _EC_KEY or [p.tag for p in parts[1:]] != [OID]:  # the curve may stand there
            _require_no_parameters(parts[1:])
        family, named = _SIGNATURES[oid]
        found = SignatureAlgorithm(family, named or digest or _OWN_DIGEST.get(family, ""))
    if digest is not None and found.digest != digest:
        raise DERError(
            f"signature algorithm {found.name} and digest {digest} do not agree",
            Attack.ALGORITHM_SUBSTITUTION,
        )
    return found


def _require_no_parameters(rest: list[Node]) -> None:
    if rest and not (len(rest) == 1 and rest[0].tag == NULL and not rest[0].content):
        raise DERError(
            "unexpected parameters in an AlgorithmIdentifier", Attack.ALGORITHM_SUBSTITUTION
        )


def _pss(rest: list[Node]) -> SignatureAlgorithm:
    """RSASSA-PSS-params (RFC 4055 3.1); the mask may use another digest, as Java's default does."""
    if len(rest) != 1:
        raise DERError("RSASSA-PSS without parameters", Attack.ALGORITHM_SUBSTITUTION)
    digest, mask, salt = "sha1", "sha1", 20
    last = 0
    for part in rest[0].expect(SEQUENCE).children():
        if part.tag <= last:
            raise DERError("RSASSA-PSS parameters are out of order", Attack.ALGORITHM_SUBSTITUTION)
        last = part.tag
        value = part.explicit(part.tag)
        if part.tag == 0xA0:
            digest = digest_name(value)
        elif part.tag == 0xA1:
            generator = value.expect(SEQUENCE).children()
            if len(generator) != 2 or generator[0].oid() != _MGF1:
                raise DERError(
                    "RSASSA-PSS with a mask other than MGF1", Attack.ALGORITHM_SUBSTITUTION
                )
            mask = digest_name(generator[1])
        elif part.tag == 0xA2:
            salt = value.integer()
        elif part.tag != 0xA3 or value.integer() != 1:
            raise DERError("RSASSA-PSS with an unknown parameter", Attack.ALGORITHM_SUBSTITUTION)
    if not 0 <= salt <= 512:
        raise DERError("RSASSA-PSS with an impossible salt", Attack.ALGORITHM_SUBSTITUTION)
    return SignatureAlgorithm("rsa-pss", digest, salt, mask if mask != digest else "")


def verifies(
    key: PublicKeyTypes, algorithm: SignatureAlgorithm, signature: bytes, signed: bytes
) -> bool:
    """True when `signature` over the octets `signed` is the key's.

    Raises `UnknownAlgorithm` when key and algorithm fit, but cannot be computed here.
    """
    digest = _BY_NAME.get(algorithm.digest)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            return _rsa_verifies(key, algorithm, signature, signed)
        if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            if algorithm.family not in ("ecdsa", "plain-ecdsa"):
                return False
            value = signature if algorithm.family == "ecdsa" else _from_plain(signature)
            key.verify(value, signed, ec.ECDSA(digest))
        elif isinstance(key, dsa.DSAPublicKey) and algorithm.family == "dsa" and digest is not None:
            key.verify(signature, signed, digest)
        elif (
            (algorithm.family == "ed25519" and isinstance(key, ed25519.Ed25519PublicKey))
            or (algorithm.family == "ed448" and isinstance(key, ed448.Ed448PublicKey))
        ):  # fmt: skip
            key.verify(signature, signed)
        else:
            return False
    except UnsupportedAlgorithm as error:
        raise UnknownAlgorithm(f"{algorithm.name} cannot be computed here: {error}") from error
    except (InvalidSignature, ValueError):
        return False
    return True


def _rsa_verifies(
    key: rsa.RSAPublicKey, algorithm: SignatureAlgorithm, signature: bytes, signed: bytes
) -> bool:
    digest = _BY_NAME.get(algorithm.digest)
    mask = _BY_NAME.get(algorithm.mask, digest)
    if digest is None or mask is None:
        return False
    scheme: padding.AsymmetricPadding
    if algorithm.family == "rsa-pkcs1":
        scheme = padding.PKCS1v15()
    elif algorithm.family == "rsa-pss":
        scheme = padding.PSS(padding.MGF1(mask), algorithm.salt_length)
    else:
        return False
    key.verify(signature, signed, scheme, digest)
    return True


def _from_plain(signature: bytes) -> bytes:
    half, odd = divmod(len(signature), 2)
    if odd or not half:
        raise ValueError("r and s are not of one length")
    return utils.encode_dss_signature(
        int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    )
