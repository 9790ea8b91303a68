"""The words of a page as boxes, found in its picture alone: what a forger may alter."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dossier.printout.likeness import Ink

_PRINT = 0.35
_JOIN_PX = (9, 7)  # at 200 dpi: between letters, and between a letter and its accents
_JOIN_TIGHT_PX = (7, 1)
_LEAST_PX = 3
_LINE_PX = 64  # higher than a line of 16 points with its accents: several lines, or a picture
_RULE_PX = 6  # lower than this and long: a line drawn under something
_SAME_LINE = 0.5


@dataclass(frozen=True, slots=True)
class WordBox:
    """Pixels of the page: left and top inclusive, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def grown(self, x: int, y: int, shape: tuple[int, ...]) -> WordBox:
        """Larger on each side, within the page."""
        return WordBox(
            max(0, self.left - x),
            max(0, self.top - y),
            min(shape[1], self.right + x),
            min(shape[0], self.bottom + y),
        )

    def with_(self, other: WordBox) -> WordBox:
        """The box around both."""
        return WordBox(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def is_beside(self, other: WordBox, gap_px: int) -> bool:
        """Whether both stand on one line, no further apart than `gap_px`."""
        shared = min(self.bottom, other.bottom) - max(self.top, other.top)
        low = min(self.bottom - self.top, other.bottom - other.top)
        apart = max(self.left, other.left) - min(self.right, other.right)
        return shared > _SAME_LINE * low and apart <= gap_px


def word_boxes(ink: Ink) -> list[WordBox]:
    """Boxes around words, from the top; rules and dust are left out.

    Lines that touch are cut apart; a picture, which has no lines, is cut into strips.
    """
    solid = (ink > _PRINT).astype(np.uint8)
    found = []
    for box in _components(solid, _JOIN_PX):
        if box.bottom - box.top <= _LINE_PX:
            found.append(box)
            continue
        part = solid[box.top : box.bottom, box.left : box.right]
        for inner in _components(part, _JOIN_TIGHT_PX):
            placed = WordBox(
                box.left + inner.left,
                box.top + inner.top,
                box.left + inner.right,
                box.top + inner.bottom,
            )
            found += _strips(placed)
    return sorted(found, key=lambda box: (box.top, box.left))


def _components(solid: NDArray[np.uint8], join_px: tuple[int, int]) -> list[WordBox]:
    across, down = join_px
    closed = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((down, across), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    found = []
    for left, top, width, height, _ in stats[1:count]:
        if max(width, height) < _LEAST_PX or (height < _RULE_PX and width > 6 * _RULE_PX):
            continue
        found.append(WordBox(int(left), int(top), int(left + width), int(top + height)))
    return found


def _strips(box: WordBox) -> list[WordBox]:
    """The box, or parts of it as high as a line."""
    height = box.bottom - box.top
    count = -(-height // _LINE_PX)
    edges = [box.top + height * part // count for part in range(count + 1)]
    return [WordBox(box.left, top, box.right, bottom) for top, bottom in pairwise(edges)]


def joined(boxes: list[WordBox], gap_px: int) -> list[WordBox]:
    """Boxes of one line that stand close together, made one."""
    out: list[WordBox] = []
    for box in sorted(boxes, key=lambda b: (b.left, b.top)):
        for at, other in enumerate(out):
            if other.is_beside(box, gap_px):
                out[at] = other.with_(box)
                break
        else:
            out.append(box)
    return sorted(out, key=lambda b: (b.top, b.left))
