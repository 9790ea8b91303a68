"""What goes wrong at the counter: generated pages with one defect each, and where it is.

`spoiled` makes a page with a defect that an operator has to see; `legible` makes one that is
bad but right, on which nothing should be said. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, replace
from typing import Literal, get_args

import cv2
import numpy as np
from PIL import Image

from tools.samples import marks
from tools.samples.degrade import (
    CONDITIONS,
    Float,
    Recipe,
    Scan,
    compose,
    encode,
    marks_for,
    official_marks,
    recipe_for,
)
from tools.samples.groundtruth import MM_PER_INCH, PAGE_HEIGHT_MM, PAGE_WIDTH_MM, ScanGeometry
from tools.samples.layout import Sheet
from tools.samples.marks import RGB, Patch

Defect = Literal[
    "low-dpi", "wrong-dpi", "grey", "scaled", "skew", "blur-feeder", "blur-lens", "cut-edge",
    "corner-shadow", "book-shadow", "bleed-through", "thumb", "upside-down", "sideways",
    "no-seal", "unreadable",
]  # fmt: skip
DEFECTS: tuple[Defect, ...] = get_args(Defect)
Legible = Literal[
    "clean", "skew", "noise", "stamp", "uneven", "lowcon", "combo", "coffee", "faint-back",
    "soft", "dusk", "near-edge",
]  # fmt: skip
LEGIBLE: tuple[Legible, ...] = get_args(Legible)

# people's skin under a scanner's lamp, from palest to darkest
SKINS: tuple[RGB, ...] = (
    (243, 214, 194), (228, 186, 158), (206, 158, 124), (172, 122, 90), (126, 84, 60), (74, 50, 40),
)  # fmt: skip

BoxMm = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A page and where on it, upright, its defect is (the whole page where it has no place)."""

    scan: Scan
    place_mm: BoxMm


_WHOLE: BoxMm = (0.0, 0.0, PAGE_WIDTH_MM, PAGE_HEIGHT_MM)


