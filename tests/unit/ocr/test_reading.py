"""A page from pixels to lines: text, turns, skew, and boxes where the ink is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from ocr.page import ImageStream, PageImage, RecognisedPage, Word
from ocr.reading.cleanup import rotated, without_seal
from ocr.reading.page_reader import PageReader
from ocr.reading.raster import Grey, turned
from ocr.reading.tesseract import TesserocrEngine
from tests.scans import TEXT, letters, printed

pytestmark = pytest.mark.tesseract

LONG = [*TEXT, *TEXT]


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    with TesserocrEngine() as engine:
        yield PageReader(engine)


def image_of(raster: Grey, dpi: tuple[float, float] = (200, 200), bits: int = 8) -> PageImage:
    height, width = raster.shape
    kept = ImageStream(Path("unused"), "FlateDecode", width, height, 1, bits)  # type: ignore[arg-type]  # 1 or 8
    return PageImage(1, "a.png", 1, "", "", kept, False, dpi, False, 0)


def read(reader: PageReader, raster: Grey, **image: object) -> RecognisedPage:
    page = replace(image_of(raster), **image)  # type: ignore[arg-type]  # fields by name
    return reader.read(page, without_seal(raster))


def text_of(page: RecognisedPage) -> str:
    return letters(page.text)


def share_on_ink(page: RecognisedPage, upright: Grey) -> float:
    """The share of the page's ink that lies in word boxes."""
    covered = np.zeros(upright.shape, bool)
    for word in words(page):
        box = word.box
        covered[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1] = True
    return float(covered[upright < 100].mean())


def words(page: RecognisedPage) -> list[Word]:
    return [w for line in page.lines for w in line.words]


PAGE = np.asarray(printed(LONG, size_inches=(8.27, 6)))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_any_way_up(reader: PageReader, turns: int) -> None:
    lying = turned(PAGE, turns)  # type: ignore[arg-type]  # parametrised literal
    page = read(reader, lying)
    assert page.turns == (4 - turns) % 4
    assert (page.height_px, page.width_px) == PAGE.shape
    assert text_of(page) == letters("".join(LONG))
    assert share_on_ink(page, PAGE) > 0.97


@pytest.mark.parametrize("turns", [1, 2])
def test_metadata_turns_come_first(reader: PageReader, turns: int) -> None:
    lying = turned(PAGE, (4 - turns) % 4)  # type: ignore[arg-type]  # 1 to 3
    page = read(reader, lying, exif_turns=turns, dpi=(200, 200))
    assert page.turns == turns
    assert share_on_ink(page, PAGE) > 0.97


@pytest.mark.parametrize("degrees", [-2.5, 1.5])
def test_boxes_follow_the_skew(reader: PageReader, degrees: float) -> None:
    slanted = rotated(PAGE, -degrees)
    page = read(reader, slanted)
    assert page.skew_degrees == pytest.approx(degrees, abs=0.1)
    assert share_on_ink(page, slanted) > 0.97
    line = page.lines[4]
    assert np.degrees(np.arctan(line.slope)) == pytest.approx(degrees, abs=0.1)
    for word in line.words:  # the baseline runs through each word's box
        x = (word.box.left + word.box.right) / 2
        assert word.box.top < line.baseline + line.slope * x < word.box.bottom + 2


def test_finer_and_uneven_resolutions(reader: PageReader) -> None:
    fine = np.asarray(printed(LONG, dpi=300, size_inches=(8.27, 6)))
    page = read(reader, fine, dpi=(300, 300))
    assert text_of(page) == letters("".join(LONG))
    assert share_on_ink(page, fine) > 0.97
    fax = fine[::2]
    uneven = read(reader, fax, dpi=(300, 150))
    assert share_on_ink(uneven, fax) > 0.97
    side = read(reader, turned(fax, 1), dpi=(150, 300))
    assert side.dpi == (300, 150)
    assert share_on_ink(side, fax) > 0.97


def test_bilevel_page(reader: PageReader) -> None:
    bits = np.where(PAGE < 128, 0, 255).astype(np.uint8)
    bits[np.random.default_rng(3).random(bits.shape) < 0.0005] = 0
    page = reader.read(image_of(bits, bits=1), bits)
    assert Levenshtein.distance(text_of(page), letters("".join(LONG))) <= 3


def test_blank_page_has_no_lines(reader: PageReader) -> None:
    page = read(reader, np.full((2339, 1654), 245, np.uint8))
    assert page.blank
    assert page.lines == ()
    assert page.fault is None


def test_dot_leaders_are_kept_short(reader: PageReader) -> None:
    lines = [*TEXT, "Họ và tên: ........................................ sinh năm 1980"]
    page = read(reader, np.asarray(printed(lines)))
    leaders = [w.text for w in words(page) if set(w.text) == {"."}]
    assert leaders
    assert set(leaders) <= {"...", "......"}
    assert "1980" in page.text


def test_seal_over_text(reader: PageReader) -> None:
    colour = np.repeat(PAGE[:, :, None], 3, axis=2)
    yy, xx = np.mgrid[0 : PAGE.shape[0], 0 : PAGE.shape[1]]
    ring = np.abs(np.hypot(yy - 500, xx - 700) - 130) < 12
    colour = np.where(ring[:, :, None], np.minimum(colour, (210, 70, 70)), colour)
    page = reader.read(image_of(PAGE), without_seal(colour.astype(np.uint8)))
    assert text_of(page) == letters("".join(LONG))
