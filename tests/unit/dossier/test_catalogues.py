"""Types, agencies and procedures: what holds when, who took over, and what a bad file is told."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import pytest

from dossier.errors import CatalogueUnusable
from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.catalogues import AgencyLevel, Exclusion, PaperForm
from tools.samples import typed

BOOK = load_catalogues()
BEFORE, AFTER = dt.date(2025, 6, 30), dt.date(2025, 7, 1)
AGENCY = """
[[agency]]
id = "X"
name = "Ủy ban nhân dân xã X"
level = "commune"
symbol = "UBND"
legal_basis = "mẫu"
valid_from = 2020-01-01
"""
PROCEDURE = """
[[procedure]]
code = "P.1"
name = "Thủ tục mẫu"
sector = "Mẫu"
legal_basis = "mẫu"
valid_from = 2020-01-01
[[procedure.component]]
code = "P1-A"
name = "Đơn"
form = "original"
document_types = ["FORM"]
"""


def test_the_types_are_those_of_the_decree_with_the_forms_of_copy():
    day = dt.date(2026, 1, 1)
    assert len(BOOK.type_names(day)) == 27
    assert {t.code for t in BOOK.types if t.is_copy} == set(typed.COPIES)
    decision = BOOK.document_type("QĐ", day)
    assert decision is not None
    assert (decision.name, decision.is_copy) == ("Quyết định", False)
    assert "30/2020" in decision.validity.legal_basis
    assert BOOK.document_type("QĐ", dt.date(2020, 3, 4)) is None
    assert BOOK.document_type("XX", day) is None


def test_districts_end_with_june_2025_and_their_successors_follow():
    (district,) = BOOK.agencies_named("ỦY BAN NHÂN DÂN HUYỆN THỬ NGHIỆM")
    assert district.level is AgencyLevel.DISTRICT
    assert district.validity.holds(BEFORE)
    assert not district.validity.holds(AFTER)
    names = {a.name for a in BOOK.successors(district, AFTER)}
    assert names == {"Ủy ban nhân dân xã Mẫu Sơn Thử", "Ủy ban nhân dân xã Ví Dụ Thượng"}
    for agency in BOOK.agencies:
        if agency.level is AgencyLevel.DISTRICT:
            assert agency.validity.last == BEFORE
            assert BOOK.successors(agency, AFTER)


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("UBND XÃ MẪU SƠN THỬ", "", "MAU-SON-THU.UBND"),
        ("Uỷ ban nhân dân xã Mẫu Sơn Thử", "", "MAU-SON-THU.UBND"),
        ("ỦY BAN NHÂN DÂN XÃ MÂU SƠN THƯ", "", "MAU-SON-THU.UBND"),  # misread marks
        ("SỞ NỘI VỤ", "UBND TỈNH MẪU GIANG", "MAU-GIANG.SNV"),
        ("PHÒNG KINH TẾ", "UBND XÃ VÍ DỤ THƯỢNG", "VI-DU-THUONG.KT"),
    ],
)
def test_an_agency_is_found_as_papers_spell_it(name: str, parent: str, expected: str):
    assert [a.id for a in BOOK.agencies_named(name, parent)] == [expected]


def test_a_name_that_several_bear_gives_all_of_them_without_the_parent():
    assert len(BOOK.agencies_named("Phòng Kinh tế")) == 2
    assert BOOK.agencies_named("Sở Nội dung") == ()


def test_a_procedure_is_what_it_was_on_the_day():
    old, new = BOOK.procedure("MAU.XH.01", BEFORE), BOOK.procedure("MAU.XH.01", AFTER)
    assert old is not None
    assert new is not None
    assert old.component("XH01-BB") is not None
    assert new.component("XH01-BB") is None
    assert BOOK.procedure("MAU.XH.01", dt.date(2020, 1, 1)) is None
    assert [p.code for p in BOOK.procedures_on(AFTER)] == [
        "MAU.DD.01", "MAU.HT.01", "MAU.KD.01", "MAU.XD.01", "MAU.XH.01",
    ]  # fmt: skip


def test_components_say_what_must_be_digitized_and_what_may_not():
    land = BOOK.procedure("MAU.DD.01", AFTER)
    assert land is not None
    title = land.component("DD01-GCN")
    assert title is not None
    assert (title.mandatory_kind, title.needs_red_seal, title.form) == (1, True, PaperForm.ORIGINAL)
    card, power = land.component("DD01-CC"), land.component("DD01-UQ")
    assert card is not None
    assert power is not None
    assert card.exclusion is Exclusion.SHOW_ONLY
    assert power.on_request
    assert not title.on_request
    everything = [c for p in BOOK.procedures for c in p.components]
    assert {c.mandatory_kind for c in everything} >= {0, 1, 2, 4}
    assert {c.exclusion for c in everything} >= {None, *list(Exclusion)[:3]}


def test_a_file_extends_replaces_entries_of_its_own_and_may_replace_all(tmp_path: Path):
    own = tmp_path / "own.toml"
    own.write_text(AGENCY + PROCEDURE, encoding="utf-8")
    book = load_catalogues(own)
    assert len(book.agencies) == len(BOOK.agencies) + 1
    assert book.procedure("P.1", AFTER) is not None
    same = PROCEDURE.replace("P.1", "MAU.HT.01").replace("2020-01-01", "2016-01-01")
    own.write_text(same, encoding="utf-8")
    (changed,) = [p for p in load_catalogues(own).procedures if p.code == "MAU.HT.01"]
    assert changed.name == "Thủ tục mẫu"
    (tmp_path / "more.toml").write_text("replaces = true\n" + AGENCY, encoding="utf-8")
    book = load_catalogues(tmp_path)
    assert [a.id for a in book.agencies] == ["X"]
    assert len(book.procedures) == len(BOOK.procedures)


@pytest.mark.parametrize(
    ("text", "entry", "said"),
    [
        ("oops", "", "TOML"),
        ("[[paper]]\na = 1\n", "paper", "no such key"),
        ("agency = 3\n", "agency", "[[agency]]"),
        (AGENCY.replace('id = "X"\n', ""), "agency #1", "id"),
        (AGENCY.replace('"X"', '"có dấu cách"'), "agency có dấu cách", "should be a code"),
        (AGENCY.replace('"commune"', '"planet"'), "agency X", "planet"),
        (AGENCY.replace("2020-01-01", '"2020"'), "agency X", "are dates"),
        (AGENCY + "valid_to = 2019-01-01\n", "agency X", "before valid_from"),
        (AGENCY + 'successors = ["X"]\n', "agency X", "without valid_to"),
        (AGENCY + 'valid_to = 2025-01-01\nsuccessors = ["Y"]\n', "agency X", "'Y'"),
        (AGENCY + 'successors = "Y"\n', "agency X", "list of texts"),
        (AGENCY + "colour = 1\n", "agency X", "'colour' is no key"),
        (AGENCY + AGENCY.replace("2020", "2021"), "agency X", "two entries hold on 2021-01-01"),
        (AGENCY + AGENCY, "agency X", "comes twice"),
        (PROCEDURE.replace('"FORM"', '"ZZ"'), "procedure P.1", "'ZZ'"),
        (PROCEDURE.replace('"original"', '"fax"'), "procedure P.1", "P1-A"),
        (PROCEDURE + "count = 0\n", "procedure P.1", "count is 0"),
        (PROCEDURE + "count = true\n", "procedure P.1", "not a number"),
        (PROCEDURE + "mandatory_kind = 6\n", "procedure P.1", "not 1 to 5"),
        (PROCEDURE + 'exclusion = "boring"\n', "procedure P.1", "boring"),
        (PROCEDURE + "required = 1\n", "procedure P.1", "neither true nor false"),
        (PROCEDURE.replace('"original"', '"copy"') + "needs_red_seal = true\n", "procedure P.1",
         "only an original"),
        (PROCEDURE.replace('document_types = ["FORM"]', ""), "procedure P.1", "nothing tells"),
        (PROCEDURE.partition("[[procedure.comp")[0], "procedure P.1", "component"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_named_with_its_entry(tmp_path: Path, text: str, entry: str, said: str):
    file = tmp_path / "catalogue.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueUnusable) as told:
        load_catalogues(file)
    assert (told.value.file, told.value.entry) == ("catalogue.toml", entry)
    assert said in str(told.value)
    assert "Danh mục catalogue.toml" in str(told.value)


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(CatalogueUnusable):
            load_catalogues(path)


def test_catalogues_go_between_processes():
    again = pickle.loads(pickle.dumps(BOOK))  # noqa: S301 - our own value
    assert again.procedures == BOOK.procedures
    assert again.agencies_named("UBND xã Mẫu Sơn Thử") == BOOK.agencies_named("UBND xã Mẫu Sơn Thử")
