"""Algorithms of genuine signatures: computed where they can be, and never an exception."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.der import bit_string, integer, octet_string, oid, sequence
from signer.trust import TrustStore
from signer.verification.checks import Integrity, Outcome
from signer.verification.verify import Verifier
from tests.der_writing import NULL, algorithm, name
from tests.fixtures_signed import flip, plain_pdf
from tests.foreign import place_cms
from tests.odd_certificates import OddAuthority, OddKey, rsa_key
from tests.odd_cms import DIGESTS, PLAIN_ECDSA, Habit, signer_of

SUBJECT = name(("C", "VN"), ("CN", "Trần Mẫu Thử"))
CURVES = [
    ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.BrainpoolP256R1(), ec.BrainpoolP384R1(),
    ec.BrainpoolP512R1(), ec.SECP256K1(),
]  # fmt: skip


@pytest.fixture(scope="module")
def authority() -> OddAuthority:
    return OddAuthority()


@pytest.fixture(scope="module")
def judge(authority):
    """Signs with a key and habit; the file with one bit changed is never intact."""
    verifier = Verifier(TrustStore.of([authority.anchor]))
    pdf = plain_pdf()

    def judged(key: OddKey, habit: Habit | None = None):
        data = place_cms(pdf, signer_of(key, habit))
        report = verifier.verify(data)
        altered = verifier.verify(flip(data, len(b"%PDF-1."), 0))
        assert altered.integrity is not Integrity.INTACT
        return report

    return judged


def weak(report) -> list[str]:
    return [
        c.detail
        for c in report.signatures[0].checks
        if c.check == "signature.strength" and c.outcome is Outcome.INDETERMINATE
    ]


@pytest.mark.parametrize("digest", [d for d in DIGESTS if d != "shake256"])
def test_rsa_with_every_digest(authority, judge, digest):
    report = judge(authority.issue(SUBJECT), Habit(digest=digest))
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].algorithm == f"rsa-pkcs1-{digest}"


def test_sha1_is_named(authority, judge):
    report = judge(authority.issue(SUBJECT), Habit(digest="sha1"))
    assert any("SHA1" in detail.upper() for detail in weak(report))


@pytest.mark.parametrize("oid", ["1.3.14.3.2.29", "1.2.840.113549.1.1.5"])
def test_sha1_with_rsa_by_either_name(authority, judge, oid):
    habit = Habit(digest="sha1", signature_oid=oid, names_certificate=())
    assert judge(authority.issue(SUBJECT), habit).integrity is Integrity.INTACT


@pytest.mark.parametrize(
    ("digest", "mask", "salt"),
    [("sha256", "sha256", 32), ("sha256", "sha256", 0), ("sha256", "sha256", 222),
     ("sha256", "sha1", 20), ("sha512", "sha256", 64), ("sha3_256", "sha3_256", 32),
     ("sha256", "sha512", 17)],
)  # fmt: skip
def test_pss_with_any_mask_and_salt(authority, judge, digest, mask, salt):
    report = judge(authority.issue(SUBJECT), Habit(digest, mask_digest=mask, salt=salt))
    assert report.integrity is Integrity.INTACT
    expected = f"rsa-pss-{digest}" + (f"-mgf1-{mask}" if mask != digest else "")
    assert report.signatures[0].algorithm == expected


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_every_curve(authority, judge, curve):
    report = judge(authority.issue(SUBJECT, ec.generate_private_key(curve)))
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].algorithm == "ecdsa-sha256"


def test_a_small_curve_is_named_weak(authority, judge):
    report = judge(authority.issue(SUBJECT, ec.generate_private_key(ec.SECP224R1())))
    assert report.integrity is Integrity.INTACT
    assert weak(report)


@pytest.mark.parametrize("digest", ["sha3_224", "sha3_256", "sha3_384", "sha3_512", "sha384"])
def test_ecdsa_with_other_digests(authority, judge, digest):
    key = authority.issue(SUBJECT, ec.generate_private_key(ec.SECP384R1()))
    assert judge(key, Habit(digest=digest)).integrity is Integrity.INTACT


def test_ecdsa_by_other_names(authority, judge):
    """The key's own identifier in place of the signature's; and BSI's plain r and s."""
    key = authority.issue(SUBJECT, ec.generate_private_key(ec.SECP256R1()))
    generic = judge(key, Habit(signature_oid="1.2.840.10045.2.1"))
    assert generic.integrity is Integrity.INTACT
    plain = judge(key, Habit(signature_oid=PLAIN_ECDSA))
    assert plain.integrity is Integrity.INTACT
    assert plain.signatures[0].algorithm == "plain-ecdsa-sha256"


