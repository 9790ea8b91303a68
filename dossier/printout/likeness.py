"""How far a scan, laid over the page it was printed from, says something else.

Both are taken as ink on paper, between 0 and 1. The page is blurred as the scan is; then each
window, as large as a digit, is compared with the best of a few tiny shifts. What a scanner does
(blur, noise, light) leaves little difference; another digit leaves much.

Of a window that differs, the ink that is *gone* and the ink that was *added* are told apart: a
ring of coffee, dust or a fold adds some grey, but takes no letter away.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.reading.cleanup import paper_of
from ocr.reading.raster import Grey

WINDOW_PX = (18, 30)
"""Width and height of a window at 200 dpi: a digit of 13 points, with room around it."""

Ink = NDArray[np.float32]

_BLURS_PX = (0.0, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5, 3.0)
_SHIFTS_PX = (-0.9, 0.0, 0.9)
_GAINS = (0.65, 1.4)
_FAINT = 0.04  # energy of a pixel that counts as nothing
_PRINT = 0.3  # ink from which a pixel of the page is print
_NOISE = 0.12  # ink that scanners make of nothing
_PALE = 0.9  # print may come out paler than the rest of the page
_STAIN = 0.45  # coffee is not darker


@dataclass(frozen=True, slots=True)
class Evidence:
    """Shares of a window's ink: print that is `gone`, and `added` ink as dark as print."""

    gone: float
    added: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """`unlike`: 0 (the same) to 1 for the window around each pixel; `page`, `scan`: their ink."""

    unlike: Ink
    page: Ink
    scan: Ink
    shift: NDArray[np.int8]
    blur_px: float

    def evidence(self, x: int, y: int) -> Evidence:
        """What is gone and what was added in the window around a pixel."""
        half_w, half_h = WINDOW_PX[0] // 2 + 1, WINDOW_PX[1] // 2 + 1
        top, left = max(0, y - half_h), max(0, x - half_w)
        part = np.s_[top : y + half_h, left : x + half_w]
        dx, dy = _SHIFTS[self.shift[y, x]]
        page, scan = _moved(self.page, dx, dy)[part], self.scan[part]
        total = float(max((page**2).sum(), (scan**2).sum())) + 1e-6
        gone = np.maximum(0.0, _PALE * page - scan - _NOISE)
        added = np.maximum(0.0, scan - page - _STAIN)
        return Evidence(float((gone**2).sum()) / total, float((added**2).sum()) / total)


_SHIFTS = tuple(product(_SHIFTS_PX, _SHIFTS_PX))


def ink_of(grey: Grey) -> Ink:
    """Ink between 0 (paper, whatever its tint and light) and 1."""
    paper = np.maximum(paper_of(grey).astype(np.float32), 1.0)
    return np.clip(1.0 - grey.astype(np.float32) / paper, 0.0, 1.0)


def likeness(page: Ink, scan: Ink, covered: NDArray[np.bool_]) -> Likeness:
    """Compare a scan with the page; both have the same shape. `covered`: where the scan is."""
    core = cv2.dilate((page > _PRINT).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    core &= covered
    blur, gain, blurred = _as_blurred(page, scan, core)
    level = np.clip(scan / max(gain, 0.05), 0.0, 1.5).astype(np.float32)
    area = WINDOW_PX[0] * WINDOW_PX[1]
    scan_energy = _boxed(level * level)
    page_energy = _boxed(blurred * blurred)
    least = np.full(page.shape, np.inf, np.float32)
    best = np.zeros(page.shape, np.int8)
    for number, (dx, dy) in enumerate(_SHIFTS):
        moved = _moved(blurred, dx, dy)
        own, both = _boxed(moved * moved), _boxed(moved * level)
        fit = np.clip(both / np.maximum(own, 1e-6), *_GAINS)
        error = scan_energy - 2 * fit * both + fit * fit * own
        better = error < least
        least[better] = error[better]
        best[better] = number
    unlike = least / (page_energy + scan_energy + _FAINT * area)
    unlike[~covered] = 0.0
    return Likeness(unlike.astype(np.float32), blurred, level, best, blur)


def _as_blurred(page: Ink, scan: Ink, core: NDArray[np.bool_]) -> tuple[float, float, Ink]:
    """The blur and darkness of the scan, and the page as it would look with this blur."""
    seen = scan[core]
    best = (np.inf, 0.0, 1.0, page)
    for blur in _BLURS_PX:
        blurred = cv2.GaussianBlur(page, (0, 0), blur).astype(np.float32) if blur else page
        own = blurred[core]
        gain = float((own * seen).sum() / max(float((own * own).sum()), 1e-6))
        error = float(((seen - gain * own) ** 2).sum())
        if error < best[0]:
            best = (error, blur, gain, blurred)
    return best[1:]


def _boxed(values: Ink) -> Ink:
    return np.asarray(cv2.boxFilter(values, -1, WINDOW_PX, normalize=False), np.float32)


def _moved(values: Ink, dx: float, dy: float) -> Ink:
    if not dx and not dy:
        return values
    height, width = values.shape
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return np.asarray(cv2.warpAffine(values, matrix, (width, height)), np.float32)