def spoiled(sheet: Sheet, back: Sheet, defect: Defect, dpi: int, seed: int) -> Spoiled:
    """`sheet` with one defect; `back` is what stands on its other side."""
    rng = random.Random(f"{defect}/{seed}")
    told, place = dpi, _WHOLE
    recipe = recipe_for("clean", rng)
    patches = marks_for("clean", sheet, rng, dpi)
    if defect != "no-seal":
        patches += official_marks(sheet, rng, dpi, "ỦY BAN NHÂN DÂN XÃ MẪU")
    elif sheet.signature_at is not None:
        patches.append(marks.pen_signature(rng, sheet.signature_at, dpi))
        patches.append(marks.arrival_stamp(rng, (50.0, 35.0), dpi))
    if defect == "skew":
        recipe = replace(recipe, skew_degrees=rng.choice((-1, 1)) * rng.uniform(3.4, 4.8))
    page = _quiet(sheet, patches, recipe, dpi, seed)
    match defect:
        case "blur-feeder":
            page, place = _slipped(page, rng, dpi)
        case "blur-lens":
            page = _soft(page, rng.uniform(0.26, 0.42), dpi)
        case "unreadable":
            page = _soft(page, rng.uniform(0.45, 0.6), dpi)
        case "cut-edge":
            page, place = _cut(page, sheet, rng, dpi)
        case "corner-shadow":
            page, place = _corner(page, rng, dpi)
        case "book-shadow":
            page, place = _spine(page, rng, dpi)
        case "bleed-through":
            page, place = _show_through(page, back, rng.uniform(0.22, 0.4), dpi, rng)
        case "thumb":
            page, place = _thumb(page, rng, dpi, SKINS[seed % len(SKINS)])
        case "scaled":
            return Spoiled(_shrunk(page, recipe, rng, dpi, seed), _WHOLE)
        case "upside-down":
            recipe = replace(recipe, turns=2)
        case "sideways":
            recipe = replace(recipe, turns=rng.choice((1, 3)))
        case "wrong-dpi":
            told = rng.choice({200: (100, 300, 400), 300: (150, 200, 600)}[dpi])
        case "low-dpi":
            told = rng.choice((100, 150, 180))
            size = (round(page.shape[1] * told / dpi), round(page.shape[0] * told / dpi))
            page = cv2.resize(page, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        case _:
            pass
    _grain(page, recipe.sensor_noise, seed)
    if defect == "grey":
        return Spoiled(_colourless(page, recipe, dpi, in_one_channel=rng.random() < 0.5), _WHOLE)
    return Spoiled(encode(page, recipe, told), place)


def legible(sheet: Sheet, back: Sheet, kind: Legible, dpi: int, seed: int) -> Scan:
    """`sheet` as an honest, bad scan: everything on it can be read."""
    rng = random.Random(f"{kind}/{seed}")
    condition = next((c for c in CONDITIONS if c == kind), "clean")
    recipe = recipe_for(condition, rng)
    patches = marks_for(condition, sheet, rng, dpi)
    if condition not in ("stamp", "combo"):
        patches += official_marks(sheet, rng, dpi, "ỦY BAN NHÂN DÂN XÃ MẪU")
    if kind not in ("coffee", "faint-back", "soft", "dusk", "near-edge"):
        return encode(compose(sheet.draw_ink(dpi), patches, recipe, dpi, seed), recipe, dpi)
    page = _quiet(sheet, patches, recipe, dpi, seed)
    match kind:
        case "coffee":
            _stain(page, rng, dpi)
        case "faint-back":
            page, _ = _show_through(page, back, rng.uniform(0.05, 0.09), dpi, rng)
        case "soft":
            page = _soft(page, rng.uniform(0.08, 0.11), dpi)
        case "dusk":
            page *= _falling((page.shape[0], page.shape[1]), rng, rng.uniform(0.1, 0.3))[:, :, None]
        case _:
            page = _towards_edge(page, sheet, rng, dpi)
    _grain(page, recipe.sensor_noise, seed)
    return encode(page, recipe, dpi)


def _quiet(sheet: Sheet, patches: list[Patch], recipe: Recipe, dpi: int, seed: int) -> Float:
    """The page before the sensor: its noise comes after what the optics do."""
    still = replace(recipe, sensor_noise=0.0, specks=0)
    return compose(sheet.draw_ink(dpi), patches, still, dpi, seed)


def _grain(page: Float, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    page += (noise * rng.standard_normal(page.shape[:2], dtype=np.float32))[:, :, None]


def _px(mm: float, dpi: int) -> int:
    return round(mm * dpi / MM_PER_INCH)


def _soft(page: Float, sigma_mm: float, dpi: int) -> Float:
    """Out of focus by so much."""
    sigma = sigma_mm * dpi / MM_PER_INCH
    return np.asarray(cv2.GaussianBlur(page, (0, 0), sigma), np.float32)


def _slipped(page: Float, rng: random.Random, dpi: int) -> tuple[Float, BoxMm]:
    """The feeder slipped: a band over the whole width is smeared along its way."""
    top = rng.uniform(25, 130)
    bottom = top + rng.uniform(45, 110)
    length = _px(rng.uniform(1.0, 1.8), dpi)
    smeared = cv2.blur(page, (1, length))
    first, last = _px(top, dpi), _px(bottom, dpi)
    out = page.copy()
    out[first:last] = smeared[first:last]
    return out, (0.0, top, PAGE_WIDTH_MM, bottom)


def _cut(page: Float, sheet: Sheet, rng: random.Random, dpi: int) -> tuple[Float, BoxMm]:
    """The paper lay beside the glass: print runs out of the image at one edge."""
    words = [w for line in sheet.truth("cut").lines if line.kind == "print" for w in line.words]
    long_lines = [
        line for line in sheet.truth("cut").lines if line.kind == "print" and len(line.words) > 6
    ]
    edge = rng.choice(("left", "right", "top", "bottom"))
    height, width = page.shape[:2]
    if edge in ("left", "right"):
        left, right = min(w.left for w in words), max(w.right for w in words)
        deep = rng.uniform(3, 12)
        shift = left + deep if edge == "left" else PAGE_WIDTH_MM - right + deep
        moved = _px(-shift if edge == "left" else shift, dpi), 0
        place = (0.0, 15.0, 5.0, 282.0) if edge == "left" else (205.0, 15.0, 210.0, 282.0)
    else:
        line = rng.choice(long_lines[:2] if edge == "top" else long_lines[-2:])
        middle = sum(w.top + w.bottom for w in line.words) / len(line.words) / 2
        shift = middle if edge == "top" else PAGE_HEIGHT_MM - middle
        moved = 0, _px(-shift if edge == "top" else shift, dpi)
        place = (0.0, 0.0, 210.0, 5.0) if edge == "top" else (0.0, 292.0, 210.0, 297.0)
    matrix = np.asarray([[1, 0, moved[0]], [0, 1, moved[1]]], np.float32)
    fill = [float(v) for v in np.median(page[::37, ::37].reshape(-1, 3), axis=0)]
    out = cv2.warpAffine(page, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT,
                         borderValue=fill)  # fmt: skip
    return np.asarray(out, np.float32), place


def _towards_edge(page: Float, sheet: Sheet, rng: random.Random, dpi: int) -> Float:
    """All print is there, a few millimetres from the edge."""
    words = [w for line in sheet.truth("near").lines for w in line.words]
    shift = min(w.left for w in words) - rng.uniform(2.5, 5.0)
    matrix = np.asarray([[1, 0, -_px(shift, dpi)], [0, 1, 0]], np.float32)
    size = (page.shape[1], page.shape[0])
    out = cv2.warpAffine(page, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.float32)


def _grid(shape: tuple[int, int], dpi: int) -> tuple[Float, Float]:
    """Coordinates of each pixel in millimetres: x (one row), y (one column)."""
    x = np.arange(shape[1], dtype=np.float32)[None] * (MM_PER_INCH / dpi)
    y = np.arange(shape[0], dtype=np.float32)[:, None] * (MM_PER_INCH / dpi)
    return x, y


def _corner(page: Float, rng: random.Random, dpi: int) -> tuple[Float, BoxMm]:
    """A corner bent up from the glass."""
    x, y = _grid((page.shape[0], page.shape[1]), dpi)
    at_right, at_bottom = rng.random() < 0.5, rng.random() < 0.5
    reach, depth = rng.uniform(40, 80), rng.uniform(0.72, 0.9)
    across = (PAGE_WIDTH_MM - x) if at_right else x
    down = (PAGE_HEIGHT_MM - y) if at_bottom else y
    away = np.sqrt(across**2 + down**2) / reach
    page *= (1 - depth * np.clip(1 - away, 0, 1) ** 0.6)[:, :, None]
    left = PAGE_WIDTH_MM - reach if at_right else 0.0
    top = PAGE_HEIGHT_MM - reach if at_bottom else 0.0
    return page, (left, top, left + reach, top + reach)


def _spine(page: Float, rng: random.Random, dpi: int) -> tuple[Float, BoxMm]:
    """The spine of a bound volume along one side."""
    x, _ = _grid((page.shape[0], page.shape[1]), dpi)
    at_right, reach = rng.random() < 0.5, rng.uniform(16, 34)
    depth = rng.uniform(0.72, 0.9)
    away = ((PAGE_WIDTH_MM - x) if at_right else x) / reach
    page *= (1 - depth * np.clip(1 - away, 0, 1) ** 0.8)[:, :, None]
    left = PAGE_WIDTH_MM - reach if at_right else 0.0
    return page, (left, 0.0, left + reach, PAGE_HEIGHT_MM)


def _falling(shape: tuple[int, int], rng: random.Random, depth: float) -> Float:
    """Light that falls off to one side."""
    ramp = np.linspace(0, 1, shape[1], dtype=np.float32)[None]
    return np.asarray(1 - depth * (ramp if rng.random() < 0.5 else 1 - ramp) ** 2, np.float32)


def _show_through(
    page: Float, back: Sheet, strength: float, dpi: int, rng: random.Random
) -> tuple[Float, BoxMm]:
    """The back's print, mirrored and spread by the paper."""
    ink = np.ascontiguousarray(back.draw_ink(dpi)[:, ::-1]).astype(np.float32) / 255
    ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.12, 0.2) * dpi / MM_PER_INCH)
    page *= (1 - strength * ink)[:, :, None]
    words = [w for line in back.truth("back").lines for w in line.words]
    return page, (
        PAGE_WIDTH_MM - max(w.right for w in words), min(w.top for w in words),
        PAGE_WIDTH_MM - min(w.left for w in words), max(w.bottom for w in words),
    )  # fmt: skip


