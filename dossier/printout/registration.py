"""Laying a scan over the page that it was printed from.

    placed = register(scan, page, start)       # the scan as it would look on the original page

A first guess (from the corners of the code, or from features of both images) is refined by
looking for small pieces of the page in the scan: a plane's perspective takes up most, and what
is left (paper is never flat, lenses never straight) a smooth field of shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.reading.raster import Grey

Matrix = NDArray[np.float64]
Field = NDArray[np.float32]

_PIECE_PX = 56  # half the width of a piece
_PIECE_ROWS_PX = 22
_GRID_PX = 120
_GOOD = 0.55  # correlation from which a piece is found
_LEAST_PIECES = 12
_REACHES_PX = (28, 10)
_LAST_REACH_PX = 5
_FIELD_STEP_PX = 40
_FIELD_SMOOTH_PX = 180.0
_FEATURES = 6000
_FEATURE_SCALE = 0.5
_RATIO = 0.8
_LEAST_MATCHES = 14


@dataclass(frozen=True, slots=True)
class Placed:
    """The scan on the page's own pixels; `agreement` is the median correlation of its pieces."""

    grey: Grey
    covered: NDArray[np.bool_]
    """Where the scan has anything at all."""
    agreement: float
    pieces: int


def register(scan: Grey, page: Grey, start: Matrix | None) -> Placed | None:
    """Lay `scan` over `page`; `start` maps scan pixels to page pixels, roughly.

    None when the two do not show the same page.
    """
    for guess in (
        (start, by_features(scan, page)) if start is not None else (by_features(scan, page),)
    ):
        placed = None if guess is None else _refined(scan, page, guess)
        if placed is not None:
            return placed
    return None


def by_corners(seen: Sequence[tuple[float, float]], wanted: Sequence[tuple[float, float]]) -> (
    Matrix | None
):  # fmt: skip
    """The turn, scale and shift that bring one code's corners to those of another."""
    found: Any  # OpenCV's stubs do not say that there may be none
    found, _ = cv2.estimateAffinePartial2D(
        np.array(seen, np.float64), np.array(wanted, np.float64), method=cv2.LMEDS
    )
    return None if found is None else np.vstack([found, (0.0, 0.0, 1.0)])


def _perspective(
    seen: NDArray[np.float64], wanted: NDArray[np.float64], tolerance_px: float, least: int
) -> Matrix | None:
    """The plane's perspective that most points agree on; None when fewer than `least` do."""
    found: Any  # OpenCV's stubs do not say that there may be none
    found, inside = cv2.findHomography(seen, wanted, cv2.USAC_MAGSAC, tolerance_px)
    return None if found is None or int(inside.sum()) < least else np.asarray(found, np.float64)


