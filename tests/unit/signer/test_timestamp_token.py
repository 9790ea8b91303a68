"""The client's check of a token: everything that is not exactly the answer asked for."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import digest_algorithm
from signer.certificate_parts import certificate_parts
from signer.insecure_testpki import Role
from signer.insecure_testpki.roles import PROFILES
from signer.oids import (
    OID_CONTENT_TYPE,
    OID_MESSAGE_DIGEST,
    OID_SIGNING_CERTIFICATE_V2,
)
from signer.timestamp_token import UnusableToken, build_request, read_response
from signer.tsa import TimestampAuthority
from tests.fakes import SoftwareKey
from tests.fixtures_pki import TSA_POLICY

IMPRINT = hashlib.sha256(b"hello").digest()
NONCE = 0x1234567890
REQUEST = build_request(IMPRINT, "sha256", NONCE)


@pytest.fixture
def authority(test_pki):
    """An authority that tests may spoil: it signs whatever its parts say."""
    return TimestampAuthority(test_pki.tsa, TSA_POLICY)


@pytest.fixture(scope="module")
def response(test_pki):
    return TimestampAuthority(test_pki.tsa, TSA_POLICY).respond(REQUEST)


class Impostor:
    """Signs with `key` and shows the responder's own checks another certificate."""

    def __init__(self, key, certificate):
        self.certificate = certificate
        self.sign_digests = key.sign_digests


def read(response, imprint=IMPRINT, digest="sha256", nonce=NONCE):
    return read_response(response, imprint, digest, nonce)


def refused(response, message):
    with pytest.raises(UnusableToken, match=message):
        read(response)


def test_a_genuine_token(response, test_pki):
    token = read(response)
    assert token.certificate == test_pki.tsa.certificate
    assert set(token.certificates) == {test_pki.tsa.certificate, *test_pki.tsa.chain}
    assert abs(token.gen_time - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert token.policy == der.oid(TSA_POLICY).hex()
    assert cms.ContentInfo.load(token.encoded)["content_type"].native == "signed_data"


@pytest.mark.parametrize("scheme", list(SignatureScheme))
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_every_scheme_and_digest(test_pki, scheme, digest):
    key = test_pki.issue(PROFILES[Role.TSA], scheme=scheme)
    imprint = hashlib.new(digest, b"x").digest()
    answer = TimestampAuthority(key, TSA_POLICY).respond(build_request(imprint, digest, NONCE))
    assert read(answer, imprint, digest).certificate == key.certificate


def test_a_replayed_answer(response):
    with pytest.raises(UnusableToken, match="replay"):
        read(response, nonce=NONCE + 1)


def test_an_answer_without_nonce(authority):
    version, imprint, _, wants = (field.raw for field in der.parse(REQUEST).children())
    refused(authority.respond(der.sequence(version, imprint, wants)), "nonce")


def test_another_imprint(authority):
    refused(authority.respond(build_request(bytes(32), "sha256", NONCE)), "another imprint")


def test_another_digest(authority):
    refused(authority.respond(build_request(bytes(48), "sha384", NONCE)), "another algorithm")


def test_no_certificate(authority):
    without = der.sequence(*[c.raw for c in der.parse(REQUEST).children()][:-1])
    refused(authority.respond(without), "does not carry its signer's certificate")


def test_a_refusal_is_explained(authority):
    refused(
        authority.respond(build_request(IMPRINT, "sha256", NONCE, "2.999.1")),
        "rejection, 'this policy is not offered here', unacceptedPolicy",
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (der.sequence(), "0 fields"),
        (der.sequence(der.integer(3)), "waiting"),
        (der.sequence(der.integer(9)), "status 9"),
        (der.sequence(der.integer(2), der.null()), "rejection"),
        (der.sequence(der.integer(0)), "no token"),
        (der.sequence(der.integer(1)), "no token"),
        (der.null(), "tag"),
    ],
)
def test_responses_without_token(status, message):
    refused(der.sequence(status), message)


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"\x30\x00", b"\x30\x80\x00\x00"])
def test_garbage(garbage):
    with pytest.raises(UnusableToken):
        read(garbage)


def ess(value):
    return der.sequence(der.oid(OID_SIGNING_CERTIFICATE_V2), der.tlv(der.SET, value))


