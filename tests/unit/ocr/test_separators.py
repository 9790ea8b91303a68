"""Marks on a page: patch codes and codes in squares on degraded scans, blank backs and pencil."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import segno
from PIL import Image

from ocr.separators.blanks import look_for_writing
from ocr.separators.codes import find_page_codes
from ocr.separators.patch_codes import PatchCode
from ocr.separators.patches import find_patches
from tests.scanned_sheets import a4, blank_back, patch_sheet, pencil, scanned
from tools.samples import marks
from tools.samples.documents import decision
from tools.samples.fiction import Fiction
from tools.samples.typefaces import FAMILIES

_UPSIDE_DOWN = {
    PatchCode.PATCH_1: PatchCode.PATCH_6,
    PatchCode.PATCH_6: PatchCode.PATCH_1,
    PatchCode.PATCH_3: PatchCode.PATCH_T,
    PatchCode.PATCH_T: PatchCode.PATCH_3,
}


@pytest.fixture(scope="module")
def print_150() -> np.ndarray:
    """The ink of a decision's first page."""
    family = FAMILIES["Liberation Serif"]
    return decision(Fiction("separators"), family)[0].draw_ink(150)


# --- patch codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", PatchCode)
def test_patch_codes_are_read_from_skewed_noisy_stained_sheets(code):
    rng = random.Random(str(code))
    for dpi, turns, density in ((150, 0, 0.5), (200, 2, 0.9)):
        page = scanned(
            patch_sheet(code, dpi), dpi, 3, skew=rng.uniform(-4, 4), turns=turns, ring=True,
            noise=9.0, density=density,
        )  # fmt: skip
        [found] = find_patches(page, dpi)
        expected = _UPSIDE_DOWN.get(code, code) if turns else code
        assert found.code is expected
        assert found.box.width > 90 / 25.4 * dpi


def test_bars_that_stand_are_read_from_the_left():
    page = np.ascontiguousarray(np.rot90(patch_sheet(PatchCode.PATCH_T, 150)))
    [found] = find_patches(page, 150)
    assert found.code is PatchCode.PATCH_T
    assert found.box.height > found.box.width


def test_print_tables_noise_and_short_bars_are_no_patches(print_150):
    sheet = patch_sheet(PatchCode.PATCH_2, 150)
    short = np.full_like(sheet, 255)
    short[:, 300:450] = sheet[:, 300:450]
    crowded = sheet.copy()
    crowded[100:116] = 0  # a line within the white that has to lie before the bars
    noise = np.random.default_rng(0).normal(240, 9, sheet.shape).clip(0, 255).astype(np.uint8)
    for page in (255 - print_150, short, crowded, noise, np.full((40, 40), 250, np.uint8)):
        assert find_patches(page, 150) == ()


# --- QR codes -------------------------------------------------------------------------------------


def _page_with(data: bytes, dpi: int) -> np.ndarray:
    out = io.BytesIO()
    segno.make(data, error="m", mode="byte").save(out, kind="png", scale=8, border=4)
    code = Image.open(out).convert("L")
    side = round(70 / 25.4 * dpi)
    page = 255 - a4(dpi)
    page[dpi : dpi + side, dpi : dpi + side] = np.asarray(code.resize((side, side)))
    return page


@pytest.mark.parametrize(("dpi", "turns"), [(150, 2), (200, 1), (300, 0)])
def test_codes_come_back_as_the_bytes_they_are(dpi, turns):
    data = bytes(range(256)) + b"\x00\xff"
    page = scanned(_page_with(data, dpi), dpi, 1, skew=2.5, turns=turns, ring=True, noise=8.0)
    [found] = find_page_codes(page, dpi)
    assert found.data == data


def test_a_page_without_codes_has_none(print_150):
    assert find_page_codes(255 - print_150, 150) == ()
    assert find_page_codes(np.full((8, 8), 255, np.uint8), 150) == ()


# --- blank backs ----------------------------------------------------------------------------------

_PAPERS = (
    {},
    {"noise": 11.0, "specks": 900},
    {"yellow": True, "shadow": 0.4},
    {"noise": 6.0, "grey": True},
)


@pytest.mark.parametrize("paper", _PAPERS)
def test_a_back_with_print_shining_through_is_blank(print_150, paper):
    assert look_for_writing(blank_back(print_150, 150, 5, show=0.08, **paper), 150).blank
    assert look_for_writing(blank_back(None, 150, 6, **paper), 150).blank


@pytest.mark.parametrize("paper", _PAPERS)
def test_a_faint_pencil_note_on_it_is_writing(print_150, paper):
    note = [pencil("12", 4, 150, 0.25)]
    look = look_for_writing(blank_back(print_150, 150, 5, show=0.06, patches=note, **paper), 150)
    assert not look.blank
    assert 3 < look.strokes_mm2 < 40


def test_ink_of_any_colour_is_writing(print_150):
    rng = random.Random(1)
    for patch in (
        marks.margin_note(rng, (60, 90), 150),
        marks.arrival_stamp(rng, (60, 60), 150),
        marks.seal(rng, "ỦY BAN NHÂN DÂN XÃ MẪU", "BẢN MẪU", (100, 150), 150),
    ):
        assert not look_for_writing(blank_back(print_150, 150, 2, patches=[patch]), 150).blank
    assert not look_for_writing(255 - print_150, 150).blank


def test_holes_folds_and_dark_edges_are_no_writing():
    page = blank_back(None, 150, 3)
    page[:12] = 30
    page[:, -10:] = 20
    page[868:871, 40:1200] = page[868:871, 40:1200] // 10 * 8  # a fold
    for y in (700, 1000):
        rows, columns = np.ogrid[: page.shape[0], : page.shape[1]]
        page[(rows - y) ** 2 + (columns - 70) ** 2 < 18**2] = 25  # punched
    assert look_for_writing(page, 150).blank
