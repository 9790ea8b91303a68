"""Algorithm identifiers of CMS and X.509, and the one place where signatures are checked.

RFC 4055 and 5756 (RSASSA-PSS parameters), RFC 5754 (SHA-2 in CMS), RFC 5758 (ECDSA).
Only what `hsm.keys.SignatureScheme` names exists here: no SHA-1, no MD5, no DSA.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hsm.keys import SignatureScheme
from signer import der

HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
DIGEST_OIDS: dict[str, str] = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_OID_RSA = "1.2.840.113549.1.1.1"
_OID_PSS = "1.2.840.113549.1.1.10"
_OID_MGF1 = "1.2.840.113549.1.1.8"
_SIGNATURE_OIDS = {
    SignatureScheme.RSA_PKCS1_SHA256: "1.2.840.113549.1.1.11",
    SignatureScheme.RSA_PKCS1_SHA384: "1.2.840.113549.1.1.12",
    SignatureScheme.RSA_PKCS1_SHA512: "1.2.840.113549.1.1.13",
    SignatureScheme.ECDSA_SHA256: "1.2.840.10045.4.3.2",
    SignatureScheme.ECDSA_SHA384: "1.2.840.10045.4.3.3",
    SignatureScheme.ECDSA_SHA512: "1.2.840.10045.4.3.4",
}


def digest_algorithm(name: str) -> bytes:
    """AlgorithmIdentifier of a SHA-2 digest; parameters absent (RFC 5754 2)."""
    return der.sequence(der.oid(DIGEST_OIDS[name]))


def _pss_algorithm(name: str) -> bytes:
    digest = der.sequence(der.oid(DIGEST_OIDS[name]), der.null())
    return der.sequence(
        der.oid(_OID_PSS),
        der.sequence(
            der.explicit(0, digest),
            der.explicit(1, der.sequence(der.oid(_OID_MGF1), digest)),
            der.explicit(2, der.integer(HASHES[name].digest_size)),
        ),
    )


def signature_algorithm(scheme: SignatureScheme) -> bytes:
    """AlgorithmIdentifier of `scheme`, for certificates, CRLs, OCSP and SignerInfo."""
    if scheme.family == "rsa-pss":
        return _pss_algorithm(scheme.digest_name)
    identifier = der.oid(_SIGNATURE_OIDS[scheme])
    return (
        der.sequence(identifier)
        if scheme.family == "ecdsa"
        else der.sequence(identifier, der.null())
    )


def signature_oid(scheme: SignatureScheme) -> str:
    """The dotted object identifier of `scheme`, without its parameters."""
    return _SIGNATURE_OIDS.get(scheme, _OID_PSS)


_DIGEST_NAMES = {der.oid(dotted): name for name, dotted in DIGEST_OIDS.items()}
_SCHEMES = {signature_algorithm(scheme): scheme for scheme in SignatureScheme}
_RSA_ENCRYPTION = {der.sequence(der.oid(_OID_RSA), der.null()), der.sequence(der.oid(_OID_RSA))}


def digest_name(algorithm: der.Element) -> str:
    """The `hashlib` name of a digest AlgorithmIdentifier, parameters absent or NULL.

    Raises `der.MalformedDER` for another structure and for every digest but SHA-2.
    """
    identifier, *parameters = algorithm.fields(1)
    if parameters and [element.raw for element in parameters] != [der.null()]:
        raise der.MalformedDER("a digest algorithm carries parameters")
    try:
        return _DIGEST_NAMES[identifier.raw]
    except KeyError:
        raise der.MalformedDER("the digest is none of SHA-256, SHA-384, SHA-512") from None


def scheme_of(algorithm: bytes) -> SignatureScheme:
    """The scheme of a signature AlgorithmIdentifier (X.509, CRL, OCSP). Raises `MalformedDER`."""
    try:
        return _SCHEMES[algorithm]
    except KeyError:
        raise der.MalformedDER("the signature algorithm is not an allowed one") from None


def signature_scheme(algorithm: bytes, digest: str) -> SignatureScheme:
    """The scheme of a SignerInfo's signatureAlgorithm, whose digestAlgorithm is `digest`.

    CMS also writes plain ``rsaEncryption`` for PKCS#1 v1.5 (RFC 3370 3.2). Raises
    `der.MalformedDER` for an unknown scheme or one that uses another digest.
    """
    if algorithm in _RSA_ENCRYPTION:
        return SignatureScheme(f"rsa-pkcs1-{digest}")
    scheme = _SCHEMES.get(algorithm)
    if scheme is None or scheme.digest_name != digest:
        raise der.MalformedDER("the signature algorithm is unknown or does not fit its digest")
    return scheme


class WrongSignature(ValueError):
    """A signature does not hold. Stays inside `signer`: callers raise their own typed error."""


def verify_digest(
    public_key: object, scheme: SignatureScheme, signature: bytes, digest: bytes
) -> None:
    """Return if `signature` over `digest` holds; else, an unfit key too, raise `WrongSignature`."""
    prehashed = utils.Prehashed(HASHES[scheme.digest_name])
    try:
        if scheme.family == "ecdsa" and isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, digest, ec.ECDSA(prehashed))
        elif scheme.family != "ecdsa" and isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, digest, _rsa_padding(scheme), prehashed)
        else:
            raise WrongSignature(f"the key is of a type that {scheme.value} does not use")
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise WrongSignature(f"the {scheme.value} signature does not hold") from error


def _rsa_padding(scheme: SignatureScheme) -> padding.AsymmetricPadding:
    if scheme.family == "rsa-pkcs1":
        return padding.PKCS1v15()
    digest = HASHES[scheme.digest_name]
    return padding.PSS(padding.MGF1(digest), digest.digest_size)
