"""The reduced page that all measures work on: 60 ms a page, not a second.

Two sizes: `fine` (grey, about 150 dpi) for edges of letters, `small` (about 75 dpi, in colour
where there is any) for everything that is larger than a letter. Both are upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.page import QuarterTurns
from ocr.quality.findings import Place
from ocr.reading.raster import Grey, Raster, turned

MM_PER_INCH = 25.4
_FINE_DPI, _SMALL_DPI, _LIGHT_DPI = 150, 75, 18

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """Pixels of a reduced picture a millimetre, across and down."""

    x: float
    y: float

    def place(self, left: float, top: float, right: float, bottom: float) -> Place:
        """A rectangle of pixels as millimetres."""
        return Place(left / self.x, top / self.y, right / self.x, bottom / self.y)

    def area_mm2(self, pixels: float) -> float:
        """The area of a number of pixels."""
        return pixels / (self.x * self.y)


@dataclass(frozen=True)
class Picture:
    """A page made small. `page_mm` is width and height of the upright page."""

    fine: Grey
    fine_scale: Scale
    small: Raster
    small_scale: Scale
    page_mm: tuple[float, float]

    @property
    def whole(self) -> Place:
        """The page as a place."""
        return Place(0.0, 0.0, *self.page_mm)

    @cached_property
    def small_grey(self) -> Grey:
        """`small` without its colours."""
        return _grey(self.small)

    @cached_property
    def paper(self) -> Plane:
        """Colour of the paper behind the ink at about 18 dpi, (height, width, 3), 0 to 255.

        Ink is closed over; shadows, stains and whatever else is as broad as a thumb remain.
        """
        colour = self.small if self.small.ndim == 3 else cv2.merge([self.small] * 3)
        factor = _LIGHT_DPI / _SMALL_DPI
        height, width = colour.shape[:2]
        size = (max(8, round(width * factor)), max(8, round(height * factor)))
        # print is dark and thin: the brightest of a few pixels is paper, save for light specks
        closed = cv2.morphologyEx(
            cv2.medianBlur(np.ascontiguousarray(colour), 3), cv2.MORPH_CLOSE, np.ones((13, 13))
        )
        light = cv2.resize(closed, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.medianBlur(light, 5), np.float32)

    @cached_property
    def paper_scale(self) -> Scale:
        """Of `paper`."""
        height, width = self.paper.shape[:2]
        return Scale(width / self.page_mm[0], height / self.page_mm[1])

    @cached_property
    def paper_tint(self) -> Plane:
        """The page's own paper where it is lit well: red, green, blue."""
        brightness = self.paper.mean(axis=2)
        lit = brightness >= np.percentile(brightness, 60)
        return np.asarray(np.maximum(np.median(self.paper[lit], axis=0), 1.0), np.float32)

    @cached_property
    def chroma(self) -> Grey | None:
        """Of `small`: how far the brightest channel is from the darkest; None without colours."""
        if self.small.ndim == 2:
            return None
        red, green, blue = cv2.split(self.small)
        spread = cv2.subtract(
            cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
        )
        return np.asarray(spread, np.uint8)

    @cached_property
    def rest(self) -> Grey:
        """`small` in grey, divided by the paper around: 255 where there is no ink."""
        height, width = self.small_grey.shape
        grey = np.asarray(self.paper.mean(axis=2), np.uint8)
        behind = cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.divide(self.small_grey, behind, scale=255), np.uint8)


def reduced(raster: Raster, dpi: tuple[float, float], turns: QuarterTurns) -> Picture:
    """A page made small and turned upright.

    `raster` and `dpi` (horizontal, vertical) are the kept image's, `turns` clockwise.
    """
    height, width = raster.shape[:2]
    fine = _shrunk(raster, [max(1, int(d / (0.85 * _FINE_DPI))) for d in dpi])
    rate = [dpi[0] * fine.shape[1] / width, dpi[1] * fine.shape[0] / height]
    small = _shrunk(fine, [max(1, round(r / _SMALL_DPI)) for r in rate])
    page_mm = (width / dpi[0] * MM_PER_INCH, height / dpi[1] * MM_PER_INCH)
    if turns % 2:
        page_mm = (page_mm[1], page_mm[0])
    fine, small = turned(_grey(fine), turns), turned(small, turns)
    return Picture(fine, _scale(fine, page_mm), small, _scale(small, page_mm), page_mm)


def _shrunk(raster: Raster, factors: list[int]) -> Raster:
    """By whole factors across and down: averaging whole blocks is the fast way."""
    across, down = factors
    if across == down == 1:
        return raster
    height, width = raster.shape[:2]
    size = (max(1, width // across), max(1, height // down))
    whole = raster[: size[1] * down, : size[0] * across]
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grey(raster: Raster) -> Grey:
    if raster.ndim == 2:
        return raster
    return np.asarray(cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY), np.uint8)


def _scale(raster: Raster, page_mm: tuple[float, float]) -> Scale:
    return Scale(raster.shape[1] / page_mm[0], raster.shape[0] / page_mm[1])
