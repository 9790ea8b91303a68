"""Which way up a page is.

Do the lines run across or down (projections)? Then the longest lines are read both ways
(`ocr.reading.upright`). On pages without a line that tells, ink decides: is there more above the
x-height than below the baseline (Latin ascenders, and Vietnamese marks above all)? Where that is
not clear, the engine's own detection does.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.reading.raster import Grey
from ocr.reading.skew import LONG_SIDE_PX, Points, ink_points, sheared_profile, small_ink

SURE = 0.25
"""Beyond this balance the ink above and below decides alone (no error in 296 pages)."""


def lines_run_down(grey: Grey) -> bool:
    """True when the text lines are vertical: the page lies on its side."""
    return ink_runs_down(small_ink(grey, LONG_SIDE_PX))


def ink_runs_down(ink: Grey) -> bool:
    """`lines_run_down` of a page's `small_ink`."""
    xs, ys = ink_points(ink, 40_000)
    if len(xs) < 200:
        return False
    height, width = ink.shape
    return _sharpest(ys - height / 2, xs, width) > _sharpest(xs - width / 2, ys, height)


def _sharpest(across: Points, along: Points, bins: int) -> float:
    best = 0.0
    for degrees in np.arange(-4, 4.01, 0.5).tolist():
        profile = sheared_profile(across, along, bins, degrees)
        # table rules would outshine the text: cap the fullest rows
        profile = np.minimum(profile, np.percentile(profile[profile > 0], 97))
        best = max(best, float((np.diff(profile) ** 2).sum() / (profile.sum() + 1)))
    return best


def ink_balance(grey: Grey) -> float:
    """Ink above against below the x-height zone, -1 to 1; positive means upright.

    `grey` has horizontal lines without skew.
    """
    ink = small_ink(grey, 1000) > 127
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    heights = stats[1:, cv2.CC_STAT_HEIGHT]
    widths = stats[1:, cv2.CC_STAT_WIDTH]
    letters = (heights > 3) & (widths > 2)
    letter = float(np.median(heights[letters])) if letters.any() else 6.0
    keep = np.zeros(count, bool)  # neither rules nor blobs
    keep[1:] = (heights < 4 * letter) & (widths < 12 * letter) & (heights * widths > 1)
    ink = keep[labels]
    above = below = 0.0
    # strips, so that two columns of different rows do not mix
    for strip in np.array_split(ink, 4, axis=1):
        profile = strip.sum(1).astype(np.float32)
        if profile.sum() < 50:
            continue
        edges = np.diff(np.r_[0, (profile > 0).astype(np.int8), 0])
        for top, bottom in zip(np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0], strict=True):
            if not 5 <= bottom - top <= 3.5 * letter:
                continue
            band = profile[top:bottom]
            full = np.sort(band)[int(0.9 * (len(band) - 1))]
            core = np.nonzero(band > 0.45 * full)[0]
            above += float(band[: core[0]].sum())
            below += float(band[core[-1] + 1 :].sum())
    return (above - below) / (above + below + 1e-6)
