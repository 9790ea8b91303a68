"""A finished record is drawn and read by poppler; one other digit or word is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dossier.errors import RecordUnfaithful, StoreError
from dossier.filing.faithfulness import ExpectedPage, compare_page, require_faithful
from ocr.page import ImageStream, RecognisedPage
from ocr.reading.cleanup import without_seal
from ocr.reading.raster import decode, turned
from ocr.record.compact import encode_compact
from ocr.record.pdfa import write_record
from tests.record_pages import META, PROVENANCE, SERIF, PageSpec, encode, make_page

SPECS = [
    PageSpec(dpi=100, seal=True),
    PageSpec(dpi=100, turns=1),
    PageSpec(dpi=200, encoding="g4", turns=2),
    PageSpec(dpi=100, encoding="g4-inverse"),
    PageSpec(dpi=100, encoding="jpeg-grey", skew_degrees=-5, turns=3),
    PageSpec(dpi=100, encoding="flate", skew_degrees=7),
]


def record_of(folder: Path, *specs: PageSpec):
    pages = [
        make_page(folder, replace(spec, number=number)) for number, spec in enumerate(specs, 1)
    ]
    info = write_record(pages, folder / "record.pdf", META, PROVENANCE)
    return info.path, [ExpectedPage.of(page) for page in pages]


def test_good_records_of_every_encoding_and_turn_are_faithful(tmp_path):
    record, pages = record_of(tmp_path, *SPECS)
    proof = require_faithful(record, pages, compare_page)
    assert proof.pages == len(SPECS)
    assert proof.words == sum(len(page.words) for page in pages) > 100
    assert proof.share < 0.9


def with_digit(folder: Path, name: str, digit: str, spec: PageSpec, **pen: int) -> ImageStream:
    """A strip of two inches with `digit` written into it, encoded as `spec` says."""
    image = Image.new("RGB", (2 * spec.dpi, spec.dpi), (pen.get("paper", 250),) * 3)
    face = ImageFont.truetype(str(SERIF), round(pen.get("points", 13) / 72 * spec.dpi))
    place = (0.5 * spec.dpi + 0.4, 0.3 * spec.dpi + 0.3)
    ink = (pen.get("ink", 20),) * 3
    ImageDraw.Draw(image).text(place, f"12{digit}4/QĐ", fill=ink, font=face)
    return encode(image.rotate(90 * spec.turns, expand=True), spec, folder / name)


def strip_with(folder: Path, digit: str, spec: PageSpec, **pen: int) -> RecognisedPage:
    """The strip as a page."""
    page = make_page(folder, PageSpec(dpi=20, lines=()))
    kept = with_digit(folder, "a", digit, spec, **pen)
    return replace(
        page,
        image=replace(page.image, kept=kept, dpi=(spec.dpi, spec.dpi)),
        turns=spec.turns,
        width_px=2 * spec.dpi,
        height_px=spec.dpi,
        dpi=(spec.dpi, spec.dpi),
    )


@pytest.mark.parametrize(("was", "now"), [("6", "8"), ("8", "0"), ("9", "8"), ("3", "5")])
@pytest.mark.parametrize(
    ("spec", "pen"),
    [
        (PageSpec(dpi=200), {}),
        (PageSpec(dpi=200), {"points": 9, "ink": 110, "paper": 225}),
        (PageSpec(dpi=200, turns=1), {"points": 9}),
        (PageSpec(dpi=200, encoding="g4"), {"points": 9}),
        (PageSpec(dpi=200, encoding="g4", turns=2), {"points": 9}),
        (PageSpec(dpi=300, turns=3), {"points": 7}),
    ],
)
def test_one_altered_digit_is_seen(was, now, spec, pen, tmp_path):
    shown = strip_with(tmp_path, now, spec, **pen)
    record = write_record([shown], tmp_path / "r.pdf", META, PROVENANCE).path
    good = compare_page(record, ExpectedPage.of(shown))
    assert good.share < 0.85, good
    kept = with_digit(tmp_path, "b", was, spec, **pen)
    found = compare_page(record, replace(ExpectedPage.of(shown), kept=kept))
    assert found.share > 1.1, found
    assert found.x_mm == pytest.approx(17, abs=4)
    assert found.y_mm == pytest.approx(10, abs=4)


@pytest.mark.parametrize(("was", "now"), [("6", "8"), ("8", "0")])
def test_one_altered_digit_is_seen_in_a_compact_record(was, now, tmp_path):
    spec = PageSpec(dpi=200)
    page = strip_with(tmp_path, now, spec)
    raster = decode(page.image.kept)
    compact = encode_compact(raster, without_seal(raster), page.dpi, tmp_path, "c")
    shown = replace(page, compact=compact)
    record = write_record([shown], tmp_path / "r.pdf", META, PROVENANCE).path
    expected = ExpectedPage.of(shown)
    assert compare_page(record, expected).share < 1
    other = with_digit(tmp_path, "b", was, spec)
    assert compare_page(record, replace(expected, kept=other)).share > 1


def test_an_image_of_another_size_or_turn_is_seen(tmp_path):
    page = make_page(tmp_path, PageSpec(dpi=100))
    record = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    expected = ExpectedPage.of(page)
    assert compare_page(record, replace(expected, turns=1)).share == float("inf")
    assert compare_page(record, replace(expected, turns=2)).share > 2
    upside_down = turned(decode(page.image.kept), 2)
    assert np.asarray(upside_down).shape == (1169, 827, 3)


def test_one_altered_word_of_the_text_layer_blocks(tmp_path):
    record, pages = record_of(tmp_path, PageSpec(dpi=100), PageSpec(dpi=100))
    words = list(pages[1].words)
    at = words.index("0123/QĐ-UBND")
    words[at] = "0128/QĐ-UBND"
    with pytest.raises(RecordUnfaithful, match=r"Trang 2.*0123/QĐ-UBND.*0128/QĐ-UBND"):
        require_faithful(record, [pages[0], replace(pages[1], words=tuple(words))], compare_page)
    with pytest.raises(RecordUnfaithful, match="từ thứ 1:"):
        require_faithful(record, [replace(pages[0], words=()), pages[1]], compare_page)
    with pytest.raises(RecordUnfaithful, match="2 trang, phải có 1"):
        require_faithful(record, pages[:1], compare_page)
    dark = replace(pages[0], kept=pages[1].kept, turns=2)
    with pytest.raises(RecordUnfaithful, match=r"Trang 1 .*mm"):
        require_faithful(record, [dark, pages[1]], compare_page)


def test_without_poppler_it_is_tried_again(tmp_path, monkeypatch):
    record, pages = record_of(tmp_path, PageSpec(dpi=100))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="poppler-utils"):
        require_faithful(record, pages, compare_page)


def test_a_record_that_poppler_cannot_open_is_not_sealed(tmp_path):
    record, pages = record_of(tmp_path, PageSpec(dpi=100))
    record.write_bytes(record.read_bytes()[:3000])
    with pytest.raises(RecordUnfaithful, match="second program"):
        require_faithful(record, pages, compare_page)
