"""Blur: how far the edges of the letters are spread.

In each tile of print the mean squared difference of pixels one apart is held against that of
pixels four apart. On sharp print an edge is crossed within a pixel and both are nearly alike;
the wider it is spread, the smaller the first becomes. The ratio does not depend on contrast,
and what paper and sensor add to both is taken away first. Across and down are looked at apart:
a feeder that slips smears along its way only.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.quality.findings import Place
from ocr.quality.picture import Picture, Plane, Scale
from ocr.reading.raster import Grey, Mask

_TILE_MM = 10.0
_FAR = 4  # pixels
_INKED = 0.2  # of what a well filled tile of the page holds; less is bleed-through or a rule
_TOLD = 0.06  # the same, for one direction
_LEAST = 20.0  # grey levels squared
_ALIKE = 0.8  # of the worst: shown with it
_PATCH = 4  # tiles side by side: fewer are a portrait, a seal, a pen stroke
# A stroke of two pixels, sampled by area, spread by a Gaussian: its own width counts as spread.
_OWN = (2.0**2 + 1.0) / 12
_SPREADS = np.linspace(0.0, 5.0, 101)
_WHOLE = 4 * (_SPREADS**2 + _OWN)
_RATIOS = (1 - np.exp(-1 / _WHOLE)) / (1 - np.exp(-(_FAR**2) / _WHOLE))


def blur(picture: Picture) -> tuple[float, tuple[Place, ...]]:
    """Spread (sigma) in millimetres of the worst patch of print, and the places of its like.

    0.0 where there is too little print to tell. A patch is four tiles of a centimetre.
    """
    spread, inked = _spread_mm(picture.fine, picture.fine_scale)
    if int(inked.sum()) < _PATCH:
        return 0.0, ()
    # the fourth worst of each neighbourhood of nine: one odd tile does not make a blur
    height, width = spread.shape
    padded = np.pad(np.where(inked, spread, 0.0), 1)
    around = np.stack([padded[r : r + height, c : c + width] for r in range(3) for c in range(3)])
    fourth = np.where(inked, np.sort(around, axis=0)[-_PATCH], 0.0)
    worst = float(fourth.max())
    if worst == 0.0:
        return 0.0, ()
    core = (fourth >= _ALIKE * worst).astype(np.uint8)
    beside = cv2.dilate(core, np.ones((3, 3), np.uint8)) > 0
    rows, columns = np.nonzero(inked & beside & (spread >= _ALIKE * worst))
    wide, high = _TILE_MM, _TILE_MM
    return worst, (
        Place(
            columns.min() * wide, rows.min() * high,
            (columns.max() + 1) * wide, (rows.max() + 1) * high,
        ),
    )  # fmt: skip


def _spread_mm(grey: Grey, scale: Scale) -> tuple[Plane, Mask]:
    """Spread of each tile, the worse of across and down, and which tiles hold print."""
    tile = max(8, round(_TILE_MM * scale.x)), max(8, round(_TILE_MM * scale.y))
    if grey.shape[1] <= tile[0] + _FAR or grey.shape[0] <= tile[1] + _FAR:
        nothing = np.zeros((1, 1), np.float32)
        return nothing, nothing > 0
    spreads, fars = [], []
    for axis, rate in ((1, scale.x), (0, scale.y)):
        near = _differences(grey, axis, 1, tile)
        far = _differences(grey, axis, _FAR, tile)
        noise = float(np.percentile(near, 10))  # the emptiest tiles are paper
        near, far = np.maximum(near - noise, 0.0), np.maximum(far - noise, 0.01)
        spreads.append(np.interp(-near / far, -_RATIOS, _SPREADS) / rate)
        fars.append(far)
    ink = (fars[0] + fars[1]) / 2
    filled = float(np.percentile(ink, 90))
    # rules differ one way only: what the other way says is chance
    told = [
        np.where(far > _TOLD * filled, spread, 0.0)
        for far, spread in zip(fars, spreads, strict=True)
    ]
    inked = ink > max(_INKED * filled, _LEAST)
    return np.maximum(told[0], told[1]).astype(np.float32), np.asarray(inked, np.bool_)


def _differences(grey: Grey, axis: int, step: int, tile: tuple[int, int]) -> Plane:
    """Mean squared difference of pixels `step` apart along an axis, tile by tile."""
    one = grey[:, step:] if axis else grey[step:]
    other = grey[:, :-step] if axis else grey[:-step]
    columns, rows = (grey.shape[1] - _FAR) // tile[0], (grey.shape[0] - _FAR) // tile[1]
    whole = slice(0, rows * tile[1]), slice(0, columns * tile[0])  # whole blocks average fast
    apart = cv2.absdiff(one[whole], other[whole])
    squared = cv2.multiply(apart, apart, dtype=cv2.CV_16U)
    mean = cv2.resize(squared, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(mean, np.float32)
