"""Where two pictures of one page differ, as places that can be shown to people."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from signer.pdfium import Picture, PixelBox
from signer.verification.shown.opinion import Region

_CELL = 16  # pixels: differences nearer than that are one place
_MAX_REGIONS = 20  # of a page
_EDGE = 2  # pixels around a widget that its border may touch
_SAME_LEVEL = 2  # of 255: what no eye sees, and rounding may do


def different_regions(old: Picture, new: Picture, allowed: list[PixelBox]) -> tuple[Region, ...]:
    """Where two pictures of one size differ outside the `allowed` boxes."""
    height, width = old.shape[:2]
    unlike: npt.NDArray[np.bool_] = _pixels(old) != _pixels(new)
    if not unlike.any():
        return ()
    first, second = old[unlike].astype(np.int16), new[unlike].astype(np.int16)
    unlike[unlike] = np.abs(first - second).max(axis=1, initial=0) > _SAME_LEVEL
    for box in allowed:
        unlike[
            max(0, box.top - _EDGE) : max(0, box.bottom + _EDGE),
            max(0, box.left - _EDGE) : max(0, box.right + _EDGE),
        ] = False
    if not unlike.any():
        return ()
    return tuple(region_of(box, width, height) for box in _clusters(unlike))


def _pixels(picture: Picture) -> npt.NDArray[np.uint32]:
    """Each pixel as one number."""
    return picture.reshape(picture.shape[0], -1).view(np.uint32)


def _clusters(unlike: npt.NDArray[np.bool_]) -> list[PixelBox]:
    """Boxes around neighbouring cells that hold a difference; one box where there are too many."""
    height, width = unlike.shape
    rows, columns = np.nonzero(unlike)
    cells = set(zip((rows // _CELL).tolist(), (columns // _CELL).tolist(), strict=True))
    boxes: list[PixelBox] = []
    while cells:
        stack, group = [cells.pop()], []
        while stack:
            row, column = stack.pop()
            group.append((row, column))
            near = {(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} & cells
            cells -= near
            stack += near
        top, left = min(r for r, _ in group), min(c for _, c in group)
        bottom, right = max(r for r, _ in group) + 1, max(c for _, c in group) + 1
        boxes.append(
            PixelBox(
                left * _CELL, top * _CELL, min(right * _CELL, width), min(bottom * _CELL, height)
            )
        )
    if len(boxes) > _MAX_REGIONS:
        return [
            PixelBox(
                min(b.left for b in boxes), min(b.top for b in boxes),
                max(b.right for b in boxes), max(b.bottom for b in boxes),
            )
        ]  # fmt: skip
    return sorted(boxes, key=lambda box: (box.top, box.left))


def region_of(box: PixelBox, width: int, height: int) -> Region:
    """`box` of a picture of that size, in thousandths."""
    return Region(
        max(0, box.left * 1000 // width), max(0, box.top * 1000 // height),
        min(1000, math.ceil(box.right * 1000 / width)),
        min(1000, math.ceil(box.bottom * 1000 / height)),
    )  # fmt: skip
