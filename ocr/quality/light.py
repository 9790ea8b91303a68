"""Shadow on the page, and print of the back that shows through."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.quality.findings import Place
from ocr.quality.picture import Picture
from ocr.reading.raster import Grey, Mask

_SHADOW_AREA_MM2 = 120.0  # the darkest so much of a shadow says how deep it is
_FAINT_SHADOW = 0.12
_RIM_MM = 2.0  # along the edge, where scanners leave a line of their own
_NEAR_INK_MM = 1.0  # print spreads so far
_GHOST_SHARE = 0.01  # of the free paper that must be covered before it is print of a back
_GREYISH = 26  # grey levels between channels; coloured patterns are the paper's own
_GRAIN = 0.06  # darkness of paper's own grain, at most
_PRINT = 0.45  # of the darkest print: what is paler is not the page's own
_MARK_PX, _MARK_MM = 3, 8.0  # thinner is a speck or a rule, longer a rule or a stain


def shadow(picture: Picture, not_here: Mask) -> tuple[float, tuple[Place, ...]]:
    """Depth in per cent of the page's own paper, and the places of it.

    Shadows come in from an edge; what is dark within the page is a picture. `not_here` (at the
    size of `picture.paper`) is left out: what is known to be something else.
    """
    brightness = picture.paper.mean(axis=2)
    depth = 1.0 - brightness / float(picture.paper_tint.mean())
    depth[not_here] = 0.0
    scale = picture.paper_scale
    across, down = max(1, round(_RIM_MM * scale.x)), max(1, round(_RIM_MM * scale.y))
    inner = depth[down:-down, across:-across]
    if not inner.size:
        return 0.0, ()
    cells = max(3, round(_SHADOW_AREA_MM2 * scale.x * scale.y))
    worst, places = 0.0, []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (inner > _FAINT_SHADOW).astype(np.uint8), connectivity=8
    )
    for label in range(1, count):
        left, top, wide, high, area = stats[label].tolist()
        at_edge = (
            left == 0 or top == 0 or left + wide == inner.shape[1] or top + high == inner.shape[0]
        )
        if not at_edge or area < cells:
            continue
        here = np.where(labels == label, inner, 0.0)
        level = float(np.sort(here, axis=None)[-cells])
        rows, columns = np.nonzero(here >= 0.7 * level)
        place = scale.place(
            int(columns.min()) + across, int(rows.min()) + down,
            int(columns.max()) + across + 1, int(rows.max()) + down + 1,
        )  # fmt: skip
        if level > worst:
            worst, places = level, [place]
    return 100 * worst, tuple(places)


def bleed_through(picture: Picture) -> tuple[float, tuple[Place, ...]]:
    """Darkness in per cent of the back's print, and the hull of it; 0.0 where there is none.

    Marks paler than the page's own print, away from it, without colour, of the size of letters.
    """
    rest = picture.rest
    print_level = _print_level(rest)
    if print_level is None:
        return 0.0, ()
    scale = picture.small_scale
    reach = [2 * round(_NEAR_INK_MM * rate) + 1 for rate in (scale.y, scale.x)]
    free = cv2.dilate(_ones(rest < print_level), np.ones(reach, np.uint8)) == 0
    if picture.chroma is not None:
        free &= picture.chroma < _percentile(picture.chroma, 50, None) + _GREYISH
    area = int(np.count_nonzero(free))
    if area < 0.05 * rest.size:
        return 0.0, ()
    grain = 255 - _percentile(rest, 20, _ones(free))
    pale = _ones(free & (rest < 255 - max(255 * _GRAIN, 2.0 * grain)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(pale, connectivity=8)
    wide, high = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    marks = (np.minimum(wide, high) >= _MARK_PX) & (np.maximum(wide, high) < _MARK_MM * scale.y)
    marks[0] = False
    seen = marks.astype(np.uint8)[labels]
    if cv2.countNonZero(seen) < _GHOST_SHARE * area:
        return 0.0, ()
    rows, columns = np.nonzero(seen)
    (left, right), (top, bottom) = _middle(columns), _middle(rows)
    darkness = 100 * (1 - _percentile(rest, 25, seen) / 255)
    return darkness, (scale.place(left, top, right, bottom),)


def _print_level(rest: Grey) -> float | None:
    """The level that parts the page's print from everything paler; None without print."""
    inked = _ones(rest < 255 * (1 - _GRAIN))
    if cv2.countNonZero(inked) < 200:
        return None
    deep = 255 - _percentile(rest, 5, inked)
    return 255 - max(_PRINT * deep, 2 * 255 * _GRAIN)


def _ones(mask: Mask) -> Grey:
    return np.asarray(mask, np.uint8)


def _percentile(plane: Grey, percent: float, mask: Grey | None) -> float:
    """By histogram: sorting half a million pixels takes ten times as long."""
    counts = np.cumsum(cv2.calcHist([plane], [0], mask, [256], [0, 256]))
    return float(np.searchsorted(counts, counts[-1] * percent / 100))


def _middle(values: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> tuple[float, float]:
    """Where nearly all of the values lie: a few strays do not widen the place."""
    low, high = np.percentile(values, (2, 98))
    return float(low), float(high) + 1
