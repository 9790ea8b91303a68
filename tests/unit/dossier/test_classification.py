"""Which component a paper is: what it calls itself decides, doubt decides nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from bench.fields_classes import one_of_each
from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.catalogues import RequiredComponent
from dossier.intake.classification import CHOSEN_FROM, Classification, classify
from ocr.fields.card_reading import CardField, CardReading
from ocr.fields.extract import DocumentFields, Field, extract_fields
from ocr.page import Box
from tests.fixtures_samples import recognised
from tools.samples import forms, typed
from tools.samples.components import component_paper
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES

BOOK = load_catalogues()
DAY = dt.date(2026, 11, 23)
PROCEDURES = BOOK.procedures_on(DAY)
ALL = [(p, c) for p in PROCEDURES for c in p.components]
NOTHING = DocumentFields((), (), "mẫu")
CARD = CardReading(
    "2021", (CardField("number", "001190000017", 100.0, Box(0, 0, 1, 1), "code"),), (),
    Box(0, 0, 1, 1),
)  # fmt: skip


def required(code: str) -> tuple[RequiredComponent, ...]:
    procedure = BOOK.procedure(code, DAY)
    assert procedure is not None
    return procedure.components


def of_sheet(
    sheet: Sheet, components: tuple[RequiredComponent, ...], card: CardReading | None = None
) -> Classification:
    page = recognised(sheet.truth("paper"))
    return classify(extract_fields([page]), page.text, 1, card, components)


def code_of(found: Classification) -> str:
    return found.chosen.component.code if found.chosen is not None else ""


def typed_fields(code: str, *, doubtful: bool = False) -> DocumentFields:
    field = Field("doc_type", code, 95.0, Box(0, 0, 1, 1), 1, 99.0, doubtful)
    return DocumentFields((field,), (), "mẫu")


@pytest.mark.parametrize(("procedure", "component"), ALL, ids=[c.code for _, c in ALL])
def test_a_paper_of_each_component_is_proposed_for_it_or_left_to_a_person(procedure, component):
    others = [c for c in procedure.components if c is not component]
    sheet = component_paper(component, Fiction(component.code), FAMILIES["Tinos"], others)
    card = CARD if "CARD" in component.document_types else None
    found = of_sheet(sheet, procedure.components, card)
    assert code_of(found) in (component.code, "")
    assert found.proposals[0].component.code == component.code
    if component.titles:
        assert code_of(found) == component.code
    assert all(r.vi and r.en for p in found.proposals for r in p.reasons)


@pytest.mark.parametrize("code", typed.codes())
def test_a_paper_of_each_type_is_filed_by_its_type_alone(code: str):
    sheet = typed.paper(code, "1", "tuning", FAMILIES["Tinos"])
    wanted = {"CV": ""}.get(code, "TB" if code in typed.COPIES else code)
    assert code_of(of_sheet(sheet, one_of_each())) == wanted


@pytest.mark.parametrize("code", [c for c in typed.codes() if c != "GUQ"])
def test_papers_that_nobody_asked_for_are_left_to_a_person(code: str):
    sheet = typed.paper(code, "2", "tuning", FAMILIES["Tinos"])
    for procedure in PROCEDURES:
        found = of_sheet(sheet, procedure.components)
        assert found.chosen is None
        assert found.why_none is not None


def test_an_application_for_a_certificate_is_no_certificate():
    text = "ĐƠN ĐỀ NGHỊ CẤP ĐỔI\nGIẤY CHỨNG NHẬN QUYỀN SỬ DỤNG ĐẤT\nThửa đất số: 4"
    assert code_of(classify(NOTHING, text, 1, None, required("MAU.DD.01"))) == ""
    text = "PHỤ LỤC KÈM THEO\nGIẤY CHỨNG NHẬN QUYỀN SỬ DỤNG ĐẤT"
    assert code_of(classify(NOTHING, text, 1, None, required("MAU.DD.01"))) == ""
    head = "ỦY BAN NHÂN DÂN\nGIẤY CHỨNG NHẬN QUYỀN SỬ DỤNG ĐẤT"
    assert code_of(classify(NOTHING, head, 1, None, required("MAU.DD.01"))) == "DD01-GCN"


@pytest.mark.parametrize("form", range(1, 5))
def test_another_application_is_not_the_one_that_is_asked_for(form: int):
    (sheet,) = forms.application(Fiction(f"f/{form}"), FAMILIES["Tinos"], form=form)
    assert code_of(of_sheet(sheet, required("MAU.XD.01"))) == ""


def test_the_application_that_is_asked_for_is():
    (sheet,) = forms.application(Fiction("f"), FAMILIES["Tinos"], form=0)
    found = of_sheet(sheet, required("MAU.XD.01"))
    assert code_of(found) == "XD01-DON"
    assert found.chosen is not None
    assert found.chosen.certainty >= CHOSEN_FROM
    assert "Đơn đề nghị cấp giấy phép xây dựng" in found.chosen.reasons[0].vi


def test_two_components_of_one_kind_are_a_persons_choice():
    one = next(c for c in required("MAU.DD.01") if c.code == "DD01-UQ")
    found = classify(
        typed_fields("GUQ"), "GIẤY ỦY QUYỀN", 1, None, (one, replace(one, code="DD01-UQ2"))
    )
    assert found.chosen is None
    assert [p.certainty for p in found.proposals] == [0.92, 0.92]
    assert found.why_none is not None
    assert "hoặc" in found.why_none.vi


def test_a_type_that_was_read_with_doubt_neither_decides_nor_excludes():
    decision = next(c for c in one_of_each() if c.code == "QĐ")
    assert code_of(classify(typed_fields("QĐ"), "", 1, None, (decision,))) == "QĐ"
    assert code_of(classify(typed_fields("QĐ", doubtful=True), "", 1, None, (decision,))) == ""
    text = "GIẤY CHỨNG SINH"
    birth = required("MAU.HT.01")
    assert code_of(classify(typed_fields("QĐ"), text, 1, None, birth)) == ""
    assert code_of(classify(typed_fields("QĐ", doubtful=True), text, 1, None, birth)) == "HT01-GCS"


def test_a_card_is_a_card_and_only_that():
    found = classify(NOTHING, "CĂN CƯỚC CÔNG DÂN", 1, CARD, required("MAU.HT.01"))
    assert code_of(found) == "HT01-CC"
    assert len(found.proposals) == 1
    assert classify(NOTHING, "", 1, CARD, one_of_each()).proposals == ()
    assert code_of(classify(NOTHING, "CĂN CƯỚC", 1, None, required("MAU.HT.01"))) == ""
    # a long paper with a card on its first page is something else
    assert code_of(classify(NOTHING, "", 9, CARD, required("MAU.HT.01"))) == ""


def test_a_paper_much_thicker_than_usual_is_left_to_a_person():
    text = "GIẤY CHỨNG SINH"
    assert code_of(classify(NOTHING, text, 2, None, required("MAU.HT.01"))) == "HT01-GCS"
    found = classify(NOTHING, text, 3, None, required("MAU.HT.01"))
    assert found.chosen is None
    assert any("Dày" in r.vi for r in found.proposals[0].reasons)


def test_nothing_fits_nothing():
    assert classify(NOTHING, "", 1, None, ()).proposals == ()
    found = classify(NOTHING, "", 1, None, required("MAU.DD.01"))
    assert (found.proposals, found.chosen) == ((), None)
