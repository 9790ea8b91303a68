"""Proof that a finished record shows the kept images and says the corrected words, before sealing.

    compare = partial(workplace.run, compare_page)             # images are decoded in a worker
    proof = require_faithful(record, pages, compare)           # raises RecordUnfaithful

The finished file is drawn and read by poppler, which shares nothing with what wrote it, and
compared with the kept images as they were taken from the scans again. A record that shows one
other digit, or says one other word, is never sealed.

Poppler draws an upright image up to one pixel wider and higher (sizes in points are rounded), and
picks the nearest pixels of a turned one. So each pixel has to lie between the darkest and the
lightest of its neighbours in the other picture, and what lies outside is averaged over squares as
wide as a stroke. Good pages and altered ones, measured: docs/filing.md.

A compact record is no pixel's copy: its ink is a mask. There windows as large as a digit are
compared (`dossier.printout.likeness`); it sees other digits of 9 points and up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dossier.errors import RecordUnfaithful, StoreError
from dossier.printout.likeness import WINDOW_PX, ink_of, likeness
from ocr.errors import EngineCrashed, EngineMissing, EngineTimedOut, RecognitionError
from ocr.page import ImageStream, QuarterTurns, RecognisedPage
from ocr.reading.raster import Grey, Raster, decode, turned
from ocr.record.poppler import picture_of, words_of
from ocr.record.textlayer import clean_text

ENGINE = "poppler"
TOLERANCE = 10.0
"""Levels (of 255) by which a square may lie outside of what its neighbours allow."""
TURNED_TOLERANCE = 16.0
"""The same where the image stands turned in the file: poppler leaves out some of its rows."""
COMPACT_TOLERANCE = 0.24
"""Unlikeness of a window of a compact page: 0.24 was the most of a good one."""

_SQUARE_PX = (5, 5)
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_COMPACT_DPI = 200.0
_LEAST_INK = 15.0  # of a window: grain of blank paper, which compact pages do not keep, has less
_MM_PER_INCH = 25.4
_Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ExpectedPage:
    """What a page of the record has to show and say. `words` as the text layer holds them."""

    number: int
    kept: ImageStream
    turns: QuarterTurns
    size_px: tuple[int, int]
    dpi: tuple[float, float]
    words: tuple[str, ...]
    is_compact: bool

    @classmethod
    def of(cls, page: RecognisedPage) -> ExpectedPage:
        """The page as it was handed to the writer; its image file has to last."""
        words = (text for line in page.lines for word in line.words
                 for text in clean_text(word.text).split())  # fmt: skip
        return cls(
            page.image.number,
            page.image.kept,
            page.turns,
            (page.width_px, page.height_px),
            page.dpi,
            tuple(words),
            page.compact is not None,
        )


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far a page's picture is from the kept image: the worst place, in millimetres.

    `share` is its difference as a share of what is tolerated: above 1 is too much.
    """

    number: int
    share: float
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """A proof that held. `share`: the worst page's; `seconds`: wall time of all of it."""

    pages: int
    words: int
    share: float
    seconds: float


def require_faithful(
    record: Path,
    pages: Sequence[ExpectedPage],
    compare: Callable[[Path, ExpectedPage], Likeness],
) -> Faithfulness:
    """Draw and read the finished record, and compare. `compare` is `compare_page` in a worker.

    Raises `RecordUnfaithful` that names page and place, and `StoreError` when poppler is not
    there or was stopped.
    """
    began = time.monotonic()
    try:
        said = words_of(record)
        shown = [compare(record, page) for page in pages]
    except (EngineMissing, EngineCrashed, EngineTimedOut) as error:
        raise StoreError(
            f"Chưa đối chiếu được bản ghi ({error}); sẽ thử lại. / The record could not be "
            f"compared yet: {error}; it will be tried again (Debian: apt install poppler-utils)."
        ) from error
    except RecognitionError as error:
        raise RecordUnfaithful(
            f"Công cụ thứ hai không mở được bản ghi ({error}); bản ghi không được đóng dấu. / A "
            f"second program cannot open the record: {error}; it is not sealed."
        ) from error
    if len(said) != len(pages):
        raise RecordUnfaithful(
            f"Bản ghi có {len(said)} trang, phải có {len(pages)}. / The record has "
            f"{len(said)} pages instead of {len(pages)}; it is not sealed."
        )
    for page, words in zip(pages, said, strict=True):
        _require_words(page, words)
    for likeness_of_page in shown:
        _require_likeness(likeness_of_page)
    return Faithfulness(
        len(pages),
        sum(len(page.words) for page in pages),
        max((one.share for one in shown), default=0.0),
        time.monotonic() - began,
    )


