"""Draw the specimen images of visible signatures: one seal and two signatures.

    python tools/make_stamp_images.py [--out FOLDER]

They belong to nobody: the agency does not exist, each image says "MẪU" (specimen), and the
strokes are made up here. Everything is drawn four times too large and scaled down, in one
flat colour with the drawing in the alpha channel, as the profiles ask of real images.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).resolve().parent.parent / "signer" / "sealing" / "appearance" / "assets"
FONTS = Path("/usr/share/fonts/truetype/croscore")
RED = (206, 17, 38)
BLUES = ((24, 60, 160), (35, 48, 138))
OVERSAMPLING = 4
SEAL_PX = 640
SIGNATURE_PX = (720, 336)  # the proportions of the box between title and name
Point = tuple[float, float]


def seal(px: int = SEAL_PX) -> Image.Image:
    """A round seal: two rings, a star, the agency's name around it."""
    size = px * OVERSAMPLING
    ink = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(ink)
    centre, radius = size / 2, size / 2

    def ring(outer: float, width: float) -> None:
        r = outer * radius
        pen.ellipse(
            (centre - r, centre - r, centre + r - 1, centre + r - 1),
            outline=255,
            width=round(width * radius),
        )

    ring(1.0, 0.045)
    ring(0.925, 0.014)
    ring(0.60, 0.014)
    pen.polygon(list(_star((centre, centre - 0.085 * radius), 0.36 * radius)), fill=255)
    word = ImageFont.truetype(FONTS / "Tinos-Bold.ttf", round(0.155 * radius))
    pen.text((centre, centre + 0.375 * radius), "MẪU THỬ", font=word, fill=255, anchor="mm")
    outer = ImageFont.truetype(FONTS / "Arimo-Bold.ttf", round(0.158 * radius))
    inner = ImageFont.truetype(FONTS / "Arimo-Bold.ttf", round(0.120 * radius))
    _around(ink, "ỦY BAN NHÂN DÂN XÃ AN HÒA MẪU", outer, 0.70 * radius, 0.0, 1.0)
    _around(ink, "KHÔNG CÓ THẬT", inner, 0.71 * radius, math.pi, 1.06, outward=False)
    for angle in (-135, 135):
        turn = math.radians(angle)
        at = (centre + 0.758 * radius * math.sin(turn), centre - 0.758 * radius * math.cos(turn))
        pen.polygon(list(_star(at, 0.055 * radius)), fill=255)
    return _inked(ink, RED, 0.90)


def _star(centre: Point, radius: float) -> Iterable[Point]:
    for step in range(10):
        r = radius if step % 2 == 0 else radius * 0.382
        angle = math.pi * step / 5
        yield centre[0] + r * math.sin(angle), centre[1] - r * math.cos(angle)


def _around(
    ink: Image.Image,
    text: str,
    font: ImageFont.FreeTypeFont,
    radius: float,
    middle: float,
    spacing: float,
    *,
    outward: bool = True,
) -> None:
    """Set `text` on a circle around `middle` (radians, clockwise from the top)."""
    way = 1 if outward else -1
    baseline = radius if outward else radius + font.size * 0.74
    angles = [font.getlength(c) * spacing / baseline for c in text]
    angle = middle - way * sum(angles) / 2
    size = ink.width
    for char, width in zip(text, angles, strict=True):
        angle += way * width / 2
        tile = Image.new("L", (font.size * 3, font.size * 3), 0)
        ImageDraw.Draw(tile).text((tile.width / 2, tile.height / 2), char, 255, font, anchor="ms")
        turned = tile.rotate(
            -math.degrees(angle) + (0 if outward else 180), Image.Resampling.BICUBIC
        )
        x = size / 2 + baseline * math.sin(angle) - tile.width / 2
        y = size / 2 - baseline * math.cos(angle) - tile.height / 2
        ink.paste(255, (round(x), round(y)), turned)
        angle += way * width / 2


def signature(number: int) -> Image.Image:
    """A made-up signature, 0 or 1, with the word "mẫu" in its lower right."""
    width, height = (side * OVERSAMPLING for side in SIGNATURE_PX)
    ink = Image.new("L", (width, height), 0)
    for stroke, nib in _STROKES[number]:
        _write(ink, [(x * width, y * height) for x, y in stroke], nib * height)
    word = ImageFont.truetype(FONTS / "Tinos-Italic.ttf", round(0.10 * height))
    at = (0.985 * width, 0.975 * height)
    ImageDraw.Draw(ink).text(at, "mẫu – không có thật", 255, word, anchor="rs")
    return _inked(ink, BLUES[number], 0.94)


