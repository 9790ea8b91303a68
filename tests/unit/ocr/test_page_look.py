"""Looking at a page: paper, seals, specks, skew, orientation, blank, rules."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocr.reading.cleanup import despeckled, rotated, scaled, without_seal
from ocr.reading.orientation import ink_balance, lines_run_down
from ocr.reading.quality import is_blank
from ocr.reading.raster import Grey, decode, store_flate, turned
from ocr.reading.rules import find_rules
from ocr.reading.skew import skew_degrees
from tests.scans import TEXT, printed

PAGE = np.asarray(printed([*TEXT, *TEXT, *TEXT], size_inches=(8.27, 8)))


def test_uneven_light_is_divided_out() -> None:
    shadow = np.linspace(1.0, 0.45, PAGE.shape[1])
    even = without_seal((PAGE * shadow).astype(np.uint8))
    paper = even[:60]
    assert int(paper.max()) - int(paper.min()) < 12


def test_seal_and_blue_ink_go_to_white_but_black_under_them_stays() -> None:
    colour = np.repeat(PAGE[:, :, None], 3, axis=2).astype(np.uint8)
    sealed = colour.copy()
    sealed[100:400, 300:600] = np.minimum(sealed[100:400, 300:600], (205, 60, 60))
    sealed[450:700, 300:600] = np.minimum(sealed[450:700, 300:600], (70, 80, 190))
    plain, clean = without_seal(colour), without_seal(sealed)
    background = plain[110:390, 310:590] > 220
    assert (clean[110:390, 310:590][background] > 220).mean() > 0.98
    ink = plain < 80
    assert (clean[ink] < 128).mean() > 0.9


def test_specks_go_and_marks_stay() -> None:
    page = np.full((200, 200), 255, np.uint8)
    page[50:80, 50:60] = 0  # a letter
    page[46:48, 54:56] = 0  # a worn mark two pixels above it
    page[150:152, 150:152] = 0  # a speck of the same size, alone
    page[120, 60] = 0  # dust
    out = despeckled(page)
    assert (out[46:48, 54:56] == 0).all()
    assert (out[150:152, 150:152] == 255).all()
    assert out[120, 60] == 255


def test_scaling_evens_out_unequal_dpi() -> None:
    assert scaled(PAGE, 1.0, 1.0) is PAGE
    assert scaled(PAGE, 0.5, 0.25).shape == (PAGE.shape[0] // 4, PAGE.shape[1] // 2)
    assert scaled(PAGE, 1.0, 2.0).shape == (PAGE.shape[0] * 2, PAGE.shape[1])


@pytest.mark.parametrize("degrees", [-4.2, -1.3, 0.0, 0.35, 2.6])
def test_skew_is_measured(degrees: float) -> None:
    slanted = rotated(PAGE, -degrees)  # clockwise: lines fall to the right
    assert skew_degrees(slanted) == pytest.approx(degrees, abs=0.08)


def test_no_ink_has_no_skew_and_no_direction() -> None:
    empty = np.full((800, 600), 245, np.uint8)
    assert skew_degrees(empty) == 0.0
    assert not lines_run_down(empty)
    assert abs(ink_balance(empty)) < 0.01


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_direction_of_lines(turns: int) -> None:
    page = turned(PAGE, turns)  # type: ignore[arg-type]  # parametrised literal
    assert lines_run_down(page) == (turns % 2 == 1)


def test_ink_balance_tells_head_from_foot() -> None:
    assert ink_balance(PAGE) > 0.05 + ink_balance(turned(PAGE, 2))


def _noise(page: Grey, amount: float) -> Grey:
    noise = np.random.default_rng(1).normal(0, amount, page.shape)
    return np.clip(page + noise, 0, 255).astype(np.uint8)


def test_blank_pages() -> None:
    white = np.full((2339, 1654), 245, np.uint8)
    assert is_blank(white, 200)
    assert is_blank(_noise(white, 6), 200)
    holes = white.copy()
    for y in (700, 1600):
        cv2.circle(holes, (90, y), 26, 30, -1)
    assert is_blank(_noise(holes, 4), 200)
    assert is_blank(np.full((40, 40), 245, np.uint8), 200)


def test_faint_text_is_not_blank() -> None:
    faint = (235 - (250 - PAGE.astype(int)) * 0.25).astype(np.uint8)
    assert not is_blank(_noise(faint, 2), 200)
    assert not is_blank(PAGE, 200)


def _table(gaps: bool) -> Grey:
    page = Image.new("L", (1200, 800), 255)
    draw = ImageDraw.Draw(page)
    for x in (100, 500, 1100):
        draw.line((x, 100, x, 700), fill=0, width=2)
    for y in (100, 300, 700):
        draw.line((100, y, 1100, y), fill=0, width=2)
    pixels = np.asarray(page).copy()
    if gaps:
        pixels[::24] = 255
        pixels[1::24] = 255
        pixels[:, ::24] = 255
        pixels[:, 1::24] = 255
    return pixels


@pytest.mark.parametrize("gaps", [False, True])
def test_rules_are_found_solid_or_broken(gaps: bool) -> None:
    rules = find_rules((255 - _table(gaps)).astype(np.uint8), 200)
    assert (rules.down[110:690, 498:504].max(axis=1) > 0).mean() > 0.95
    assert (rules.across[298:304, 110:1090].max(axis=0) > 0).mean() > 0.95


def test_letters_that_line_up_are_no_rule() -> None:
    page = np.asarray(printed(["lllll 1111 lll 1111"] * 12, size_inches=(8.27, 5)))
    rules = find_rules(((page < 128) * 255).astype(np.uint8), 200)
    assert not rules.down.any()


def test_flate_stream_that_is_too_short(tmp_path: pytest.TempPathFactory) -> None:
    from dataclasses import replace
    from pathlib import Path

    kept = store_flate(PAGE, Path(str(tmp_path)) / "a")
    assert np.array_equal(decode(kept), PAGE)
    with pytest.raises(ValueError, match="shorter"):
        decode(replace(kept, height_px=kept.height_px + 1))
