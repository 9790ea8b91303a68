"""Where words end: the gaps in a line's ink, where they tell as many words as were read.

The engine's network says what it reads, and only roughly where: a word's first letters may fall
to the word before. A line with n words has n - 1 gaps that are clearly wider than those between
letters; where it has just so many, they part the ink. Elsewhere the engine's boxes stay.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ocr.page import Box
from ocr.reading.recognise import Reading
from ocr.reading.segmentation import Layout, Segment

_CLEARLY = 1.35  # times wider: the narrowest gap between words against the widest between letters
_FLAT, _LONG = 0.35, 1.8  # x-heights: lower and longer than this is a rule or a dash
_RIM_PX = 1


def parted(reading: Reading, part: Segment, layout: Layout, corner: tuple[int, int]) -> Reading:
    """The reading with its words' boxes around the ink between the gaps.

    Boxes are in pixels of the cut image, whose `corner` (left, top) is in pixels of the page.
    """
    count = len(reading.words)
    if count < 2:
        return reading
    ink = layout.boxes[part.parts]
    wide, high = ink[:, 2] - ink[:, 0], ink[:, 3] - ink[:, 1]
    rules = (high < _FLAT * layout.letter_px) & (wide > _LONG * layout.letter_px)
    ink = ink[~rules]
    ink = ink[np.argsort(ink[:, 0], kind="stable")]
    if len(ink) < count:
        return reading
    reach = np.maximum.accumulate(ink[:, 2])
    gaps = ink[1:, 0] - reach[:-1]
    order = np.argsort(-gaps, kind="stable")
    narrowest = float(gaps[order[count - 2]])
    next_gap = float(gaps[order[count - 1]]) if len(gaps) >= count else 0.0
    if narrowest < _CLEARLY * max(next_gap, 1.0):
        return reading
    starts = [0, *(np.sort(order[: count - 1]) + 1).tolist(), len(ink)]
    boxes = [_around(ink[a:b], corner) for a, b in pairwise(starts)]
    return Reading(tuple(replace(w, box=box) for w, box in zip(reading.words, boxes, strict=True)))


def _around(ink: npt.NDArray[np.int32], corner: tuple[int, int]) -> Box:
    left, top = corner
    low, high = ink[:, :2].min(axis=0), ink[:, 2:].max(axis=0)
    return Box(
        float(low[0] - left - _RIM_PX),
        float(low[1] - top - _RIM_PX),
        float(high[0] - left + _RIM_PX),
        float(high[1] - top + _RIM_PX),
    )
