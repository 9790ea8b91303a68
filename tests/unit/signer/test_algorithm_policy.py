"""The dated table of algorithms, and what it says of keys, schemes and certificates."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from hsm.keys import SignatureScheme
from signer import der
from signer.algorithm_policy import AlgorithmPolicy, ForbiddenAlgorithm, public_key_of
from signer.algorithms import (
    WrongSignature,
    digest_name,
    scheme_of,
    signature_algorithm,
    signature_scheme,
    verify_digest,
)
from signer.errors import PolicyRefused
from tests.fakes import SoftwareKey

TODAY = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
POLICY = AlgorithmPolicy.default()
EC = ec.generate_private_key(ec.SECP256R1()).public_key()
RSA = rsa.generate_private_key(65537, 2048).public_key()
SCHEMES = list(SignatureScheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_allowed_today_with_a_fit_key(scheme):
    POLICY.check(scheme, EC if scheme.family == "ecdsa" else RSA, TODAY)
    with pytest.raises(ForbiddenAlgorithm, match="does not fit"):
        POLICY.check(scheme, RSA if scheme.family == "ecdsa" else EC, TODAY)


def test_small_keys():
    small = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - to be refused
    with pytest.raises(ForbiddenAlgorithm, match="1024 bits"):
        POLICY.check(SignatureScheme.RSA_PKCS1_SHA256, small, TODAY)
    with pytest.raises(ForbiddenAlgorithm, match="1024 bits"):
        POLICY.check_key(small, TODAY)
    narrow = ec.generate_private_key(ec.SECP224R1()).public_key()
    with pytest.raises(ForbiddenAlgorithm, match="224 bits"):
        POLICY.check(SignatureScheme.ECDSA_SHA256, narrow, TODAY)
    POLICY.check_key(EC, TODAY)


def test_other_kinds_of_key():
    with pytest.raises(ForbiddenAlgorithm, match="Ed25519"):
        POLICY.check_key(ed25519.Ed25519PrivateKey.generate().public_key(), TODAY)


def test_dates_are_those_of_viet_nam():
    last = dt.datetime(2017, 12, 31, 16, 59, tzinfo=dt.UTC)
    with pytest.raises(ForbiddenAlgorithm, match="2017-12-31"):
        POLICY.check(SignatureScheme.ECDSA_SHA256, EC, last)
    POLICY.check(SignatureScheme.ECDSA_SHA256, EC, last + dt.timedelta(minutes=1))


def certificate(private, digest, **options):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(5)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + dt.timedelta(days=9))
        .sign(private, digest, **options)
    )


def test_signatures_on_certificates():
    private = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    POLICY.check_certificate(certificate(private, hashes.SHA256()), TODAY)
    POLICY.check_certificate(certificate(private, hashes.SHA512(), rsa_padding=pss), TODAY)
    POLICY.check_certificate(
        certificate(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()), TODAY
    )
    with pytest.raises(ForbiddenAlgorithm, match="rsa-pkcs1 with sha224"):
        POLICY.check_certificate(certificate(private, hashes.SHA224()), TODAY)


def spoilt(find, replace):
    """A certificate with some bytes exchanged; its signature does not matter here."""
    encoded = SoftwareKey().certificate.public_bytes(Encoding.DER)
    assert find in encoded
    return x509.load_der_x509_certificate(encoded.replace(find, replace))


def test_sha1_certificates_are_refused():
    private = rsa.generate_private_key(65537, 2048)
    encoded = certificate(private, hashes.SHA256()).public_bytes(Encoding.DER)
    sha256, sha1 = (der.oid(f"1.2.840.113549.1.1.{arc}") for arc in (11, 5))
    weak = x509.load_der_x509_certificate(encoded.replace(sha256, sha1))
    with pytest.raises(ForbiddenAlgorithm, match="rsa-pkcs1 with sha1 is not allowed"):
        POLICY.check_signature_of(weak, TODAY)


def test_unknown_algorithms_are_refused():
    unknown = spoilt(der.oid("1.2.840.10045.4.3.2"), der.oid("1.2.840.10045.4.3.9"))
    with pytest.raises(ForbiddenAlgorithm, match="unknown algorithm"):
        POLICY.check_signature_of(unknown, TODAY)


def test_eddsa_certificates_are_refused():
    private = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(ForbiddenAlgorithm):
        POLICY.check_signature_of(certificate(private, None), TODAY)


def test_unreadable_keys_are_refused():
    odd = spoilt(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.2.7"))
    with pytest.raises(ForbiddenAlgorithm, match="unreadable or unknown"):
        public_key_of(odd)


RULE = """[[signature]]
family = "ecdsa"
digests = ["sha512"]
minimum_bits = 384
valid_from = 2026-01-01
valid_to = 2026-12-31
legal_basis = "x"
"""


def test_a_table_of_ones_own(tmp_path):
    (tmp_path / "rules.toml").write_text(RULE)
    policy = AlgorithmPolicy.load(tmp_path / "rules.toml")
    wide = ec.generate_private_key(ec.SECP384R1()).public_key()
    policy.check(SignatureScheme.ECDSA_SHA512, wide, TODAY)
    for scheme, key, at in (
        (SignatureScheme.ECDSA_SHA512, EC, TODAY),
        (SignatureScheme.ECDSA_SHA256, wide, TODAY),
        (SignatureScheme.ECDSA_SHA512, wide, TODAY.replace(year=2027)),
        (SignatureScheme.RSA_PSS_SHA512, RSA, TODAY),
    ):
        with pytest.raises(ForbiddenAlgorithm):
            policy.check(scheme, key, at)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        RULE.replace("ecdsa", "dsa"),
        RULE.replace("sha512", "sha1"),
        RULE.replace("384", '"384"'),
        RULE.replace("2026-01-01", '"2026-01-01"'),
        RULE.replace("2026-12-31", "2026-12-31T00:00:00"),
        RULE.replace("digests", "hashes"),
        RULE.replace('legal_basis = "x"\n', ""),
        RULE + 'surplus = "x"\n',
    ],
)
def test_unusable_tables(tmp_path, text):
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(PolicyRefused, match=r"Compare it with"):
        AlgorithmPolicy.load(tmp_path / "rules.toml")


def test_a_missing_table(tmp_path):
    with pytest.raises(PolicyRefused, match="unreadable"):
        AlgorithmPolicy.load(tmp_path / "none.toml")


# --- identifiers and the check of signatures ------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_identifiers_are_read_back(scheme):
    assert scheme_of(signature_algorithm(scheme)) is scheme
    assert signature_scheme(signature_algorithm(scheme), scheme.digest_name) is scheme
    other = "sha512" if scheme.digest_name != "sha512" else "sha256"
    with pytest.raises(der.MalformedDER, match="does not fit"):
        signature_scheme(signature_algorithm(scheme), other)


def test_plain_rsa_takes_the_digest_of_the_signer_info():
    plain = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
    assert signature_scheme(plain, "sha384") is SignatureScheme.RSA_PKCS1_SHA384
    with pytest.raises(der.MalformedDER, match="not an allowed one"):
        scheme_of(plain)


def test_digest_identifiers():
    name = der.oid("2.16.840.1.101.3.4.2.1")
    assert digest_name(der.parse(der.sequence(name))) == "sha256"
    assert digest_name(der.parse(der.sequence(name, der.null()))) == "sha256"
    with pytest.raises(der.MalformedDER, match="parameters"):
        digest_name(der.parse(der.sequence(name, der.integer(1))))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_signatures_are_checked(scheme):
    key = SoftwareKey(scheme)
    digest = bytes(range(hashes_size(scheme)))
    (signature,) = key.sign_digests([digest])
    verify_digest(key.certificate.public_key(), scheme, signature, digest)
    for public_key, value, message in (
        (key.certificate.public_key(), digest[::-1], "does not hold"),
        (EC if scheme.family != "ecdsa" else RSA, digest, "does not use"),
    ):
        with pytest.raises(WrongSignature, match=message):
            verify_digest(public_key, scheme, signature, value)
    with pytest.raises(WrongSignature):
        verify_digest(key.certificate.public_key(), scheme, b"", digest)


def hashes_size(scheme):
    return {"sha256": 32, "sha384": 48, "sha512": 64}[scheme.digest_name]
