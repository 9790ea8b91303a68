"""The papers of the 27 types: all there, on their page, the two halves apart."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ocr.fields.doctypes import bundled_catalogue
from tools.samples import typed
from tools.samples.typefaces import FAMILIES

_TEXTS = tomllib.loads((Path(typed.__file__).parent / "types.toml").read_text(encoding="utf-8"))
HALVES: tuple[typed.Half, ...] = ("tuning", "unseen")


def test_every_type_and_form_of_copy_of_the_catalogue_can_be_made():
    catalogue = bundled_catalogue()
    assert set(typed.codes()) == {*catalogue.types, *catalogue.copies, typed.LETTER}
    names = {code: t["name"].casefold() for code, t in _TEXTS["types"].items()}
    assert names == {code: name.casefold() for code, name in catalogue.types.items()}


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("code", typed.codes())
def test_papers_fit_their_page_and_carry_their_fields(code: str, half: typed.Half):
    for n, font in enumerate(typed.FONTS[half][:2]):
        sheet = typed.paper(code, f"fit/{n}", half, FAMILIES[font])
        words = [w for line in sheet.truth("x").lines for w in line.words]
        assert all(0 < w.left < w.right < 208 and 0 < w.top <= w.bottom < 294 for w in words)
        assert {"abstract", "issued_date", "signer_name", "signer_title"} <= set(sheet.fields)
        if code in bundled_catalogue().types:
            assert sheet.fields["doc_type"] == code
        elif code in typed.COPIES:
            assert sheet.fields["copy_form"] == code
            assert str(sheet.fields["copy_symbol"]).startswith(f"{code}-")


def test_the_same_seed_gives_the_same_paper_and_another_does_not():
    family = FAMILIES["Tinos"]
    first = typed.paper("KH", "1", "tuning", family).truth("x").to_json()
    assert typed.paper("KH", "1", "tuning", family).truth("x").to_json() == first
    assert typed.paper("KH", "2", "tuning", family).truth("x").to_json() != first


def test_what_is_judged_on_shares_no_text_agency_or_font_with_what_is_tuned_on():
    tuning, unseen = (_TEXTS[half] for half in HALVES)
    for part in ("topics", "facts"):
        assert not set(tuning[part]) & set(unseen[part])
    issuers = [{" ".join(i["lines"]) for i in half["issuers"]} for half in (tuning, unseen)]
    assert not issuers[0] & issuers[1]
    assert not set(typed.FONTS["tuning"]) & set(typed.FONTS["unseen"])