def compare_page(record: Path, page: ExpectedPage) -> Likeness:
    """Draw one page and hold it to the kept image; in a worker, for the image is a stranger's.

    Raises `ocr.errors.RecognitionError`, `EngineMissing`.
    """
    drawn = picture_of(record, page.number, page.size_px)
    try:
        kept = turned(decode(page.kept), page.turns)
    except (OSError, ValueError) as error:
        raise RecognitionError(f"the kept image of page {page.number} cannot be read") from error
    if kept.shape[:2] != drawn.shape[:2]:
        return Likeness(page.number, float("inf"), 0.0, 0.0)
    if page.is_compact:
        return _worst(page, _compact_difference(kept, drawn, page.dpi), COMPACT_TOLERANCE)
    coloured = kept if kept.ndim == 3 else np.repeat(kept[..., None], 3, axis=2)
    coloured = np.ascontiguousarray(coloured)
    placed = [_grown(coloured, *more) for more in ((0, 0), (1, 1), (0, 1), (1, 0))]
    if page.turns:  # nearest pixels: which one fits is told by the difference alone
        found = [_difference(one, drawn) for one in placed]
        return _worst(page, min(found, key=lambda one: float(one.max())), TURNED_TOLERANCE)
    nearest = min(placed, key=lambda one: float(cv2.norm(one, drawn, cv2.NORM_L1)))
    return _worst(page, _difference(nearest, drawn), TOLERANCE)


def _difference(kept: Raster, drawn: Raster) -> _Levels:
    """By how much squares of one picture lie outside of what the other one's pixels allow."""
    outside = np.zeros(kept.shape[:2], np.uint8)
    for one, other in ((kept, drawn), (drawn, kept)):
        darkest, lightest = cv2.erode(one, _NEIGHBOURS), cv2.dilate(one, _NEIGHBOURS)
        beyond = np.maximum(cv2.subtract(darkest, other), cv2.subtract(other, lightest))
        outside = np.maximum(outside, beyond.max(axis=2))
    return np.asarray(cv2.boxFilter(outside.astype(np.float32), -1, _SQUARE_PX), np.float32)


def _grown(kept: Raster, wider: int, higher: int) -> Raster:
    """The image so many pixels wider and higher, interpolated, and cut to its size again."""
    if not wider and not higher:
        return kept
    height, width = kept.shape[:2]
    matrix = np.array(
        [[width / (width + wider), 0, 0], [0, height / (height + higher), 0]], np.float32
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grown = cv2.warpAffine(
        kept, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(grown, np.uint8)


def _compact_difference(kept: Raster, drawn: Raster, dpi: tuple[float, float]) -> _Levels:
    """Unlikeness of the windows that hold ink, at the page's own size."""
    height, width = drawn.shape[:2]
    size = (
        max(1, round(width * _COMPACT_DPI / dpi[0])),
        max(1, round(height * _COMPACT_DPI / dpi[1])),
    )
    page, scan = (ink_of(np.asarray(cv2.resize(_grey(one), size, interpolation=cv2.INTER_AREA)))
                  for one in (kept, drawn))  # fmt: skip
    found = likeness(page, scan, np.ones(page.shape, np.bool_)).unlike
    ink = np.maximum(page, scan)
    energy = cv2.boxFilter(ink * ink, -1, WINDOW_PX, normalize=False)
    found = np.where(energy >= _LEAST_INK, found, 0.0).astype(np.float32)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST))


def _grey(picture: Raster) -> Grey:
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _worst(page: ExpectedPage, difference: _Levels, tolerance: float) -> Likeness:
    y, x = np.unravel_index(int(difference.argmax()), difference.shape)
    return Likeness(
        page.number,
        float(difference[y, x]) / tolerance,
        round(float(x) / page.dpi[0] * _MM_PER_INCH, 1),
        round(float(y) / page.dpi[1] * _MM_PER_INCH, 1),
    )


def _require_likeness(found: Likeness) -> None:
    if found.share > 1:
        raise RecordUnfaithful(
            f"Trang {found.number} của bản ghi khác ảnh đã quét, tại khoảng {found.x_mm:g} × "
            f"{found.y_mm:g} mm tính từ góc trên bên trái; bản ghi không được đóng dấu. / Page "
            f"{found.number} of the record shows something else than the scan, about "
            f"{found.x_mm:g} × {found.y_mm:g} mm from its top left corner; it is not sealed."
        )


def _require_words(page: ExpectedPage, said: Sequence[str]) -> None:
    if tuple(said) == page.words:
        return
    place = next(
        (n for n, (a, b) in enumerate(zip(page.words, said, strict=False)) if a != b),
        min(len(page.words), len(said)),
    )
    wanted = page.words[place] if place < len(page.words) else ""
    found = said[place] if place < len(said) else ""
    raise RecordUnfaithful(
        f"Trang {page.number}, từ thứ {place + 1}: lớp văn bản đọc ra “{found}”, phải là "
        f"“{wanted}”; bản ghi không được đóng dấu. / Page {page.number}, word {place + 1}: the "
        f"text layer says “{found}” instead of “{wanted}”; it is not sealed."
    )
