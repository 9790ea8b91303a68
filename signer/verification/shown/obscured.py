"""Whether a later signature's appearance hides what the page said before it.

A seal may lie over a signature or a line, as it does on paper; what is under it stays readable.
Threat: sneaky signatures (S&P 2021), whose picture is a piece of paper with other words on it.
Where the page has text, letters decide; on a scan without text, the marks in small tiles do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from signer.pdfium import PDFiumPage, Picture, PixelBox

MAX_COVERED = 2  # letters that ink may cover: a star or a stroke of a seal lies on some
_LEAST_CONTRAST = 50.0  # of 255: weaker marks are not meant to be read (invisible OCR text)
_KEPT = 0.3  # of the contrast: what is left when only ink was added
_ERASED = 0.4  # of a mark's pixels: so many get lighter when paper is laid on it, none by ink
_TILE = 12  # pixels
_MIN_MARKS = 4  # pixels of a tile or letter that are ink, and as many that are paper
_COVERED_TILES = 6, 0.3  # so many, and of the tiles with marks: more is hidden by ink
_ERASED_TILES = 3, 0.15  # paper on it hides more, and no seal has any
_MAX_LETTERS = 20_000  # of a page, looked at

_Grey = npt.NDArray[np.float32]


def hides_marks(
    page: PDFiumPage, old: Picture, new: Picture, box: PixelBox, size_px: tuple[int, int]
) -> bool:
    """True when the picture in `box` hides letters, or marks, that `old` shows there.

    Both pictures are of `page`, which holds the letters; their size is `size_px`.
    """
    letters = [
        at
        for letter, at in page.letters_near(box, size_px, _MAX_LETTERS)
        if letter.isalnum() and _overlap(at, box)
    ]
    every = (box, *letters)
    left, top = (max(0, min(at.left for at in every) - 1), max(0, min(at.top for at in every) - 1))
    right, bottom = (max(at.right for at in every) + 1, max(at.bottom for at in every) + 1)
    part = slice(top, max(top, bottom)), slice(left, max(left, right))
    before, after = _grey(old[part]), _grey(new[part])
    box = _moved(box, left, top)
    lost = [_lost(before, after, _moved(at, left, top)) for at in letters]
    if "erased" in lost or lost.count("covered") > MAX_COVERED:
        return True
    tiles = [_lost(before, after, tile) for tile in _tiles(box)]
    marks = sum(found is not None for found in tiles)
    has_ink = any(found is not None for found in lost)  # then letters said what ink covers
    limits = [("erased", _ERASED_TILES), *([] if has_ink else [("covered", _COVERED_TILES)])]
    return any(
        tiles.count(word) >= least and tiles.count(word) > share * marks
        for word, (least, share) in limits
    )


def _tiles(box: PixelBox) -> Iterator[PixelBox]:
    for top in range(max(0, box.top), box.bottom, _TILE):
        for left in range(max(0, box.left), box.right, _TILE):
            yield PixelBox(left, top, min(left + _TILE, box.right), min(top + _TILE, box.bottom))


def _lost(before: _Grey, after: _Grey, at: PixelBox) -> str | None:
    """``erased``, ``covered`` or empty for what became of a mark; None where there is none."""
    window = slice(max(0, at.top - 1), at.bottom + 1), slice(max(0, at.left - 1), at.right + 1)
    old, new = before[window], after[window]
    if old.size < 2 * _MIN_MARKS or float(old.max() - old.min()) <= _LEAST_CONTRAST:
        return None
    paper = float(np.percentile(old, 90))
    ink = old < paper - _LEAST_CONTRAST
    if not _MIN_MARKS <= int(ink.sum()) <= old.size - _MIN_MARKS:
        return None
    contrast = float(old[~ink].mean() - old[ink].mean())
    if float((new[ink] - old[ink] > contrast / 2).mean()) > _ERASED:
        return "erased"
    return "" if float(new[~ink].mean() - new[ink].mean()) >= _KEPT * contrast else "covered"


def _moved(box: PixelBox, left: int, top: int) -> PixelBox:
    """`box` as it is in the part of the picture that begins at `left` and `top`."""
    return PixelBox(box.left - left, box.top - top, box.right - left, box.bottom - top)


def _overlap(one: PixelBox, other: PixelBox) -> bool:
    """True when more than half of `one` is inside `other`."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    area = max(1, one.right - one.left) * max(1, one.bottom - one.top)
    return width > 0 and height > 0 and 2 * width * height > area


def _grey(picture: Picture) -> _Grey:
    """Luminance; the picture's channels are blue, green, red."""
    weights: Sequence[float] = (0.114, 0.587, 0.299)
    grey: _Grey = picture[:, :, :3].astype(np.float32) @ np.array(weights, np.float32)
    return grey
