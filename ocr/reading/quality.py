"""What can be said of a page before reading it: blank or not."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.reading.raster import Grey


def is_blank(grey: Grey, dpi: float) -> bool:
    """True when the page holds no text: paper, shadow, punch holes and specks only.

    `grey` has even paper (`cleanup.without_seal`). The threshold follows the page's own
    contrast: a fixed one calls faint pages blank.
    """
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    edge = int(dpi * 0.3)
    if min(ink.shape) <= 2 * edge + 8:
        edge = 0
    inner = slice(edge, ink.shape[0] - edge), slice(edge, ink.shape[1] - edge)
    ink, grey = ink[inner], grey[inner]
    if ink.mean() / 255 > 0.30:  # no threshold separates anything: it cuts through the noise
        return True
    dark = float(cv2.mean(grey, mask=ink)[0])
    light = float(cv2.mean(grey, mask=cv2.bitwise_not(ink))[0])
    if light - dark < 25:
        return True
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA]
    height = stats[1:, cv2.CC_STAT_HEIGHT]
    width = stats[1:, cv2.CC_STAT_WIDTH]
    letters = (
        (height > dpi * 0.035) & (height < dpi * 0.4) & (width < dpi * 0.6) & (area > dpi * 0.06)
    )
    return int(np.count_nonzero(letters)) < 12
