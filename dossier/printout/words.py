"""The words of a page as boxes, found in its picture alone: what a forger may alter."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dossier.printout.likeness import Ink

_PRINT = 0.35
_JOIN_PX = (9, 13)  # at 200 dpi: between letters, and between a letter and its accents
_LEAST_PX = 3
_MOST_HEIGHT_PX = 110  # taller than a heading: a picture, a seal, a code
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
    """Boxes around words, from the top; pictures, rules and dust are left out."""
    solid = (ink > _PRINT).astype(np.uint8)
    joined = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones(_JOIN_PX[::-1], np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for left, top, width, height, _ in stats[1:count]:
        if height > _MOST_HEIGHT_PX or max(width, height) < _LEAST_PX:
            continue
        if height < _RULE_PX and width > 6 * _RULE_PX:
            continue
        found.append(WordBox(int(left), int(top), int(left + width), int(top + height)))
    return sorted(found, key=lambda box: (box.top, box.left))


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
