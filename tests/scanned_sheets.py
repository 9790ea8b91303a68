"""Sheets as a scanner gives them: turned, skewed, noisy, stained; blank backs with and without
writing. RGB or grey rasters."""

from __future__ import annotations

import io
import random

import cv2
import numpy as np
from PIL import Image

from ocr.separators.patch_codes import PatchCode
from ocr.separators.patches import PATTERNS
from tools.samples import marks
from tools.samples.degrade import Recipe, compose
from tools.samples.printouts import Return, reread

MM_PER_INCH = 25.4


def raster_of(data: bytes) -> np.ndarray:
    """The pixels of an encoded image."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def scanned(
    drawn: np.ndarray,
    dpi: int,
    seed: int,
    *,
    skew: float = 0.0,
    turns: int = 0,
    ring: bool = False,
    grey: bool = True,
    noise: float = 3.0,
    density: float = 0.9,
) -> np.ndarray:
    """A drawn page (grey, white paper) printed, stained and scanned at `dpi`."""
    recipe = Recipe(
        skew_degrees=skew, turns=turns, sensor_noise=noise, ink_density=density, quality=75
    )
    how = Return(dpi, grey, recipe, 0.4 * dpi / 150, ring, 0.0)
    return raster_of(reread(np.asarray(255 - drawn, np.uint8), how, seed))


def a4(dpi: int) -> np.ndarray:
    """An empty page: no ink."""
    return np.zeros((round(297 / MM_PER_INCH * dpi), round(210 / MM_PER_INCH * dpi)), np.uint8)


def patch_sheet(code: PatchCode, dpi: int, *, top_mm: float = 20.0) -> np.ndarray:
    """A drawn page with one patch code across it, 100 mm long."""
    page = 255 - a4(dpi)
    [wide] = [pattern for pattern, found in PATTERNS.items() if found is code]
    y, left, right = top_mm / MM_PER_INCH, 50, 150
    for bar in wide:
        height = 0.20 if bar else 0.08
        rows = slice(round(y * dpi), round((y + height) * dpi))
        page[rows, round(left / MM_PER_INCH * dpi) : round(right / MM_PER_INCH * dpi)] = 0
        y += height + 0.08
    return page


def blank_back(
    front: np.ndarray | None,
    dpi: int,
    seed: int,
    *,
    show: float = 0.06,
    patches: list[marks.Patch] | None = None,
    noise: float = 3.0,
    yellow: bool = False,
    shadow: float = 0.0,
    specks: int = 0,
    grey: bool = False,
) -> np.ndarray:
    """The back of a sheet whose front (ink 0-255) shines through, with what lies on it."""
    recipe = Recipe(
        paper=(236, 226, 200) if yellow else (250, 250, 248),
        sensor_noise=noise,
        shadow=shadow,
        specks=specks,
    )
    page = compose(a4(dpi), patches or [], recipe, dpi, seed)
    if front is not None:
        mirrored = np.ascontiguousarray(front[:, ::-1]).astype(np.float32) / 255
        blurred = cv2.GaussianBlur(mirrored, (0, 0), dpi / 120)
        page *= (1 - show * blurred)[:, :, None]
    pixels = np.clip(page, 0, 255).astype(np.uint8)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if grey else pixels


def pencil(text: str, seed: int, dpi: int, strength: float) -> marks.Patch:
    """Digits in pencil: grey, `strength` of full ink."""
    rng = random.Random(seed)
    at = (rng.uniform(30, 150), rng.uniform(40, 250))
    drawn = marks.handwriting(rng, text, at, 6.0, dpi)
    return marks.Patch(drawn.coverage * np.float32(strength), (70, 70, 75), drawn.x, drawn.y)


def with_note(page: np.ndarray, dpi: int, x_mm: float, y_mm: float) -> np.ndarray:
    """A grey page under a note of 76 mm with a few words on it."""
    noted = page.copy()
    side, x, y = (round(v / MM_PER_INCH * dpi) for v in (76, x_mm, y_mm))
    noise = np.random.default_rng(1).normal(214, 4, (side, side))
    noted[y : y + side, x : x + side] = np.clip(noise, 0, 255).astype(np.uint8)
    cv2.putText(noted, "bo sung 379", (x + side // 8, y + side // 2), 0, 1.4, (60,), 4)
    return noted
