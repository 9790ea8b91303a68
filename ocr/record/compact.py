"""Compact mode: mixed raster content, an ink mask over a small background.

Text is what a record is kept for, so it stays at scan resolution as one bilevel mask (CCITT
Group 4); paper, seals and pictures follow at 150 dpi as a JPEG from which the ink is taken
out. Coloured pixels never enter the mask: a red seal stays red. The scanner's own bytes stay
outside the record and are named in its manifest by their digest.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr.page import CompactImage, ImageStream
from ocr.reading.raster import Grey, Raster, store_g4

_BACKGROUND_DPI = 150.0
_BACKGROUND_QUALITY = 35
_LEAST_CHROMA = 12  # largest minus smallest channel: less than this is never a colour
_CHROMA_SHARE = 0.35  # of the darkness, from which chroma makes a colour
_PAPER_PERCENTILE = 80  # paper is the brightest part of a page, but for glare
_FINE_DPI = 250.0  # from here on strokes are wide enough for the larger neighbourhoods
_BILEVEL_SHARE = 0.999  # share of extreme pixels that makes a page bilevel
_HOLE_FILL = 0.25  # share of known paper from which a background pixel is believed

_GRAIN_PX = 7  # at 150 dpi: a little over a millimetre
_GRAIN_LEVELS = 10

_Floats = NDArray[np.float32]


def encode_compact(
    raster: Raster,
    normalised: Grey,
    dpi: tuple[float, float],
    work: Path,
    name: str,
    *,
    blank: bool = False,
) -> CompactImage:
    """Encode a page in compact form; files `name`.mask and `name`.background go to `work`.

    `raster` are the kept image's pixels, grey or RGB; `normalised` is the same page in the
    same orientation with even paper and faded seals (`ocr.reading.cleanup.without_seal`); `dpi` is
    (horizontal, vertical). A bilevel page has no background; on a `blank` one nothing is ink,
    its specks stay in the background. Deterministic. Raises OSError
    when the work folder cannot be written.
    """
    mask_path = work / f"{name}.mask"
    if is_bilevel(raster):
        return CompactImage(store_g4(raster < 128, mask_path), (0.0, 0.0, 0.0), None)
    ink = np.zeros_like(normalised) if blank else ink_mask(raster, normalised, dpi)
    background = _encode_background(
        background_without(raster, ink, dpi), work / f"{name}.background"
    )
    return CompactImage(store_g4(ink > 0, mask_path), _ink_colour(raster, ink), background)


def ink_mask(raster: Raster, normalised: Grey, dpi: tuple[float, float]) -> Grey:
    """255 where there is dark ink without colour, else 0; specks of one or two pixels left out."""
    _, ink = cv2.threshold(normalised, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if raster.ndim == 3:
        ink = cv2.bitwise_and(ink, cv2.bitwise_not(_coloured(raster)))
    # a pixel stays if its 3 x 3 neighbourhood, itself included, holds enough ink
    enough = 3 if min(dpi) >= _FINE_DPI else 2
    near = cv2.boxFilter(ink, cv2.CV_16S, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    _, held = cv2.threshold(near, 255 * enough - 1, 255, cv2.THRESH_BINARY)
    held = np.asarray(held, np.uint8)
    return np.asarray(cv2.bitwise_and(ink, held), np.uint8)


def _coloured(raster: Raster) -> Grey:
    """255 where a pixel has a colour of its own, whatever the paper's tint.

    Measured as chroma against darkness, because at the rim of a coloured stroke both fade
    together: a fixed chroma would cut black outlines out of blue writing. Looked at in half
    size, the resolution of colour in most JPEGs, where colour and darkness match.
    """
    height, width = raster.shape[:2]
    half = (max(1, width // 2), max(1, height // 2))
    blurred = cv2.blur(cv2.resize(raster, half, interpolation=cv2.INTER_AREA), (3, 3))
    paper = np.percentile(blurred[::4, ::4].reshape(-1, 3), _PAPER_PERCENTILE, axis=0)
    levels = np.arange(256, dtype=np.float64)[:, None]
    white = np.clip(levels * (255 / np.maximum(paper, 1)), 0, 255).astype(np.uint8)
    red, green, blue = cv2.split(cv2.LUT(blurred, white[None]))
    brightest = cv2.max(cv2.max(red, green), blue)
    chroma = cv2.subtract(brightest, cv2.min(cv2.min(red, green), blue))
    darkness = cv2.bitwise_not(brightest)
    least = cv2.convertScaleAbs(darkness, alpha=_CHROMA_SHARE, beta=_LEAST_CHROMA)
    coloured = cv2.compare(chroma, least, cv2.CMP_GT)
    return np.asarray(
        cv2.resize(coloured, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8
    )


def background_without(raster: Raster, ink: Grey, dpi: tuple[float, float]) -> Raster:
    """The page at 150 dpi without its ink: what lay around each stroke closes over it."""
    height, width = raster.shape[:2]
    size = (
        max(1, round(width * min(1.0, _BACKGROUND_DPI / dpi[0]))),
        max(1, round(height * min(1.0, _BACKGROUND_DPI / dpi[1]))),
    )
    reach = 5 if min(dpi) >= _FINE_DPI else 3  # the grey rim of a stroke goes with the stroke
    paper = cv2.bitwise_not(cv2.dilate(ink, np.ones((reach, reach), np.uint8)))
    seen = cv2.bitwise_and(raster, raster, mask=paper)
    light = np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), np.uint8)
    share = np.asarray(cv2.resize(paper, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _without_grain(_filled(light, share))


def _filled(light: Raster, share: Grey) -> Raster:
    """Divide `light` by the `share` of paper (of 255) in each pixel; holes take wider averages."""
    shares = share if light.ndim == 2 else cv2.merge([share] * 3)
    filled = np.asarray(cv2.divide(light, shares, scale=255), np.uint8)
    few = 255 * _HOLE_FILL
    holes = np.nonzero(share < few)
    if holes[0].size:
        height, width = share.shape
        half = ((width + 1) // 2, (height + 1) // 2)
        wider = _averages(
            np.asarray(cv2.resize(light, half, interpolation=cv2.INTER_AREA), np.float32),
            np.asarray(cv2.resize(share, half, interpolation=cv2.INTER_AREA) / 255, np.float32),
        )
        around = cv2.resize(wider, (width, height), interpolation=cv2.INTER_LINEAR)[holes]
        trust = _per_channel(np.asarray(share[holes] / few, np.float32), light)
        mixed = trust * filled[holes] + (1 - trust) * around
        filled[holes] = np.rint(mixed).astype(np.uint8)
    return filled


def _averages(light: _Floats, known: _Floats) -> Raster:
    """`light` by the `known` share of each pixel; holes take wider and wider averages."""
    levels = []
    while min(known.shape) > 8:
        levels.append((light, known))
        light, known = _halved(light), _halved(known)
    filled = light / _per_channel(np.maximum(known, 1e-3), light)
    for light, known in reversed(levels):
        size = (known.shape[1], known.shape[0])
        wider = np.asarray(cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR), np.float32)
        trust = _per_channel(np.minimum(known / _HOLE_FILL, 1.0), light)
        own = light / _per_channel(np.maximum(known, 1e-3), light)
        filled = wider + trust * (own - wider)
    return np.asarray(np.clip(filled + 0.5, 0, 255), np.uint8)


def _halved(level: _Floats) -> _Floats:
    return np.asarray(cv2.pyrDown(level), np.float32)


def _per_channel(weights: _Floats, like: Raster | _Floats) -> _Floats:
    return weights[..., None] if like.ndim == 3 else weights


def _without_grain(background: Raster) -> Raster:
    """Scanner noise costs more bytes than the paper: variations of a few levels are evened.

    Whatever differs from its surroundings by more stays exactly as it is.
    """
    smooth = cv2.blur(background, (_GRAIN_PX, _GRAIN_PX))
    brighter = cv2.subtract(background, smooth)
    darker = cv2.subtract(smooth, background)
    _, brighter = cv2.threshold(brighter, _GRAIN_LEVELS, 255, cv2.THRESH_TOZERO)
    _, darker = cv2.threshold(darker, _GRAIN_LEVELS, 255, cv2.THRESH_TOZERO)
    return np.asarray(cv2.subtract(cv2.add(smooth, brighter), darker), np.uint8)


def _encode_background(background: Raster, path: Path) -> ImageStream:
    with path.open("wb") as stream:
        Image.fromarray(background).save(
            stream, "JPEG", quality=_BACKGROUND_QUALITY, subsampling="4:2:0", optimize=True
        )
    height, width = background.shape[:2]
    return ImageStream(path, "DCTDecode", width, height, 3 if background.ndim == 3 else 1, 8)


def _ink_colour(raster: Raster, ink: Grey) -> tuple[float, float, float]:
    """Mean colour of the strokes' cores (0-1): faded writing stays as pale as it is."""
    core = cv2.erode(ink, np.ones((3, 3), np.uint8))
    mean = cv2.mean(raster, mask=core if cv2.countNonZero(core) else ink)
    levels = [round(v / 255, 3) for v in mean[:3]]
    if raster.ndim == 2:
        levels = [levels[0]] * 3
    return levels[0], levels[1], levels[2]


def is_bilevel(raster: Raster) -> bool:
    """Whether the page is black and white as it comes: a fax, a bitonal scan."""
    if raster.ndim == 3:
        return False
    histogram = np.bincount(raster[::4, ::4].ravel(), minlength=256)
    return bool(histogram[0] + histogram[255] >= _BILEVEL_SHARE * histogram.sum())
