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

from ocr.reading.components import Components, Ints, components_of
from ocr.reading.raster import Grey, Mask
from ocr.reading.reading_order import Place, rows_of
from ocr.reading.rules import Rules, find_rules


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text on one line: a whole line, a column's part of it, or a table cell's.

    `parts` are component labels; `left, top, right, bottom` bound them in pixels; `middle` is
    the y of the letters' middle, `baseline` of their feet; `letters` counts them; `number`
    (from 1) names the segment in `Layout.owner`.
    """

    parts: Ints
    left: int
    top: int
    right: int
    bottom: int
    middle: float
    baseline: float
    letters: int
    number: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Segments by row in reading order (`ocr.reading.reading_order`).

    `labels` gives each pixel its component.

    `owner` maps a component label to the number of its segment, 0 for none, and `boxes` to its
    left, top, right and bottom (one row a label). `letter_px` is the page's x-height in pixels.
    """

    rows: tuple[tuple[Segment, ...], ...]
    labels: Ints
    owner: Ints
    letter_px: float
    boxes: Ints


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


def segment(grey: Grey, dpi: float) -> Layout:
    """Find the lines of a page; no rows where it holds no letters."""
    _, inverted = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    ink = np.asarray(inverted, np.uint8)
    rules = find_rules(ink, dpi)
    everywhere = cv2.dilate(cv2.bitwise_or(rules.across, rules.down), np.ones((3, 3), np.uint8))
    found = components_of(np.asarray(cv2.subtract(ink, everywhere), np.uint8))
    letter_px = _letter_height(found, dpi)
    if letter_px is None:
        empty = np.zeros(len(found.x), np.int32)
        return Layout((), found.labels, empty, dpi * 0.09, found.boxes)
    core = _core(found, letter_px, dpi)
    chains = _chain(found, core, letter_px, rules.down, ink.shape)
    chains = _join(chains, letter_px, rules.down)
    core |= _take_small_letters(found, core, chains, letter_px)
    chains = _join(chains, letter_px, rules.down)
    _give_marks(found, core, chains, letter_px)
    return _layout(found, core, chains, letter_px, rules, dpi)


def _letter_height(found: Components, dpi: float) -> float | None:
    """The x-height of the page in pixels (median of letter-like heights); None: no letters."""
    h, w = found.h, found.w
    plausible = (h >= dpi * 0.025) & (h < dpi * 0.22) & (w < dpi * 0.6) & (found.area > 6)
    plausible[0] = False
    if not plausible.any():
        return None
    heights = h[plausible & (h > dpi * 0.045)]
    middle = float(np.median(heights)) if len(heights) > 10 else dpi * 0.09
    return min(max(middle, dpi * 0.05), dpi * 0.14)


def _core(found: Components, letter_px: float, dpi: float) -> Mask:
    """Components that are letters or pieces of words, by size."""
    h, w = found.h, found.w
    core = (h >= dpi * 0.025) & (h < dpi * 0.22) & (w < dpi * 0.6) & (found.area > 6)
    core &= (h > 0.62 * letter_px) & (h < 3.2 * letter_px) & (w < 12 * letter_px)
    core[0] = False
    return core


