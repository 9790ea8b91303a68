"""Whether a side may be set aside as blank.

`ocr.reading.quality.is_blank` asks whether there is anything to *read*; a side that is set aside
must not have anything *written*: a word in pencil, a date stamp, a signature in blue. So colour
counts, a few strokes are enough, and only what is told apart from the paper is forgiven:

- print that shines through from the other side: blurred by the paper, and pale,
- specks, punch holes, staples, the shadow of an edge, a fold, a streak of the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr.reading.cleanup import even_paper
from ocr.reading.quality import is_blank
from ocr.reading.raster import Grey, Mask, Raster

_DPI = 200.0
_EDGE_MM = 5.0
_STROKE_MM = 1.5  # nothing that was written is thicker
_LEAST_DEPTH = 16.0  # grey levels that a stroke is darker than the paper
_NOISES = 5.0  # times the noise of the paper
_LEAST_EXTENT_MM = 2.2  # of a mark; dust is smaller
_SHARP = 0.30  # steepest rise within a mark against its depth, a pixel; shine-through has less
_FOLD_MM = 50.0  # a thin straight mark as long as this is a fold or a streak
_FOLD_WIDTH_MM = 1.8
_LEAST_STROKES_MM2 = 2.2  # ink of all marks: about six millimetres of a pencil's line
"""Some numbers above are measured: `tests/unit/ocr/test_separators.py` has the pages."""


@dataclass(frozen=True, slots=True)
class BlankLook:
    """What was found: `blank`, and the area of the written marks in square millimetres."""

    blank: bool
    strokes_mm2: float


def look_for_writing(raster: Raster, dpi: float) -> BlankLook:
    """Whether a page (grey or RGB) bears nothing that somebody wrote, stamped or printed."""
    darkest = _darkest(raster, dpi)
    mm = _DPI / 25.4
    calm = np.asarray(cv2.GaussianBlur(darkest, (0, 0), 0.8), np.uint8)
    size = 2 * round(_STROKE_MM * mm / 2) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    depth = np.asarray(cv2.morphologyEx(calm, cv2.MORPH_BLACKHAT, kernel), np.uint8)
    edge = round(_EDGE_MM * mm)
    if min(depth.shape) > 4 * edge:
        depth = depth[edge:-edge, edge:-edge]
        calm = calm[edge:-edge, edge:-edge]
    usual = float(np.median(depth))
    noise = float(np.median(np.abs(depth.astype(np.float32) - usual))) * 1.48
    marks = depth > max(_LEAST_DEPTH, usual + _NOISES * noise)
    area = _written(marks, depth, calm) / (mm * mm)
    if area < _LEAST_STROKES_MM2:
        return BlankLook(is_blank(darkest, _DPI), area)
    return BlankLook(blank=False, strokes_mm2=area)


def _darkest(raster: Raster, dpi: float) -> Grey:
    """The darkest channel on even paper at the working resolution: any ink shows."""
    factor = min(1.0, _DPI / dpi)
    if factor < 1.0:
        raster = np.asarray(
            cv2.resize(raster, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
    if raster.ndim == 2:
        return even_paper(raster)
    channels = [even_paper(np.ascontiguousarray(raster[:, :, k])) for k in range(3)]
    return np.asarray(cv2.min(cv2.min(channels[0], channels[1]), channels[2]), np.uint8)


def _written(marks: Mask, depth: Grey, calm: Grey) -> float:
    """Pixels of the marks that are sharp, large enough and no fold."""
    mm = _DPI / 25.4
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        marks.astype(np.uint8), connectivity=8
    )
    if count <= 1:
        return 0.0
    across = cv2.Sobel(calm, cv2.CV_32F, 1, 0, ksize=3) / 8
    down = cv2.Sobel(calm, cv2.CV_32F, 0, 1, ksize=3) / 8
    steep = cv2.magnitude(across, down)
    total = 0.0
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    for number in np.flatnonzero(extent >= _LEAST_EXTENT_MM * mm):
        if number == 0:
            continue
        left, top, width, height, area = (int(v) for v in stats[number])
        part = np.s_[top : top + height, left : left + width]
        inside = labels[part] == number
        if _is_fold(inside, mm):
            continue
        deep = float(np.percentile(depth[part][inside], 90))
        rise = float(np.percentile(steep[part][inside], 90))
        if rise >= _SHARP * deep:
            total += area
    return total


def _is_fold(inside: Mask, mm: float) -> bool:
    ys, xs = np.nonzero(inside)
    (_, _), (one, two), _ = cv2.minAreaRect(np.column_stack((xs, ys)).astype(np.float32))
    return max(one, two) >= _FOLD_MM * mm and min(one, two) <= _FOLD_WIDTH_MM * mm
