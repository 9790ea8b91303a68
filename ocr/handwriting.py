"""Telling pen from print, so that nothing written by hand is filled in by machine.

Three signs, each enough on its own where it is strong: the ink is blue; the engine was unsure;
the digits are taller or stand higher than the print beside them. A false alarm costs an
operator a glance, a missed one a wrong number in a record, so doubt counts as handwriting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr.page import Box, RecognisedPage
from ocr.pieces import Span
from ocr.raster import Raster, decode, turned

_UNSURE = 60.0  # printed numbers are read with 85 and more, digits by pen mostly below this
_TALLER = 1.45  # times the height of the print beside it
_BLUE_SHARE = 0.35  # of the ink's pixels
_BLUE_LEAD = 28  # grey levels by which blue exceeds red in pen ink


class InkProbe:
    """Looks up the colour of ink on the kept images; decodes a page at most once."""

    def __init__(self, pages: Sequence[RecognisedPage]) -> None:
        self._pages = pages
        self._rasters: dict[int, Raster | None] = {}

    def blue(self, span: Span) -> bool:
        """Whether most ink under a span's words is blue; False without a colour image."""
        raster = self._raster(span.page)
        if raster is None:
            return False
        return any(_mostly_blue(raster, word.box) for word in span.words)

    def _raster(self, number: int) -> Raster | None:
        if number not in self._rasters:
            self._rasters[number] = self._decode(number)
        return self._rasters[number]

    def _decode(self, number: int) -> Raster | None:
        if not 1 <= number <= len(self._pages):
            return None
        page = self._pages[number - 1]
        if page.image.kept.components != 3:
            return None
        try:
            raster = decode(page.image.kept)
        except (OSError, ValueError):
            return None  # the image is no evidence then; recognition has already succeeded
        return turned(raster, page.turns) if raster.ndim == 3 else None


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


def looks_handwritten(number: Span, beside: Span, ink: InkProbe) -> bool:
    """Whether the digits of a number were written by pen, judged against the print beside."""
    if not number.words:
        return False
    if number.confidence < _UNSURE:
        return True
    own = {id(w) for w in number.words}
    others = [w for w in beside.words if id(w) not in own]
    if others:
        tall = max(w.box.height for w in number.words)
        print_height = max(w.box.height for w in others)
        if print_height > 0 and tall > _TALLER * print_height:
            return True
    return ink.blue(number)