def by_features(scan: Grey, page: Grey) -> Matrix | None:
    """The perspective that brings most features of the scan to those of the page."""
    shrink = _FEATURE_SCALE * page.shape[0] / max(scan.shape)
    small = cv2.resize(scan, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    half = cv2.resize(
        page, None, fx=_FEATURE_SCALE, fy=_FEATURE_SCALE, interpolation=cv2.INTER_AREA
    )
    sift = cv2.SIFT.create(_FEATURES)
    ours, ours_said = sift.detectAndCompute(small, None)
    theirs, theirs_said = sift.detectAndCompute(half, None)
    if len(ours) < 2 or len(theirs) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(ours_said, theirs_said, k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < _RATIO * p[1].distance]
    if len(good) < _LEAST_MATCHES:
        return None
    seen = np.array([ours[m.queryIdx].pt for m in good]) / shrink
    wanted = np.array([theirs[m.trainIdx].pt for m in good]) / _FEATURE_SCALE
    return _perspective(seen, wanted, 6.0, _LEAST_MATCHES)


def _refined(scan: Grey, page: Grey, guess: Matrix) -> Placed | None:
    centres = _centres(page)
    matrix = guess
    shifts: NDArray[np.float64] = np.empty((0, 2))
    where: NDArray[np.float64] = np.empty((0, 2))
    scores: NDArray[np.float64] = np.empty(0)
    for reach in _REACHES_PX:
        laid = _warped(scan, matrix, page.shape)
        where, shifts, scores = _pieces(laid, page, centres, reach)
        if len(where) < _LEAST_PIECES:
            return None
        # a piece of the page at `where` was seen at `where + shift`: bring it back
        correction = _perspective(where + shifts, where, 2.5, _LEAST_PIECES)
        if correction is None:
            return None
        matrix = np.asarray(correction @ matrix)
    laid = _warped(scan, matrix, page.shape)
    where, shifts, scores = _pieces(laid, page, centres, _LAST_REACH_PX)
    if len(where) < _LEAST_PIECES:
        return None
    dx, dy = _field(where, shifts, page.shape)
    grey = _warped(scan, matrix, page.shape, (dx, dy))
    white = np.full(scan.shape, 255, np.uint8)
    covered = _warped(white, matrix, page.shape, (dx, dy), border=0) > 250
    return Placed(grey, covered, float(np.median(scores)), len(where))


def _centres(page: Grey) -> list[tuple[int, int]]:
    """Points with print around them, in a grid."""
    ink = (page < 160).astype(np.float32)
    amount = cv2.boxFilter(ink, -1, (2 * _PIECE_PX, 2 * _PIECE_ROWS_PX))
    height, width = page.shape
    found = []
    for y in range(_GRID_PX // 2, height - _PIECE_ROWS_PX, _GRID_PX):
        for x in range(_GRID_PX // 2, width - _PIECE_PX, _GRID_PX):
            cell = amount[y - 30 : y + 30, x - 40 : x + 40]
            if cell.size == 0 or cell.max() < 0.03:
                continue
            at = np.unravel_index(int(cell.argmax()), cell.shape)
            found.append((x - 40 + int(at[1]), y - 30 + int(at[0])))
    return found


def _pieces(
    laid: Grey, page: Grey, centres: Sequence[tuple[int, int]], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where pieces of the page are in the scan: centres, shifts, correlations."""
    smooth = cv2.GaussianBlur(page, (0, 0), 1.0)
    height, width = page.shape
    where, shifts, scores = [], [], []
    for x, y in centres:
        top, left = y - _PIECE_ROWS_PX, x - _PIECE_PX
        bottom, right = y + _PIECE_ROWS_PX, x + _PIECE_PX
        if top < reach or left < reach or bottom + reach > height or right + reach > width:
            continue
        piece = smooth[top:bottom, left:right]
        around = laid[top - reach : bottom + reach, left - reach : right + reach]
        match = cv2.matchTemplate(around, piece, cv2.TM_CCOEFF_NORMED)
        _, score, _, best = cv2.minMaxLoc(match)
        if score < _GOOD:
            continue
        where.append((x, y))
        shifts.append(
            (
                best[0] - reach + _between(match[best[1], :], best[0]),
                best[1] - reach + _between(match[:, best[0]], best[1]),
            )
        )
        scores.append(score)
    return (
        np.array(where, np.float64).reshape(-1, 2),
        np.array(shifts, np.float64).reshape(-1, 2),
        np.array(scores, np.float64),
    )


def _between(row: NDArray[Any], at: int) -> float:
    """The maximum of the parabola through a peak and its neighbours, from the peak."""
    if not 0 < at < len(row) - 1:
        return 0.0
    before, peak, after = float(row[at - 1]), float(row[at]), float(row[at + 1])
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))


def _field(
    where: NDArray[np.float64], shifts: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[Field, Field]:
    """The shifts of all pixels: those of the pieces, smoothed over a few lines of text.

    A piece that goes against its neighbours (it may be what was altered) has no say.
    """
    height, width = shape
    near = np.exp(
        -(((where[:, None, :] - where[None, :, :]) ** 2).sum(-1)) / (2 * _FIELD_SMOOTH_PX**2)
    )
    expected = np.stack([_weighted_median(shifts[:, axis], near) for axis in (0, 1)], axis=1)
    steady = np.abs(shifts - expected).max(axis=1) < 1.5
    points, kept = where[steady], shifts[steady]
    ys = np.arange(0, height + _FIELD_STEP_PX, _FIELD_STEP_PX)
    xs = np.arange(0, width + _FIELD_STEP_PX, _FIELD_STEP_PX)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 1, 2)
    weight = np.exp(-((grid - points[None, :, :]) ** 2).sum(-1) / (2 * _FIELD_SMOOTH_PX**2)) + 1e-9
    mean = (weight @ kept) / weight.sum(axis=1, keepdims=True)
    coarse = mean.reshape(len(ys), len(xs), 2).astype(np.float32)
    size = (len(xs) * _FIELD_STEP_PX, len(ys) * _FIELD_STEP_PX)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    return np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1])


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> (
    NDArray[np.float64]
):  # fmt: skip
    order = np.argsort(values)
    total = np.cumsum(weights[:, order], axis=1)
    at = (total < total[:, -1:] / 2).sum(axis=1)
    return np.asarray(values[order][np.minimum(at, len(values) - 1)])


def _warped(
    scan: Grey,
    matrix: Matrix,
    shape: tuple[int, ...],
    field: tuple[Field, Field] | None = None,
    border: int = 255,
) -> Grey:
    """The scan on the page's pixels: each is fetched from where `matrix` and `field` say."""
    height, width = shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    if field is not None:
        x, y = x + field[0], y + field[1]
    back = np.linalg.inv(matrix)
    depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    depth = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    across = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
    down = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
    laid = cv2.remap(
        scan,
        across.astype(np.float32),
        down.astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )
    return np.asarray(laid, np.uint8)
