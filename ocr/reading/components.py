"""Connected components of ink, with their boxes.

OpenCV's own statistics look at every pixel of the paper as well: on a page of text that is most of
the time. Here only the ink is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.reading.raster import Grey

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

_FIT_16 = 1 << 16  # labels below this sort by digits, in linear time


@dataclass(frozen=True, slots=True)
class Components:
    """8-connected components; one array element a label, 0 is the paper (a box of no size).

    `labels` gives each pixel its component; `x, y, w, h` bound it, `area` counts its pixels.
    """

    labels: Ints
    x: Ints
    y: Ints
    w: Ints
    h: Ints
    area: Ints

    @property
    def middle(self) -> Floats:
        """The y of each box's middle."""
        return np.asarray(self.y + self.h / 2.0, np.float64)

    @property
    def boxes(self) -> Ints:
        """Left, top, right, bottom; one row a label."""
        sides = (self.x, self.y, self.x + self.w, self.y + self.h)
        return np.stack(sides, axis=1).astype(np.int32)


def components_of(ink: Grey) -> Components:
    """The components of a mask's pixels that are not 0."""
    count, found = cv2.connectedComponents(ink, connectivity=8)
    labels = np.asarray(found, np.int32)
    x, y, w, h, area = np.zeros((5, count), np.int32)
    points = cv2.findNonZero(ink) if count > 1 else None
    if points is not None:
        xs, ys = np.asarray(points, np.int32).reshape(-1, 2).T
        of = labels[ys, xs]
        # by component, and in each as they come: row by row
        order = np.argsort(of.astype(np.uint16) if count <= _FIT_16 else of, kind="stable")
        xs, ys = xs[order], ys[order]
        area[:] = np.bincount(of, minlength=count)
        starts = np.cumsum(area)[:-1]
        x[1:], y[1:] = np.minimum.reduceat(xs, starts), ys[starts]
        w[1:] = np.maximum.reduceat(xs, starts) - x[1:] + 1
        h[1:] = ys[np.append(starts[1:], len(ys)) - 1] - y[1:] + 1
    return Components(labels, x, y, w, h, area)
