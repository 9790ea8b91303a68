"""Compact pages: small, legible, and every colour stays its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ocr.reading.cleanup import without_seal
from ocr.reading.raster import decode
from ocr.record.compact import background_without, encode_compact, ink_mask, is_bilevel
from tests.record_pages import PageSpec, draw_page, encode

DPI = (300.0, 300.0)


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """A colour scan with a red seal, through JPEG as scanners deliver it, with grain."""
    image, _ = draw_page(PageSpec(dpi=300, seal=True))
    grain = np.random.default_rng(7).normal(0, 3, (image.height, image.width, 1))
    noisy = np.clip(np.asarray(image, np.float64) + grain, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=85)
    return np.asarray(Image.open(out))


@pytest.fixture(scope="module")
def normalised(scan) -> np.ndarray:
    return without_seal(scan)


def test_files_are_small_and_deterministic(scan, normalised, tmp_path):
    first = encode_compact(scan, normalised, DPI, tmp_path, "a")
    again = encode_compact(scan, normalised, DPI, tmp_path, "b")
    assert first.mask.path.read_bytes() == again.mask.path.read_bytes()
    assert first.background.path.read_bytes() == again.background.path.read_bytes()
    out = io.BytesIO()
    Image.fromarray(scan).save(out, "JPEG", quality=85)
    size = sum(s.path.stat().st_size for s in (first.mask, first.background))
    assert size < len(out.getvalue()) / 10


def test_the_mask_is_at_scan_resolution_and_the_background_at_150_dpi(scan, normalised, tmp_path):
    compact = encode_compact(scan, normalised, DPI, tmp_path, "a")
    height, width = scan.shape[:2]
    assert (compact.mask.width_px, compact.mask.height_px) == (width, height)
    background = compact.background
    assert (background.width_px, background.height_px) == (round(width / 2), round(height / 2))


def test_ink_is_in_the_mask_and_the_seal_is_not(scan, normalised):
    mask = ink_mask(scan, normalised, DPI)
    clean, _ = draw_page(PageSpec(dpi=300, seal=True))
    drawn = np.asarray(clean, np.int16)
    red = (drawn[:, :, 0] > 150) & (drawn[:, :, 2] < 100)
    black = drawn.max(axis=2) < 60
    assert (mask[black] > 0).mean() > 0.97
    assert (mask[red] > 0).mean() < 0.001


def test_the_seal_is_red_in_the_background_and_the_text_is_gone(scan, normalised):
    mask = ink_mask(scan, normalised, DPI)
    background = background_without(scan, mask, DPI).astype(np.int16)
    clean, _ = draw_page(PageSpec(dpi=300, seal=True))
    drawn = np.asarray(clean.resize(background.shape[1::-1]), np.int16)
    red = (drawn[:, :, 0] > 190) & (drawn[:, :, 1] < 60)
    assert red.sum() > 500
    assert (background[red, 0] - background[red, 1]).mean() > 120
    assert background.max(axis=2).min() > 150  # nothing dark is left


def test_blue_writing_on_yellow_paper_stays_blue():
    page = np.full((400, 400, 3), (235, 225, 190), np.uint8)
    page[100:112, 50:350] = (40, 60, 140)
    page[200:212, 50:350] = (25, 22, 20)
    mask = ink_mask(page, without_seal(page), DPI)
    assert mask[102:110, 60:340].max() == 0
    assert mask[202:210, 60:340].min() == 255


def test_pale_ink_stays_pale(tmp_path):
    page = np.full((400, 400), 225, np.uint8)
    page[100:112, 50:350] = 150
    compact = encode_compact(page, without_seal(page), DPI, tmp_path, "a")
    assert compact.ink_rgb[0] == compact.ink_rgb[1] == compact.ink_rgb[2]
    assert compact.ink_rgb[0] == pytest.approx(150 / 255, abs=0.02)
    assert compact.background.components == 1


def test_hairlines_have_a_colour_too(tmp_path):
    page = np.full((400, 400), 235, np.uint8)
    page[100:102, 50:350] = 30
    compact = encode_compact(page, without_seal(page), DPI, tmp_path, "a")
    assert compact.ink_rgb[0] == pytest.approx(30 / 255, abs=0.05)


@pytest.mark.parametrize("encoding", ["g4", "g4-inverse"])
def test_a_bilevel_page_is_nothing_but_its_mask(encoding, tmp_path):
    image, _ = draw_page(PageSpec(dpi=100))
    raster = decode(encode(image, PageSpec(dpi=100, encoding=encoding), tmp_path / "p"))
    assert is_bilevel(raster)
    compact = encode_compact(raster, raster, (100, 100), tmp_path, "a")
    assert compact.background is None
    assert compact.ink_rgb == (0.0, 0.0, 0.0)
    assert np.array_equal(decode(compact.mask), raster)


def test_grey_and_colour_pages_are_not_bilevel():
    assert not is_bilevel(np.full((80, 80), 128, np.uint8))
    assert not is_bilevel(np.zeros((80, 80, 3), np.uint8))


def test_low_resolution_pages_are_not_enlarged(tmp_path):
    page = np.full((150, 120), 240, np.uint8)
    page[50:60, 20:90] = 20
    compact = encode_compact(page, page, (100.0, 100.0), tmp_path, "a")
    assert (compact.background.width_px, compact.background.height_px) == (120, 150)


def test_specks_do_not_enter_the_mask():
    page = np.full((200, 200), 245, np.uint8)
    page[50, 50] = 0
    page[100:104, 100:104] = 0
    mask = ink_mask(page, page, DPI)
    assert mask[50, 50] == 0
    assert mask[100:104, 100:104].all()
