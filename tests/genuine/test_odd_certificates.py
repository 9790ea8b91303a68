"""Certificates and CMS as odd but genuine writers encode them: a right answer for each."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from signer.der import boolean, integer, octet_string, oid, sequence, set_of, tlv
from signer.trust import TrustStore
from signer.verification.checks import Indication, Integrity, Outcome, SubIndication
from signer.verification.signature.certificates import CertificateUnreadable, load
from signer.verification.verify import Verifier
from tests.cms_surgery import grow
from tests.der_writing import attribute, indefinite, name
from tests.fixtures_signed import flip, plain_pdf
from tests.foreign import place_cms
from tests.odd_certificates import (
    OddAuthority,
    certificate,
    extended_usage,
    extension,
    key_usage,
    rsa_key,
    spki,
)
from tests.odd_cms import (
    ARCHIVE_TIMESTAMP_V3,
    CERTIFICATE_REFS,
    COUNTER_SIGNATURE,
    ESS,
    ESS_V2,
    REVOCATION_REFS,
    TIMESTAMP,
    Habit,
    signer_of,
)

SUBJECT = name(("C", "VN"), ("CN", "Trần Mẫu Thử"))
OTHERWISE = name(("C", "VN"), ("CN", "CA cơ quan thử"), encoding="bmp")


@pytest.fixture(scope="module")
def authority() -> OddAuthority:
    return OddAuthority()


@pytest.fixture(scope="module")
def verifier_of_odd(authority) -> Verifier:
    return Verifier(TrustStore.of([authority.anchor]))


def judged(verifier, key, habit=None, **options):
    return verifier.verify(place_cms(plain_pdf(), signer_of(key, habit), **options))


def outcomes(report) -> dict[str, Outcome]:
    """The worst outcome of each check of the first signature."""
    order = list(Outcome)
    found: dict[str, Outcome] = {}
    for check in report.signatures[0].checks:
        worst = max(found.get(check.check, check.outcome), check.outcome, key=order.index)
        found[check.check] = worst
    return found


def raw_name(tag: int, octets: bytes) -> bytes:
    return sequence(set_of([sequence(oid("2.5.4.3"), tlv(tag, octets))]))


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (name(("CN", "Trần Mẫu Thử"), encoding="bmp"), "Trần Mẫu Thử"),
        (name(("CN", "Tran Mau Thu"), encoding="t61"), "Tran Mau Thu"),
        (name(("CN", "Trần Mẫu Thử"), encoding="universal"), "Trần Mẫu Thử"),
        (name(("CN", "Trần Mẫu Thử"), encoding="utf8"), "Trần Mẫu Thử"),
        (raw_name(0x14, "Trần Mẫu".encode()), "Trần Mẫu"),  # UTF-8 in a TeletexString
        (raw_name(0x14, b"Tr\xe2n"), "Trân"),
        (raw_name(0x13, b"tran@mau_thu"), "tran@mau_thu"),  # letters it may not have
        (raw_name(0x0C, b"\xff\xfeTr"), "\ufffd\ufffdTr"),
        (raw_name(0x1E, b"\0T\0r\0"), "Tr\ufffd"),
        (name(("C", "VNM"), ("CN", "")), ""),
        (sequence(), ""),
    ],
)
def test_names_in_every_string_type(authority, verifier_of_odd, subject, shown):
    report = judged(verifier_of_odd, authority.issue(subject))
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].signer == shown
    assert outcomes(report)["path.found"] is Outcome.PASSED


@pytest.mark.parametrize("serial", [-1, -12345678901234567890, 0, 1, 1 << 200])
def test_serial_numbers_that_the_standard_forbids(authority, verifier_of_odd, serial):
    report = judged(verifier_of_odd, authority.issue(SUBJECT, serial=integer(serial)))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["path.found"] is Outcome.PASSED
    assert report.signatures[0].certificate.serial == f"{serial:x}"


@pytest.mark.parametrize("bits", [1024, 2048])
def test_a_negative_rsa_modulus_of_an_old_card(authority, verifier_of_odd, bits):
    private = rsa_key("card", bits)
    public = spki(private, negative_modulus=True)
    report = judged(verifier_of_odd, authority.issue(SUBJECT, private, public=public))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["signature.value"] is Outcome.PASSED


def test_a_negative_modulus_of_an_authority(verifier_of_odd):
    private = rsa_key("old authority")
    own = name(("CN", "CA cũ thử"))
    root = certificate(
        private, own, own, spki(private, negative_modulus=True),
        extensions=[extension("2.5.29.19", sequence(boolean(True)), critical=True), key_usage(6)],
    )  # fmt: skip
    leaf = OddAuthority("CA cơ quan thử").issue(SUBJECT)
    signed = certificate(private, own, SUBJECT, spki(leaf.private))
    key = type(leaf)(leaf.private, signed, (root,))
    report = judged(verifier_of_odd, key)
    assert report.integrity is Integrity.INTACT
    assert report.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


@pytest.mark.parametrize(
    "extensions",
    [
        [extension("2.5.29.19", sequence(boolean(False)))],  # a DEFAULT spelt out
        [extension("2.5.29.19", sequence(), critical=True)],
        [extension("2.5.29.31", b"\x30\x03abc")],  # unreadable, informs only
        [extension("1.3.6.1.5.5.7.1.3", sequence(), critical=True)],  # qualified statements
        [extension("2.5.29.14", octet_string(b"\1" * 20))],  # a key identifier of its own making
    ],
)
def test_extensions_that_do_not_matter(authority, verifier_of_odd, extensions):
    report = judged(verifier_of_odd, authority.issue(SUBJECT, extensions=extensions))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["path.found"] is Outcome.PASSED
    assert outcomes(report)["signature.key-usage"] is Outcome.PASSED


@pytest.mark.parametrize(
    "extensions",
    [
        [extension("1.2.3.4", b"\5\0", critical=True)],
        [extension("2.5.29.37", b"\x30\x03abc")],  # unreadable, restricts
        [extended_usage("1.3.6.1.5.5.7.3.4")] * 2,
    ],
)
def test_extensions_that_may_forbid_leave_doubt(authority, verifier_of_odd, extensions):
    report = judged(verifier_of_odd, authority.issue(SUBJECT, extensions=extensions))
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert report.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE


def test_an_authority_that_spells_its_own_name_otherwise(authority, verifier_of_odd):
    """BMPString in the leaf, UTF8String in the root: one name (RFC 5280, 7.1)."""
    report = judged(verifier_of_odd, authority.issue(SUBJECT, issuer=OTHERWISE))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["path.found"] is Outcome.PASSED


def test_a_signer_identifier_that_spells_the_issuer_otherwise(authority, verifier_of_odd):
    """Found all the same; but nothing signs that spelling, so the verdict waits."""
    report = judged(verifier_of_odd, authority.issue(SUBJECT), Habit(issuer=OTHERWISE))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["cms.canonical"] is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("habit", "outcome"),
    [
        (Habit(names_certificate=(ESS,)), Outcome.PASSED),
        (Habit(names_certificate=(ESS, ESS_V2)), Outcome.PASSED),
        (Habit(issuer_in_ess=None), Outcome.PASSED),
        (Habit(issuer_in_ess=OTHERWISE), Outcome.PASSED),
        (Habit(issuer_in_ess=name(("CN", "Ai khác"))), Outcome.WARNING),
        (Habit(names_certificate=()), Outcome.WARNING),
    ],
)
def test_signing_certificate_in_every_form(authority, verifier_of_odd, habit, outcome):
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["cms.signing-certificate"] is outcome


def test_named_by_key_identifier(authority, verifier_of_odd):
    """The certificate's own identifier, or the SHA-1 of the key where it has another one."""
    own = extension("2.5.29.14", octet_string(b"\1" * 20))
    for extensions in ([], [own]):
        key = authority.issue(SUBJECT, extensions=extensions)
        report = judged(verifier_of_odd, key, Habit(by_key_identifier=True))
        assert report.integrity is Integrity.INTACT
        assert outcomes(report)["cms.canonical"] is Outcome.PASSED


