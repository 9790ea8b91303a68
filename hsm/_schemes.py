"""From a signature scheme to a mechanism: what is handed to C_Sign, and what comes back.

The digest is computed outside and the token signs it (CKM_RSA_PKCS, CKM_RSA_PKCS_PSS,
CKM_ECDSA): the combined mechanisms are missing on half of the tokens (signing.md, trap 8).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hsm import _cryptoki as ck
from hsm.errors import SchemeNotSupported, SignatureFault
from hsm.keys import SignatureScheme

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
MIN_RSA_BITS: Final = 2048

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# DigestInfo up to the digest itself (RFC 8017 9.2, note 1)
_DIGEST_INFO: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_PSS: Final = {
    "sha256": (ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32),
    "sha384": (ck.CKM_SHA384, ck.CKG_MGF1_SHA384, 48),
    "sha512": (ck.CKM_SHA512, ck.CKG_MGF1_SHA512, 64),
}
_MECHANISM: Final = {
    "rsa-pkcs1": (ck.CKM_RSA_PKCS, "CKM_RSA_PKCS"),
    "rsa-pss": (ck.CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_PSS"),
    "ecdsa": (ck.CKM_ECDSA, "CKM_ECDSA"),
}


class SigningRecipe:
    """How one key signs under one scheme: mechanism, input, output, verification.

    Immutable after construction and safe to share between threads: the C structures are only
    read by the module.
    """

    def __init__(self, public_key: PublicKey, scheme: SignatureScheme) -> None:
        """Raises `SchemeNotSupported` when policy rules out the key or the pair."""
        check_key(public_key)
        is_rsa = isinstance(public_key, rsa.RSAPublicKey)
        if is_rsa is (scheme.family == "ecdsa"):
            raise SchemeNotSupported(
                f"{scheme.value} does not fit a key of type {describe(public_key)}; choose "
                f"{'an rsa- scheme' if is_rsa else 'an ecdsa- scheme'} or another key"
            )
        name = scheme.digest_name
        self.scheme = scheme
        self.digest_size = _HASHES[name].digest_size
        self.verify: Callable[[bytes, bytes], None] = _verifier(public_key, scheme)
        self._prefix = _DIGEST_INFO[name] if scheme.family == "rsa-pkcs1" else b""
        # Bits beyond the order do not enter an ECDSA signature (FIPS 186-5 6.4.1); tokens
        # disagree whether they may be given.
        self._order_bytes = 64 if is_rsa else (public_key.key_size + 7) // 8
        self._integers = not is_rsa
        self._parameters: ck.PssParams | None = None
        code, _ = _MECHANISM[scheme.family]
        if scheme.family == "rsa-pss":
            self._parameters = ck.PssParams(*_PSS[name])
            pointer = ctypes.cast(ctypes.pointer(self._parameters), ctypes.c_void_p)
            self.mechanism = ck.Mechanism(code, pointer, ctypes.sizeof(self._parameters))
        else:
            self.mechanism = ck.Mechanism(code, None, 0)

    def payload(self, digest: bytes) -> bytes:
        """What C_Sign gets. Raises ValueError when the digest has the wrong length."""
        if len(digest) != self.digest_size:
            raise ValueError(
                f"{self.scheme.value} signs digests of {self.digest_size} bytes, "
                f"this one has {len(digest)}"
            )
        return self._prefix + digest[: self._order_bytes]

    def encoded(self, raw: bytes) -> bytes:
        """The form that CMS wants, from what C_Sign gave (ECDSA: r and s of equal length)."""
        if not self._integers:
            return raw
        half = len(raw) // 2
        return utils.encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )


def _verifier(public_key: PublicKey, scheme: SignatureScheme) -> Callable[[bytes, bytes], None]:
    """verify(signature, digest), raising `SignatureFault`; everything constant made once."""
    hash_ = _HASHES[scheme.digest_name]
    prehashed = utils.Prehashed(hash_)

    def checked(check: Callable[[bytes, bytes], None]) -> Callable[[bytes, bytes], None]:
        def verify(signature: bytes, digest: bytes) -> None:
            try:
                check(signature, digest)
            except InvalidSignature as error:
                raise SignatureFault(
                    "the token gave a signature that its public key does not verify; nothing was "
                    "released: take the token out of service and have it examined"
                ) from error

        return verify

    if isinstance(public_key, rsa.RSAPublicKey):
        key = public_key
        pad: padding.AsymmetricPadding = (
            padding.PSS(padding.MGF1(hash_), hash_.digest_size)
            if scheme.family == "rsa-pss"
            else padding.PKCS1v15()
        )
        return checked(lambda signature, digest: key.verify(signature, digest, pad, prehashed))
    curve_key, algorithm = public_key, ec.ECDSA(prehashed)
    return checked(lambda signature, digest: curve_key.verify(signature, digest, algorithm))


def check_key(public_key: object) -> None:
    """Raises `SchemeNotSupported` unless it is RSA of 2048 bits or more, P-256 or P-384."""
    if isinstance(public_key, rsa.RSAPublicKey):
        if public_key.key_size < MIN_RSA_BITS:
            raise SchemeNotSupported(
                f"an RSA key of {public_key.key_size} bits is too short; "
                f"use one of at least {MIN_RSA_BITS} bits"
            )
    elif not (
        isinstance(public_key, ec.EllipticCurvePublicKey)
        and isinstance(public_key.curve, ec.SECP256R1 | ec.SECP384R1)
    ):
        raise SchemeNotSupported(
            "only RSA keys and keys on the curves P-256 and P-384 can sign; use another key"
        )


def describe(public_key: PublicKey) -> str:
    """``rsa-3072``, ``p-256``."""
    kind = "rsa" if isinstance(public_key, rsa.RSAPublicKey) else "p"
    return f"{kind}-{public_key.key_size}"


def check_mechanism(scheme: SignatureScheme, offered: Collection[int]) -> None:
    """Raises `SchemeNotSupported` unless C_GetMechanismList offers what the scheme needs."""
    code, name = _MECHANISM[scheme.family]
    if code not in offered:
        raise SchemeNotSupported(
            f"{scheme.value} needs {name}, which the token does not offer; choose another scheme"
        )


def default_scheme(public_key: PublicKey, offered: Collection[int]) -> SignatureScheme:
    """What a key signs with when nobody says: PKCS#1 v1.5 where offered, else PSS; ECDSA."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return (
            SignatureScheme.RSA_PKCS1_SHA256
            if ck.CKM_RSA_PKCS in offered
            else SignatureScheme.RSA_PSS_SHA256
        )
    return (
        SignatureScheme.ECDSA_SHA384 if public_key.key_size > 256 else SignatureScheme.ECDSA_SHA256
    )
