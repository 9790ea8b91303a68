"""What is kept of a page's image to know it again: its ink at 50 dpi, straight and even.

    trace = trace_of(raster, dpi)
    compare(trace, other)               # SAME, NOTE or None
    worth_comparing(traces, others)     # which pairs to compare at all: fast, for whole stacks

A short hash of a page tells a form from a letter, but not two people's copies of one form: these
share most of their ink. So the ink itself is kept, coarse (some twenty kilobytes), laid over the
other's and compared window by window, each as large as a short word. Two scans of one page agree
everywhere; two filled forms differ where they were filled in; a page with a note laid over it
differs in one compact place, and agrees everywhere else.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from dossier.intake.observations import Likeness
from ocr.reading.cleanup import even_paper, rotated
from ocr.reading.raster import Raster
from ocr.reading.skew import skew_degrees

DPI = 50.0
_PAPER = 245.0
_NOISE = 0.10  # ink that is none
_WINDOW_PX = (11, 7)  # 5.6 x 3.6 mm
_MOST_SHIFT = 0.12  # of a side: pages are fed askew, not elsewhere
_STEPS = (-0.7, 0.0, 0.7)  # pixels, around the best fit of the whole page
_INKED = 0.02  # mean square of ink in a window that says something
_CHANGED = 0.2  # of 1; two scans of a page stay under 0.09, another name reaches 0.2 to 0.9
_UNLIKE = 0.5  # nothing in common
_HOPELESS = 0.6  # share that differs at the first try
_LEAST_INK = 250  # pixels of windows with ink; a page with less is not known again
_SAME = 0.0005  # share of the windows with ink that may be changed
_NOTE_LEAST_MM = 20.0
_NOTE_MOST = 0.4  # of the page
_NOTE_REST = 0.006  # share that may be changed outside the note
_NOTE_COVERS = 0.72  # share that has to differ under it: a form's labels stay, a note hides all
_NOTE_GAP_MM = 15.0  # between lines that it hides
_PROFILE_MM = 2.0
_PROFILE_BINS = 210  # of an A3 page; shorter ones are filled up
_PROFILE_LIKE = 0.75  # correlation, also of a page with a note over it
_PROFILE_REACH = 6  # bins that a page may be fed elsewhere

Ink = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PageTrace:
    """The ink of a page at `DPI`, 0 to 15, packed; `rows` and `columns`: ink along the page."""

    width: int
    height: int
    packed: bytes
    rows: tuple[float, ...]
    columns: tuple[float, ...]

    def ink(self) -> Ink:
        """Ink between 0 and 1."""
        levels = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return levels.reshape(self.height, self.width).astype(np.float32) / np.float32(15)


def trace_of(raster: Raster, dpi: float) -> PageTrace:
    """The trace of an upright or upside-down page, grey or RGB. Some 50 ms of CPU."""
    grey = raster if raster.ndim == 2 else cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY)
    factor = 2 * DPI / dpi
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    even = even_paper(np.asarray(small, np.uint8))
    straight = rotated(even, skew_degrees(even))
    half = cv2.resize(straight, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ink = np.clip(1.0 - np.asarray(half, np.float32) / _PAPER - _NOISE, 0.0, 1.0)
    full = float(np.percentile(ink[ink > 0.05], 98)) if (ink > 0.05).any() else 1.0
    ink = np.clip(ink / max(full, 0.1), 0.0, 1.0)
    edge = round(0.02 * ink.shape[1])
    ink[:edge], ink[-edge:], ink[:, :edge], ink[:, -edge:] = 0, 0, 0, 0
    levels = np.rint(ink * 15).astype(np.uint8)
    return PageTrace(
        levels.shape[1],
        levels.shape[0],
        zlib.compress(levels.tobytes(), 6),
        _profile(ink, 1),
        _profile(ink, 0),
    )


def compare(one: PageTrace, other: PageTrace) -> Likeness | None:
    """How alike two pages are; None when they are different ones, or too empty to tell.

    Either may be upside down. Some 10 ms of CPU each way up.
    """
    first, second = _canvas(one, other)
    for laid in (second, np.ascontiguousarray(second[::-1, ::-1])):
        found = _laid_over(first, laid)
        if found is not None:
            return found
    return None


def worth_comparing(ones: Sequence[PageTrace], others: Sequence[PageTrace]) -> NDArray[np.bool_]:
    """For each of `ones` (rows) and each of `others` (columns): may they be alike?

    A quick look at how much ink there is along and across the page. Nearly all pairs end here.
    """
    upright = np.ones((len(ones), len(others)), np.bool_)
    turned = upright.copy()
    for pick in ("rows", "columns"):
        mine = [np.asarray(getattr(trace, pick), np.float32) for trace in ones]
        theirs = [np.asarray(getattr(trace, pick), np.float32) for trace in others]
        upright &= _correlations(mine, theirs) >= _PROFILE_LIKE
        turned &= _correlations(mine, [profile[::-1] for profile in theirs]) >= _PROFILE_LIKE
    return upright | turned


def _correlations(mine: list[Ink], theirs: list[Ink]) -> Ink:
    """The best correlation of each pair of profiles over small shifts."""
    best = np.full((len(mine), len(theirs)), -1.0, np.float32)
    fixed = _normed([_windowed(profile, 0) for profile in mine])
    for shift in range(-_PROFILE_REACH, _PROFILE_REACH + 1):
        moved = _normed([_windowed(profile, shift) for profile in theirs])
        best = np.maximum(best, fixed @ moved.T)
    return best


def _windowed(profile: Ink, shift: int) -> Ink:
    out = np.zeros(_PROFILE_BINS + 2 * _PROFILE_REACH, np.float32)
    start = _PROFILE_REACH + shift
    length = min(len(profile), _PROFILE_BINS)
    out[start : start + length] = profile[:length]
    return out


def _normed(profiles: list[Ink]) -> Ink:
    stacked = np.stack(profiles)
    stacked -= stacked.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(stacked, axis=1, keepdims=True)
    return np.asarray(stacked / np.maximum(norms, 1e-6), np.float32)


def _profile(ink: Ink, axis: int) -> tuple[float, ...]:
    sums = ink.sum(axis=axis)
    step = round(_PROFILE_MM / 25.4 * DPI)
    bins = len(sums) // step
    return tuple(float(v) for v in sums[: bins * step].reshape(bins, step).sum(axis=1))


def _canvas(one: PageTrace, other: PageTrace) -> tuple[Ink, Ink]:
    height, width = max(one.height, other.height), max(one.width, other.width)
    pages = []
    for trace in (one, other):
        page = np.zeros((height, width), np.float32)
        page[: trace.height, : trace.width] = trace.ink()
        pages.append(cv2.GaussianBlur(page, (0, 0), 1.0).astype(np.float32))
    return pages[0], pages[1]


def _laid_over(first: Ink, second: Ink) -> Likeness | None:
    height, width = first.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(second, first, window)
    if abs(dx) > _MOST_SHIFT * width or abs(dy) > _MOST_SHIFT * height:
        return None
    level = _boxed(first * first)
    unlike, energy = _unlike(first, level, _moved(second, dx, dy))
    inked = _inked(np.maximum(level, energy))
    if (inked & (unlike > _UNLIKE)).sum() > _HOPELESS * inked.sum():
        return None
    for sx, sy in product(_STEPS, _STEPS):
        if sx or sy:
            difference, own = _unlike(first, level, _moved(second, dx + sx, dy + sy))
            unlike, energy = np.minimum(unlike, difference), np.maximum(energy, own)
    inked = _inked(np.maximum(level, energy))
    return _likeness(inked, inked & (unlike > _CHANGED), inked & (unlike > _UNLIKE))


def _unlike(first: Ink, level: Ink, moved: Ink) -> tuple[Ink, Ink]:
    """How unlike the window around each pixel is, 0 to 1, and the second page's ink in it."""
    own = _boxed(moved * moved)
    return _boxed((first - moved) ** 2) / (level + own + np.float32(1e-3)), own


