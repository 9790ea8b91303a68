"""The catalogue of NĐ 30/2020, Appendix III, and mending by it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ocr.fields.doctypes import TypeMatch, bundled_catalogue, load_catalogue
from ocr.fields.mending import digits, is_family_name, mend_name, mend_terms


def test_there_are_twenty_seven_types_and_three_forms_of_copy():
    book = bundled_catalogue()
    assert (len(book.types), set(book.copies)) == (27, {"SY", "TrS", "SL"})
    assert book.valid_from == datetime.date(2020, 3, 5)
    assert "30/2020/NĐ-CP" in book.legal_basis


@pytest.mark.parametrize(
    ("read", "match"),
    [
        ("QĐ", TypeMatch("QĐ", exact=True)),
        ("QD", TypeMatch("QĐ", exact=False)),
        ("TTR", TypeMatch("TTr", exact=False)),
        ("HĐ", TypeMatch("HĐ", exact=True)),
        ("hd", None),  # HD or HĐ: two candidates, so none
        ("UBND", None),
    ],
)
def test_codes_are_mended_only_where_one_is_possible(read: str, match: TypeMatch | None):
    assert bundled_catalogue().by_code(read) == match


@pytest.mark.parametrize(
    ("title", "code"),
    [("TỜ TRÌNH", "TTr"), ("QUYẾT ĐINH", "QĐ"), ("GIẤY MỜI", "GM"), ("ĐƠN ĐỀ NGHỊ", None)],
)
def test_headings_name_types(title: str, code: str | None):
    match = bundled_catalogue().by_title(title)
    assert (match.code if match else None) == code


@pytest.mark.parametrize(
    ("title", "code"), [("SAO Y", "SY"), ("SAOY", "SY"), ("BẢN TRÍCH SAO", "TrS"), ("SỐ 1", None)]
)
def test_headings_name_forms_of_copy(title: str, code: str | None):
    match = bundled_catalogue().copy_by_title(title)
    assert (match.code if match else None) == code


def test_a_deployment_may_bring_its_own_catalogue(tmp_path: Path):
    path = tmp_path / "types.toml"
    path.write_text(
        'legal_basis = "Luật mẫu"\nvalid_from = 2031-01-02\n[types]\n"XM" = "Xin mẫu"\n[copies]\n',
        encoding="utf-8",
    )
    book = load_catalogue(path)
    assert (dict(book.types), book.valid_from.year) == ({"XM": "Xin mẫu"}, 2031)


def test_phrases_are_mended_by_their_letters_and_single_words_are_left():
    assert mend_terms("ỦY BẠN NHÂN DÂN XÃ HÀ TĨNH") == "ỦY BAN NHÂN DÂN XÃ HÀ TĨNH"
    assert mend_terms("PHÓ CHỦ TICH") == "PHÓ CHỦ TỊCH"
    assert mend_terms("chủ tich ủy ban") == "chủ tich ủy ban"


@pytest.mark.parametrize(
    ("read", "name"),
    [("Đăng Đình Mẫu", "Đặng Đình Mẫu"), ("Vũ Thử", "Vũ Thử"), ("Hò Thử", "Hò Thử")],
)
def test_family_names_are_mended_only_where_one_is_possible(read: str, name: str):
    if name == "Hò Thử":
        assert mend_name(read) in {"Hồ Thử", "Hò Thử"}
        assert is_family_name("Hò")
    else:
        assert mend_name(read) == name


def test_look_alike_letters_become_digits():
    assert digits("I 2 O") == "120"
