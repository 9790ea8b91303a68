"""A paper's fields against catalogues and forms: every finding, and silence where all agrees."""

from __future__ import annotations

import datetime as dt

import pytest

from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.citizen_numbers import number_faults
from dossier.intake.field_checks import FieldFinding, check_fields
from ocr.fields.card_reading import CardField, CardReading
from ocr.fields.extract import DocumentFields, Field, extract_fields
from ocr.page import Box
from tests.fixtures_samples import recognised
from tools.samples import typed
from tools.samples.typefaces import FAMILIES

BOOK = load_catalogues()
TODAY = dt.date(2026, 11, 23)
GOOD = {
    "doc_number": "05", "doc_symbol": "QĐ-UBND", "doc_type": "QĐ",
    "agency": "ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ", "issued_date": "2026-03-23",
}  # fmt: skip


def fields_of(values: dict[str, str]) -> DocumentFields:
    found = tuple(
        Field(name, value, 95.0, Box(10.0 * n, 0, 10.0 * n + 9, 5), 1, 99.0, False)
        for n, (name, value) in enumerate(values.items())
        if value
    )
    return DocumentFields(found, (), "mẫu", (1,))


def found(card: CardReading | None = None, **changed: str) -> list[FieldFinding]:
    return list(check_fields(fields_of(GOOD | changed), BOOK, TODAY, card))


def test_a_paper_on_which_all_agrees_gives_nothing():
    assert found() == []
    assert found(doc_symbol="2026/QĐ-UBND") == []
    assert found(doc_symbol="UBND-VP", doc_type="") == []  # an official letter
    assert check_fields(DocumentFields((), (), "mẫu"), BOOK, TODAY) == ()


@pytest.mark.parametrize(
    ("changed", "code", "field", "suggestion"),
    [
        ({"doc_type": "XX", "doc_symbol": "XX-UBND"}, "TYPE_UNKNOWN", "doc_type", ""),
        ({"doc_type": "KH"}, "SYMBOL_TYPE", "doc_symbol", "KH-UBND"),
        ({"doc_symbol": "UBND-VP"}, "SYMBOL_TYPE", "doc_symbol", "QĐ-UBND-VP"),
        ({"doc_symbol": "QĐ UBND"}, "SYMBOL_SHAPE", "doc_symbol", ""),
        ({"doc_symbol": "QĐ-"}, "SYMBOL_SHAPE", "doc_symbol", ""),
        ({"doc_symbol": "QĐ-SNV"}, "SYMBOL_AGENCY", "doc_symbol", "QĐ-UBND"),
        ({"doc_symbol": "2025/QĐ-UBND"}, "SYMBOL_YEAR", "doc_symbol", "2026/QĐ-UBND"),
        ({"doc_number": "5"}, "NUMBER_ZERO", "doc_number", "05"),
        ({"doc_number": "0127"}, "NUMBER_ZERO", "doc_number", "127"),
        ({"doc_number": "00"}, "NUMBER_SHAPE", "doc_number", ""),
        ({"doc_number": "12a"}, "NUMBER_SHAPE", "doc_number", ""),
        ({"issued_date": "2026-11-24"}, "DATE_FUTURE", "issued_date", ""),
        ({"issued_date": "1944-12-22"}, "DATE_IMPOSSIBLE", "issued_date", ""),
        ({"issued_date": "2026-02-31"}, "DATE_IMPOSSIBLE", "issued_date", ""),
        ({"agency": "ỦY BAN NHÂN DÂN XÃ KHÔNG CÓ"}, "AGENCY_UNKNOWN", "agency", ""),
        ({"copy_form": "YS"}, "TYPE_UNKNOWN", "copy_form", ""),
        ({"copy_date": "2026-03-22"}, "COPY_BEFORE_ORIGINAL", "copy_date", ""),
        ({"citizen_number": "000190000017"}, "CITIZEN_NUMBER", "citizen_number", ""),
    ],
)
def test_what_disagrees_is_one_finding_with_its_place(
    changed: dict[str, str], code: str, field: str, suggestion: str
):
    (told,) = [f for f in found(**changed) if f.field == field]
    assert (told.code, told.suggestion, told.value) == (code, suggestion, (GOOD | changed)[field])
    place = 10.0 * list(GOOD | changed).index(field)
    assert told.box == Box(place, 0, place + 9, 5)
    assert told.vi != told.en


