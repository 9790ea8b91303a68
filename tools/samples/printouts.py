"""Printouts of issued results as they come back: scanned or photographed, honest or altered.

`alter` changes one digit or one name of a sheet and says where; `reread` makes of a printed page
what a scanner or a telephone gives: turned, skewed, blurred, grey at 150 dpi, seen at an angle,
under a shadow, with a coffee ring on it.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from tools.samples.degrade import Float, Recipe, compose
from tools.samples.groundtruth import MM_PER_INCH
from tools.samples.layout import Ink, Placed, Sheet
from tools.samples.marks import Patch

_BROWN = (120, 82, 44)
_GIVEN = ("An", "Bình", "Cường", "Dũng", "Hà", "Hạnh", "Lan", "Minh", "Nga", "Phúc", "Thảo", "Vinh")
_FAMILY = ("Nguyễn", "Trần", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô", "Dương")
_LEAST_DIGIT_PT = 9.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Alteration:
    """What was changed: `box` in millimetres from the upper left of the page."""

    kind: Literal["digit", "name"]
    before: str
    after: str
    box: Box


@dataclass(frozen=True, slots=True)
class Return:
    """How a page came back. Angles in degrees; `corner` how far the corners were moved (share)."""

    dpi: int
    grey: bool
    recipe: Recipe
    blur_px: float
    ring: bool
    corner: float

    @property
    def name(self) -> str:
        """For reports."""
        parts = [f"{self.dpi}dpi", "grey" if self.grey else "colour", f"blur{self.blur_px:.1f}"]
        parts += ["ring"] if self.ring else []
        parts += ["photo"] if self.corner else []
        return "-".join([*parts, f"turn{self.recipe.turns}"])


def alter(sheet: Sheet, rng: random.Random, kind: Literal["digit", "name"]) -> tuple[
    Sheet, Alteration
]:  # fmt: skip
    """A copy of `sheet` with one digit or one name changed. ValueError where there is none."""
    places = [i for i, p in enumerate(sheet.placed) if _can(p, kind)]
    if not places:
        raise ValueError(f"no {kind} on the sheet")
    index = rng.choice(places)
    piece = sheet.placed[index]
    if kind == "digit":
        after = _other_digit(piece.text, rng)
    else:
        pool = _FAMILY if piece.text in _FAMILY else _GIVEN
        after = rng.choice([name for name in pool if name != piece.text])
        after = after.upper() if piece.text.isupper() else after
    left, top, right, bottom = piece.face.ink_mm(piece.text, piece.size_pt)
    box = (piece.x + left, piece.baseline + top, piece.x + right, piece.baseline + bottom)
    return sheet.with_text(index, after), Alteration(kind, piece.text, after, box)


def _can(piece: Placed, kind: Literal["digit", "name"]) -> bool:
    if kind == "digit":
        return piece.size_pt >= _LEAST_DIGIT_PT and bool(re.search(r"\d", piece.text))
    word = piece.text.strip(",.;:")
    names = (*_FAMILY, *_GIVEN, "Mẫu", "Thử", "Ví", "Dụ", "Giả", "Định", "Tưởng", "Tượng")
    return word == piece.text and (word in names or word.title() in names)


def _other_digit(text: str, rng: random.Random) -> str:
    at = rng.choice([i for i, c in enumerate(text) if c.isdigit()])
    return text[:at] + rng.choice([d for d in "0123456789" if d != text[at]]) + text[at + 1 :]


def coffee_ring(rng: random.Random, dpi: int) -> Patch:
    """The ring of a cup of 70 mm: a dark edge, a paler inside, broken where the cup stood less."""
    scale = dpi / MM_PER_INCH
    radius = rng.uniform(30, 38) * scale
    side = int(2 * radius + 10 * scale)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    away = np.hypot(x, y) - radius
    angle = np.arctan2(y, x)
    wobble = 0.55 + 0.45 * np.cos(angle * rng.choice((1, 2)) + rng.uniform(0, 6))
    edge = np.exp(-((away / (0.5 * scale)) ** 2)) * 0.55
    band = np.exp(-(((away + 1.2 * scale) / (1.4 * scale)) ** 2)) * 0.3
    coverage = ((edge + band) * wobble).astype(np.float32)
    return Patch(coverage, _BROWN, rng.uniform(40, 170), rng.uniform(50, 250))


def return_for(rng: random.Random) -> Return:
    """One way for a page to come back."""
    dpi, grey = rng.choice(((150, True), (150, True), (200, True), (200, False), (300, False)))
    corner = rng.uniform(0.01, 0.035) if rng.random() < 0.25 else 0.0
    yellow = rng.random() < 0.25
    recipe = Recipe(
        paper=(236, 228, 205) if yellow else (248, 248, 246),
        texture=rng.uniform(1.0, 3.0),
        ink_density=rng.uniform(0.75, 0.95),
        blur_px=0.5,
        sensor_noise=rng.uniform(1.5, 5.0),
        skew_degrees=rng.uniform(-3.0, 3.0),
        turns=rng.choice((0, 0, 0, 1, 2, 3)),
        shadow=rng.uniform(0.1, 0.35) if rng.random() < 0.4 else 0.0,
        quality=rng.randint(70, 92),
    )
    blur = rng.uniform(0.3, 0.9) * dpi / 150
    return Return(dpi, grey, recipe, blur, rng.random() < 0.4, corner)


def reread(ink: Ink, how: Return, seed: int, patches: Sequence[Patch] = ()) -> bytes:
    """A JPEG of the printed page. `ink`: its coverage 0-255 at `how.dpi`."""
    rng = random.Random(seed)
    laid = [*patches, *([coffee_ring(rng, how.dpi)] if how.ring else [])]
    page = compose(ink, laid, how.recipe, how.dpi, seed)
    if how.corner:
        page = _seen_at_an_angle(page, how.corner, rng)
    page = cv2.GaussianBlur(page, (0, 0), how.blur_px).astype(np.float32)
    page = page + np.random.default_rng(seed).normal(0, 1.5, page.shape).astype(np.float32)
    pixels = np.clip(page, 0, 255).astype(np.uint8)
    turned = np.ascontiguousarray(np.rot90(pixels, how.recipe.turns))
    image = Image.fromarray(turned)
    out = io.BytesIO()
    image = image.convert("L") if how.grey else image
    image.save(out, "JPEG", quality=how.recipe.quality, dpi=(how.dpi, how.dpi))
    return out.getvalue()


def _seen_at_an_angle(page: Float, share: float, rng: random.Random) -> Float:
    """The page on a table, its corners moved in by up to `share` of its sides."""
    height, width = page.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float32)
    moved = corners + inward * np.array(
        [(rng.uniform(0, share) * width, rng.uniform(0, share) * height) for _ in corners],
        np.float32,
    )
    matrix = cv2.getPerspectiveTransform(corners, moved)
    result: Float = cv2.warpPerspective(
        page, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(120, 110, 100)
    ).astype(np.float32)
    return result
