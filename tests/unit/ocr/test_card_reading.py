"""Identity cards on a page: both generations, code against print, and pages without a card."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

from ocr.fields.card_reading import CardReading, check_card, read_card
from ocr.page import RecognisedPage
from ocr.quality.findings import Code
from ocr.quality.profiles import QualityBook
from ocr.reading.raster import Raster
from tests.fixtures_samples import recognised
from tools.samples import chipcard, forms
from tools.samples.degrade import Recipe, compose
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES

DPI = 200
DAY = dt.date(2026, 11, 23)
PROFILE = QualityBook.default().at("one-stop", DAY)


def scanned(
    holder: chipcard.Holder, generation: chipcard.Generation, code: str | None = None
) -> tuple[Sheet, RecognisedPage, Raster]:
    """A copy as a perfect reader gives it, and its pixels."""
    sheet, patches = chipcard.copy_of(holder, generation, DPI, code=code)
    page = compose(sheet.draw_ink(DPI), patches, Recipe(), DPI, 7)
    return sheet, recognised(sheet.truth("card"), dpi=DPI), np.clip(page, 0, 255).astype(np.uint8)


def read(
    holder: chipcard.Holder, generation: chipcard.Generation, code: str | None = None
) -> CardReading:
    _, page, raster = scanned(holder, generation, code)
    found = read_card(page, raster)
    assert found is not None
    return found


@pytest.mark.parametrize("generation", chipcard.GENERATIONS)
@pytest.mark.parametrize("seed", [1, 2])
def test_print_and_code_of_both_generations(generation: chipcard.Generation, seed: int):
    sheet, page, raster = scanned(holder := chipcard.invent(seed), generation)
    card = read_card(page, raster)
    assert card is not None
    printed = {f.name: f.value for f in card.fields if f.source == "print"}
    assert printed == dict(sheet.fields)
    assert (card.generation, card.findings) == (generation, ())
    code = {f.name: f.value for f in card.fields if f.source == "code"}
    assert code == {
        "number": holder.number, "name": holder.name, "born": holder.born.isoformat(),
        "sex": holder.sex, "residence": holder.residence, "issued": holder.issued.isoformat(),
    }  # fmt: skip
    assert card.applicant["name"].source == "code"
    assert card.applicant["nationality"].source == "print"
    assert card.expires == holder.expires


def test_a_field_has_the_box_of_its_words_and_the_code_that_of_its_symbol():
    card = read(chipcard.invent(4), "2021")
    mm = 25.4 / DPI
    number, name = card.get("number", "print"), card.get("name", "print")
    symbol = card.get("number", "code")
    assert number is not None
    assert name is not None
    assert symbol is not None
    assert 62 + 27 < number.box.left * mm < name.box.right * mm < 62 + 86
    assert 40 < number.box.top * mm < name.box.top * mm < 40 + 54
    assert symbol.box.width * mm == pytest.approx(11.0, abs=1.5)
    assert card.box.left <= name.box.left
    assert card.box.right >= symbol.box.right


def test_a_changed_print_or_code_is_told_with_both_values():
    holder = chipcard.invent(5)
    other = chipcard.another(holder, random.Random(1))
    card = read(other, "2021", code=holder.payload("2021"))
    (found,) = card.findings
    assert (found.code, found.severity, found.field) == ("CARD_DIFFERS", "warn", "number")
    assert holder.number in found.vi
    assert other.number in found.en
    number = card.get("number", "print")
    assert number is not None
    assert found.box == number.box


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [("|Nam|", "|Nữ|", "sex"), ("Nữ", "Nam", "sex")],
)
def test_a_code_that_disagrees_within_itself_is_told(old: str, new: str, field: str):
    holder = next(h for h in map(chipcard.invent, range(50)) if h.sex in old)
    card = read(holder, "2021", code=holder.payload("2021").replace(old, new))
    assert {f.field for f in card.findings if f.code == "CARD_CODE_DOUBT"} == {field}
    assert {f.field for f in card.findings if f.code == "CARD_DIFFERS"} == {field}


def test_without_a_code_the_print_is_read_and_held_to_its_number():
    holder = chipcard.invent(6)
    card = read(holder, "2024", code="")
    assert [f.code for f in card.findings] == ["CARD_CODE_UNREAD"]
    assert card.applicant["name"].value == holder.name.upper()
    wrong = read(chipcard.invent(6), "2021", code="https://mau.example")
    assert [f.code for f in wrong.findings] == ["CARD_CODE_UNREAD"]
    older = dt.date(holder.born.year - 1, 1, 1)
    forged = replace(holder, born=older)
    doubts = [f for f in read(forged, "2021", code="").findings if f.code == "CARD_PRINT_DOUBT"]
    assert [f.field for f in doubts] == ["born"]


def test_misread_marks_are_a_note_and_no_alarm():
    holder = next(h for h in map(chipcard.invent, range(80)) if h.name.startswith("Nguyễn"))
    code = holder.payload("2021").replace("Nguyễn", "Nguyên")
    (found,) = read(holder, "2021", code=code).findings
    assert (found.code, found.severity, found.field) == ("CARD_MARKS", "note", "name")


def test_an_expired_card_is_a_finding_and_one_for_life_never_is():
    holder = next(h for h in map(chipcard.invent, range(80)) if h.expires is not None)
    assert holder.expires is not None
    after = holder.expires + dt.timedelta(days=3)
    _, page, raster = scanned(holder, "2021")
    card = read_card(page, raster)
    assert card is not None
    assert check_card(card, page, holder.expires, PROFILE) is None
    finding = check_card(card, page, after, PROFILE)
    assert finding is not None
    assert (finding.code, finding.value) == (Code.CARD_EXPIRED, 3)
    printed = card.get("expires", "print")
    assert printed is not None
    assert finding.places[0].left == pytest.approx(printed.box.left * 25.4 / DPI)
    old = next(h for h in map(chipcard.invent, range(80)) if h.expires is None)
    _, page, raster = scanned(old, "2024")
    lifelong = read_card(page, raster)
    assert lifelong is not None
    assert lifelong.expires is None
    assert check_card(lifelong, page, dt.date(2090, 1, 1), PROFILE) is None


def test_without_a_printed_day_the_law_says_when_a_card_expires():
    holder = next(h for h in map(chipcard.invent, range(80)) if h.expires is not None)
    assert holder.expires is not None
    _, page, raster = scanned(holder, "2024")
    blind = recognised(Sheet(FAMILIES["Tinos"]).truth("blank"), dpi=DPI)
    card = read_card(blind, raster)
    assert card is not None
    assert {f.source for f in card.fields} == {"code"}
    assert card.expires == holder.expires
    late = check_card(card, page, holder.expires + dt.timedelta(days=1), PROFILE)
    assert late is not None


@pytest.mark.parametrize("generation", chipcard.GENERATIONS)
@pytest.mark.parametrize("home", ["Số 5 ngõ Thử, Bình Mẫu, Mẫu Giang", "Nháp, Số 12, Thử, Mẫu"])
def test_a_house_number_is_no_label(generation: chipcard.Generation, home: str):
    holder = replace(chipcard.invent(11), residence=home)
    residence = read(holder, generation, code="").get("residence", "print")
    assert residence is not None
    assert residence.value == home


def test_two_cards_on_one_page_are_told():
    one, other = chipcard.invent(8), chipcard.invent(9)
    sheet, patches = chipcard.copy_of(one, "2021", DPI, top=30)
    below, more = chipcard.copy_of(other, "2021", DPI, top=130)
    pixels = compose(
        np.maximum(sheet.draw_ink(DPI), below.draw_ink(DPI)), patches + more, Recipe(), DPI, 3
    )
    page = recognised(sheet.truth("card"), dpi=DPI)
    card = read_card(page, np.clip(pixels, 0, 255).astype(np.uint8))
    assert card is not None
    assert card.applicant["number"].value == one.number
    assert [f.code for f in card.findings] == ["CARD_SEVERAL"]


@pytest.mark.parametrize("form", range(3))
def test_forms_with_the_same_labels_are_no_card(form: int):
    for sheet in forms.application(Fiction(f"form/{form}"), FAMILIES["Tinos"], form=form):
        page = recognised(sheet.truth("form"), dpi=DPI)
        assert read_card(page, np.full((2339, 1654), 250, np.uint8)) is None


def test_an_empty_page_is_no_card_and_a_tiny_image_harms_nothing():
    page = recognised(Sheet(FAMILIES["Tinos"]).truth("blank"), dpi=DPI)
    assert read_card(page, np.full((300, 200, 3), 250, np.uint8)) is None
    assert read_card(page, np.zeros((3, 3), np.uint8)) is None
    assert read_card(page, np.zeros((3, 3), np.uint8), codes=()) is None


@pytest.mark.parametrize("generation", chipcard.GENERATIONS)
def test_a_reading_goes_through_json_and_between_processes(generation: chipcard.Generation):
    card = read(chipcard.invent(10), generation, code="")
    again = CardReading.from_json(json.dumps(card.to_json(), ensure_ascii=False))
    assert again.to_json() == card.to_json()
    assert [(f.name, f.value, f.source) for f in again.fields] == [
        (f.name, f.value, f.source) for f in card.fields
    ]
    assert pickle.loads(pickle.dumps(card)) == card  # noqa: S301 - our own value
    with pytest.raises(KeyError):
        CardReading.from_json({"generation": None})
