"""What a word's ink says against its text: more evidence for `ocr.reading.doubt`.

A read text promises ink: so high (a stacked Ế stands over a capital, a capital over an x), so deep
(descenders, dots below), so many marks above and dots below, so wide, with a stop, a comma or a
colon at its end. The components that segmentation found keep the promise or break it. All of a
page is looked at in one go on the components' boxes; no pixel is read. Lengths are in x-heights
of the line, which its own words tell: on every line most words are read rightly.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ocr.page import Word
from ocr.reading.doubt_evidence import Features
from ocr.reading.doubt_places import ReadCell, working_span
from ocr.reading.placing import View
from ocr.reading.segmentation import Layout

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# heights over the baseline of the tallest letter, medians over generated pages in ten fonts
_SMALL, _HORNED, _T, _DIGIT, _TALL = 1.0, 1.15, 1.2, 1.38, 1.43
_STACKED, _CAPITAL, _CAPITAL_MARK, _CAPITAL_STACKED = 1.58, 1.37, 1.77, 1.83
_DOT_DEPTH, _DESCENDER = 0.32, 0.41
_HEIGHT_SLACK, _STACKED_SLACK, _DEPTH_SLACK, _WIDTH_SLACK = 0.14, 0.26, 0.1, 0.12

_ABOVE = frozenset("\u0300\u0301\u0302\u0303\u0306\u0309")
_HORN, _BELOW = "\u031b", "\u0323"
_ASCENDERS, _DESCENDERS, _FRAMES = frozenset("bdfhklđ"), frozenset("gjpqyQ"), frozenset("()[]/")
_RAISED = frozenset("()[]/\"'%&!?“”")
_SAME_SHAPE = frozenset("cosvwxzup")  # a capital is the small letter again, only larger
_WIDTHS = {
    **dict.fromkeys("abcdeghknopquvxyđ0123456789", 0.5),
    **dict.fromkeys("iltjf.,:;'!()/|[]-", 0.28),
    "m": 0.78, "w": 0.72, "r": 0.35, "s": 0.4, "t": 0.28, "I": 0.33, "M": 0.9, "N": 0.72,
    "U": 0.72, "H": 0.72, "T": 0.61, "J": 0.4, "%": 0.83, "L": 0.61, "S": 0.55, "P": 0.56,
    "E": 0.61, "F": 0.56,
}  # fmt: skip
_CAPITAL_WIDER = 1.35
_DASHES = frozenset("-–")
_STEP = 0.2  # features of lengths count in these


@dataclass(frozen=True, slots=True)
class Promise:
    """The ink that a text promises.

    `high` and `deep` are the reach over and under the baseline and `wide` the width, in x-heights
    (of a Roman face; a line's words are held against each other). Of marks above, `marks` gives
    the least and the greatest number of components; `dots` counts dots below.
    """

    high: float
    deep: float
    wide: float
    marks: tuple[int, int]
    dots: int
    has_letters: bool
    stacked: bool
    comma_like: bool
    end: str
    first: str


@functools.lru_cache(maxsize=8192)
def promise_of(text: str) -> Promise:
    """What ink a text (NFC) promises."""
    high = deep = wide = 0.0
    least = most = dots = 0
    for letter in text:
        base, *signs = list(unicodedata.normalize("NFD", letter))
        above = sum(sign in _ABOVE for sign in signs)
        high = max(high, _height(base, above, horned=_HORN in signs))
        wide += _width(base)
        if base in _DESCENDERS:
            deep = max(deep, _DESCENDER)
        if _BELOW in signs:
            dots, deep = dots + 1, max(deep, _DOT_DEPTH)
        least += bool(above) or base in "ij"
        most += max(above, base in "ij" or base in '"“”:')
    return Promise(
        high, deep, wide, (least, most), dots,
        has_letters=any(c.isalnum() for c in text),
        stacked=high == _STACKED,
        comma_like=any(c in ",;" or c in _FRAMES for c in text),
        end=text[-1:],
        first=unicodedata.normalize("NFD", text)[:1],
    )  # fmt: skip


def _height(base: str, above: int, *, horned: bool) -> float:
    if base.isupper():
        return (_CAPITAL, _CAPITAL_MARK, _CAPITAL_STACKED)[min(above, 2)]
    if base.isdigit():
        return _DIGIT
    if above > 1:
        return _STACKED
    if above or base in _ASCENDERS or base in _RAISED or base in "ij":
        return _DIGIT if base in "ij" and not above else _TALL
    if not base.isalnum():
        return 0.0
    return _T if base == "t" else _HORNED if horned else _SMALL


def _width(base: str) -> float:
    found = _WIDTHS.get(base)
    if found is not None:
        return found
    small = _WIDTHS.get(base.lower())
    return 0.5 if small is None else small * _CAPITAL_WIDER


@dataclass(frozen=True, slots=True)
class _Ink:
    """Components of words: `boxes` in pixels, the `word` of each, and the baseline there."""

    boxes: Numbers
    word: Counts
    base: Numbers


def ink_features(read: Sequence[ReadCell], layout: Layout, view: View) -> list[list[Features]]:
    """What the ink says of every word, line by line; only of cells that have a line."""
    lines = [c.line.words for c in read if c.line is not None]
    words = [word for of_line in lines for word in of_line]
    if not words:
        return [[] for _ in lines]
    row = np.repeat(np.arange(len(lines)), [len(of_line) for of_line in lines])
    ink = _ink_of([c for c in read if c.line is not None], layout, view)
    told = iter(_features(words, row, ink, layout.letter_px))
    return [[next(told) for _ in of_line] for of_line in lines]


def _ink_of(read: Sequence[ReadCell], layout: Layout, view: View) -> _Ink:
    boxes, word, base, first = [], [], [], 0
    for c in read:
        words = c.line.words if c.line is not None else ()
        spans = [working_span(w, view) for w in words]
        between = np.sort([(a[1] + b[0]) / 2 for a, b in pairwise(spans)])
        ink = layout.boxes[c.cell.part.parts]
        boxes.append(ink)
        word.append(first + np.searchsorted(between, (ink[:, 0] + ink[:, 2]) / 2))
        base.append(np.full(len(ink), c.cell.part.baseline))
        first += len(words)
    every = np.concatenate(boxes).astype(np.float64)
    wide, high = every[:, 2] - every[:, 0], every[:, 3] - every[:, 1]
    rules = (high < 0.35 * layout.letter_px) & (wide > 1.8 * layout.letter_px)
    return _Ink(
        every[~rules],
        np.concatenate(word).astype(np.int64)[~rules],
        np.concatenate(base).astype(np.float64)[~rules],
    )


def _features(words: Sequence[Word], row: Counts, ink: _Ink, letter_px: float) -> list[Features]:
    count = len(words)
    promised = [promise_of(w.text) for w in words]
    high, deep, wide = (
        np.array([getattr(p, name) for p in promised]) for name in ("high", "deep", "wide")
    )
    letters = np.array([p.has_letters for p in promised]) & (high > 0)
    left, top, right, bottom = ink.boxes.T
    # how high, deep and wide the ink of each word is; pixels
    over, under = np.zeros(count), np.full(count, -np.inf)
    np.maximum.at(over, ink.word, ink.base - top)
    np.maximum.at(under, ink.word, bottom - ink.base)
    start, end = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(start, ink.word, left)
    np.maximum.at(end, ink.word, right)
    inked = np.isfinite(start)
    usable = inked & letters
    x_height = _x_heights(np.where(usable, over / np.maximum(high, 1), np.nan), row, letter_px)
    small = x_height[ink.word]
    span, tall = (right - left) / small, (bottom - top) / small
    found: dict[str, Numbers] = {"no_ink": (~inked).astype(np.float64)}
    # height, depth, width
    slack = np.where([p.stacked for p in promised], _STACKED_SLACK, _HEIGHT_SLACK)
    reach = over / x_height
    found["ink_high"] = usable * _beyond(reach - high, slack)
    found["ink_low"] = usable * _beyond(high - reach, slack)
    commas = np.array([p.comma_like for p in promised])
    depth = np.where(inked, under, 0) / x_height
    plain = usable & ~commas
    found["ink_deep"] = plain * _beyond(depth - deep, _DEPTH_SLACK)
    found["ink_shallow"] = plain * _beyond(deep - depth, _DEPTH_SLACK)
    stretch = np.where(usable & (wide > 0.9), (end - start) / np.maximum(wide, 0.1), np.nan)
    ratio = np.log(stretch / _of_lines(stretch, row, 3))
    ratio = np.where(np.isfinite(ratio), ratio, 0)
    found["ink_wide"] = _beyond(ratio, _WIDTH_SLACK)
    found["ink_narrow"] = _beyond(-ratio, _WIDTH_SLACK)
    # marks above and dots below
    marks = _counted(ink.word, (bottom < ink.base - 0.9 * small) & (tall < 0.75), count)
    least, most = np.array([p.marks for p in promised]).T
    found["marks_lost"] = usable * np.clip(least - marks, 0, 2)
    found["marks_more"] = usable * np.clip(marks - most, 0, 2)
    found["marks_none"] = (usable & (marks == 0) & (most == 0)).astype(np.float64)
    dots = _counted(ink.word, (top > ink.base - 0.02 * small) & (span < 0.5), count)
    wanted = np.array([p.dots for p in promised])
    found["dots_lost"] = plain * np.clip(wanted - dots, 0, 2)
    found["dots_more"] = plain * np.clip(dots - wanted, 0, 2)
    found |= _ends(words, promised, ink, end, x_height, usable)
    found |= _firsts(promised, ink, x_height, usable)
    found |= _dashes(words, ink, x_height)
    return _rows(found, count)


def _ends(
    words: Sequence[Word],
    promised: Sequence[Promise],
    ink: _Ink,
    end: Numbers,
    x_height: Numbers,
    usable: npt.NDArray[np.bool_],
) -> dict[str, Numbers]:
    """Whether the last ink of a word is the sign that its text ends with."""
    count = len(words)
    left, top, right, bottom = ink.boxes.T
    small = x_height[ink.word]
    last = (left >= end[ink.word] - 0.45 * small) & (top > ink.base - 1.1 * small)
    low = last & (top > ink.base - 0.5 * small)
    tall, size = np.zeros(count), np.zeros(count)
    np.maximum.at(tall, ink.word[low], ((bottom - top) / small)[low])
    extent = np.minimum(bottom - top, right - left) / small
    np.maximum.at(size, ink.word[low], extent[low])
    tail = np.full(count, -1.0)
    np.maximum.at(tail, ink.word[low], ((bottom - ink.base) / small)[low])
    raised = _counted(ink.word, last & ~low & (bottom < ink.base - 0.4 * small), count)
    ends = np.array([p.end for p in promised])
    stop, comma, colon = ((ends == sign) & usable for sign in (".", ",", ":"))
    semicolon = (ends == ";") & usable
    there = tall > 0
    bare = usable & np.array([p.end.isalnum() for p in promised])
    return {
        "end_lost": ((stop | comma | colon | semicolon) & ~there).astype(np.float64),
        "end_more": (bare & (tall > 0.1) & (tail > -0.1) & (tail < 0.2)).astype(np.float64),
        "stop_small": (stop & there) * np.clip(0.22 - size, 0, 0.2) * 10,
        "stop_tall": (stop & there) * np.clip(tall - 0.27, 0, 0.3) * 10,
        "comma_short": ((comma | semicolon) & there) * np.clip(0.42 - tall, 0, 0.3) * 10,
        "colon_tail": ((colon & there) * np.clip(tail - 0.1, 0, 0.3)) * 10,
        "colon_single": ((colon | semicolon) & (raised == 0)).astype(np.float64),
        "stop_double": ((stop | comma) & (raised > 0)).astype(np.float64),
    }


def _firsts(
    promised: Sequence[Promise], ink: _Ink, x_height: Numbers, usable: npt.NDArray[np.bool_]
) -> dict[str, Numbers]:
    """Whether the first letter is as high as its case wants, where height is all that tells it."""
    letters = ink.boxes[:, 3] - ink.boxes[:, 1] > 0.6 * x_height[ink.word]
    order = np.lexsort((ink.boxes[letters, 0], ink.word[letters]))
    word = ink.word[letters][order]
    over = (ink.base - ink.boxes[:, 1])[letters][order]
    found, at = np.unique(word, return_index=True)
    height = np.full(len(promised), np.nan)
    height[found] = over[at] / x_height[found]
    small = usable & np.array([p.first in _SAME_SHAPE for p in promised])
    capital = usable & np.array([p.first.lower() in _SAME_SHAPE for p in promised]) & ~small
    return {
        "first_tall": (small & (height > 1.22) & (height < 1.6)).astype(np.float64),
        "first_low": (capital & (height < 1.2)).astype(np.float64),
    }


def _dashes(words: Sequence[Word], ink: _Ink, x_height: Numbers) -> dict[str, Numbers]:
    """A lone dash is one flat piece at the height of the letters' middle."""
    dash = np.array([w.text in _DASHES for w in words])
    small = x_height[ink.word]
    left, top, right, bottom = ink.boxes.T
    high, foot = bottom - top, (ink.base - bottom) / small
    flat = (high < 0.3 * small) & (right - left > 1.2 * high) & (foot > 0.2) & (foot < 0.8)
    alone = np.bincount(ink.word, minlength=len(words)) == 1
    flat_word = alone & (_counted(ink.word, flat, len(words)) == 1)
    return {
        "flat_dash": (dash & flat_word).astype(np.float64),
        "odd_dash": (dash & ~flat_word).astype(np.float64),
    }


def _x_heights(told: Numbers, row: Counts, letter_px: float) -> Numbers:
    """The x-height of every word's line in pixels; short lines lean on the page's."""
    own = _of_lines(told, row, 1)
    long = _of_lines(told, row, 4)
    page = float(np.median(long[np.isfinite(long)])) if np.isfinite(long).any() else 0.8 * letter_px
    few = np.isnan(_of_lines(told, row, 3))
    near = np.abs(own / page - 1) < 0.15
    return np.maximum(np.where(np.isnan(own) | (few & near), page, own), 4.0)


def _of_lines(values: Numbers, row: Counts, least: int) -> Numbers:
    """Each line's median of the values that are numbers, at each of its words; NaN for fewer
    than `least`."""
    out = np.full(len(values), np.nan)
    edges = np.searchsorted(row, np.arange(int(row[-1]) + 2))
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        here = values[a:b]
        here = np.sort(here[~np.isnan(here)])
        if len(here) >= least:
            out[a:b] = (here[(len(here) - 1) // 2] + here[len(here) // 2]) / 2
    return out


def _beyond(amount: Numbers, slack: Numbers | float) -> Numbers:
    return np.clip(amount - slack, 0, 0.6) / _STEP


def _counted(word: Counts, which: npt.NDArray[np.bool_], count: int) -> Counts:
    return np.bincount(word[which], minlength=count)


def _rows(found: dict[str, Numbers], count: int) -> list[Features]:
    out: list[Features] = [{} for _ in range(count)]
    for name, column in found.items():
        for k in np.nonzero(column)[0].tolist():
            out[k][name] = round(float(column[k]), 3)
    return out
