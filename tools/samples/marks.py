"""Marks over the print: red seals, arrival stamps, blue signatures, pen writing.

A mark is a `Patch`: a colour and a coverage mask, laid over the sheet multiplicatively so that
print stays visible under it, as ink does.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tools.samples.groundtruth import MM_PER_INCH
from tools.samples.typefaces import FAMILIES, Face

Coverage = npt.NDArray[np.float32]
RGB = tuple[int, int, int]

RED: RGB = (200, 32, 48)
BLUE: RGB = (38, 62, 150)
_FINE = 2  # patches are drawn at twice the scan's resolution and reduced


@dataclass(frozen=True, slots=True)
class Patch:
    """Ink of one colour: `coverage` 0-1, centred at (`x`, `y`) millimetres on the sheet."""

    coverage: Coverage
    colour: RGB
    x: float
    y: float


def _blotch(rng: random.Random, shape: tuple[int, int], low: float) -> Coverage:
    """Uneven inking: smooth noise between `low` and 1."""
    noise = np.random.default_rng(rng.getrandbits(32)).random((9, 9), dtype=np.float32)
    image = Image.fromarray(noise).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    field = np.asarray(image, dtype=np.float32)
    spread = (field - field.min()) / max(1e-6, float(field.max() - field.min()))
    result: Coverage = low + (1 - low) * spread
    return result


def _finish(
    image: Image.Image, rng: random.Random, turn: float, colour: RGB, at: tuple[float, float],
    low: float,
) -> Patch:  # fmt: skip
    turned = image.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    small = turned.resize((turned.width // _FINE, turned.height // _FINE), Image.Resampling.BOX)
    coverage = np.asarray(small, dtype=np.float32) / 255
    inked: Coverage = (coverage * _blotch(rng, coverage.shape, low)).astype(np.float32)
    return Patch(inked, colour, *at)


def seal(rng: random.Random, around: str, below: str, at: tuple[float, float], dpi: int) -> Patch:
    """A round red seal of 36 mm with text around, a star, and `below` on its lower arc."""
    scale = dpi * _FINE / MM_PER_INCH
    side = round(38 * scale)
    centre = side / 2
    image = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(image)
    for radius, width in ((18.0, 0.55), (16.9, 0.25), (11.2, 0.3)):
        r = radius * scale
        draw.ellipse(
            (centre - r, centre - r, centre + r, centre + r), outline=255,
            width=max(1, round(width * scale)),
        )  # fmt: skip
    points = []
    for k in range(10):
        r = (5.2 if k % 2 == 0 else 2.1) * scale
        angle = math.radians(-90 + 36 * k)
        points.append((centre + r * math.cos(angle), centre + r * math.sin(angle)))
    draw.polygon(points, fill=255)
    _arc_text(image, around, centre, 14.0 * scale, 9.0, scale, top=True)
    _arc_text(image, below, centre, 14.0 * scale, 6.5, scale, top=False)
    return _finish(image, rng, rng.uniform(-9, 9), RED, at, low=0.45)


def _arc_text(
    image: Image.Image, text: str, centre: float, radius: float, size_pt: float, scale: float,
    *, top: bool,
) -> None:  # fmt: skip
    """Letters around a circle: the upper ones with their feet inward, the lower ones outward."""
    face = Face(FAMILIES["Liberation Sans"], "bold")
    font = face.font(size_pt, scale * MM_PER_INCH)
    room = math.pi * (1.15 if top else 0.72)
    step = min(room / max(1, len(text)), 0.30)
    start = -step * (len(text) - 1) / 2
    box = round(size_pt * 0.9 * scale)
    for n, letter in enumerate(text):
        angle = start + step * n
        tile = Image.new("L", (box, box), 0)
        ImageDraw.Draw(tile).text((box / 2, box / 2), letter, fill=255, font=font, anchor="mm")
        if top:
            x, y = centre + radius * math.sin(angle), centre - radius * math.cos(angle)
            tile = tile.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        else:
            x, y = centre + radius * math.sin(angle), centre + radius * math.cos(angle)
            tile = tile.rotate(math.degrees(angle), Image.Resampling.BICUBIC)
        image.paste(255, (round(x - box / 2), round(y - box / 2)), tile)


def arrival_stamp(rng: random.Random, at: tuple[float, float], dpi: int) -> Patch:
    """The rectangular red stamp of the incoming register: CÔNG VĂN ĐẾN, number, date."""
    scale = dpi * _FINE / MM_PER_INCH
    width, height = round(48 * scale), round(21 * scale)
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    line = max(1, round(0.45 * scale))
    draw.rectangle((line, line, width - 2 * line, height - 2 * line), outline=255, width=line)
    bold = Face(FAMILIES["Liberation Sans"], "bold").font(10.5, scale * MM_PER_INCH)
    thin = Face(FAMILIES["Liberation Sans"], "regular").font(8.5, scale * MM_PER_INCH)
    draw.text((width / 2, 4.5 * scale), "CÔNG VĂN ĐẾN", fill=255, font=bold, anchor="mm")
    draw.text((3 * scale, 11 * scale), "Số: " + "." * 24, fill=255, font=thin, anchor="lm")
    draw.text(
        (3 * scale, 17 * scale), "Ngày: ....../....../20....", fill=255, font=thin, anchor="lm"
    )
    return _finish(image, rng, rng.uniform(-5, 5), RED, at, low=0.35)


def _stroke(draw: ImageDraw.ImageDraw, path: list[tuple[float, float]], width: float) -> None:
    """A pen stroke through the points, rounded at every joint."""
    draw.line(path, fill=255, width=max(1, round(width)), joint="curve")
    r = width / 2
    for x, y in path:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _smooth(points: list[tuple[float, float]], steps: int = 10) -> list[tuple[float, float]]:
    """A Catmull-Rom curve through the points."""
    padded = [points[0], *points, points[-1]]
    path = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for k in range(steps):
            t = k / steps
            path.append(
                (
                    _catmull(a[0], b[0], c[0], d[0], t),
                    _catmull(a[1], b[1], c[1], d[1], t),
                )
            )
    return [*path, points[-1]]


def _catmull(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3
    )


def pen_signature(rng: random.Random, at: tuple[float, float], dpi: int) -> Patch:
    """A blue flourish of about 38 by 16 mm."""
    scale = dpi * _FINE / MM_PER_INCH
    width, height = round(46 * scale), round(24 * scale)
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    x, points = 5.0, [(3.0, 14.0)]
    while x < 34:
        rise = rng.uniform(3, 11) * (1.2 if x < 12 else 0.7)
        points += [(x, 13 - rise), (x + rng.uniform(0.6, 2.2), 13 + rng.uniform(0, rise * 0.5))]
        x += rng.uniform(2.2, 5.0)
    points += [(40, 11), (24, 18), (8, 19.5), (43, 17)]
    _stroke(draw, _smooth([(px * scale, py * scale) for px, py in points]), 0.42 * scale)
    return _finish(image, rng, rng.uniform(-2, 12), BLUE, at, low=0.75)


# Strokes of handwritten digits in a unit box (x right, y down); "/" for dates.
_DIGITS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "0": (((0.5, 0.02), (0.12, 0.35), (0.2, 0.9), (0.6, 0.97), (0.85, 0.5), (0.5, 0.02)),),
    "1": (((0.25, 0.25), (0.55, 0.02), (0.5, 0.98)),),
    "2": (((0.15, 0.25), (0.45, 0.0), (0.8, 0.25), (0.15, 0.95), (0.55, 0.88), (0.9, 0.97)),),
    "3": (((0.15, 0.1), (0.7, 0.08), (0.45, 0.45), (0.82, 0.72), (0.45, 1.0), (0.1, 0.85)),),
    "4": (((0.6, 0.0), (0.1, 0.62), (0.92, 0.6)), ((0.66, 0.3), (0.6, 1.0))),
    "5": (
        ((0.3, 0.05), (0.22, 0.45), (0.75, 0.55), (0.65, 0.95), (0.1, 0.92)),
        ((0.3, 0.05), (0.85, 0.02)),
    ),
    "6": (((0.7, 0.02), (0.2, 0.5), (0.3, 0.95), (0.78, 0.85), (0.6, 0.5), (0.2, 0.7)),),
    "7": (((0.1, 0.08), (0.85, 0.05), (0.4, 1.0)), ((0.3, 0.5), (0.75, 0.48))),
    "8": (
        (
            (0.75, 0.12), (0.3, 0.08), (0.35, 0.45), (0.75, 0.7), (0.4, 1.0), (0.15, 0.75),
            (0.8, 0.1),
        ),
    ),
    "9": (((0.75, 0.2), (0.3, 0.1), (0.25, 0.45), (0.75, 0.35), (0.7, 0.6), (0.45, 1.0)),),
    "/": (((0.8, 0.0), (0.2, 1.0)),),
}  # fmt: skip


def handwriting(
    rng: random.Random, text: str, at: tuple[float, float], height_mm: float, dpi: int
) -> Patch:
    """Digits written by pen; `at` is the left end of the baseline in millimetres."""
    scale = dpi * _FINE / MM_PER_INCH
    step = height_mm * 0.62
    margin = height_mm * 0.4
    width_mm, full_mm = step * len(text) + 2 * margin, height_mm + 2 * margin
    image = Image.new("L", (round(width_mm * scale), round(full_mm * scale)), 0)
    draw = ImageDraw.Draw(image)
    for n, letter in enumerate(text):
        lift = rng.uniform(-0.08, 0.08) * height_mm
        for stroke in _DIGITS.get(letter, ()):
            points = [
                (
                    (margin + step * n + (px + rng.uniform(-0.05, 0.05)) * step * 0.85) * scale,
                    (margin + lift + (py + rng.uniform(-0.04, 0.04)) * height_mm) * scale,
                )
                for px, py in stroke
            ]
            _stroke(draw, _smooth(points), 0.40 * scale)
    centre = (at[0] - margin + width_mm / 2, at[1] + margin - full_mm / 2)
    return _finish(image, rng, rng.uniform(-2, 2), BLUE, centre, low=0.7)


def margin_note(rng: random.Random, at: tuple[float, float], dpi: int) -> Patch:
    """An illegible blue note in the margin, as leaders leave on incoming papers."""
    scale = dpi * _FINE / MM_PER_INCH
    width, height = round(26 * scale), round(16 * scale)
    image = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(image)
    for row in (5.0, 11.5):
        x = 2.0
        points = [(x, row)]
        while x < 22:
            x += rng.uniform(0.6, 1.5)
            points.append((x, row + rng.uniform(-2.4, 1.2)))
        _stroke(draw, _smooth([(px * scale, py * scale) for px, py in points]), 0.3 * scale)
    return _finish(image, rng, rng.uniform(-3, 8), BLUE, at, low=0.7)