def _thumb(page: Float, rng: random.Random, dpi: int, skin: RGB) -> tuple[Float, BoxMm]:
    """A thumb on the glass, in from an edge; round at its end, darker to its sides."""
    x, y = _grid((page.shape[0], page.shape[1]), dpi)
    half, length = rng.uniform(8, 12), rng.uniform(14, 36)
    lean = rng.uniform(-0.35, 0.35)
    edge = rng.choice(("left", "right", "bottom"))
    if edge == "bottom":
        at = rng.uniform(30, 180)
        inward, along = PAGE_HEIGHT_MM - y, x - at
        place = (at - half - 6, PAGE_HEIGHT_MM - length, at + half + 6, PAGE_HEIGHT_MM)
    else:
        at = rng.uniform(60, 260)
        inward, along = (x if edge == "left" else PAGE_WIDTH_MM - x), y - at
        left = 0.0 if edge == "left" else PAGE_WIDTH_MM - length
        place = (left, at - half - 6, left + length, at + half + 6)
    side = (along - lean * inward) / half
    tip = np.clip((inward - (length - half)) / half, 0, None)
    away = np.sqrt(side**2 + tip**2)
    cover = np.clip((1.06 - away) / 0.12, 0, 1).astype(np.float32)[:, :, None]
    shade = (1 - 0.22 * np.clip(away, 0, 1) ** 3)[:, :, None]
    near = np.clip(1.35 - away, 0, 0.35)[:, :, None] * 0.6  # its shadow on the paper
    colour = np.asarray(skin, np.float32)[None, None] * shade
    return np.asarray(page * (1 - near) * (1 - cover) + colour * cover, np.float32), place