def test_a_type_before_its_catalogue_is_a_note():
    (told,) = [f for f in found(issued_date="2019-05-06") if f.field == "doc_type"]
    assert (told.code, told.severity) == ("TYPE_NOT_IN_FORCE", "note")


def test_a_district_after_its_end_is_told_with_its_successors():
    (told,) = found(agency="UBND HUYỆN THỬ NGHIỆM", issued_date="2025-07-01")
    assert (told.code, told.severity) == ("AGENCY_NOT_IN_FORCE", "warn")
    assert "đến 30/06/2025" in told.vi
    assert "Mẫu Sơn Thử, Ủy ban nhân dân xã Ví Dụ Thượng" in told.vi
    assert told.suggestion == ""  # two: which of them, a person knows
    (ended,) = found(agency="UBND HUYỆN THỬ NGHIỆM", issued_date="2025-06-30")
    assert (ended.code, ended.severity) == ("AGENCY_ENDED", "note")
    (merged,) = found(agency="UBND TỈNH GIẢ SƠN", issued_date="2026-01-05")
    assert merged.suggestion == "Ủy ban nhân dân tỉnh Mẫu Giang"


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("UBND XÃ MÂU SƠN THƯ", "UBND XÃ MẪU SƠN THỬ"),
        ("ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỨ", "ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ"),
        ("Hội đồng nhân dân xã Mẫu Sơn Thứ", "Hội đồng nhân dân xã Mẫu Sơn Thử"),
    ],
)
def test_misread_marks_of_an_agency_are_told_with_the_catalogues_spelling(read: str, meant: str):
    symbol = "QĐ-HĐND" if read.startswith("Hội") else "QĐ-UBND"
    (told,) = found(agency=read, doc_symbol=symbol)
    assert (told.code, told.severity, told.suggestion) == ("AGENCY_SPELLING", "note", meant)
    assert found(agency=meant, doc_symbol=symbol) == []


def test_an_office_is_judged_by_the_agency_above_it():
    early = {"agency": "PHÒNG KINH TẾ", "doc_symbol": "QĐ-KT", "issued_date": "2024-12-03"}
    assert [f.code for f in found(**early, parent_agency="UBND XÃ MẪU SƠN THỬ")] == [
        "AGENCY_NOT_IN_FORCE"
    ]
    assert [f.code for f in found(**early, parent_agency="UBND XÃ KHÁC")] == ["AGENCY_UNKNOWN"]
    assert found(**early) == []


def test_citizen_numbers_are_held_to_the_card():
    number = CardField("number", "001190000017", 100.0, Box(0, 0, 1, 1), "code")
    card = CardReading("2021", (number,), (), Box(0, 0, 1, 1))
    assert found(card=card, citizen_number="001190000017") == []
    assert found(card=card) == []  # a paper need not bear it
    (told,) = found(card=card, citizen_number="001190000018")
    assert (told.code, told.suggestion) == ("CITIZEN_NOT_ON_CARD", "001190000017")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("001190000017", ""),
        ("00119000001", "12 chữ số"),
        ("003190000017", "mã 003"),  # between two provinces
        ("000190000017", "mã 000"),
        ("001290000017", "2090"),
        ("001191000017", "khác 1990"),
        ("001090000017", "khác Nữ"),
        ("300190000017", ""),  # born abroad
    ],
)
def test_a_personal_number_agrees_with_birth_and_sex(number: str, said: str):
    born = dt.date(1990, 3, 5) if said in ("", "khác 1990", "khác Nữ") else None
    faults = list(number_faults(number, TODAY, born=born, sex="Nữ" if born else None))
    assert [said in vi for vi, _ in faults] == ([True] if said else [])


@pytest.mark.parametrize("code", typed.codes())
def test_no_paper_as_the_decree_prints_it_has_a_wrong_number_or_symbol(code: str):
    sheet = typed.paper(code, "9", "tuning", FAMILIES["Tinos"])
    fields = extract_fields([recognised(sheet.truth("paper"))])
    told = check_fields(fields, BOOK, dt.date(2027, 1, 1))
    mine = {f.code for f in told} - {"COPY_BEFORE_ORIGINAL"}
    assert mine <= {"AGENCY_UNKNOWN", "AGENCY_NOT_IN_FORCE", "AGENCY_ENDED"}
