"""The invisible text over a page: words where the ink is, so that the scan can be searched.

Each word gets its own text matrix and a horizontal scale that fits its box, and is shown
by one TJ with its trailing space; the last number of the array moves the pen to the next
word, so extractors that follow the pen see the true gap. Text is shown in rendering mode 3
(ISO 32000-1 Table 106: neither filled nor stroked).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ocr.page import Line, RecognisedPage, Word
from ocr.record.pdfwriter import number
from ocr.record.textfont import ASCENT, DESCENT, SPACE, UNITS_PER_EM, TextFont, advance, text_width

# Below this slope words stay upright and only the baseline steps from word to word. pdftotext
# takes words apart that are turned by two degrees or more, and no reader takes apart those that
# step; a word of 60 pt then strays from its box by at most 4 pt at its ends.
_STEP_LIMIT = math.tan(math.radians(8.0))
_LINE_HEIGHT_EM = (ASCENT - DESCENT) / UNITS_PER_EM
_SMALLEST_FONT_PT = 1.0
# Readers that follow the pen alone (pdftotext) join words of a level line that are closer.
_LEAST_GAP_EM = 0.16
_LEVEL = math.tan(math.radians(4.0))
_LEAST_SHARE = 0.2  # of a word's box that its letters fill at least
_PEN_LIMIT = 30_000.0  # a TJ number has to stay a PDF/A-1 real
FONT_RESOURCE = "F0"


@dataclass(frozen=True, slots=True)
class PageScale:
    """From pixels of the upright page to points.

    `x_pt = x_px * kx` and `y_pt = height_pt - y_px * ky`.
    """

    width_pt: float
    height_pt: float
    kx: float
    ky: float


def clean_text(text: str) -> str:
    """The text as it enters the record: NFC, without control, format and unassigned characters.

    Category C has no place in a text layer: some readers show it, others stop there, and
    U+FEFF and U+FFFE are forbidden as /ToUnicode targets (ISO 19005-3 6.2.11.7.2). White
    space inside becomes single spaces.
    """
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def page_text(page: RecognisedPage) -> str:
    """The page's text as the record holds it: `RecognisedPage.text` with each word cleaned.

    This is the text whose digest stands in the manifest.
    """
    rows: dict[int, list[str]] = {}
    for line in page.lines:
        words = [text for word in line.words if (text := clean_text(word.text))]
        if words:
            rows.setdefault(line.row, []).append(" ".join(words))
    return "\n".join("   ".join(parts) for parts in rows.values())


def text_operators(page: RecognisedPage, scale: PageScale, font: TextFont) -> bytes:
    """Content stream operators that show the page's words; empty when there are none."""
    shown = [ops for line in page.lines if (ops := _line_operators(line, scale, font))]
    return b"\n".join(shown)


def _line_operators(line: Line, scale: PageScale, font: TextFont) -> bytes:
    words = [(text, word) for word in line.words if (text := clean_text(word.text))]
    if not words:
        return b""
    size = max(_SMALLEST_FONT_PT, line.size * scale.ky / _LINE_HEIGHT_EM)
    placed = list(_placed(words, line, scale))
    if abs(line.slope) < _LEVEL:
        placed = _parted(placed, _LEAST_GAP_EM * size)
    ops = [f"BT /{FONT_RESOURCE} {number(size)} Tf 3 Tr"]
    for index, at in enumerate(placed):
        stretch = at.width / (text_width(at.text) * size)
        codes = font.encode(at.text + SPACE).hex().upper()
        pen = ""
        if index + 1 < len(placed):
            gap = at.distance_to(placed[index + 1])
            pen = f" {number(_pen_move(gap, size * stretch))}"
        matrix = " ".join(number(v) for v in (at.cos, at.sin, -at.sin, at.cos, at.x, at.y))
        ops.append(f"{matrix} Tm {number(100 * stretch)} Tz [<{codes}>{pen}] TJ")
    ops.append("ET")
    return "\n".join(ops).encode("ascii")


def _pen_move(gap: float, em: float) -> float:
    """TJ number that takes the pen from after the trailing space to the next word's start."""
    move = advance(SPACE) - gap / em * UNITS_PER_EM
    return max(-_PEN_LIMIT, min(_PEN_LIMIT, move))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A word on the page in points: start of its baseline, direction, length along it."""

    text: str
    x: float
    y: float
    cos: float
    sin: float
    width: float

    def distance_to(self, following: _Placed) -> float:
        """Gap along the baseline from this word's end to the start of the next one."""
        dx, dy = following.x - self.x, following.y - self.y
        return dx * self.cos + dy * self.sin - self.width


def _parted(placed: list[_Placed], least: float) -> list[_Placed]:
    """Words whose boxes touch end a little earlier, so that a gap of `least` points remains.

    Where a box lies over most of the one before, it begins later too.
    """
    out = placed[:1]
    for following in placed[1:]:
        at, after = out[-1], following
        short = least - at.distance_to(following)
        if short > 0:
            out[-1] = replace(at, width=max(_LEAST_SHARE * at.width, at.width - short))
            short = least - out[-1].distance_to(following)
        if short > 0:
            after = replace(
                following,
                x=following.x + short * following.cos,
                y=following.y + short * following.sin,
                width=max(_LEAST_SHARE * following.width, following.width - short),
            )
        out.append(after)
    return out


def _placed(words: list[tuple[str, Word]], line: Line, scale: PageScale) -> Iterator[_Placed]:
    rise = -line.slope * scale.ky / scale.kx  # y grows upwards in PDF
    stepped = abs(rise) < _STEP_LIMIT
    for text, word in words:
        box = word.box
        middle_px = (box.left + box.right) / 2
        width = max(1.0, box.width) * scale.kx
        base = scale.height_pt - (line.baseline + line.slope * middle_px) * scale.ky
        if stepped:
            yield _Placed(text, box.left * scale.kx, base, 1.0, 0.0, width)
            continue
        cos = 1 / math.hypot(1, rise)
        sin = rise * cos
        # the box is upright around a slanted word: solve for the word's own length
        height = box.height * scale.ky
        length = (width * cos - height * abs(sin)) / max(cos * cos - sin * sin, 0.5)
        length = min(max(length, width / 2), width / cos)
        # the word's middle, dropped from the box's middle onto the baseline
        lift = scale.height_pt - (box.top + box.bottom) / 2 * scale.ky - base
        x = middle_px * scale.kx + lift * sin * cos - length / 2 * cos
        y = base + lift * sin * sin - length / 2 * sin
        yield _Placed(text, x, y, cos, sin, length)
