"""From clean print to a scan: paper, ink, marks, light, the scanner's own noise.

Nine conditions, the same as in the project's published figures: `clean`, `skew` (1-3 degrees),
`rot` (quarter turns), `noise`, `stamp` (seals and pen over the text), `uneven` (yellow paper,
shadow, show-through), `lowcon` (faded print), `fax` (bitonal), `combo` (all but the last two).
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.samples import marks
from tools.samples.groundtruth import MM_PER_INCH, ScanGeometry
from tools.samples.layout import Ink, Sheet
from tools.samples.marks import Patch

Condition = Literal["clean", "skew", "rot", "noise", "stamp", "uneven", "lowcon", "fax", "combo"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a sheet was treated. Angles in degrees, `turns` clockwise to make it upright again."""

    paper: tuple[int, int, int] = (250, 250, 248)
    texture: float = 1.5
    ink_density: float = 0.93
    blur_px: float = 0.55
    sensor_noise: float = 2.0
    skew_degrees: float = 0.0
    turns: int = 0
    shadow: float = 0.0
    show_through: float = 0.0
    specks: int = 0
    bitonal: bool = False
    quality: int = 82
    subsampling: int = 1


@dataclass(frozen=True, slots=True)
class Scan:
    """An encoded page: bytes with their file ending, its geometry and treatment."""

    data: bytes
    suffix: Literal[".jpg", ".png"]
    geometry: ScanGeometry
    recipe: Recipe


def recipe_for(condition: Condition, rng: random.Random) -> Recipe:
    """The treatment of one page under a condition."""
    slight = rng.uniform(-0.15, 0.15)
    sign = rng.choice((-1, 1))
    yellow = (236 - rng.randint(0, 10), 226 - rng.randint(0, 10), 196 - rng.randint(0, 16))
    match condition:
        case "clean":
            return Recipe(skew_degrees=slight)
        case "skew":
            return Recipe(skew_degrees=sign * rng.uniform(1.0, 3.0))
        case "rot":
            return Recipe(skew_degrees=slight, turns=rng.randint(1, 3))
        case "noise":
            return Recipe(skew_degrees=slight, sensor_noise=11.0, specks=900, quality=70)
        case "stamp":
            return Recipe(skew_degrees=slight)
        case "uneven":
            return Recipe(
                paper=yellow, texture=4.0, skew_degrees=slight, shadow=rng.uniform(0.35, 0.5),
                show_through=0.06, sensor_noise=3.0,
            )  # fmt: skip
        case "lowcon":
            return Recipe(paper=(232, 231, 228), ink_density=rng.uniform(0.34, 0.46), blur_px=0.8)
        case "fax":
            return Recipe(skew_degrees=slight, bitonal=True, specks=500, sensor_noise=14.0)
        case "combo":
            return Recipe(
                paper=yellow, texture=4.0, ink_density=0.8, blur_px=0.75, sensor_noise=6.0,
                skew_degrees=sign * rng.uniform(0.6, 2.0), shadow=rng.uniform(0.2, 0.35),
                show_through=0.05, specks=200, quality=66,
            )  # fmt: skip


def marks_for(condition: Condition, sheet: Sheet, rng: random.Random, dpi: int) -> list[Patch]:
    """Handwriting always; seals, signature and stamps where the condition asks for them."""
    patches = [
        marks.handwriting(rng, text, (x, y), height, dpi) for text, x, y, height in sheet.hand
    ]
    if condition not in ("stamp", "combo"):
        return patches
    around = str(sheet.fields.get("agency", "ỦY BAN NHÂN DÂN XÃ MẪU"))[-30:]
    patches.append(
        marks.seal(rng, around, "BẢN MẪU", (rng.uniform(70, 150), rng.uniform(90, 190)), dpi)
    )
    if sheet.signature_at is not None:
        patches += official_marks(sheet, rng, dpi, around)
    patches.append(marks.arrival_stamp(rng, (rng.uniform(38, 60), rng.uniform(18, 55)), dpi))
    patches.append(marks.margin_note(rng, (16, rng.uniform(70, 200)), dpi))
    return patches


def official_marks(sheet: Sheet, rng: random.Random, dpi: int, around: str) -> list[Patch]:
    """Signature in its place and the seal over its left third."""
    if sheet.signature_at is None:
        return []
    x, y = sheet.signature_at
    return [
        marks.pen_signature(rng, (x + 3, y), dpi),
        marks.seal(rng, around, "BẢN MẪU", (x - 17, y + rng.uniform(-2, 2)), dpi),
    ]