def _inked(energy: Ink) -> NDArray[np.bool_]:
    """Windows that say something, away from the edges."""
    margin = round(0.05 * energy.shape[1])
    inked = np.zeros(energy.shape, np.bool_)
    inside = np.s_[margin:-margin, margin:-margin]
    inked[inside] = energy[inside] > _INKED
    return inked


def _likeness(
    inked: NDArray[np.bool_], changed: NDArray[np.bool_], differs: NDArray[np.bool_]
) -> Likeness | None:
    total = int(inked.sum())
    if total < _LEAST_INK:
        return None
    if changed.sum() <= _SAME * total:
        return Likeness.SAME
    if not differs.any():
        return None
    place = _compact_place(differs)
    if place is None:
        return None
    under = int(inked[place].sum())
    if differs[place].sum() < _NOTE_COVERS * under:
        return None
    outside = inked.copy()
    outside[_grown(place)] = False
    rest = int(outside.sum())
    if rest < max(_LEAST_INK, 0.4 * total):
        return None
    return Likeness.NOTE if (changed & outside).sum() <= _NOTE_REST * rest else None


def _compact_place(differs: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The box around the largest cluster of differences, if it is as large as a note."""
    reach = round(_NOTE_GAP_MM / 25.4 * DPI) | 1
    joined = cv2.dilate(differs.astype(np.uint8), np.ones((reach, reach), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    ys, xs = np.nonzero(differs & (labels == largest))
    top, bottom, left, right = int(ys.min()), int(ys.max()) + 1, int(xs.min()), int(xs.max()) + 1
    least = _NOTE_LEAST_MM / 25.4 * DPI
    width, height = right - left, bottom - top
    if min(width, height) < least or width * height > _NOTE_MOST * differs.size:
        return None
    return slice(top, bottom), slice(left, right)


def _grown(place: tuple[slice, slice]) -> tuple[slice, slice]:
    """The note and the windows that its edge touches."""
    (high, wide), (down, across) = place, (2 * _WINDOW_PX[1], 2 * _WINDOW_PX[0])
    return (
        slice(max(0, high.start - down), high.stop + down),
        slice(max(0, wide.start - across), wide.stop + across),
    )


def _boxed(values: Ink) -> Ink:
    return np.asarray(cv2.boxFilter(values, -1, _WINDOW_PX), np.float32)


def _moved(values: Ink, dx: float, dy: float) -> Ink:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (values.shape[1], values.shape[0])
    return np.asarray(cv2.warpAffine(values, matrix, size), np.float32)
