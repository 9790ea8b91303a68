"""Patch codes: six patterns of four bars that separate documents in a feeder.

Two bars are wide (0.20 inch) and two narrow (0.08), with narrow spaces between: 0.80 inch in all
(Kodak A-61599, "Patch Code Information for Kodak Scanners"). The bars lie across the page, or
along it when the sheet was fed sideways.

A pattern is read from the top (from the left where the bars are upright). Upside down, 1 is 6 and
T is 3; 2 and 4 are the same both ways, and no reader of the image alone can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ocr.page import Box
from ocr.reading.cleanup import even_paper
from ocr.reading.raster import Grey
from ocr.separators.patch_codes import PatchCode

_DPI = 75.0  # a narrow bar has six pixels
_TOTAL_INCH = 0.80
_TOLERANCE = 0.15  # of the whole; scanners and printers stretch less
_WIDE = 0.175  # share of the whole, between narrow (0.1) and wide (0.25)
_BAR = (0.05, 0.33)  # shares that a bar may have
_SPACE = (0.05, 0.16)
_QUIET_INCH = 0.2  # white before and behind; the standard asks for 0.25
_LEAST_INCH = 1.2  # of the bars' length that has to show; the standard asks for 2.5
_LEAST_SHARE = 0.6  # of the lines between the first and the last that have to show the pattern
_DRIFT_PX = 3.0  # between neighbouring lines: five degrees of skew and a gap
_GAP_PX = 24  # lines without the pattern, under a stain


PATTERNS: dict[tuple[bool, bool, bool, bool], PatchCode] = {
    (True, True, False, False): PatchCode.PATCH_1,
    (True, False, False, True): PatchCode.PATCH_2,
    (True, False, True, False): PatchCode.PATCH_3,
    (False, True, True, False): PatchCode.PATCH_4,
    (False, False, True, True): PatchCode.PATCH_6,
    (False, True, False, True): PatchCode.PATCH_T,
}
"""Which bars are wide, from the first to the last."""


@dataclass(frozen=True, slots=True)
class FoundPatch:
    """A patch code and where it is, in pixels of the image."""

    code: PatchCode
    box: Box


@dataclass(slots=True)
class _Run:
    """Neighbouring lines of pixels that show one pattern."""

    code: PatchCode
    first: int
    last: int
    start: float
    end: float
    centre: float
    count: int = 1


def find_patches(grey: Grey, dpi: float) -> tuple[FoundPatch, ...]:
    """The patch codes of a page, grey, of which the resolution is known to a tenth or so."""
    factor = _DPI / dpi
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if min(small.shape) < _TOTAL_INCH * _DPI:
        return ()
    even = even_paper(np.asarray(small, np.uint8))
    level, ink = cv2.threshold(even, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if level > 225:  # nothing dark on it: the threshold cuts through the noise of the paper
        return ()
    dark = np.asarray(ink, np.uint8)
    lying = [_found(run, factor, upright=False) for run in _runs(dark)]
    standing = [_found(run, factor, upright=True) for run in _runs(np.ascontiguousarray(dark.T))]
    return (*lying, *standing)


def _found(run: _Run, factor: float, *, upright: bool) -> FoundPatch:
    across = (run.first / factor, (run.last + 1) / factor)
    along = (run.start / factor, run.end / factor)
    (left, right), (top, bottom) = (along, across) if upright else (across, along)
    return FoundPatch(run.code, Box(left, top, right, bottom))


def _runs(ink: Grey) -> list[_Run]:
    """Patterns down the columns of `ink` (1 is dark) that enough neighbours agree on."""
    open_runs: list[_Run] = []
    done: list[_Run] = []
    for column in range(ink.shape[1]):
        for code, start, end in _patterns(ink[:, column]):
            centre = (start + end) / 2
            for run in open_runs:
                near = abs(run.centre - centre) <= _DRIFT_PX
                if run.code is code and run.last < column and near:
                    run.last, run.centre, run.count = column, centre, run.count + 1
                    run.start, run.end = min(run.start, start), max(run.end, end)
                    break
            else:
                open_runs.append(_Run(code, column, column, start, end, centre))
        done += [run for run in open_runs if column - run.last > _GAP_PX]
        open_runs = [run for run in open_runs if column - run.last <= _GAP_PX]
    return [run for run in (*done, *open_runs) if _is_bar(run)]


def _is_bar(run: _Run) -> bool:
    length = run.last - run.first + 1
    return length >= _LEAST_INCH * _DPI and run.count >= _LEAST_SHARE * length


def _patterns(line: Grey) -> Iterator[tuple[PatchCode, int, int]]:
    """Every pattern on one line of pixels, with its first pixel and the one behind its last."""
    edges = np.flatnonzero(np.diff(line.astype(np.int8))) + 1
    if line[0]:
        edges = np.concatenate(([0], edges))
    if line[-1]:
        edges = np.concatenate((edges, [len(line)]))
    starts, ends = edges[0::2], edges[1::2]
    if len(starts) < 4:
        return
    whole = ends[3:] - starts[:-3]
    target = _TOTAL_INCH * _DPI
    for at in np.flatnonzero(np.abs(whole - target) <= _TOLERANCE * target):
        total = float(whole[at])
        bars = (ends[at : at + 4] - starts[at : at + 4]) / total
        spaces = (starts[at + 1 : at + 4] - ends[at : at + 3]) / total
        before = starts[at] - (ends[at - 1] if at else -len(line))
        behind = (starts[at + 4] if at + 4 < len(starts) else 2 * len(line)) - ends[at + 3]
        if (
            min(before, behind) < _QUIET_INCH * _DPI
            or not (_BAR[0] <= bars.min() and bars.max() <= _BAR[1])
            or not (_SPACE[0] <= spaces.min() and spaces.max() <= _SPACE[1])
        ):
            continue
        one, two, three, four = (bool(bar > _WIDE) for bar in bars)
        code = PATTERNS.get((one, two, three, four))
        if code is not None:
            yield code, int(starts[at]), int(ends[at + 3])
