"""A cut line as the engine's network takes it in.

Tesseract's ordinary line mode looks for the line in the image once more, cuts it out, packs it
as PNG, and scales it to its network's height, sharpened. Where the line is we know better, so it
is brought to that height here and read in raw mode, which skips all of that: a third of the
engine's time. Raw mode tells neither how high a word is nor exactly where it begins; both are
read off the ink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocr.page import Box
from ocr.reading.raster import Grey
from ocr.reading.recognise import Reading
from ocr.reading.segmentation import PAD_PX, Layout, Segment

HEIGHT_PX = 36
"""The input height of Tesseract's network. At another one it scales once more, no worse."""

_ABOVE, _BELOW = 1.5, 0.5  # x-heights about the baseline that a line has at least
_AROUND_PX = 4  # beyond the ink: above and below, a little paper
_PAPER_SHARE = 0.85  # of a line's pixels are darker than its paper: strokes, rims and noise
_NARROWER = 0.95  # the network reads slightly narrow print as well, in so much less time
_COARSE = 0.7  # shrinking by more than this takes averages


@dataclass(frozen=True, slots=True)
class Frame:
    """A line's image for raw mode: `scale` of its pixels across are one of the cut image.

    `left` is where it begins in the cut image, in pixels of that.
    """

    pixels: Grey
    left: int
    scale: float


def framed(cut_image: Grey, cut_top: int, part: Segment, letter_px: float) -> Frame:
    """The segment out of its cut image (`segmentation.cut`, `cut_top` as given there)."""
    inner = cut_image[PAD_PX:-PAD_PX, PAD_PX:-PAD_PX]
    first = cut_top + PAD_PX
    paper = _paper(inner)
    # what was erased stands out from grey paper as dots and quotes
    inner = np.where(inner == 255, np.uint8(paper), inner)
    top = round(min(part.top, part.baseline - _ABOVE * letter_px)) - _AROUND_PX
    bottom = round(max(part.bottom, part.baseline + _BELOW * letter_px)) + _AROUND_PX
    above, below = max(0, first - top), max(0, bottom - first - len(inner))
    high = cv2.copyMakeBorder(inner, above, below, 0, 0, cv2.BORDER_CONSTANT, value=(paper,))
    start = top - (first - above)
    high = high[start : start + bottom - top]
    scale = HEIGHT_PX / len(high)
    return Frame(_shrunk(np.asarray(high, np.uint8), scale), PAD_PX, scale * _NARROWER)


def _paper(image: Grey) -> int:
    """The grey of the line's paper."""
    if not image.size:
        return 255
    counts = np.cumsum(np.bincount(image.ravel(), minlength=256))
    return int(np.searchsorted(counts, _PAPER_SHARE * counts[-1]))


def _shrunk(image: Grey, scale: float) -> Grey:
    """Scaled and sharpened the way Tesseract's own scaling does (Leptonica's)."""
    size = (max(8, round(image.shape[1] * scale * _NARROWER)), HEIGHT_PX)
    fine = scale >= _COARSE
    small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if fine else cv2.INTER_AREA)
    reach, share = (5, 0.4) if fine else (3, 0.2)
    blurred = cv2.blur(small, (reach, reach))
    return np.asarray(cv2.addWeighted(small, 1 + share, blurred, -share, 0), np.uint8)


def in_cut(
    reading: Reading, frame: Frame, layout: Layout, part: Segment, corner: tuple[int, int]
) -> Reading:
    """The reading of a frame with its boxes in the cut image, whose page corner is `corner`.

    A word's box holds the ink whose middle lies in the word; without ink it is as high as the line.
    """
    if not reading.words:
        return reading
    left, top = corner
    begins = [left + frame.left + w.box.left / frame.scale for w in reading.words]
    ends = [left + frame.left + w.box.right / frame.scale for w in reading.words]
    between = [(a + b) / 2 for a, b in zip(ends[:-1], begins[1:], strict=True)]
    boxes = layout.boxes[part.parts]
    word_of = np.searchsorted(between, (boxes[:, 0] + boxes[:, 2]) / 2)
    words = []
    for k, word in enumerate(reading.words):
        ink = boxes[word_of == k]
        box = _around(ink) if len(ink) else Box(begins[k], part.top, ends[k], part.bottom)
        # an underline that runs through several words is none of them
        reach = layout.letter_px
        low = between[k - 1] - reach if k else box.left
        high = between[k] + reach if k < len(between) else box.right
        box = Box(
            max(box.left, low) - left, box.top - top, min(box.right, high) - left, box.bottom - top
        )
        words.append(replace(word, box=box))
    return Reading(tuple(words))


def _around(boxes: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> Box:
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return Box(left, top, right, bottom)
