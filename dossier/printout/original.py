"""The pages of a record as they print: pictures at 200 dpi, and the words that lie in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dossier.printout.words import WordBox
from ocr.errors import DamagedFile
from ocr.reading.raster import Grey
from signer.errors import EngineRefused
from signer.pdfium import PDFiumPage, opened

DPI = 200
MM_A_PIXEL = 25.4 / DPI
MOST_PAGES = 60
_MOST_PIXELS = 16_000_000  # an A2 page; larger ones are drawn smaller
_COLOURED = 45  # of 255, between the brightest and the darkest channel
_COLOUR_REACH_PX = 5


@dataclass(frozen=True, slots=True)
class OriginalPage:
    """One page: its picture, and where it has coloured ink (seals, signatures)."""

    number: int
    grey: Grey
    coloured: NDArray[np.bool_]
    _letters: str
    _middles: NDArray[np.float64]  # of the letters: x, y in pixels

    def text_in(self, box: WordBox) -> str | None:
        """The text of the page's own layer in a box; None where there is none."""
        x, y = self._middles[:, 0], self._middles[:, 1]
        inside = (x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom)
        found = "".join(self._letters[at] for at in np.flatnonzero(inside))
        return " ".join(found.split()) or None


def original_pages(record: Path) -> list[OriginalPage]:
    """The record's pages. Raises `DamagedFile` when the file cannot be drawn."""
    try:
        with opened(record.read_bytes()) as document:
            pages = []
            for index in range(min(document.page_count, MOST_PAGES)):
                with document.page(index) as page:
                    pages.append(_drawn(page, index + 1))
            return pages
    except EngineRefused as error:
        raise DamagedFile(f"cannot be drawn ({error})", source=record.name, page=None) from error


def _drawn(page: PDFiumPage, number: int) -> OriginalPage:
    pixels = page.picture(page.size_px(DPI / 72, _MOST_PIXELS))[..., :3]
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    chroma = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    # the tint of yellowed paper is no ink: what stands out of it is
    stain = (chroma - np.median(chroma)) > _COLOURED
    reach = np.ones((_COLOUR_REACH_PX, _COLOUR_REACH_PX), np.uint8)
    coloured = cv2.dilate(stain.astype(np.uint8), reach) > 0
    letters = page.letters()
    size = (grey.shape[1], grey.shape[0])
    boxes = [page.to_pixels(box, size) for box in page.text_boxes(0, len(letters))]
    middles = [((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in boxes]
    return OriginalPage(
        number, grey, coloured, letters, np.array(middles, np.float64).reshape(-1, 2)
    )
