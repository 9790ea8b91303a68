"""The image that the engine reads: even paper, faded seals, no specks.

Nothing here touches the kept image. A raster is one of `ocr.raster`.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.raster import Grey, Raster

_PAPER = 245  # grey level that the paper is brought to: below 255, so that noise stays visible
_SPECK_PX = 6  # at the working resolution; a full stop at 200 dpi has 9 px and more


def paper_of(channel: Grey) -> Grey:
    """The brightness of the paper behind the ink, as large as the channel.

    Ink is closed over at an eighth of the size, then smoothed: shadows and yellowing remain.
    """
    height, width = channel.shape
    small = cv2.resize(
        channel, (max(8, width // 8), max(8, height // 8)), interpolation=cv2.INTER_AREA
    )
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, ellipse)
    small = cv2.GaussianBlur(cv2.medianBlur(small, 11), (0, 0), 11 / 3)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def even_paper(channel: Grey) -> Grey:
    """The channel divided by its paper: uneven light, shadows and tint are gone."""
    return np.asarray(cv2.divide(channel, paper_of(channel), scale=_PAPER), np.uint8)


def without_seal(raster: Raster) -> Grey:
    """Grey text on even paper: each channel evened, then the brightest of the three.

    Red seals and blue ink are bright in at least one channel and fade; black stays black.
    """
    if raster.ndim == 2:
        return even_paper(raster)
    channels = [even_paper(np.ascontiguousarray(raster[:, :, k])) for k in range(3)]
    return np.maximum(np.maximum(channels[0], channels[1]), channels[2])


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
    """A bilevel page without its specks: dark components under six pixels become paper."""
    ink = np.asarray(grey < 128, np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    specks = stats[:, cv2.CC_STAT_AREA] < _SPECK_PX
    specks[0] = False
    out = grey.copy()
    out[specks[labels]] = 255
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