def _chain(
    found: Components, core: Mask, letter_px: float, upright_rules: Grey, shape: tuple[int, ...]
) -> list[_Chain]:
    """Letters whose middle bands touch after closing word gaps become one chain."""
    x, w, middle = found.x, found.w, found.middle
    letters = np.nonzero(core)[0]
    rows = middle[letters].astype(np.int64)
    band = np.zeros(shape, np.uint8)
    reach = max(1, int(0.30 * letter_px))
    ends = x + w
    for i, c in zip(letters.tolist(), rows.tolist(), strict=True):
        band[max(0, c - reach) : c + reach + 1, x[i] : ends[i]] = 255
    gap = int(1.9 * letter_px) | 1
    closed = cv2.morphologyEx(band, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    walls = cv2.dilate(upright_rules, np.ones((1, 3), np.uint8))
    _, runs = cv2.connectedComponents(cv2.subtract(closed, walls), connectivity=8)
    run = runs[rows, np.minimum(shape[1] - 1, x[letters] + w[letters] // 2)]
    run = np.where(run > 0, run, runs[rows, x[letters]])
    letters, run = letters[run > 0], run[run > 0]
    members: dict[int, list[int]] = {}
    for letter, of in zip(letters.tolist(), run.tolist(), strict=True):
        members.setdefault(of, []).append(letter)
    return [
        _Chain(
            parts,
            int(x[parts].min()),
            int(ends[parts].max()),
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


def _take_small_letters(
    found: Components, core: Mask, chains: list[_Chain], letter_px: float
) -> Mask:
    """Give chains in smaller print the letters that are too small by the page's measure.

    Returns the components taken, as a mask.
    """
    taken = np.zeros_like(core)
    for chain in chains:
        own_px = float(np.median(found.h[chain.parts]))
        if own_px >= 0.85 * letter_px or chain.letters < 3:
            continue
        reach = 2.2 * own_px
        near = (found.x < chain.right + reach) & (found.x + found.w > chain.left - reach)
        level = np.abs(found.middle - chain.middle) < 0.45 * own_px
        fits = (found.h > 0.62 * own_px) & (found.h < 3.2 * own_px) & (found.w < 12 * own_px)
        more = np.nonzero(near & level & fits & ~core & ~taken)[0]
        more = more[more != 0]
        if len(more):
            taken[more] = True
            chain.parts += more.tolist()
            chain.letters += len(more)
            chain.left = min(chain.left, int(found.x[more].min()))
            chain.right = max(chain.right, int((found.x + found.w)[more].max()))
    return taken


def _wall(chain: _Chain, other: _Chain, upright_rules: Grey) -> bool:
    """True when a vertical rule stands between two neighbours."""
    top, bottom = sorted((int(chain.middle), int(other.middle)))
    between = upright_rules[top : bottom + 2, max(0, chain.right - 1) : other.left + 2]
    return bool(between.any())


def _give_marks(found: Components, core: Mask, chains: list[_Chain], letter_px: float) -> None:
    """Give every small component to the segment it belongs to.

    The acute of a stacked ế lies nearer the line above than a plain measure allows for, so
    the reach upwards from a line's middle is 1.85 x-heights and downwards 1.08.
    """
    if not chains:
        return
    small = ~core & (found.area >= 3) & (found.h < 0.9 * letter_px) & (found.w < 3 * letter_px)
    small[0] = False
    marks = np.nonzero(small)[0].tolist()
    left = np.array([c.left for c in chains])
    right = np.array([c.right for c in chains])
    level = np.array([c.middle for c in chains])
    # capitals and digits raise the middle: below, the baseline is the surer measure
    foot = np.array([float(np.median((found.y + found.h)[c.parts])) for c in chains])
    foot = np.maximum(level, foot - 0.5 * letter_px)
    above = _letter_above(found, core, chains, marks, letter_px)
    for i in marks:
        if i in above:
            chains[above[i]].parts.append(i)
            continue
        cx, cy = found.x[i] + found.w[i] / 2, found.y[i] + found.h[i] / 2
        aside = np.maximum(0, np.maximum(left - cx, cx - right)) / letter_px
        away = (
            np.where(cy < level, (level - cy) / 1.85, np.maximum(0, cy - foot) / 1.08) / letter_px
        )
        cost = np.where((aside < 1.6) & (away < 1.0), away + 0.3 * aside, np.inf)
        best = int(np.argmin(cost))
        if np.isfinite(cost[best]):
            chains[best].parts.append(i)


def _letter_above(
    found: Components, core: Mask, chains: list[_Chain], marks: list[int], letter_px: float
) -> dict[int, int]:
    """Dots that stand closely under a letter, and the index of that letter's chain.

    In tight capitals the dot of Ợ is as near to the next line's middle as to its own, but
    nothing is nearer to it than its letter.
    """
    chain_of = np.full(len(found.x), -1, np.int32)
    for k, chain in enumerate(chains):
        chain_of[chain.parts] = k
    letters = np.nonzero(core & (chain_of >= 0))[0]
    solid = np.concatenate([letters, np.array(marks, np.intp)])
    bottom, right = found.y + found.h, found.x + found.w
    out: dict[int, int] = {}
    for i in marks:
        if found.h[i] > 0.4 * letter_px or found.w[i] > 0.45 * letter_px:
            continue
        middle = found.x[i] + found.w[i] / 2
        over = letters[(found.x[letters] <= middle) & (middle <= right[letters])]
        up = found.y[i] - bottom[over]
        close = (up >= -1) & (up < 0.45 * letter_px)
        if not close.any():
            continue
        nearest = over[close][np.argmin(up[close])]
        under = solid[(found.x[solid] <= middle + 1) & (middle - 1 <= right[solid]) & (solid != i)]
        down = found.y[under] - bottom[i]
        down = down[down >= -1]
        if not len(down) or up[close].min() < down.min():
            out[i] = int(chain_of[nearest])
    return out


def _layout(
    found: Components,
    core: Mask,
    chains: list[_Chain],
    letter_px: float,
    rules: Rules,
    dpi: float,
) -> Layout:
    """Segments in reading order, with owners."""
    x, y = found.x, found.y
    right, bottom = found.x + found.w, found.y + found.h
    kept = [c for c in chains if c.letters > 1 or found.h[c.parts[0]] >= 0.75 * letter_px]
    places = [Place(int(x[c.parts].min()), int(right[c.parts].max()), c.middle) for c in kept]
    owner = np.zeros(len(x), np.int32)
    number = 0
    out = []
    for row in rows_of(places, letter_px, rules, dpi):
        segments = []
        for chain in (kept[i] for i in row):
            number += 1
            parts = np.array(chain.parts, np.int32)
            owner[parts] = number
            segments.append(
                Segment(
                    parts,
                    int(x[parts].min()),
                    int(y[parts].min()),
                    int(right[parts].max()),
                    int(bottom[parts].max()),
                    chain.middle,
                    float(np.median(bottom[parts[core[parts]]])),
                    chain.letters,
                    number,
                )
            )
        out.append(tuple(segments))
    return Layout(tuple(out), found.labels, owner, letter_px, found.boxes)


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