def _texture(rng: np.random.Generator, shape: tuple[int, int], amplitude: float) -> Float:
    """Paper fibres: noise at two scales, in grey levels."""
    rough = rng.standard_normal((shape[0] // 8 + 1, shape[1] // 8 + 1)).astype(np.float32)
    broad = rng.standard_normal((shape[0] // 160 + 2, shape[1] // 160 + 2)).astype(np.float32)
    size = (shape[1], shape[0])
    fine = cv2.resize(rough, size, interpolation=cv2.INTER_LINEAR)
    wide = cv2.resize(broad, size, interpolation=cv2.INTER_CUBIC)
    result: Float = cv2.addWeighted(fine, amplitude, wide, 1.4 * amplitude, 0).astype(np.float32)
    return result


def _light(rng: random.Random, shape: tuple[int, int], depth: float) -> Float:
    """A shadow from one side, as of a book's spine or a lamp: factors up to 1."""
    y, x = np.mgrid[0:1:32j, 0:1:32j].astype(np.float32)
    across = x if rng.random() < 0.5 else 1 - x
    curve = (1 - across) ** 2.2 + 0.35 * (y if rng.random() < 0.5 else 1 - y)
    field = 1 - depth * curve / float(curve.max())
    result: Float = cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return result


def _lay(page: Float, patch: Patch, dpi: int) -> None:
    """Lay ink over the page in place: each channel falls towards the ink's colour."""
    h, w = patch.coverage.shape
    x0 = round(patch.x * dpi / MM_PER_INCH) - w // 2
    y0 = round(patch.y * dpi / MM_PER_INCH) - h // 2
    xa, ya = max(0, x0), max(0, y0)
    xb, yb = min(page.shape[1], x0 + w), min(page.shape[0], y0 + h)
    if xa >= xb or ya >= yb:
        return
    cover = patch.coverage[ya - y0 : yb - y0, xa - x0 : xb - x0, None] * 0.88
    colour = np.asarray(patch.colour, dtype=np.float32) / 255
    page[ya:yb, xa:xb] *= 1 - cover * (1 - colour)


def compose(ink: Ink, patches: list[Patch], recipe: Recipe, dpi: int, seed: int) -> Float:
    """The lit, skewed, noisy colour page, float RGB 0-255, upright."""
    rng = np.random.default_rng(seed)
    shape = (ink.shape[0], ink.shape[1])
    page = np.empty((*shape, 3), dtype=np.float32)
    page[:] = recipe.paper
    page += _texture(rng, shape, recipe.texture)[:, :, None]
    coverage = cv2.GaussianBlur(ink, (0, 0), recipe.blur_px * dpi / 300).astype(np.float32) / 255
    if recipe.show_through:
        back = cv2.GaussianBlur(np.ascontiguousarray(coverage[:, ::-1]), (0, 0), dpi / 120)
        page *= (1 - recipe.show_through * back)[:, :, None]
    page *= (1 - recipe.ink_density * coverage)[:, :, None]
    for patch in patches:
        _lay(page, patch, dpi)
    if recipe.skew_degrees:
        centre = (shape[1] / 2, shape[0] / 2)
        matrix = cv2.getRotationMatrix2D(centre, -recipe.skew_degrees, 1.0)
        page = cv2.warpAffine(
            page, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)  # fmt: skip
    if recipe.shadow:
        page *= _light(random.Random(seed), shape, recipe.shadow)[:, :, None]
    _speckle(page, rng, recipe.specks)
    # one noise for the light, a weaker one for each colour filter
    grey = rng.standard_normal(shape, dtype=np.float32)
    page += (recipe.sensor_noise * grey)[:, :, None]
    return page


def _speckle(page: Float, rng: np.random.Generator, count: int) -> None:
    """Dust: dark and light specks of one to four pixels."""
    height, width = page.shape[:2]
    for _ in range(count):
        y, x = int(rng.integers(0, height - 4)), int(rng.integers(0, width - 4))
        size = int(rng.integers(1, 4))
        page[y : y + size, x : x + size] = 60.0 if rng.random() < 0.6 else 250.0


def encode(page: Float, recipe: Recipe, dpi: int) -> Scan:
    """Turn, quantise and encode: 1-bit PNG for fax pages, JPEG otherwise."""
    pixels = np.clip(page, 0, 255).astype(np.uint8)
    turned = np.ascontiguousarray(np.rot90(pixels, recipe.turns))  # counter-clockwise on file
    geometry = ScanGeometry(dpi, recipe.skew_degrees, recipe.turns)
    out = io.BytesIO()
    if recipe.bitonal:
        grey = cv2.cvtColor(turned, cv2.COLOR_RGB2GRAY)
        image = Image.fromarray(grey > 150)
        image.save(out, "PNG", dpi=(dpi, dpi))
        return Scan(out.getvalue(), ".png", geometry, recipe)
    Image.fromarray(turned).save(
        out, "JPEG", quality=recipe.quality, subsampling=recipe.subsampling, dpi=(dpi, dpi),
        optimize=True,
    )  # fmt: skip
    return Scan(out.getvalue(), ".jpg", geometry, recipe)


def scan(sheet: Sheet, condition: Condition, dpi: int, seed: int) -> Scan:
    """One page under one condition; the same arguments give the same bytes."""
    rng = random.Random(seed)
    recipe = recipe_for(condition, rng)
    patches = marks_for(condition, sheet, rng, dpi)
    return encode(compose(sheet.draw_ink(dpi), patches, recipe, dpi, seed), recipe, dpi)
