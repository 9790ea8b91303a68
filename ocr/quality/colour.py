"""What colour tells: the red seal, and a finger on the glass."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.quality.findings import Place, Seal
from ocr.quality.picture import Picture
from ocr.reading.raster import Mask

_SEAL_MM = (18.0, 52.0)
_WITH_OTHERS_MM = 30.0  # no stamp of a register is so high; several marks in one may be wide
_ROUND = 0.75  # shorter side to longer
_RED_CHROMA = 45  # grey levels of red above green and blue
_PALE_CHROMA = 25
_STRONG_SHARE = 0.25  # of a pale mark has to be red enough by itself
_JOIN_MM = 1.6  # rings, letters and star of one seal stand so near each other
_FINGER_MM2 = (50.0, 2500.0)
_FINGER_IN_MM = 6.0  # a finger reaches at least so far in from the edge
_FINGER_ALONG_MM = 70.0  # and is not a stripe along it
_FLESH = (0.10, 0.60)  # red above blue, by red: of skin against white paper
_BETWEEN = (0.12, 0.58)  # where green lies between blue and red; stains lie above, seals below
_DEPTH = 0.04  # darker than the paper


def red_seal(picture: Picture) -> Seal | None:
    """The largest round red mark of the size of a seal; None without one, or without colour.

    A ring is thin, and pale where the hand pressed less: what is paler counts with the red that
    it stands beside.
    """
    if picture.small.ndim == 2:
        return None
    strong = _red(picture, _RED_CHROMA)
    masks = (strong, _red(picture, _PALE_CHROMA))
    found = [seal for mask in masks if (seal := _largest_round(picture, mask, strong)) is not None]
    return max(found, key=lambda seal: seal.diameter_mm, default=None)


def _red(picture: Picture, chroma: int) -> Mask:
    """Where `small` is redder than the page's own paper."""
    tint = picture.paper_tint
    red, green, blue = cv2.split(picture.small)
    # differences of channels, from where the paper has them
    mask = cv2.subtract(red, green) > tint[0] - tint[1] + chroma
    mask &= cv2.subtract(red, blue) > tint[0] - tint[2] + 0.5 * chroma
    return np.asarray(mask, bool)


def _largest_round(picture: Picture, mask: Mask, strong: Mask) -> Seal | None:
    """The largest mark of `mask` that has the form of a seal, and enough of `strong` in it."""
    scale = picture.small_scale
    reach = np.ones(
        (2 * round(_JOIN_MM * scale.y) + 1, 2 * round(_JOIN_MM * scale.x) + 1), np.uint8
    )
    joined = cv2.morphologyEx(np.asarray(mask, np.uint8), cv2.MORPH_CLOSE, reach)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    best: Seal | None = None
    for label, (left, top, wide, high, area) in enumerate(stats[1:].tolist(), 1):
        sides = sorted((wide / scale.x, high / scale.y))
        diameter = sum(sides) / 2
        if sides[0] >= _WITH_OTHERS_MM:  # run together with a register's stamp, or another seal
            diameter = min(sides[0], diameter)
        elif not _SEAL_MM[0] <= diameter <= _SEAL_MM[1] or sides[0] < _ROUND * sides[1]:
            continue
        if area < 0.15 * wide * high:  # a ring at least, not a scribble
            continue
        part = np.s_[top : top + high, left : left + wide]
        own = mask[part] & (labels[part] == label)
        if np.count_nonzero(own & strong[part]) < _STRONG_SHARE * np.count_nonzero(own):
            continue  # a stain of tea, or tanned paper
        if best is None or diameter > best.diameter_mm:
            best = Seal(diameter, scale.place(left, top, left + wide, top + high))
    return best


def fingers(picture: Picture) -> tuple[float, tuple[Place, ...], Mask]:
    """Area in mm² that fingers cover, their places, and a mask of them at the size of `paper`.

    Skin of any tone lies between red and yellow, and is nearer to red than stains of tea or age
    are; it comes in from an edge, as broad as a thumb. Without colour none is found.
    """
    paper = picture.paper
    nowhere = np.zeros(paper.shape[:2], bool)
    if picture.small.ndim == 2:
        return 0.0, (), nowhere
    rest = paper / picture.paper_tint
    red, green, blue = (rest[:, :, k] for k in range(3))
    apart = red - blue
    flesh = apart / np.maximum(red, 0.02)
    between = (green - blue) / np.maximum(apart, 0.004)
    skin = (flesh > _FLESH[0]) & (flesh < _FLESH[1]) & (1 - rest.mean(axis=2) > _DEPTH)
    skin &= (between > _BETWEEN[0]) & (between < _BETWEEN[1])
    whole = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    whole = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    scale, total, places = picture.paper_scale, 0.0, []
    mask = nowhere
    height, width = whole.shape
    for label, (left, top, wide, high, area) in enumerate(stats[1:].tolist(), 1):
        inward, along = _reach(left, top, wide, high, (width, height))
        if inward is None:
            continue
        covered = scale.area_mm2(area)
        rates = (scale.x, scale.y) if along == wide else (scale.y, scale.x)
        if not _FINGER_MM2[0] <= covered <= _FINGER_MM2[1] or area < 0.5 * wide * high:
            continue
        if along / rates[0] > _FINGER_ALONG_MM or inward / rates[1] < _FINGER_IN_MM:
            continue
        total += covered
        places.append(scale.place(left, top, left + wide, top + high))
        mask = mask | (labels == label)
    if places:
        mask = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0  # its shadow too
    return total, tuple(places), mask


def _reach(
    left: int, top: int, wide: int, high: int, size: tuple[int, int]
) -> tuple[int | None, int]:
    """How far a blob reaches in from the edge it stands at, and how long it is along it."""
    width, height = size
    if top <= 1 or top + high >= height - 1:
        return high, wide
    if left <= 1 or left + wide >= width - 1:
        return wide, high
    return None, 0
