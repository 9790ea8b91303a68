"""The small angle of the text lines, by projection search.

Postl's measure: sheared rows of ink give the sharpest profile when the shear undoes the skew.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.reading.raster import Grey

_LIMIT_DEGREES = 5.0
LONG_SIDE_PX = 1000
"""At this size the angle is looked for."""

_SAMPLE = 60_000  # ink pixels that decide; more only cost time

Points = NDArray[np.float32]


def small_ink(grey: Grey, long_side_px: int) -> Grey:
    """Ink (255) of the page scaled to a long side, without a border of three per cent.

    Used wherever only the run of the lines matters. Paper is divided out once more at this
    size, so that dark scanner edges do not count as ink.
    """
    factor = long_side_px / max(grey.shape)
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    paper = cv2.dilate(small, np.ones((9, 9), np.uint8))
    quarter = (max(1, small.shape[1] // 4), max(1, small.shape[0] // 4))
    paper = cv2.GaussianBlur(cv2.resize(paper, quarter, interpolation=cv2.INTER_AREA), (0, 0), 2)
    paper = cv2.resize(paper, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    small = cv2.divide(small, paper, scale=255)
    _, ink = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    edge = int(0.03 * ink.shape[1])
    ink[:, :edge] = 0
    ink[:, ink.shape[1] - edge :] = 0
    ink[:edge] = 0
    ink[ink.shape[0] - edge :] = 0
    return np.asarray(ink, np.uint8)


def ink_points(ink: Grey, at_most: int) -> tuple[Points, Points]:
    """x and y of ink pixels, evenly thinned to `at_most` (the same ones at every run)."""
    ys, xs = np.nonzero(ink)
    if len(xs) > at_most:
        chosen = np.random.default_rng(0).choice(len(xs), at_most, replace=False)
        xs, ys = xs[chosen], ys[chosen]
    return xs.astype(np.float32), ys.astype(np.float32)


def sheared_profile(across: Points, along: Points, bins: int, degrees: float) -> Points:
    """Ink in each row after undoing a slope of `degrees` (positive: lines rise to the right)."""
    rows = along + across * math.tan(math.radians(degrees))
    counts = np.bincount(np.clip(rows.astype(np.int32), 0, bins - 1), minlength=bins)
    return counts.astype(np.float32)


def skew_degrees(grey: Grey) -> float:
    """The angle of the text lines in degrees, positive when they fall to the right.

    `grey` is upright to within five degrees. 0.0 where there is too little ink to tell.
    """
    return skew_of(small_ink(grey, LONG_SIDE_PX))


def skew_of(ink: Grey) -> float:
    """`skew_degrees` of a page's `small_ink`."""
    xs, ys = ink_points(ink, _SAMPLE)
    if len(xs) < 200:
        return 0.0
    height, width = ink.shape
    xs = xs - width / 2

    def sharpness(degrees: float) -> float:
        profile = sheared_profile(xs, ys, height, degrees)
        return float((np.diff(profile) ** 2).sum())

    best = 0.0
    for reach, step in ((_LIMIT_DEGREES, 0.5), (0.5, 0.1), (0.1, 0.025)):
        best = max(np.arange(best - reach, best + reach + 1e-6, step).tolist(), key=sharpness)
    return -float(best)
