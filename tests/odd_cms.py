"""Writes CMS signatures as other producers do: each habit of theirs is one field of `Habit`.

sign = signer_of(key, Habit(digest="sha1", names_certificate=()))
place_cms(pdf, sign)                               # tests.foreign
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from signer.der import (
    explicit,
    generalized_time,
    integer,
    octet_string,
    oid,
    sequence,
    set_of,
    tlv,
    x509_time,
)
from tests.der_writing import NULL, algorithm, attribute, indefinite
from tests.odd_certificates import OddKey

DIGESTS: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "sha1": ("1.3.14.3.2.26", hashes.SHA1()),  # noqa: S303 - agencies sign with it
    "sha224": ("2.16.840.1.101.3.4.2.4", hashes.SHA224()),
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
    "sha512_256": ("2.16.840.1.101.3.4.2.6", hashes.SHA512_256()),
    "sha3_224": ("2.16.840.1.101.3.4.2.7", hashes.SHA3_224()),
    "sha3_256": ("2.16.840.1.101.3.4.2.8", hashes.SHA3_256()),
    "sha3_384": ("2.16.840.1.101.3.4.2.9", hashes.SHA3_384()),
    "sha3_512": ("2.16.840.1.101.3.4.2.10", hashes.SHA3_512()),
    "shake256": ("2.16.840.1.101.3.4.2.12", hashes.SHAKE256(64)),
}
_RSA, _PSS, _MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_RSA_WITH = {
    "sha1": "1.2.840.113549.1.1.5", "sha224": "1.2.840.113549.1.1.14",
    "sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13", "sha3_256": "2.16.840.1.101.3.4.3.14",
}  # fmt: skip
_ECDSA_WITH = {
    "sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1",
    "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4", "sha3_224": "2.16.840.1.101.3.4.3.9",
    "sha3_256": "2.16.840.1.101.3.4.3.10", "sha3_384": "2.16.840.1.101.3.4.3.11",
    "sha3_512": "2.16.840.1.101.3.4.3.12",
}  # fmt: skip
PLAIN_ECDSA = "0.4.0.127.0.7.1.1.4.1.3"  # BSI TR-03111, with SHA-256
ESS, ESS_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
ARCHIVE_TIMESTAMP_V3 = "0.4.0.1733.2.4"
CERTIFICATE_REFS, REVOCATION_REFS = "1.2.840.113549.1.9.16.2.21", "1.2.840.113549.1.9.16.2.22"
CERTIFICATE_VALUES, REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.23", "1.2.840.113549.1.9.16.2.24"
ADBE_REVOCATION = "1.2.840.113583.1.1.8"


@dataclass(frozen=True)
class Habit:
    """How a producer writes its signatures."""

    digest: str = "sha256"
    mask_digest: str | None = None  # set for RSASSA-PSS: of MGF1
    salt: int = 32
    generic_key_oid: bool = True  # rsaEncryption rather than sha256WithRSAEncryption
    signature_oid: str = ""  # another one altogether
    names_certificate: Sequence[str] = (ESS_V2,)
    issuer_in_ess: bytes | None = b""  # None: no IssuerSerial; b"": the certificate's own
    signing_time: dt.datetime | None = None
    generalized: bool = False
    by_key_identifier: bool = False
    issuer: bytes = b""  # of the signer identifier, when spelt otherwise than in the certificate
    certificates: Sequence[bytes] | None = None  # None: the signer's and its chain
    leaf_only: bool = False
    null: bytes = NULL  # of every AlgorithmIdentifier that may have one
    version: int = 0  # of SignedData; 0: as RFC 5652 asks
    digests: Sequence[str] | None = None  # digestAlgorithms; None: the one that is used
    revocation: Sequence[bytes] = ()  # CRLs in the crls field
    signed: Sequence[bytes] = ()  # more signed attributes
    unsigned: Callable[[bytes], Sequence[bytes]] | None = None  # from the signature value
    is_ber: bool = False
    ordered: bool = True  # the signed attributes as SET OF asks, else as listed
    sign_ordered: bool = True  # what is signed is in order, however it is written
    holds_sha1: bool = False  # adbe.pkcs7.sha1: the SHA-1 of the document is the content


def signer_of(key: OddKey, habit: Habit | None = None) -> Callable[[bytes], bytes]:
    """Makes a detached CMS over what it is given."""
    how = habit or Habit()
    return lambda covered: signed_data(key, how, covered)


def digest_of(name: str, value: bytes) -> bytes:
    if name == "shake256":
        return hashlib.shake_256(value).digest(64)
    return hashlib.new(name, value, usedforsecurity=False).digest()


def signed_data(key: OddKey, how: Habit, covered: bytes) -> bytes:
    """ContentInfo with SignedData over `covered`."""
    held = b""
    if how.holds_sha1:
        covered = digest_of("sha1", covered)
        held = explicit(0, octet_string(covered))
    attributes = [
        attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1")),
        *(
            [
                attribute(
                    "1.2.840.113549.1.9.5",
                    (generalized_time if how.generalized else x509_time)(how.signing_time),
                )
            ]
            if how.signing_time
            else []
        ),
        attribute("1.2.840.113549.1.9.4", octet_string(digest_of(how.digest, covered))),
        *(attribute(kind, _names(key, how, kind)) for kind in how.names_certificate),
        *how.signed,
    ]
    to_sign = _listed(attributes, how.sign_ordered)
    written = _listed(attributes, how.ordered)
    signature_algorithm, signature = _sign(key, how, to_sign)
    unsigned = how.unsigned(signature) if how.unsigned else ()
    info = sequence(
        integer(3 if how.by_key_identifier else 1),
        tlv(0x80, key.key_identifier)
        if how.by_key_identifier
        else sequence(how.issuer or key.issuer, key.serial),
        algorithm(DIGESTS[how.digest][0], how.null),
        bytes([0xA0]) + written[1:],
        signature_algorithm,
        octet_string(signature),
        *([explicit(1, *unsigned)] if unsigned else []),
    )
    carried = how.certificates
    if carried is None:
        carried = [key.certificate] if how.leaf_only else [key.certificate, *key.chain]
    named = [how.digest] if how.digests is None else how.digests
    parts = (
        integer(how.version or (3 if how.by_key_identifier else 1)),
        set_of(algorithm(DIGESTS[name][0], how.null) for name in named),
        sequence(oid("1.2.840.113549.1.7.1"), held),
        *([tlv(0xA0, *carried)] if carried else []),
        *([tlv(0xA1, *how.revocation)] if how.revocation else []),
        set_of([info]),
    )
    if how.is_ber:
        inner = indefinite(0x30, *parts[:2], indefinite(0x30, parts[2][2:]), *parts[3:])
        return indefinite(0x30, oid("1.2.840.113549.1.7.2"), indefinite(0xA0, inner))
    return sequence(oid("1.2.840.113549.1.7.2"), explicit(0, sequence(*parts)))


def _listed(attributes: Sequence[bytes], ordered: bool) -> bytes:
    return set_of(attributes) if ordered else tlv(0x31, *attributes)


def _names(key: OddKey, how: Habit, kind: str) -> bytes:
    """signing-certificate or signing-certificate-v2."""
    digest = "sha1" if kind == ESS else "sha256"
    parts = [octet_string(digest_of(digest, key.certificate))]
    if how.issuer_in_ess is not None:
        directory = explicit(4, how.issuer_in_ess or key.issuer)
        parts.append(sequence(sequence(directory), key.serial))
    return sequence(sequence(sequence(*parts)))


def _sign(key: OddKey, how: Habit, signed: bytes) -> tuple[bytes, bytes]:
    """AlgorithmIdentifier and value."""
    private, digest = key.private, DIGESTS[how.digest][1]
    if isinstance(private, rsa.RSAPrivateKey) and how.mask_digest:
        mask = DIGESTS[how.mask_digest]
        parameters = sequence(
            explicit(0, algorithm(DIGESTS[how.digest][0], how.null)),
            explicit(1, algorithm(_MGF1, algorithm(mask[0], how.null))),
            explicit(2, integer(how.salt)),
        )
        scheme = padding.PSS(padding.MGF1(mask[1]), how.salt)
        return algorithm(_PSS, parameters), private.sign(signed, scheme, digest)
    if isinstance(private, rsa.RSAPrivateKey):
        own = how.signature_oid or (_RSA if how.generic_key_oid else _RSA_WITH[how.digest])
        value = private.sign(signed, padding.PKCS1v15(), digest)
        return algorithm(own, how.null), value
    if isinstance(private, ec.EllipticCurvePrivateKey):
        value = private.sign(signed, ec.ECDSA(digest))
        if how.signature_oid == PLAIN_ECDSA:
            size = (private.key_size + 7) // 8
            value = b"".join(n.to_bytes(size) for n in utils.decode_dss_signature(value))
        return algorithm(how.signature_oid or _ECDSA_WITH[how.digest]), value
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return algorithm("1.3.101.112"), private.sign(signed)
    assert isinstance(private, ed448.Ed448PrivateKey)
    return algorithm("1.3.101.113"), private.sign(signed)


def adobe_revocation(crls: Sequence[bytes], ocsps: Sequence[bytes]) -> bytes:
    """adbe-revocationInfoArchival."""
    value = sequence(
        *([explicit(0, sequence(*crls))] if crls else []),
        *([explicit(1, sequence(*ocsps))] if ocsps else []),
    )
    return attribute(ADBE_REVOCATION, value)
