"""Table rules and underlines, solid or broken.

Thin rules come out of bilevel scans as dashes. A dash looks like an l or a 1, so dashes count
as a rule only where they line up over a length and stand alone: beside them there is paper,
beside the stems of letters that happen to line up there is ink.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr.reading.components import components_of
from ocr.reading.raster import Grey

_SOLID_ACROSS = 0.30  # inches; no letter is so wide
_SOLID_DOWN = 0.28
_BROKEN = 0.40  # inches that aligned dashes must span
_GAP = 0.06  # inches between dashes
_THIN = 0.03  # inches; a thicker run is no table rule
_BESIDE = 0.03  # inches on either side that must be paper
_INK_BESIDE = 0.22  # share of ink there that is still called alone
_DRAWN = 0.85  # share of a rule's length that dashes must cover; aligned serifs reach 0.8


@dataclass(frozen=True, slots=True)
class Rules:
    """Masks (255 on the rule, gaps filled): horizontal and vertical rules."""

    across: Grey
    down: Grey


def find_rules(ink: Grey, dpi: float) -> Rules:
    """The rules of a page. `ink` is 255 on ink."""
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, _row(int(dpi * _SOLID_ACROSS)))
    down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, _column(int(dpi * _SOLID_DOWN)))
    broken_down = _broken_down(ink, dpi)
    lying = np.asarray(cv2.transpose(ink), np.uint8)
    broken_across = cv2.transpose(_broken_down(lying, dpi))
    return Rules(
        np.asarray(cv2.bitwise_or(across, broken_across), np.uint8),
        np.asarray(cv2.bitwise_or(down, broken_down), np.uint8),
    )


def _broken_down(ink: Grey, dpi: float) -> Grey:
    """Vertical rules made of dashes. Searched in half height, judged in full."""
    half = cv2.max(ink[0 : len(ink) // 2 * 2 : 2], ink[1::2])
    thick = cv2.morphologyEx(half, cv2.MORPH_OPEN, _row(int(dpi * _THIN) + 1))
    thin = cv2.dilate(cv2.subtract(half, thick), _row(3))  # a rule may wander by a pixel
    joined = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, _column(int(dpi * _GAP / 2) | 1))
    long = cv2.morphologyEx(joined, cv2.MORPH_OPEN, _column(int(dpi * _BROKEN / 2)))
    out = np.zeros_like(ink)
    if not cv2.countNonZero(long):
        return out
    runs = components_of(np.asarray(long, np.uint8))
    beside = max(2, int(dpi * _BESIDE))
    for k, (x, y, right, bottom) in enumerate(runs.boxes.tolist()):
        if k == 0:
            continue
        w, h = right - x, bottom - y
        rows = ink[2 * y : 2 * (y + h)]
        if w > dpi * _THIN * 3 or rows[:, x : x + w].any(axis=1).mean() < _DRAWN:
            continue
        left = rows[:, max(0, x - beside) : max(0, x - 1)]
        right = rows[:, x + w + 1 : x + w + beside]
        if _share(left) < _INK_BESIDE and _share(right) < _INK_BESIDE:
            mask = np.repeat(runs.labels[y : y + h, x : x + w] == k, 2, axis=0)
            out[2 * y : 2 * (y + h), x : x + w][mask] = 255
    return out


def _share(strip: Grey) -> float:
    return float(strip.mean()) / 255 if strip.size else 0.0


def _row(length: int) -> Grey:
    return np.ones((1, max(1, length)), np.uint8)


def _column(length: int) -> Grey:
    return np.ones((max(1, length), 1), np.uint8)
