"""The measurements of cards and components: what counts as right, undecided, wrong."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import fields_cards, fields_classes
from bench.fields_cards import Scan, count
from bench.fields_classes import one_of_each, verdicts
from bench.fields_set import cases as cases_of
from bench.fields_set import kept_page
from ocr.page import RecognisedPage
from tests.fixtures_samples import recognised
from tools.samples import chipcard, typed
from tools.samples.degrade import Recipe, compose
from tools.samples.layout import Sheet


def scan_of(*, forged: bool, shown: bool = True) -> Scan:
    """A card as a perfect reader gives it; not `shown`: a page from which nothing was read."""
    holder = chipcard.invent(3)
    printed = chipcard.another(holder, random.Random(1)) if forged else holder
    sheet, patches = chipcard.copy_of(printed, "2021", 200, code=holder.payload("2021"))
    pixels = compose(sheet.draw_ink(200), patches if shown else [], Recipe(), 200, 1)
    truth = sheet.truth("card") if shown else Sheet(sheet.family).truth("blank")
    return Scan(
        "300", recognised(truth, dpi=200), np.clip(pixels, 0, 255).astype(np.uint8),
        {k: str(v) for k, v in sheet.fields.items()}, holder, forged,
    )  # fmt: skip


def test_cards_are_counted_by_what_was_read_told_and_blamed():
    numbers, seconds = count(iter([scan_of(forged=False), scan_of(forged=True)]))
    assert (numbers["all", "number"], numbers["all", "number of"]) == (2, 2)
    assert (numbers["300", "code"], numbers["300", "forged told"]) == (2, 1)
    assert (numbers["300", "forged told of"], numbers["300", "honest warned"]) == (1, 0)
    assert len(seconds) == 2
    lost, _ = count(iter([scan_of(forged=False, shown=False)]))
    assert (lost["all", "number"], lost["all", "code"], lost["all", "code of"]) == (0, 0, 1)


@pytest.fixture
def perfect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read without error, and only a few are asked for."""

    def read(name: str, sheet: object, *_: object) -> tuple[RecognisedPage, frozenset[object]]:
        assert callable(sheet)
        return recognised(sheet().truth(name)), frozenset()

    def cases(half: typed.Half, seeds: object, cache: object) -> object:
        for case in list(cases_of(half, [1]))[:6]:
            sheet = typed.paper(case.code, "1", half, fields_cards.FAMILIES[case.font])
            yield case, recognised(sheet.truth(case.name)), frozenset()

    monkeypatch.setattr(fields_classes, "kept_page", read)
    monkeypatch.setattr(fields_classes, "read_cases", cases)


def test_papers_read_without_error_are_never_filed_wrongly(perfect: None):
    found = Counter((question, verdict) for question, verdict, _ in verdicts("tuning", [1], None))
    assert found["types", "right"] == 6
    assert found["strangers", "right"] == 30
    assert found["components", "right"] >= 21
    assert not any(verdict == "wrong" for _, verdict in found)


def test_a_wrong_choice_is_counted_as_wrong(perfect: None, monkeypatch: pytest.MonkeyPatch):
    types = one_of_each()
    codes = [t.code for t in types]
    moved = tuple(
        replace(t, document_types=(other,))
        for t, other in zip(types, [*codes[1:], codes[0]], strict=True)
    )
    monkeypatch.setattr(fields_classes, "one_of_each", lambda: moved)
    monkeypatch.setattr(fields_classes, "_components", lambda _: iter(()))
    found = Counter((question, verdict) for question, verdict, _ in verdicts("tuning", [1], None))
    assert found["types", "wrong"] == 6


def test_a_page_that_was_read_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = recognised(Sheet(fields_cards.FAMILIES["Tinos"]).truth("blank"))
    monkeypatch.setattr("bench.fields_set._read", lambda *_: (page, frozenset()))
    sheet = Sheet(fields_cards.FAMILIES["Tinos"])
    first = kept_page("a", lambda: sheet, "skew", 300, "s", tmp_path, tmp_path / "kept")
    monkeypatch.setattr("bench.fields_set._read", None)
    assert kept_page("a", lambda: sheet, "skew", 300, "s", tmp_path, tmp_path / "kept") == first
