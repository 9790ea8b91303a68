"""In which order the segments of a page are read.

Free text goes by visual rows. Inside a ruled table a cell is read whole before its neighbour:
a name broken over two lines stays one name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ocr.reading.components import components_of
from ocr.reading.raster import Grey
from ocr.reading.rules import Rules

_LEAST_WIDTH, _LEAST_HEIGHT = 1.0, 0.3  # inches; smaller frames are no tables
_SPANNING = 0.3  # share of a table's side that a rule must span to divide it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment stands, in pixels; `middle` is the y of its letters' middle."""

    left: int
    right: int
    middle: float


@dataclass(frozen=True, slots=True)
class _Table:
    """A ruled table: its box, and where its rules stand."""

    left: int
    top: int
    right: int
    bottom: int
    across: tuple[int, ...]
    down: tuple[int, ...]

    def holds(self, place: Place) -> bool:
        centre = (place.left + place.right) / 2
        return self.left < centre < self.right and self.top < place.middle < self.bottom

    def cell(self, place: Place) -> tuple[int, int]:
        centre = (place.left + place.right) / 2
        return bisect_left(self.across, place.middle), bisect_left(self.down, centre)


def rows_of(places: Sequence[Place], letter_px: float, rules: Rules, dpi: float) -> list[list[int]]:
    """Indices into `places`, row by row from the top, each in reading order.

    A row is a visual row, or all cells side by side in a table.
    """
    tables = _tables(rules, dpi)
    bands: dict[tuple[int, int], list[int]] = {}
    free = []
    for i, place in enumerate(places):
        table = next((k for k, t in enumerate(tables) if t.holds(place)), None)
        if table is None:
            free.append(i)
        else:
            bands.setdefault((table, tables[table].cell(place)[0]), []).append(i)
    rows = [sorted(r, key=lambda i: places[i].left) for r in _visual(free, places, letter_px)]
    for (table, _), members in bands.items():
        rows.append(_by_cell(members, places, tables[table], letter_px))
    return sorted(rows, key=lambda r: float(np.mean([places[i].middle for i in r])))


def _visual(members: Sequence[int], places: Sequence[Place], letter_px: float) -> list[list[int]]:
    rows: list[list[int]] = []
    for i in sorted(members, key=lambda i: places[i].middle):
        if rows and places[i].middle - places[rows[-1][0]].middle < 0.8 * letter_px:
            rows[-1].append(i)
        else:
            rows.append([i])
    return rows


def _by_cell(
    members: Sequence[int], places: Sequence[Place], table: _Table, letter_px: float
) -> list[int]:
    columns: dict[int, list[int]] = {}
    for i in members:
        columns.setdefault(table.cell(places[i])[1], []).append(i)
    out = []
    for _, inside in sorted(columns.items()):
        for row in _visual(inside, places, letter_px):
            out += sorted(row, key=lambda i: places[i].left)
    return out


def _tables(rules: Rules, dpi: float) -> list[_Table]:
    if not cv2.countNonZero(rules.down):  # most pages, and the search is not cheap
        return []
    both = cv2.bitwise_or(rules.across, rules.down)
    both = cv2.morphologyEx(both, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    out = []
    for x, y, right, bottom in components_of(np.asarray(both, np.uint8)).boxes[1:].tolist():
        w, h = right - x, bottom - y
        if w < dpi * _LEAST_WIDTH or h < dpi * _LEAST_HEIGHT:
            continue
        box = slice(y, y + h), slice(x, x + w)
        across = tuple(y + p for p in _positions(rules.across[box], axis=1))
        down = tuple(x + p for p in _positions(rules.down[box], axis=0))
        if len(across) >= 2 and len(down) >= 3:
            out.append(_Table(x, y, x + w, y + h, across, down))
    return out


def _positions(mask: Grey, axis: int) -> list[int]:
    """Where rules stand across the axis: middles of the stretches that span enough."""
    # skew left over by the deskewing spreads a rule over neighbouring rows
    spread = cv2.dilate(mask, np.ones((5, 1) if axis == 1 else (1, 5), np.uint8))
    spanning = np.concatenate([[False], spread.astype(bool).mean(axis=axis) > _SPANNING, [False]])
    edges = np.diff(spanning.astype(np.int8))
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    return [int(a + b) // 2 for a, b in zip(starts, ends, strict=True)]
