"""The part of each signature, from names of our own and from an office's habits (domain.md 5.8)."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from signer.verification.checks import Part
from signer.verification.parts.places import Place
from signer.verification.parts.roles import Mark, parts_of
from signer.verification.parts.subjects import Subject, subject_of
from signer.verification.signature.certificates import load
from signer.verification.words.wording import part_text

NOON = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
AGENCY, PERSON, GAZETTE = b"agency", b"person", b"gazette"
LEADER_BOX, SEAL_BOX = (370, 225, 520, 295), (308, 204, 418, 314)
NUMBER_BOX, DATE_BOX = (95, 735, 140, 764), (330, 735, 528, 764)
GAZETTE_BOX, CORNER_BOX = (40, 785, 200, 835), (372, 735, 532, 780)


def mark(
    box: tuple[float, ...] | None = None, subject: Subject = Subject.ORGANISATION,
    key: bytes = AGENCY, *, name: str = "Signature1", seconds: int = 0, page: int = 1, first=True,
    words: str = "", organisation: str = "UBND xã Mẫu Sơn Thử",
) -> Mark:  # fmt: skip
    place = Place(*box, 595, 842, first, page) if box else None
    return Mark(
        name, subject, key, organisation, words, NOON + dt.timedelta(seconds=seconds), place
    )


def leader(**options) -> Mark:
    return mark(LEADER_BOX, Subject.PERSON, PERSON, **options)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("leader-P1", "leader"), ("number-SO", "number"), ("date-NGAY", "date"),
        ("seal-P2", "seal"), ("seal-P4", "annex"), ("seal-P5", "copy"), ("seal-P6", "copy"),
        ("officer-P7", "officer"), ("officer", "officer"), ("seal-P2_2", "seal"),
        ("Con dau", "seal"), ("Lãnh đạo", "leader"), ("Số văn bản", "number"), ("Ngày", "date"),
        ("Công báo", "publisher"), ("Signature1", "other"), ("leaderboard", "other"),
    ],
)  # fmt: skip
def test_names_of_fields(name, part):
    assert parts_of([mark(name=name)]) == [part]


def test_a_decision_of_five():
    marks = [
        leader(),
        mark(SEAL_BOX, seconds=600), mark(NUMBER_BOX, seconds=600), mark(DATE_BOX, seconds=600),
        mark(GAZETTE_BOX, key=GAZETTE, seconds=9000),
    ]  # fmt: skip
    assert parts_of(marks) == ["leader", "seal", "number", "date", "publisher"]
    first, *rest = marks
    for order in ([1, 2, 0, 3], [2, 1, 0, 3]):  # the clerk's three in any order
        found = parts_of([first, *(rest[i] for i in order)])
        assert sorted(found) == sorted(["leader", "seal", "number", "date", "publisher"])
        assert found[0] == "leader"
        assert found[-1] == "publisher"


def test_number_and_date_in_the_same_half_are_told_by_their_order():
    marks = [leader(), mark((60, 735, 105, 764)), mark((110, 735, 290, 764)), mark(SEAL_BOX)]
    assert parts_of(marks) == ["leader", "number", "date", "seal"]


def test_a_number_alone_and_a_date_alone():
    assert parts_of([leader(), mark(NUMBER_BOX)]) == ["leader", "number"]
    assert parts_of([leader(), mark(DATE_BOX)]) == ["leader", "date"]


def test_blanks_of_two_keys_or_of_two_days_are_no_pair():
    left, right = (60, 735, 105, 764), (110, 735, 290, 764)
    assert parts_of([leader(), mark(left), mark(right, key=GAZETTE)])[1:] == ["number", "number"]
    two_days = [leader(), mark(left), mark(right, seconds=86400)]
    assert parts_of(two_days)[1:] == ["number", "other"]


def test_nobody_numbers_what_nobody_signed():
    assert parts_of([mark((400, 740, 550, 775))]) == ["copy"]


def test_scanned_paper_with_the_gazette_beside_it():
    marks = [mark(CORNER_BOX), mark((200, 735, 360, 780), key=GAZETTE, seconds=60)]
    assert parts_of(marks) == ["copy", "publisher"]
    assert parts_of([mark(CORNER_BOX), mark((200, 735, 360, 780))]) == ["copy", "other"]


def test_words_tell_annex_copy_and_gazette():
    assert parts_of([mark(CORNER_BOX, words="phu luc kem theo")]) == ["annex"]
    assert parts_of([leader(), mark(CORNER_BOX, key=GAZETTE, words="sao y")])[1] == "copy"
    assert parts_of([mark(CORNER_BOX, organisation="Cơ quan Công báo")]) == ["publisher"]


def test_a_person_in_the_corner_digitised_and_a_small_one_initialled():
    corner = mark((30, 790, 250, 830), Subject.PERSON, PERSON)
    initial = mark((500, 100, 530, 120), Subject.PERSON, PERSON)
    assert parts_of([corner, initial]) == ["officer", "other"]


def test_what_is_not_seen():
    person = mark(None, Subject.PERSON, PERSON)
    assert parts_of([person, mark(None)]) == ["leader", "seal"]
    assert parts_of([person]) == ["other"]
    assert parts_of([mark(None)]) == ["other"]


def test_certificates_that_do_not_tell_are_told_by_the_overlap():
    unknown = [
        mark(LEADER_BOX, Subject.UNKNOWN, PERSON), mark(SEAL_BOX, Subject.UNKNOWN),
        mark(NUMBER_BOX, Subject.UNKNOWN), mark(CORNER_BOX, Subject.UNKNOWN, GAZETTE),
    ]  # fmt: skip
    assert parts_of(unknown) == ["leader", "seal", "number", "publisher"]
    assert parts_of(unknown[1:2]) == ["seal"]


def test_a_second_seal_elsewhere_is_another_signature():
    marks = [leader(), mark(SEAL_BOX), mark((50, 50, 160, 160), key=GAZETTE, first=False, page=2)]
    assert parts_of(marks) == ["leader", "seal", "other"]


def certificate(*names: tuple[str, str]):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(x509.ObjectIdentifier(oid), value) for oid, value in names]
    )
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 5)
        .not_valid_before(NOON)
        .not_valid_after(NOON + dt.timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    return load(made.public_bytes(Encoding.DER))


CN, ORG, UID, TITLE = "2.5.4.3", "2.5.4.10", "0.9.2342.19200300.100.1.1", "2.5.4.12"


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        ([(CN, "Trần Mẫu Thử"), (ORG, "UBND xã Mẫu Sơn Thử")], Subject.PERSON),
        ([(CN, "Tran Mau Thu")], Subject.PERSON),
        ([(CN, "Ủy ban nhân dân xã Mẫu Sơn Thử"), (ORG, "Tỉnh Mẫu")], Subject.ORGANISATION),
        ([(CN, "Văn phòng HĐND và UBND")], Subject.ORGANISATION),
        ([(CN, "SO NOI VU"), (ORG, "SO NOI VU")], Subject.ORGANISATION),
        ([(CN, "Vụ Mẫu"), (UID, "MST:0100000000")], Subject.ORGANISATION),
        ([(CN, "Vũ Mẫu Thử"), (UID, "MST:0100000000")], Subject.PERSON),
        ([(CN, "Thử Mẫu"), (UID, "CCCD:001000000000")], Subject.PERSON),
        ([(CN, "Thử Mẫu"), (UID, "MST:0100000000")], Subject.ORGANISATION),
        ([(CN, "Mẫu"), (TITLE, "Chủ tịch")], Subject.PERSON),
        ([(CN, "Mẫu Thử"), ("2.5.4.97", "VATVN-0100000000")], Subject.ORGANISATION),
        ([(CN, "Zzz")], Subject.UNKNOWN),
    ],
)
def test_person_or_organisation(names, subject):
    assert subject_of(certificate(*names)) is subject


def test_every_part_has_words():
    for part in Part:
        vi, en = part_text(part)
        assert vi
        assert en
