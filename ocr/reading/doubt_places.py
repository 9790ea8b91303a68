"""Places with ink like letters for which no word stands, and where words stand on the work image.

A word that the engine missed can bear no flag, so its place does: a segment that was put aside as
a scribble, or a gap between the words of a line that holds ink as tall as letters. Signatures and
remains of seals are such places, too; they cost a glance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ocr.page import Box, Line, Word
from ocr.reading.placing import Cell, View
from ocr.reading.raster import Grey
from ocr.reading.segmentation import Layout

_TALL = 0.6  # x-heights that ink in a gap must have to be taken for a letter
_WIDE = 0.45  # x-heights; narrower ink is a stroke of the letter beside it
_LETTERLIKE = (0.6, 4.0)  # x-heights that a segment put aside must have


@dataclass(frozen=True, slots=True)
class ReadCell:
    """A segment after reading: its line (None where no text was found) and its cut image."""

    line: Line | None
    cell: Cell
    image: Grey


def unread_places(cells: Sequence[ReadCell], layout: Layout, view: View) -> tuple[Box, ...]:
    """The places, in pixels of the upright kept image, in reading order."""
    return tuple(_upright(box, view) for cell in cells for box in _unread(cell, layout, view))


def working_span(word: Word, view: View) -> tuple[float, float]:
    """Left and right of a word on the working image (`View.upright` undone along its middle)."""
    box = word.box
    x, y = (box.left + box.right) / 2 * view.scale_x, (box.top + box.bottom) / 2 * view.scale_y
    half = box.width / 2 * view.scale_x
    if view.degrees:
        angle = math.radians(view.degrees)
        dx, dy = x - view.centre_x, y - view.centre_y
        x = view.centre_x + math.cos(angle) * dx + math.sin(angle) * dy
    return x - half, x + half


def _unread(read: ReadCell, layout: Layout, view: View) -> Iterator[Box]:
    """Unread places of one segment, in pixels of the working image."""
    part, x_height = read.cell.part, layout.letter_px
    if read.line is None:
        low, high = (times * x_height for times in _LETTERLIKE)
        if low <= part.bottom - part.top <= high:
            yield Box(part.left, part.top, part.right, part.bottom)
        return
    spans = sorted(working_span(w, view) for w in read.line.words)
    edge = float(part.left)
    for left, right in [*spans, (float(part.right), float(part.right))]:
        if left - edge >= _WIDE * x_height:
            yield from _ink_in_gap(int(edge), int(left), read, layout)
        edge = max(edge, right)


def _ink_in_gap(left: int, right: int, read: ReadCell, layout: Layout) -> Iterator[Box]:
    part = read.cell.part
    labels = layout.labels[part.top : part.bottom, left:right]
    rows, columns = np.nonzero(layout.owner[labels] == part.number)
    if not len(rows):
        return
    box = Box(
        left + int(columns.min()),
        part.top + int(rows.min()),
        left + int(columns.max()) + 1,
        part.top + int(rows.max()) + 1,
    )
    if box.height >= _TALL * layout.letter_px and box.width >= _WIDE * layout.letter_px:
        yield box


def _upright(box: Box, view: View) -> Box:
    corners = [view.upright(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))
