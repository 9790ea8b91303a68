"""Finding and reading QR codes on a page or a photograph.

`find_codes` has patience, for a small code in a poor photograph: the first try reads most; the
others (enlarged, sharpened, evened) are for grey scans at 150 dpi and for blur, and end when time
does. `find_page_codes` is for every page of a stack, most of which bear none: a cover sheet's code
is large, so a few tries tell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp

from ocr.reading.cleanup import even_paper
from ocr.reading.raster import Grey

MOST_SECONDS = 12.0
_MOST_PIXELS = 40_000_000  # of an enlarged image
_MOST_CODES = 8
_CALM_DPI = 150.0

Point = tuple[float, float]

_SMALLEST = 21  # pixels: the modules of the smallest QR code (ISO/IEC 18004, 5.2)


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A QR code: its text, its bytes, and the corners of the symbol in pixels of the image.

    `data` is what stands in the symbol, octet by octet, whatever it means as text. Corners go
    around from the one that is the upper left of the upright symbol.
    """

    text: str
    data: bytes
    corners: tuple[Point, Point, Point, Point]


def find_codes(grey: Grey, seconds: float = MOST_SECONDS) -> tuple[FoundCode, ...]:
    """All codes that the first successful try shows; none when no try reads one in time."""
    if min(grey.shape) < _SMALLEST:
        return ()
    until = time.monotonic() + seconds
    for image, factor in _tries(grey):
        for binarizer in (zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram):
            found = _read(image, factor, binarizer)
            if found:
                return found
            if time.monotonic() > until:
                return ()
    return ()


def find_page_codes(grey: Grey, dpi: float) -> tuple[FoundCode, ...]:
    """The codes of a scanned page, each once: at 150 dpi, which evens noise out, and as it is.

    The paper is evened, and the other threshold tried, only where these show none.
    """
    if min(grey.shape) < _SMALLEST:
        return ()
    local, histogram = zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram
    small, factor = grey, 1.0
    if dpi > _CALM_DPI * 1.2:
        factor = _CALM_DPI / dpi
        shrunk = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        small = np.asarray(shrunk, np.uint8)
    found = _read(small, factor, local)
    if factor != 1.0:
        known = {code.data for code in found}
        found += tuple(c for c in _read(grey, 1.0, local) if c.data not in known)
    return found or _read(even_paper(small), factor, local) or _read(small, factor, histogram)


def _tries(grey: Grey) -> Iterator[tuple[Grey, float]]:
    yield grey, 1.0
    for factor in (2.0, 3.0, 4.0):
        if grey.size * factor * factor <= _MOST_PIXELS:
            large = _enlarged(grey, factor)
            yield large, factor
            yield _sharpened(large, 1.5 * factor), factor
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    yield np.asarray(half, np.uint8), 0.5
    yield even_paper(grey), 1.0


def _enlarged(grey: Grey, factor: float) -> Grey:
    large = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def _sharpened(grey: Grey, sigma: float) -> Grey:
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma / 2)
    return np.asarray(cv2.addWeighted(grey, 2.5, smooth, -1.5, 0), np.uint8)


def _read(image: Grey, factor: float, binarizer: zxingcpp.Binarizer) -> tuple[FoundCode, ...]:
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(image),
        formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode]),
        binarizer=binarizer,
    )
    codes = []
    for code in found[:_MOST_CODES]:
        place = code.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        points = [(corner.x / factor, corner.y / factor) for corner in corners]
        codes.append(
            FoundCode(code.text, bytes(code.bytes), (points[0], points[1], points[2], points[3]))
        )
    return tuple(codes)
