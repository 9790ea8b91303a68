"""Cutting a page into lines, aware of stacked Vietnamese marks.

Most errors of page-mode recognition on clean pages come from the engine's own line finding,
so lines are found here and each is read alone. The page is grey, upright, without skew, with
even paper. Letters (cores) are chained into segments; marks, dots and commas then join the
segment they belong to. All lengths below are in x-heights unless named in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.raster import Grey, Mask
from ocr.rules import find_rules

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text on one line: a whole line, a column's part of it, or a table cell's.

    `parts` are component labels; `left, top, right, bottom` bound them in pixels; `middle` is
    the y of the letters' middle; `letters` counts them; `number` (from 1) names the segment in
    `Layout.owner`.
    """

    parts: Ints
    left: int
    top: int
    right: int
    bottom: int
    middle: float
    letters: int
    number: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Segments by visual row, left to right; `labels` gives each pixel its component.

    `owner` maps a component label to the number of its segment, 0 for none. `letter_px` is
    the page's x-height in pixels.
    """

    rows: tuple[tuple[Segment, ...], ...]
    labels: Ints
    owner: Ints
    letter_px: float


@dataclass(slots=True)
class _Chain:
    """A segment while it grows."""

    parts: list[int]
    left: int
    right: int
    middle: float
    letters: int

    def absorb(self, other: _Chain) -> None:
        total = self.letters + other.letters
        self.middle = (self.middle * self.letters + other.middle * other.letters) / total
        self.letters = total
        self.parts += other.parts
        self.left = min(self.left, other.left)
        self.right = max(self.right, other.right)


@dataclass(frozen=True, slots=True)
class _Components:
    """Connected components of the ink without rules, one array element a label."""

    labels: Ints
    x: Ints
    y: Ints
    w: Ints
    h: Ints
    area: Ints

    @property
    def middle(self) -> Floats:
        return np.asarray(self.y + self.h / 2.0, np.float64)


def segment(grey: Grey, dpi: float) -> Layout:
    """Find the lines of a page; no rows where it holds no letters."""
    _, inverted = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    ink = np.asarray(inverted, np.uint8)
    rules = find_rules(ink, dpi)
    everywhere = cv2.dilate(cv2.bitwise_or(rules.across, rules.down), np.ones((3, 3), np.uint8))
    found = _components(np.asarray(cv2.subtract(ink, everywhere), np.uint8))
    letter_px = _letter_height(found, dpi)
    if letter_px is None:
        empty = np.zeros(len(found.x), np.int32)
        return Layout((), found.labels, empty, dpi * 0.09)
    core = _core(found, letter_px, dpi)
    chains = _chain(found, core, letter_px, rules.down, ink.shape)
    chains = _join(chains, letter_px, rules.down)
    _give_marks(found, core, chains, letter_px)
    return _layout(found, chains, letter_px)


def _components(text: Grey) -> _Components:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(text, connectivity=8)
    x, y, w, h, area = (np.asarray(stats[:, k], np.int32) for k in range(5))
    return _Components(np.asarray(labels, np.int32), x, y, w, h, area)


def _letter_height(found: _Components, dpi: float) -> float | None:
    """The x-height of the page in pixels (median of letter-like heights); None: no letters."""
    h, w = found.h, found.w
    plausible = (h >= dpi * 0.025) & (h < dpi * 0.22) & (w < dpi * 0.6) & (found.area > 6)
    plausible[0] = False
    if not plausible.any():
        return None
    heights = h[plausible & (h > dpi * 0.045)]
    middle = float(np.median(heights)) if len(heights) > 10 else dpi * 0.09
    return min(max(middle, dpi * 0.05), dpi * 0.14)


def _core(found: _Components, letter_px: float, dpi: float) -> Mask:
    """Components that are letters or pieces of words, by size."""
    h, w = found.h, found.w
    core = (h >= dpi * 0.025) & (h < dpi * 0.22) & (w < dpi * 0.6) & (found.area > 6)
    core &= (h > 0.62 * letter_px) & (h < 3.2 * letter_px) & (w < 12 * letter_px)
    core[0] = False
    return core


def _chain(
    found: _Components, core: Mask, letter_px: float, upright_rules: Grey, shape: tuple[int, ...]
) -> list[_Chain]:
    """Letters whose middle bands touch after closing word gaps become one chain."""
    x, w, middle = found.x, found.w, found.middle
    band = np.zeros(shape, np.uint8)
    reach = max(1, int(0.30 * letter_px))
    for i in np.nonzero(core)[0]:
        c = int(middle[i])
        band[max(0, c - reach) : c + reach + 1, x[i] : x[i] + w[i]] = 255
    gap = int(1.9 * letter_px) | 1
    closed = cv2.morphologyEx(band, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    walls = cv2.dilate(upright_rules, np.ones((1, 3), np.uint8))
    closed = cv2.bitwise_and(closed, cv2.bitwise_not(walls))
    _, runs = cv2.connectedComponents(closed, connectivity=8)
    members: dict[int, list[int]] = {}
    for i in np.nonzero(core)[0]:
        row = int(middle[i])
        run = runs[row, min(shape[1] - 1, x[i] + w[i] // 2)] or runs[row, x[i]]
        if run:
            members.setdefault(int(run), []).append(int(i))
    return [
        _Chain(
            parts,
            int(x[parts].min()),
            int((x + w)[parts].max()),
            float(np.median(middle[parts])),
            len(parts),
        )
        for parts in members.values()
    ]


def _join(chains: list[_Chain], letter_px: float, upright_rules: Grey) -> list[_Chain]:
    """Chains of one line with a small gap and no rule between them become one."""
    waiting = sorted(chains, key=lambda c: c.left)
    out: list[_Chain] = []
    while waiting:
        chain = waiting.pop(0)
        k = 0
        while k < len(waiting):
            other = waiting[k]
            gap = other.left - chain.right
            if gap >= 2.2 * letter_px:
                break  # sorted by left edge: all others are farther still
            level = abs(chain.middle - other.middle) < 0.55 * letter_px
            if level and gap > -0.5 * letter_px and not _wall(chain, other, upright_rules):
                chain.absorb(waiting.pop(k))
                k = 0
            else:
                k += 1
        out.append(chain)
    return out


def _wall(chain: _Chain, other: _Chain, upright_rules: Grey) -> bool:
    """True when a vertical rule stands between two neighbours."""
    top, bottom = sorted((int(chain.middle), int(other.middle)))
    between = upright_rules[top : bottom + 2, max(0, chain.right - 1) : other.left + 2]
    return bool(between.any())


def _give_marks(found: _Components, core: Mask, chains: list[_Chain], letter_px: float) -> None:
    """Give every small component to the segment it belongs to.

    The acute of a stacked ế lies nearer the line above than a plain measure allows for, so
    the reach upwards from a line's middle is 1.85 x-heights and downwards 1.08.
    """
    if not chains:
        return
    small = ~core & (found.area >= 3) & (found.h < 0.9 * letter_px) & (found.w < 3 * letter_px)
    small[0] = False
    marks = np.nonzero(small)[0]
    left = np.array([c.left for c in chains])
    right = np.array([c.right for c in chains])
    level = np.array([c.middle for c in chains])
    # capitals and digits raise the middle: below, the baseline is the surer measure
    foot = np.array([float(np.median((found.y + found.h)[c.parts])) for c in chains])
    foot = np.maximum(level, foot - 0.5 * letter_px)
    for i in marks:
        cx, cy = found.x[i] + found.w[i] / 2, found.y[i] + found.h[i] / 2
        aside = np.maximum(0, np.maximum(left - cx, cx - right)) / letter_px
        away = (
            np.where(cy < level, (level - cy) / 1.85, np.maximum(0, cy - foot) / 1.08) / letter_px
        )
        cost = np.where((aside < 1.6) & (away < 1.0), away + 0.3 * aside, np.inf)
        best = int(np.argmin(cost))
        if np.isfinite(cost[best]):
            chains[best].parts.append(int(i))


def _layout(found: _Components, chains: list[_Chain], letter_px: float) -> Layout:
    """Segments in rows from top to bottom, with owners."""
    x, y, w, h = found.x, found.y, found.w, found.h
    kept = [c for c in chains if c.letters > 1 or h[c.parts[0]] >= 0.75 * letter_px]
    kept.sort(key=lambda c: c.middle)
    rows: list[list[_Chain]] = []
    for chain in kept:
        if rows and abs(rows[-1][0].middle - chain.middle) < 0.8 * letter_px:
            rows[-1].append(chain)
        else:
            rows.append([chain])
    owner = np.zeros(len(x), np.int32)
    number = 0
    out = []
    for row in rows:
        segments = []
        for chain in sorted(row, key=lambda c: int(x[c.parts].min())):
            number += 1
            parts = np.array(chain.parts, np.int32)
            owner[parts] = number
            segments.append(
                Segment(
                    parts,
                    int(x[parts].min()),
                    int(y[parts].min()),
                    int((x + w)[parts].max()),
                    int((y + h)[parts].max()),
                    chain.middle,
                    chain.letters,
                    number,
                )
            )
        out.append(tuple(segments))
    return Layout(tuple(out), found.labels, owner, letter_px)


PAD_PX = 8
"""White around a cut line: the engine misreads letters at the very edge."""


def cut(grey: Grey, layout: Layout, part: Segment) -> tuple[Grey, int, int]:
    """One segment's image, and the page position of its top left pixel (x, y).

    Every grey pixel of the box stays (faint edges carry the marks); only what belongs to
    another segment is erased.
    """
    above = round(0.28 * layout.letter_px)
    left, top = max(0, part.left - 3), max(0, part.top - above)
    right = min(grey.shape[1], part.right + 3)
    bottom = min(grey.shape[0], part.bottom + above)
    image = grey[top:bottom, left:right].copy()
    owners = layout.owner[layout.labels[top:bottom, left:right]]
    mine = owners == part.number
    others = ((owners != 0) & ~mine).astype(np.uint8)
    if others.any():
        image[(cv2.dilate(others, np.ones((3, 3), np.uint8)) > 0) & ~mine] = 255
    padded = cv2.copyMakeBorder(
        image, PAD_PX, PAD_PX, PAD_PX, PAD_PX, cv2.BORDER_CONSTANT, value=(255,)
    )
    return np.asarray(padded, np.uint8), left - PAD_PX, top - PAD_PX
