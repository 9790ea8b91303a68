"""What can be said of a page before reading it: blank or not."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.reading.components import components_of
from ocr.reading.raster import Grey

_FEWEST_LETTERS = 12


def is_blank(grey: Grey, dpi: float) -> bool:
    """True when the page holds no text: paper, shadow, punch holes and specks only.

    `grey` has even paper (`cleanup.without_seal`). The threshold follows the page's own
    contrast: a fixed one calls faint pages blank.
    """
    _, dark_px = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    edge = int(dpi * 0.3)
    if min(grey.shape) <= 2 * edge + 8:
        edge = 0
    inner = slice(edge, grey.shape[0] - edge), slice(edge, grey.shape[1] - edge)
    grey = grey[inner]
    ink: Grey = np.ascontiguousarray(dark_px[inner], np.uint8)
    share = cv2.countNonZero(ink) / ink.size
    if share > 0.30:  # no threshold separates anything: it cuts through the noise
        return True
    dark = float(cv2.mean(grey, mask=ink)[0])
    light = (float(cv2.mean(grey)[0]) - share * dark) / (1 - share)
    if light - dark < 25:
        return True
    # on a written page the first inches show it
    found, step = 0, int(dpi)
    for top in range(0, len(ink), step):
        found += _letters(ink[top : top + step], dpi, whole=False)
        if found >= _FEWEST_LETTERS:
            return False
    return _letters(ink, dpi, whole=True) < _FEWEST_LETTERS


def _letters(ink: Grey, dpi: float, *, whole: bool) -> int:
    """How many components look like letters; unless `whole`, without those at top and bottom."""
    found = components_of(ink)
    h, w = found.h, found.w
    letters = (h > dpi * 0.035) & (h < dpi * 0.4) & (w < dpi * 0.6) & (found.area > dpi * 0.06)
    if not whole:
        letters &= (found.y > 0) & (found.y + h < len(ink))
    return int(np.count_nonzero(letters))