# Through-points of each stroke in parts of width and height (y down), and the nib in parts
# of the height.
_STROKES: tuple[tuple[tuple[tuple[Point, ...], float], ...], ...] = (
    (
        (
            ((0.05, 0.62), (0.10, 0.34), (0.17, 0.07), (0.215, 0.06), (0.20, 0.33),
             (0.15, 0.66), (0.125, 0.80), (0.17, 0.70), (0.235, 0.50), (0.285, 0.45),
             (0.28, 0.60), (0.30, 0.655), (0.345, 0.50), (0.385, 0.44), (0.385, 0.60),
             (0.41, 0.65), (0.455, 0.45), (0.505, 0.20), (0.535, 0.09), (0.515, 0.33),
             (0.50, 0.62), (0.535, 0.64), (0.58, 0.49), (0.625, 0.445), (0.62, 0.585),
             (0.655, 0.63), (0.72, 0.50), (0.82, 0.36), (0.95, 0.22)),
            0.0135,
        ),
        (
            ((0.03, 0.46), (0.12, 0.43), (0.25, 0.37), (0.34, 0.31)),
            0.0105,
        ),
        (
            ((0.90, 0.62), (0.66, 0.73), (0.38, 0.81), (0.16, 0.865), (0.20, 0.90),
             (0.36, 0.855), (0.52, 0.815)),
            0.0100,
        ),
    ),
    (
        (
            ((0.17, 0.30), (0.10, 0.22), (0.06, 0.38), (0.085, 0.66), (0.17, 0.74),
             (0.255, 0.52), (0.285, 0.22), (0.245, 0.07), (0.195, 0.17), (0.20, 0.46),
             (0.25, 0.67), (0.315, 0.60), (0.36, 0.44), (0.40, 0.43), (0.385, 0.585),
             (0.42, 0.625), (0.47, 0.46), (0.51, 0.43), (0.495, 0.595), (0.535, 0.61),
             (0.585, 0.38), (0.625, 0.12), (0.655, 0.055), (0.65, 0.20), (0.615, 0.48),
             (0.575, 0.76), (0.53, 0.89), (0.50, 0.80), (0.57, 0.645), (0.70, 0.53),
             (0.82, 0.47), (0.90, 0.49), (0.97, 0.40)),
            0.0130,
        ),
        (
            ((0.545, 0.335), (0.63, 0.295), (0.75, 0.245)),
            0.0105,
        ),
    ),
)  # fmt: skip


def _write(ink: Image.Image, through: Sequence[Point], nib: float) -> None:
    """Draw a smooth stroke: thin where the pen is fast, tapering at both ends."""
    pen = ImageDraw.Draw(ink)
    path = list(_smooth(through))
    lengths = [math.dist(a, b) for a, b in pairwise(path)]
    typical = sum(lengths) / len(lengths)
    pace = typical
    for index, (x, y) in enumerate(path):
        step = lengths[min(index, len(lengths) - 1)]
        pace += (step - pace) * 0.06
        end = min(index, len(path) - 1 - index) / (0.06 * len(path))
        pressure = (1.35 - 0.5 * min(pace / typical, 1.8)) * (0.3 + 0.7 * min(1.0, end))
        downward = path[min(index + 1, len(path) - 1)][1] - path[max(index - 1, 0)][1]
        pressure *= 1.0 + 0.28 * max(-1.0, min(1.0, downward / (2 * typical)))
        r = nib * pressure
        pen.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _smooth(points: Sequence[Point], steps: int = 90) -> Iterable[Point]:
    """A centripetal-like Catmull-Rom curve through `points`."""
    padded = (points[0], *points, points[-1])
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(steps):
            t = step / steps
            yield _catmull_rom(a[0], b[0], c[0], d[0], t), _catmull_rom(a[1], b[1], c[1], d[1], t)


def _catmull_rom(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )


def _inked(ink: Image.Image, colour: tuple[int, int, int], opacity: float) -> Image.Image:
    small = ink.resize(
        (ink.width // OVERSAMPLING, ink.height // OVERSAMPLING), Image.Resampling.BOX
    )
    # 24 levels of alpha look the same and halve the file
    alpha = small.point(
        [round(round(level / 255 * 23) / 23 * 255 * opacity) for level in range(256)]
    )
    image = Image.new("RGBA", small.size, (*colour, 0))
    image.putalpha(alpha)
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    drawn = {
        "specimen-seal.png": seal(),
        "specimen-signature-1.png": signature(0),
        "specimen-signature-2.png": signature(1),
    }
    for name, image in drawn.items():
        image.save(out / name, optimize=True)
        print(f"{name}: {image.size[0]} × {image.size[1]} px, {(out / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
