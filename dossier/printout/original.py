"""The pages of a record as they print: pictures at 200 dpi, and the words that lie in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

from dossier.printout.words import WordBox
from ocr.errors import DamagedFile
from ocr.reading.raster import Grey

DPI = 200
MM_A_PIXEL = 25.4 / DPI
MOST_PAGES = 60
_MOST_SIDE_PX = 5000  # an A2 page; larger ones are drawn smaller
_COLOURED = 45  # of 255, between the brightest and the darkest channel
_COLOUR_REACH_PX = 5


@dataclass(frozen=True, slots=True)
class OriginalPage:
    """One page: its picture, and where it has coloured ink (seals, signatures)."""

    number: int
    grey: Grey
    coloured: NDArray[np.bool_]
    _page: Any

    def text_in(self, box: WordBox) -> str | None:
        """The text of the page's own layer in a box; None where there is none, or it is turned."""
        if self._page.get_rotation():
            return None
        height, width = self.grey.shape
        left, bottom, right, top = self._page.get_cropbox()
        across, down = (right - left) / width, (top - bottom) / height
        with closing(self._page.get_textpage()) as text:
            found = text.get_text_bounded(
                left + box.left * across,
                top - box.bottom * down,
                left + box.right * across,
                top - box.top * down,
            )
        return " ".join(str(found).split()) or None


@contextmanager
def original_pages(record: Path) -> Iterator[list[OriginalPage]]:
    """The record's pages, for as long as the context lasts. One thread, one process.

    Raises `DamagedFile` when the file cannot be drawn.
    """
    try:
        with closing(pypdfium2.PdfDocument(record)) as document:
            document.init_forms()
            pages = [document[index] for index in range(min(len(document), MOST_PAGES))]
            yield [_drawn(page, number) for number, page in enumerate(pages, 1)]
    except pypdfium2.PdfiumError as error:
        raise DamagedFile(f"cannot be drawn ({error})", source=record.name, page=None) from error


def _drawn(page: Any, number: int) -> OriginalPage:  # noqa: ANN401 - pypdfium2 ships no types
    scale = min(DPI / 72, _MOST_SIDE_PX / max(1.0, *page.get_size()))
    bitmap = page.render(scale=scale, rev_byteorder=True)
    pixels = np.array(bitmap.to_numpy(), np.uint8)[..., :3]
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    chroma = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    # the tint of yellowed paper is no ink: what stands out of it is
    stain = (chroma - np.median(chroma)) > _COLOURED
    reach = np.ones((_COLOUR_REACH_PX, _COLOUR_REACH_PX), np.uint8)
    return OriginalPage(number, grey, cv2.dilate(stain.astype(np.uint8), reach) > 0, page)