def _stain(page: Float, rng: random.Random, dpi: int) -> None:
    """A cup's ring and a splash at the edge, in place; the print under them stays."""
    x, y = _grid((page.shape[0], page.shape[1]), dpi)
    for centre, radius in (
        ((rng.uniform(40, 170), rng.uniform(60, 240)), rng.uniform(32, 42)),
        ((rng.choice((0.0, 210.0)), rng.uniform(60, 240)), rng.uniform(10, 22)),
    ):
        away = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
        ring = np.exp(-(((away - radius) / 1.4) ** 2)) + 0.35 * (away < radius)
        for k, loss in enumerate((0.10, 0.22, 0.42)):
            page[:, :, k] *= 1 - loss * np.clip(ring, 0, 1)


def _shrunk(page: Float, recipe: Recipe, rng: random.Random, dpi: int, seed: int) -> Scan:
    """Fitted by the driver: the sheet smaller than life, with or without a white frame."""
    factor = rng.choice((0.93, 0.93, 0.9, 0.95))
    height, width = page.shape[:2]
    size = (round(width * factor), round(height * factor))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    _grain(small, recipe.sensor_noise, seed)
    if rng.random() < 0.5:
        return encode(small, recipe, dpi)
    framed = np.full_like(page, 255.0)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed[top : top + size[1], left : left + size[0]] = small
    return encode(framed, recipe, dpi)


def _colourless(page: Float, recipe: Recipe, dpi: int, *, in_one_channel: bool) -> Scan:
    """Scanned in grey: as one channel, or as three that are the same."""
    grey = np.asarray(np.clip(page.mean(axis=2), 0, 255), np.uint8)
    out = io.BytesIO()
    image = Image.fromarray(grey)
    image = image if in_one_channel else image.convert("RGB")
    image.save(out, "JPEG", quality=recipe.quality, dpi=(dpi, dpi))
    return Scan(out.getvalue(), ".jpg", ScanGeometry(dpi, recipe.skew_degrees, 0), recipe)