def test_certificate_only_in_the_trust_store(authority):
    """No certificate in the CMS at all: found by issuer and serial, and by key identifier."""
    from cryptography import x509

    key = authority.issue(SUBJECT)
    leaf = x509.load_der_x509_certificate(key.certificate)
    verifier = Verifier(TrustStore.of([authority.anchor], intermediates=[leaf]))
    for habit in (Habit(certificates=()), Habit(certificates=(), by_key_identifier=True)):
        assert judged(verifier, key, habit).integrity is Integrity.INTACT


@pytest.mark.parametrize(
    "habit",
    [
        Habit(ordered=False, sign_ordered=False, names_certificate=(ESS_V2, ESS)),
        Habit(ordered=False, sign_ordered=True, names_certificate=(ESS_V2, ESS)),
    ],
)
def test_attributes_out_of_order(authority, verifier_of_odd, habit):
    """Signed as they stand, or in DER's order: both have been seen, both are the same set."""
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT


@pytest.mark.parametrize("habit", [Habit(version=3), Habit(digests=("sha1", "sha256")),
                                   Habit(digests=())])  # fmt: skip
def test_unsigned_fields_that_writers_fill_differently(authority, verifier_of_odd, habit):
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert outcomes(report)["cms.canonical"] is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    "kind", [COUNTER_SIGNATURE, ARCHIVE_TIMESTAMP_V3, CERTIFICATE_REFS, REVOCATION_REFS]
)
def test_unsigned_attributes_of_cades(authority, verifier_of_odd, kind):
    habit = Habit(unsigned=lambda value: [attribute(kind, sequence(octet_string(value[:20])))])
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["cms.unsigned-attributes"] is Outcome.INDETERMINATE
    detail = next(c.detail for c in report.signatures[0].checks
                  if c.check == "cms.unsigned-attributes")  # fmt: skip
    assert kind in detail


