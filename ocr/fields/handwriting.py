"""Telling pen from print, so that nothing written by hand is filled in by machine.

Three signs, each enough on its own where it is strong: the ink is blue; the engine was unsure;
the digits are taller or stand higher than the print beside them. A false alarm costs an
operator a glance, a missed one a wrong number in a record, so doubt counts as handwriting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr.fields.pieces import Span
from ocr.page import Box, RecognisedPage
from ocr.reading.raster import Raster, decode, turned

_UNSURE = 60.0  # printed numbers are read with 85 and more, digits by pen mostly below this
_UNSURE_JOINED = 35.0  # number and symbol in one word: a rare symbol alone costs confidence
_TALLER = 1.45  # times the height of the print beside it
_BLUE_SHARE = 0.35  # of the ink's pixels
_BLUE_LEAD = 28  # grey levels by which blue exceeds red in pen ink


def blue_words(page: RecognisedPage, boxes: Sequence[Box]) -> frozenset[Box]:
    """Those boxes whose ink is mostly blue on the page's kept image.

    Empty when there are no boxes, when the image is not in colour, or when it cannot be decoded:
    that is no evidence of a pen.
    """
    if not boxes or page.image.kept.components != 3:
        return frozenset()
    try:
        raster = decode(page.image.kept)
    except (OSError, ValueError):
        return frozenset()  # recognition has succeeded without this look
    if raster.ndim != 3:
        return frozenset()
    upright = turned(raster, page.turns)
    return frozenset(box for box in boxes if _mostly_blue(upright, box))


def _mostly_blue(raster: Raster, box: Box) -> bool:
    top, bottom = max(0, int(box.top)), max(0, int(box.bottom) + 1)
    left, right = max(0, int(box.left)), max(0, int(box.right) + 1)
    area = raster[top:bottom, left:right].astype(np.int16)
    if area.size == 0:
        return False
    darkness = area.min(axis=2)
    paper = float(np.percentile(darkness, 90))
    ink = darkness < paper - 50
    if int(ink.sum()) < 12:
        return False
    lead = area[:, :, 2][ink] - area[:, :, 0][ink]
    return float((lead > _BLUE_LEAD).mean()) > _BLUE_SHARE


def looks_handwritten(number: Span, beside: Span, blue: frozenset[Box]) -> bool:
    """Whether a number was written by pen, judged by its ink and the print beside it.

    `blue` holds the boxes of words in blue ink.
    """
    if not number.words:
        return False
    own = {id(w) for w in number.words}
    others = [w for w in beside.words if id(w) not in own]
    if number.confidence < (_UNSURE if others else _UNSURE_JOINED):
        return True
    if others:
        tall = max(w.box.height for w in number.words)
        print_height = max(w.box.height for w in others)
        if print_height > 0 and tall > _TALLER * print_height:
            return True
    return any(w.box in blue for w in number.words)
