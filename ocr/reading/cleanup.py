"""The image that the engine reads: even paper, faded seals, no specks.

Nothing here touches the kept image. A raster is one of `ocr.reading.raster`.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.reading.components import components_of
from ocr.reading.raster import Grey, Raster

_PAPER = 245  # grey level that the paper is brought to: below 255, so that noise stays visible
_DUST_PX = 3  # sizes in pixels of a bilevel page at 200 dpi and more
_SPECK_PX = 6  # a full stop has 9 and more
_LETTER_PX = 12  # from here on a letter, or a mark that vouches for the mark above it
_MARK_REACH_PX = 4  # how far a mark may stand from its letter


def paper_of(channel: Grey) -> Grey:
    """The brightness of the paper behind the ink, as large as the channel.

    Ink is closed over at an eighth of the size, then smoothed: shadows and yellowing remain.
    """
    height, width = channel.shape
    size = (max(8, width // 8), max(8, height // 8))
    # whole blocks are averaged several times faster; the few pixels beyond them are paper, too
    blocks = channel[: height // 8 * 8, : width // 8 * 8] if min(height, width) >= 64 else channel
    small = cv2.resize(blocks, size, interpolation=cv2.INTER_AREA)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, ellipse)
    small = cv2.GaussianBlur(cv2.medianBlur(small, 11), (0, 0), 11 / 3)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def even_paper(channel: Grey) -> Grey:
    """The channel divided by its paper: uneven light, shadows and tint are gone."""
    return np.asarray(cv2.divide(channel, paper_of(channel), scale=_PAPER), np.uint8)


def without_seal(raster: Raster) -> Grey:
    """Grey text on even paper, without coloured ink.

    Each channel is evened; the brightest of the three plus the distance to the darkest is
    taken. Red seals and blue ink are bright in at least one channel and far from it in
    another: they go to white. Black text, also under a seal, is dark in all three and stays.
    """
    if raster.ndim == 2:
        return even_paper(raster)
    red, green, blue = (even_paper(np.ascontiguousarray(raster[:, :, k])) for k in range(3))
    brightest = cv2.max(cv2.max(red, green), blue)
    chroma = cv2.subtract(brightest, cv2.min(cv2.min(red, green), blue))
    return np.asarray(cv2.add(brightest, chroma), np.uint8)


def scaled(grey: Grey, factor_x: float, factor_y: float) -> Grey:
    """The image shrunk by area averaging; enlarged only when the scanner's dpi are unequal."""
    if abs(factor_x - 1) < 0.01 and abs(factor_y - 1) < 0.01:
        return grey
    height, width = grey.shape
    size = (max(1, round(width * factor_x)), max(1, round(height * factor_y)))
    shrinking = factor_x <= 1 and factor_y <= 1
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def despeckled(grey: Grey) -> Grey:
    """A bilevel page without its specks.

    Dark components under three pixels become paper, and those under six that stand away from
    any letter: near a letter they may be a mark that the scanner's threshold wore down.
    """
    _, dark = cv2.threshold(grey, 127, 1, cv2.THRESH_BINARY_INV)
    found = components_of(np.asarray(dark, np.uint8))
    out = grey.copy()
    if len(found.area) == 1:
        return out
    xs, ys = np.asarray(cv2.findNonZero(dark), np.int32).reshape(-1, 2).T
    of = found.labels[ys, xs]
    area = found.area[of]
    letters = np.zeros_like(grey)
    letters[ys[area >= _LETTER_PX], xs[area >= _LETTER_PX]] = 1
    reach = np.ones((2 * _MARK_REACH_PX + 1, 2 * _MARK_REACH_PX + 1), np.uint8)
    near = np.asarray(cv2.dilate(letters, reach), np.uint8)
    small = area < _SPECK_PX
    xs, ys, of, area = xs[small], ys[small], of[small], area[small]
    beside_letter = np.zeros(len(found.area), bool)
    beside_letter[of[near[ys, xs] > 0]] = True
    specks = (area < _DUST_PX) | ~beside_letter[of]
    out[ys[specks], xs[specks]] = 255
    return out


def rotated(grey: Grey, degrees: float) -> Grey:
    """The image turned anticlockwise about its centre by a small angle, on white."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(
        cv2.warpAffine(
            grey,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(255,),
        ),
        np.uint8,
    )