def streamed(der: bytes) -> bytes:
    """The outer layers of a token with indefinite lengths, its content in parts (BER)."""
    info, _ = grow(der)
    content = info[1][0]
    parts = [part.dump() for part in content.value]
    inner = content[2]
    octets = inner[1][0].value
    pieces = indefinite(0x24, octet_string(octets[:40]), octet_string(octets[40:]))
    parts[2] = indefinite(0x30, inner[0].dump(), indefinite(0xA0, pieces))
    return indefinite(0x30, info[0].dump(), indefinite(0xA0, indefinite(0x30, *parts)))


def test_a_streamed_timestamp_inside_a_der_signature(authority, test_pki):
    """Authorities answer in BER, and signing tools embed the token as it came."""

    def token(value: bytes) -> bytes:
        return test_pki.timestamper.timestamp(hashlib.sha256(value).digest())

    verifier = Verifier(TrustStore.of([authority.anchor, *test_pki.anchors]))
    for form in (bytes, streamed):
        habit = Habit(unsigned=lambda value, form=form: [attribute(TIMESTAMP, form(token(value)))])
        report = judged(verifier, authority.issue(SUBJECT), habit)
        assert report.integrity is Integrity.INTACT
        assert report.signatures[0].timestamps[0].integrity is Integrity.INTACT
        assert report.signatures[0].timestamps[0].time is not None


def test_a_streamed_signature(authority, verifier_of_odd):
    report = judged(verifier_of_odd, authority.issue(SUBJECT), Habit(is_ber=True))
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["cms.structure"] is Outcome.WARNING


@pytest.mark.parametrize(
    "text", [b"260302050000Z", b"2603020500Z", b"260302120000+0700", b"260301220000-0700"]
)
def test_signing_times_in_every_form(authority, verifier_of_odd, text):
    habit = Habit(signed=[attribute("1.2.840.113549.1.9.5", tlv(0x17, text))])
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].claimed_time == dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)


def test_an_unreadable_signing_time_is_a_note(authority, verifier_of_odd):
    habit = Habit(signed=[attribute("1.2.840.113549.1.9.5", tlv(0x17, b"yesterday"))])
    report = judged(verifier_of_odd, authority.issue(SUBJECT), habit)
    assert report.integrity is Integrity.INTACT
    assert outcomes(report)["cms.signing-time"] is Outcome.WARNING


def test_a_root_with_an_unknown_algorithm_among_the_certificates(authority, verifier_of_odd):
    """Old roots signed themselves with MD2: nobody can say, so nobody says altered."""
    key = authority.issue(SUBJECT)
    private = rsa_key("md2 root")
    own = name(("CN", "CA cũ ký MD2 thử"))
    plain = certificate(private, own, own, spki(private))
    md2 = plain.replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010102"))
    report = judged(verifier_of_odd, key, Habit(certificates=(key.certificate, md2)))
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE


def test_an_altered_certificate_among_them_is_still_found(authority, verifier_of_odd):
    key = authority.issue(SUBJECT)
    altered = flip(authority.certificate, authority.certificate.index("thử".encode()), 1)
    report = judged(verifier_of_odd, key, Habit(certificates=(key.certificate, altered)))
    assert report.indication is not Indication.TOTAL_PASSED


@pytest.mark.parametrize("octets", [b"", b"\x30\0", b"\x30\3\2\1\5", b"\x30\x80\0\0", b"\4\1a",
                                    sequence(sequence(), sequence(), b"\3\1\0")])  # fmt: skip
def test_what_is_no_certificate(octets):
    with pytest.raises(CertificateUnreadable):
        load(octets)


def test_every_bit_of_a_certificate_is_read_or_refused(authority):
    """Never another exception, whatever stands there."""
    octets = authority.issue(SUBJECT, extensions=[extended_usage("1.3.6.1.5.5.7.3.4")]).certificate
    for position in range(len(octets)):
        for bit in (0, 5, 7):
            try:
                load(flip(octets, position, bit))
            except CertificateUnreadable:
                continue


def test_trailing_zeros_of_any_length(authority, verifier_of_odd):
    for room in (4000, 24_770):
        report = judged(verifier_of_odd, authority.issue(SUBJECT), room=room, upper=True)
        assert report.integrity is Integrity.INTACT
