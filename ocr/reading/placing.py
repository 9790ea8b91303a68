"""From an engine's reading of a cut line to a line of the upright page."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ocr.page import Box, Line, Word
from ocr.reading.recognise import Reading, ReadWord
from ocr.reading.segmentation import Segment
from ocr.reading.syllables import mended

_LEADER = "._…·"
_LEADER_TEXT = "......"
_LEADER_LENGTHS = 3.0  # x-heights; a gap that holds dots only and is longer is a dot leader
_SIZE = 2.2  # x-heights from descender to ascender


@dataclass(frozen=True, slots=True)
class View:
    """How a point of the deskewed working image maps back to the upright kept image."""

    scale_x: float  # working pixels a kept pixel
    scale_y: float
    degrees: float  # the working image was turned anticlockwise by this
    centre_x: float  # working pixels
    centre_y: float

    def upright(self, x: float, y: float) -> tuple[float, float]:
        """A point of the working image in pixels of the upright kept image."""
        if self.degrees:
            angle = math.radians(self.degrees)
            cos, sin = math.cos(angle), math.sin(angle)
            dx, dy = x - self.centre_x, y - self.centre_y
            x, y = self.centre_x + cos * dx - sin * dy, self.centre_y + sin * dx + cos * dy
        return x / self.scale_x, y / self.scale_y


@dataclass(frozen=True, slots=True)
class Cell:
    """A segment and where its cut image stands: `left`, `top` are page pixels of its corner.

    `row` and `number` are those of `ocr.page.Line`; `letter_px` is the page's x-height.
    """

    part: Segment
    letter_px: float
    left: int
    top: int
    row: int
    number: int


def line_of(reading: Reading, cell: Cell, view: View, known: frozenset[str]) -> Line | None:
    """The line on the upright kept image; None when nothing was read.

    `known` are the page's surely read syllables (`ocr.reading.syllables.vocabulary`).
    """
    words = tuple(
        Word(mended(text, known), _boxed(box, cell, view), confidence)
        for text, box, confidence in _clean(reading, cell)
    )
    if not words:
        return None
    part = cell.part
    outline = Box(part.left, part.top, part.right, part.bottom)
    x0, y0 = view.upright(part.left, part.baseline)
    x1, y1 = view.upright(max(part.right, part.left + 1), part.baseline)
    slope = (y1 - y0) / (x1 - x0)
    size = _SIZE * cell.letter_px / view.scale_y
    box = _upright(outline, view)
    return Line(words, box, y0 - slope * x0, slope, size, cell.row, cell.number)


def _clean(reading: Reading, cell: Cell) -> Iterator[tuple[str, Box, float]]:
    """Words as NFC text without control characters; dot leaders as six dots over their length."""
    runs = groupby(
        ((w, t) for w in reading.words if (t := _printable(w))),
        key=lambda pair: not pair[1].strip(_LEADER),
    )
    end = 0.0  # of the word before
    ahead = [(dots, list(run)) for dots, run in runs]
    for k, (dots, run) in enumerate(ahead):
        following = ahead[k + 1][1][0][0].box.left if k + 1 < len(ahead) else 0.0
        first, last = run[0][0].box, run[-1][0].box
        left = end if k else first.left
        right = following or max(cell.part.right - cell.left, last.right)
        if dots and right - left > _LEADER_LENGTHS * cell.letter_px:
            # the engine sees any number of dots, and boxes only some of them
            top, bottom = min(w.box.top for w, _ in run), max(w.box.bottom for w, _ in run)
            yield _LEADER_TEXT, Box(left, top, right, bottom), max(w.confidence for w, _ in run)
        else:
            # two dots are never written; they are what line cutting left of a leader
            yield from (
                ("..." if dots and len(text) == 2 else text, word.box, word.confidence)
                for word, text in run
            )
        end = last.right


def _printable(word: ReadWord) -> str:
    composed = unicodedata.normalize("NFC", word.text)
    return "".join(c for c in composed if not c.isspace() and c.isprintable())


def _boxed(box: Box, cell: Cell, view: View) -> Box:
    """A box in the cut image as one on the upright kept image."""
    left, top = cell.left, cell.top
    moved = Box(left + box.left, top + box.top, left + box.right, top + box.bottom)
    return _upright(moved, view)


def _upright(box: Box, view: View) -> Box:
    corners = [view.upright(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))
