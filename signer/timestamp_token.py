"""Reading and checking RFC 3161 responses and tokens, strictly and without building trees.

This is the *client's* check of a token it has just asked for: it accepts exactly what RFC
3161 and 5816 prescribe and nothing looser. Judging tokens that others put into files is
verification's work.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer import der
from signer.algorithm_policy import public_key_of
from signer.algorithms import (
    digest_algorithm,
    digest_name,
    signature_scheme,
    verify_digest,
)
from signer.certificate_parts import UNREADABLE, certificate_parts
from signer.certificate_path import NoPath, extensions_of
from signer.oids import (
    OID_CONTENT_TYPE,
    OID_MESSAGE_DIGEST,
    OID_SIGNED_DATA,
    OID_SIGNING_CERTIFICATE_V2,
    OID_TST_INFO,
)

_CONTEXT_0 = 0xA0
_CONTEXT_1 = 0xA1
_SUBJECT_KEY_ID = 0x80
_GRANTED = (0, 1)  # granted, grantedWithMods
_MAX_CERTIFICATES = 16
_STATUS_NAMES = {2: "rejection", 3: "waiting", 4: "revocationWarning", 5: "revocationNotification"}
_FAILURES = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}


class UnusableToken(ValueError):
    """The response grants nothing, or its token is not the one asked for, or not genuine."""


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """A token whose signature, imprint and nonce were checked."""

    encoded: bytes  # TimeStampToken, a CMS ContentInfo
    gen_time: dt.datetime
    policy: str  # hexadecimal DER of the OID; compare with `signer.der.oid`
    certificate: x509.Certificate  # of the timestamp unit; its path was not checked
    certificates: tuple[x509.Certificate, ...]  # all that the token carries


def build_request(imprint: bytes, digest: str, nonce: int, policy_oid: str | None = None) -> bytes:
    """TimeStampReq (RFC 3161 2.4.1) with nonce and certReq."""
    return der.sequence(
        b"\x02\x01\x01",
        der.sequence(digest_algorithm(digest), der.octet_string(imprint)),
        der.oid(policy_oid) if policy_oid else b"",
        der.integer(nonce),
        b"\x01\x01\xff",
    )


def read_response(response: bytes, imprint: bytes, digest: str, nonce: int) -> TimestampToken:
    """The token in a TimeStampResp, checked against what was asked. Raises `UnusableToken`."""
    try:
        status, *token = der.parse(response).fields(1)
        _check_status(status)
        return _read_token(_only(token), imprint, digest, nonce)
    except UnusableToken:
        raise
    except UNREADABLE as error:  # MalformedDER and WrongSignature are ValueErrors
        raise UnusableToken(str(error)) from error


def read_token(encoded: bytes, imprint: bytes, digest: str) -> TimestampToken:
    """A token that was kept, checked as on the day it was issued. Raises `UnusableToken`.

    Its nonce told our request from a replay then; now nobody knows it any more.
    """
    try:
        return _read_token(der.parse(encoded), imprint, digest, None)
    except UnusableToken:
        raise
    except UNREADABLE as error:
        raise UnusableToken(str(error)) from error


def _only(token: list[der.Element]) -> der.Element:
    if len(token) != 1:
        raise UnusableToken("the response has no token")
    return token[0]


def _check_status(status: der.Element) -> None:
    fields = status.fields(1)
    number = fields[0].as_integer()
    if number in _GRANTED:
        return
    reasons = [_STATUS_NAMES.get(number, f"status {number}")]
    for field in fields[1:]:
        if field.tag == der.BIT_STRING:
            reasons += _failure_names(field.content[1:])
        elif field.tag == der.SEQUENCE:
            texts = (text.content.decode(errors="replace") for text in field.children())
            reasons += [repr(text[:200]) for text in texts]
    raise UnusableToken(f"the TSA refused: {', '.join(reasons)}")


def _failure_names(bits: bytes) -> Iterable[str]:
    for bit, name in _FAILURES.items():
        if bit // 8 < len(bits) and bits[bit // 8] & 0x80 >> bit % 8:
            yield name


def _read_token(
    token: der.Element, imprint: bytes, digest: str, nonce: int | None
) -> TimestampToken:
    content_type, content = token.pair()
    _same(content_type.raw, der.oid(OID_SIGNED_DATA), "the token is not CMS SignedData")
    fields = content.expect(_CONTEXT_0).unwrap().fields(4)
    info = _encapsulated(fields[2])
    signer_infos = fields[-1].fields(0, der.SET)
    if len(signer_infos) != 1:
        raise UnusableToken(f"the token has {len(signer_infos)} signers instead of one")
    certificates = _certificates(fields[3:-1])
    gen_time, policy = _check_info(info, imprint, digest, nonce)
    certificate = _check_signer(signer_infos[0], info, certificates)
    if not certificate.not_valid_before_utc <= gen_time <= certificate.not_valid_after_utc:
        raise UnusableToken("the timestamp unit's certificate was not in force at that time")
    return TimestampToken(token.raw, gen_time, policy, certificate, certificates)


def _encapsulated(element: der.Element) -> bytes:
    kind, content = element.pair()
    _same(kind.raw, der.oid(OID_TST_INFO), "the token's content is not a TSTInfo")
    return content.expect(_CONTEXT_0).unwrap().expect(der.OCTET_STRING).content


def _certificates(fields: list[der.Element]) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    for field in fields:
        if field.tag == _CONTEXT_0:
            encoded = [child.raw for child in field.children()]
            if len(encoded) > _MAX_CERTIFICATES:
                raise UnusableToken(f"the token carries {len(encoded)} certificates")
            found += map(_load, encoded)
        elif field.tag != _CONTEXT_1:  # [1] crls
            raise UnusableToken("the SignedData has an unknown field")
    return tuple(found)


@lru_cache(maxsize=64)
def _load(encoded: bytes) -> x509.Certificate:
    """A TSA sends the same certificates each time."""
    try:
        return x509.load_der_x509_certificate(encoded)
    except UNREADABLE as error:
        raise UnusableToken(f"the token carries a broken certificate: {error}") from error


def _check_info(
    info: bytes, imprint: bytes, digest: str, nonce: int | None
) -> tuple[dt.datetime, str]:
    """genTime and policy of a TSTInfo that answers our request (RFC 3161 2.4.2)."""
    fields = der.parse(info).fields(5)
    version, policy, message_imprint, serial, gen_time, *optional = fields
    if version.as_integer() != 1:
        raise UnusableToken("the TSTInfo is not of version 1")
    serial.as_integer()
    algorithm, hashed = message_imprint.pair()
    if digest_name(algorithm) != digest:
        raise UnusableToken("the token is over a digest of another algorithm")
    if not hmac.compare_digest(hashed.expect(der.OCTET_STRING).content, imprint):
        raise UnusableToken("the token is over another imprint than the one sent")
    nonces = [field.as_integer() for field in optional if field.tag == der.INTEGER]
    if nonce is not None and nonces != [nonce]:
        raise UnusableToken("the nonce is not the one sent: the answer may be a replay")
    return gen_time.as_time(), policy.expect(der.OID).raw.hex()


def _check_signer(
    signer_info: der.Element, info: bytes, certificates: tuple[x509.Certificate, ...]
) -> x509.Certificate:
    """The certificate whose key signed the SignerInfo (RFC 5652 5.4, RFC 5816)."""
    fields = signer_info.fields(6)
    _, sid, algorithm, signed_attributes, signature_algorithm, signature = fields[:6]
    certificate = _find(sid, certificates)
    digest = digest_name(algorithm)
    attributes = _attributes(signed_attributes.expect(_CONTEXT_0))
    _same(
        attributes.get(OID_CONTENT_TYPE), der.oid(OID_TST_INFO), "the content-type is not TSTInfo"
    )
    _same(
        attributes.get(OID_MESSAGE_DIGEST),
        der.octet_string(hashlib.new(digest, info).digest()),
        "the message-digest does not fit the TSTInfo",
    )
    _check_signing_certificate(attributes.get(OID_SIGNING_CERTIFICATE_V2), certificate)
    _check_usage(certificate)
    signed = hashlib.new(digest, der.tlv(der.SET, signed_attributes.content)).digest()
    verify_digest(
        public_key_of(certificate),
        signature_scheme(signature_algorithm.raw, digest),
        signature.expect(der.OCTET_STRING).content,
        signed,
    )
    return certificate


def _find(sid: der.Element, certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    for certificate in certificates:
        if sid.tag == _SUBJECT_KEY_ID:
            if _key_identifier(certificate) == sid.content:
                return certificate
        elif certificate_parts(certificate).issuer_and_serial == sid.raw:
            return certificate
    raise UnusableToken("the token does not carry its signer's certificate")


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        extension = extensions_of(certificate).get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, NoPath):
        return None
    return extension.value.digest


def _attributes(element: der.Element) -> dict[str, bytes]:
    """Attribute type → its one value, for the types that matter."""
    known = {
        der.oid(dotted): dotted
        for dotted in (OID_CONTENT_TYPE, OID_MESSAGE_DIGEST, OID_SIGNING_CERTIFICATE_V2)
    }
    found: dict[str, bytes] = {}
    for attribute in element.children():
        kind, values = attribute.pair()
        dotted = known.get(kind.raw)
        if dotted is None:
            continue
        if dotted in found:
            raise UnusableToken("a signed attribute occurs twice")
        found[dotted] = values.expect(der.SET).unwrap().raw
    return found


def _check_signing_certificate(value: bytes | None, certificate: x509.Certificate) -> None:
    """The first ESSCertIDv2 names the signer's certificate (RFC 5035 5.4, RFC 5816 2.2.1)."""
    if value is None:
        raise UnusableToken("the signing-certificate-v2 attribute is missing")
    identifiers = der.parse(value).fields(1)[0]
    fields = identifiers.fields(1)[0].fields(1)
    digest = digest_name(fields.pop(0)) if fields[0].tag == der.SEQUENCE else "sha256"
    encoded = certificate_parts(certificate).encoded
    if not fields or fields[0].content != hashlib.new(digest, encoded).digest():
        raise UnusableToken("the signing-certificate-v2 attribute names another certificate")


@lru_cache(maxsize=64)
def _check_usage(certificate: x509.Certificate) -> None:
    """Extended key usage timeStamping, critical and alone (RFC 3161 2.3)."""
    try:
        usage = extensions_of(certificate).get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise UnusableToken("the signer's certificate is not one for timestamps") from error
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise UnusableToken("the signer's certificate is not one for timestamps alone")


def _same(found: bytes | None, wanted: bytes, message: str) -> None:
    if found != wanted:
        raise UnusableToken(message)