ATTRIBUTES = {
    "another content type": (
        "_content_type",
        der.sequence(der.oid(OID_CONTENT_TYPE), der.tlv(der.SET, der.oid("1.2.840.113549.1.7.1"))),
        "content-type",
    ),
    "no content type": ("_content_type", b"", "content-type"),
    "content type twice": (
        "_content_type",
        2 * der.sequence(der.oid(OID_CONTENT_TYPE), der.tlv(der.SET, der.null())),
        "twice",
    ),
    "no signing certificate": ("_signing_certificate", b"", "attribute is missing"),
    "another certificate": (
        "_signing_certificate",
        ess(der.sequence(der.sequence(der.sequence(der.octet_string(bytes(32)))))),
        "another certificate",
    ),
    "SHA-1 signing certificate": (
        "_signing_certificate",
        ess(
            der.sequence(
                der.sequence(
                    der.sequence(
                        der.sequence(der.oid("1.3.14.3.2.26")), der.octet_string(bytes(20))
                    )
                )
            )
        ),
        "none of SHA-256",
    ),
    "empty ESSCertIDv2": (
        "_signing_certificate",
        ess(der.sequence(der.sequence(der.sequence()))),
        "0 fields",
    ),
    "no ESSCertIDv2": ("_signing_certificate", ess(der.sequence(der.sequence())), "0 fields"),
    "two message digests": (
        "_signing_certificate",
        der.sequence(der.oid(OID_MESSAGE_DIGEST), der.tlv(der.SET, der.octet_string(bytes(32)))),
        "twice",
    ),
    "two values": (
        "_content_type",
        der.sequence(der.oid(OID_CONTENT_TYPE), der.tlv(der.SET, der.null(), der.null())),
        "more than one value",
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_signed_attributes(authority, name):
    part, value, message = ATTRIBUTES[name]
    setattr(authority, part, value)
    refused(authority.respond(REQUEST), message)


def test_an_unknown_attribute_is_passed_over(authority):
    authority._content_type += der.sequence(der.oid("2.999.7"), der.tlv(der.SET, der.null()))
    assert read(authority.respond(REQUEST)).certificate


def test_a_wrong_signature(test_pki):
    key = test_pki.issue(PROFILES[Role.TSA])
    key.corrupt = True
    refused(TimestampAuthority(key, TSA_POLICY).respond(REQUEST), "does not hold")


def test_a_signature_by_another_key(authority, test_pki):
    authority._key = Impostor(test_pki.seal, test_pki.tsa.certificate)
    refused(authority.respond(REQUEST), "does not hold")


def test_a_signature_of_another_kind(authority):
    rsa = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.null())
    authority._signature_algorithm = rsa
    refused(authority.respond(REQUEST), "does not use")


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.5", "1.2.840.10045.4.3.4"])
def test_sha1_and_other_digests_in_the_signature(authority, oid):
    authority._signature_algorithm = der.sequence(der.oid(oid))
    refused(authority.respond(REQUEST), "does not fit")


def test_sha1_as_the_digest(authority):
    weak = der.sequence(der.oid("1.3.14.3.2.26"))
    strong = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
    authority._signer_head = authority._signer_head.replace(strong, weak)
    refused(authority.respond(REQUEST), "none of SHA-256")


@pytest.mark.parametrize("usages", [(), (ExtendedKeyUsageOID.EMAIL_PROTECTION,)])
def test_a_signer_that_is_no_timestamp_unit(authority, test_pki, usages):
    key = test_pki.issue(extended_key_usage=usages)
    spoil(authority, key)
    refused(authority.respond(REQUEST), "not one for timestamps")


def spoil(authority, key):
    """Let `key`, of whatever certificate, sign the authority's tokens."""
    parts = certificate_parts(key.certificate)
    authority._key = key
    authority._certificates = der.tlv(0xA0, parts.encoded)
    authority._signer_head = der.integer(1) + parts.issuer_and_serial + digest_algorithm("sha256")
    identifier = der.octet_string(hashlib.sha256(parts.encoded).digest())
    authority._signing_certificate = ess(der.sequence(der.sequence(der.sequence(identifier))))


def test_an_expired_unit(test_pki):
    key = test_pki.issue(
        PROFILES[Role.TSA], starts_after=-dt.timedelta(days=9), lifetime=dt.timedelta(days=8)
    )
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=5)
    authority = TimestampAuthority(key, TSA_POLICY, clock=lambda: long_ago)
    assert read(authority.respond(REQUEST)).gen_time < dt.datetime.now(dt.UTC)
    authority._clock = lambda: dt.datetime.now(dt.UTC)
    authority._key = Impostor(key, test_pki.tsa.certificate)
    refused(authority.respond(REQUEST), "not in force")


