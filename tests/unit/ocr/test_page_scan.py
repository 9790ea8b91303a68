"""A page at the scanning station: its number, its marks, its picture, each where it stands."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr.fields.page_number import printed_page_number
from ocr.intake.survey import pages_of, survey
from ocr.page import Box, ImageStream, Line, PageFault, PageImage, RecognisedPage, Word
from ocr.page_scan import scan_page, screen_picture
from ocr.separators.patch_codes import PatchCode
from ocr.settings import DigitiseSettings
from tests.scanned_sheets import patch_sheet
from tests.scans import TEXT, printed


def page_with(*lines: tuple[str, float, float], confidence: float = 90.0) -> RecognisedPage:
    """An A4 page at 200 dpi; lines by text, left and top in millimetres."""
    kept = ImageStream(Path(), "DCTDecode", 1654, 2339, 1, 8)
    image = PageImage(1, "a", 1, "a" * 64, "a" * 64, kept, True, (200, 200), False, 0)
    made = []
    for row, (text, left, top) in enumerate(lines):
        x, y = left / 25.4 * 200, top / 25.4 * 200
        box = Box(x, y, x + 14 * len(text), y + 30)
        made.append(Line((Word(text, box, confidence),), box, y + 25, 0, 30, row, 0))
    return RecognisedPage(image, 0, 1654, 2339, (200, 200), 0, False, tuple(made))


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([("2", 104, 12), ("Điều 3.", 30, 30)], 2),
        ([("- 13 -", 101, 12), ("Điều 3.", 30, 30)], 13),
        ([("Điều 3.", 30, 30), ("2", 104, 12)], 2),  # in whatever order they are told
        ([("2", 30, 12), ("Điều 3.", 30, 30)], None),  # not in the middle
        ([("2", 104, 60), ("Điều 3.", 30, 80)], None),  # not in the margin
        ([("2026", 102, 12)], None),
        ([("0", 104, 12)], None),
        ([("Điều 2", 100, 12)], None),
        ([], None),
    ],
)
def test_the_page_number_is_what_stands_alone_in_the_top_middle(lines, number):
    assert printed_page_number(page_with(*lines)) == number


def test_a_number_that_was_hardly_read_is_none():
    assert printed_page_number(page_with(("2", 104, 12), confidence=40)) is None


def test_a_number_beside_other_words_is_none():
    page = page_with(("2", 104, 12))
    beside = Line((), Box(0, 0, 1, 1), 0, 0, 30, 0, 1)
    assert printed_page_number(page) == 2
    both = RecognisedPage(page.image, 0, 1654, 2339, (200, 200), 0, False, (*page.lines, beside))
    assert printed_page_number(both) is None


def test_the_picture_fits_the_screen_and_is_never_enlarged():
    wide = Image.open(io.BytesIO(screen_picture(np.full((1000, 3000), 200, np.uint8))))
    assert (wide.format, wide.size) == ("WEBP", (1240, 413))
    small = Image.open(io.BytesIO(screen_picture(np.zeros((30, 20, 3), np.uint8))))
    assert small.size == (20, 30)


def scanned(image: Image.Image, folder: Path, fault: PageFault | None = None):
    image.save(folder / "page.png", dpi=(200, 200))
    [page] = pages_of(survey([folder / "page.png"]))
    work = folder / "work"
    work.mkdir()
    found, upright = scan_page(page, DigitiseSettings(), work, fault)
    assert list(work.iterdir()) == []
    return found, upright


@pytest.mark.tesseract
def test_a_page_on_its_head_is_read_and_shown_upright(tmp_path):
    found, upright = scanned(printed(TEXT).rotate(180), tmp_path)
    assert found.page.turns == 2
    assert "Nguyễn Văn Mẫu" in found.page.text
    assert upright[:200].min() < 100  # the text stands at the top again
    assert not found.blank.blank


def test_a_page_with_a_fault_is_looked_at_without_the_engine(tmp_path):
    sheet = Image.fromarray(patch_sheet(PatchCode.PATCH_T, 200))
    found, _ = scanned(sheet, tmp_path, PageFault("EngineCrashed", "it died"))
    assert (found.page.lines, found.engine) == ((), None)
    assert found.patches == {PatchCode.PATCH_T}