@pytest.mark.parametrize(
    ("make", "digest"),
    [(ed25519.Ed25519PrivateKey, "sha512"), (ed25519.Ed25519PrivateKey, "sha256"),
     (ed448.Ed448PrivateKey, "shake256"), (ed448.Ed448PrivateKey, "sha512")],
)  # fmt: skip
def test_edwards_curves_with_any_message_digest(authority, judge, make, digest):
    report = judge(authority.issue(SUBJECT, make.generate()), Habit(digest=digest))
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].algorithm.endswith(digest)


def test_rsa_1024_is_intact_and_named_weak(authority, judge):
    report = judge(authority.issue(SUBJECT, rsa_key("small", 1024)))
    assert report.integrity is Integrity.INTACT
    assert any("1024" in detail for detail in weak(report))


@pytest.mark.parametrize("null", [NULL, b""])
def test_parameters_that_are_null_or_missing(authority, judge, null):
    for habit in (Habit(null=null), Habit(null=null, generic_key_oid=False),
                  Habit(null=null, mask_digest="sha256")):  # fmt: skip
        assert judge(authority.issue(SUBJECT, null=null), habit).integrity is Integrity.INTACT


def unknown_key() -> bytes:
    """A public key of an algorithm that nobody here computes (GOST R 34.10-2012)."""
    kind = algorithm("1.2.643.7.1.1.1.1", sequence(oid("1.2.643.7.1.2.1.1.1")))
    return sequence(kind, bit_string(octet_string(b"\x11" * 64)))


def explicit_curve() -> bytes:
    """A key whose curve is spelt out in numbers, as RFC 3279 allowed."""
    field = sequence(oid("1.2.840.10045.1.1"), integer(2**255 - 19))
    curve = sequence(octet_string(b"\1" * 32), octet_string(b"\2" * 32))
    numbers = sequence(integer(1), field, curve, octet_string(b"\4" + b"\3" * 64), integer(2**252))
    return sequence(algorithm("1.2.840.10045.2.1", numbers), bit_string(b"\4" + b"\5" * 64))


def ed25519_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("public", [unknown_key, explicit_curve])
def test_keys_that_cannot_be_computed_with_leave_it_open(authority, judge, public):
    """Neither intact nor broken: UNKNOWN, with the reason."""
    key = authority.issue(SUBJECT, rsa_key("other"), public=public())
    report = judge(key)
    assert report.integrity is Integrity.UNKNOWN
    assert "cms.algorithm" in {c.check for c in report.signatures[0].checks}


def test_a_key_of_another_family_than_the_signature_is_broken(authority, judge):
    report = judge(authority.issue(SUBJECT, rsa_key("other"), public=ed25519_key()))
    assert report.integrity is Integrity.BROKEN


def test_an_unknown_signature_algorithm_leaves_it_open(authority, judge):
    report = judge(authority.issue(SUBJECT), Habit(signature_oid="1.2.643.7.1.1.3.2"))
    assert report.integrity is Integrity.UNKNOWN


def test_a_digest_in_the_signature_that_contradicts_the_message_digest(authority, judge):
    report = judge(authority.issue(SUBJECT), Habit(signature_oid="1.2.840.113549.1.1.13"))
    assert report.integrity is Integrity.MALFORMED