def signed_data_with(response, change):
    """The response with the fields of its SignedData passed through `change`."""
    status, token = der.parse(response).children()
    kind, content = token.children()
    fields = [field.raw for field in content.unwrap().children()]
    body = der.sequence(*change(fields))
    return der.sequence(status.raw, der.sequence(kind.raw, der.explicit(0, body)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[:3], "3 fields instead of 4"),
        (lambda f: [*f[:4], der.tlv(der.SET)], "0 signers"),
        (lambda f: [*f[:4], der.tlv(der.SET, 2 * der.parse(f[4]).content)], "2 signers"),
        (lambda f: [*f[:4], der.tlv(der.SET, der.sequence())], "0 fields instead of 6"),
        (lambda f: [f[0], f[1], der.sequence(der.oid("2.999.1")), *f[3:]], "1 fields instead of 2"),
        (
            lambda f: [
                f[0], f[1], der.sequence(der.oid("2.999.1"), der.explicit(0, der.null())), *f[3:]
            ],
            "not a TSTInfo",
        ),
        (lambda f: [*f[:3], der.tlv(0xA0, 17 * der.sequence()), f[4]], "17 certificates"),
        (lambda f: [*f[:3], der.tlv(0xA0, der.sequence()), f[4]], "broken certificate"),
        (lambda f: [*f[:4], der.null(), f[4]], "unknown field"),
    ],
)  # fmt: skip
def test_the_shape_of_signed_data(response, change, message):
    refused(signed_data_with(response, change), message)


def test_crls_in_the_token_are_passed_over(response):
    assert read(signed_data_with(response, lambda f: [*f[:4], der.tlv(0xA1), f[4]]))


def test_not_signed_data(response):
    status, token = der.parse(response).children()
    _, content = token.children()
    data = der.sequence(der.oid("1.2.840.113549.1.7.1"), content.raw)
    refused(der.sequence(status.raw, data), "not CMS SignedData")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[:4], "4 fields instead of 5"),
        (lambda f: [der.integer(2), *f[1:]], "not of version 1"),
    ],
)
def test_the_shape_of_the_info(response, change, message):
    def spoil_info(fields):
        kind, wrapper = der.parse(fields[2]).children()
        info = der.parse(wrapper.unwrap().content)
        changed = der.sequence(*change([field.raw for field in info.children()]))
        fields[2] = der.sequence(kind.raw, der.explicit(0, der.octet_string(changed)))
        return fields

    refused(signed_data_with(response, spoil_info), message)


def by_key_identifier(authority, identifier):
    algorithm = digest_algorithm("sha256")
    authority._signer_head = der.integer(3) + der.implicit(0, identifier) + algorithm


def test_a_signer_named_by_key_identifier(authority, test_pki):
    extension = test_pki.tsa.certificate.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier
    )
    by_key_identifier(authority, extension.value.digest)
    assert read(authority.respond(REQUEST)).certificate == test_pki.tsa.certificate
    authority._signer_head = authority._signer_head.replace(extension.value.digest, bytes(20))
    refused(authority.respond(REQUEST), "does not carry its signer's certificate")


def test_certificates_without_key_identifier_are_passed_over(authority, test_pki):
    encoded = SoftwareKey().certificate.public_bytes(Encoding.DER)
    authority._certificates = der.tlv(0xA0, encoded)
    by_key_identifier(authority, bytes(20))
    refused(authority.respond(REQUEST), "does not carry its signer's certificate")


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing_that_counts(response, position, bit):
    """Only what no signature covers may change: other certificates, versions, digest list."""
    spoilt = bytearray(response)
    spoilt[position % len(spoilt)] ^= 1 << bit
    try:
        token = read(bytes(spoilt))
    except UnusableToken:
        return
    genuine = read(response)
    assert (token.gen_time, token.policy) == (genuine.gen_time, genuine.policy)
    assert token.certificate == genuine.certificate


@given(st.binary(max_size=400))
def test_random_bytes(data):
    with pytest.raises(UnusableToken):
        read(data)
