"""What is blank on a page: nothing may be printed over what is there already.

The page is drawn small through PDFium, annotations and all; paper is what most of it looks
like, ink what is darker. Dust is forgiven, a letter is not.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2
from numpy.typing import NDArray

from signer.errors import UnsuitableDocument
from signer.pdfium import LOCK
from signer.sealing.stamp import Rect

_PIXELS_PER_POINT = 1.0  # 72 dpi: a comma still shows
_LONGEST_PX = 2400
_INK_LEVELS = 48  # of 255, darker than the paper
_DUST = 0.0008  # of an area; a letter of 10 pt in a code's box is more


@dataclass(frozen=True, slots=True)
class Vacancy:
    """Where a page has ink, as it is seen. `width`, `height`: the view's, in points."""

    ink: NDArray[np.bool_]
    width: float
    height: float

    def is_blank(self, rect: Rect) -> bool:
        """Whether `rect` of the view (points, origin lower left) holds next to nothing."""
        rows, columns = self.ink.shape
        left = max(0, int(rect[0] / self.width * columns))
        right = min(columns, round(rect[2] / self.width * columns) + 1)
        top = max(0, int((self.height - rect[3]) / self.height * rows))
        bottom = min(rows, round((self.height - rect[1]) / self.height * rows) + 1)
        part = self.ink[top:bottom, left:right]
        return bool(part.size) and float(part.mean()) <= _DUST


VacancySource = Callable[[int, float, float], Vacancy]
"""Page (0-based), width and height of its view → what is blank on it."""


def vacancy_of(document: bytes | Path, page_index: int, width: float, height: float) -> Vacancy:
    """Look at one page. Raises `UnsuitableDocument` when PDFium cannot draw it."""
    scale = min(_PIXELS_PER_POINT, _LONGEST_PX / max(width, height))
    source = io.BytesIO(document) if isinstance(document, bytes) else document
    try:
        with LOCK, closing(pypdfium2.PdfDocument(source)) as pdf:
            pdf.init_forms()
            with closing(pdf[page_index]) as page:
                drawn = page.get_width(), page.get_height()
                fit = scale * max(width, height) / max(*drawn, 1.0)
                bitmap = page.render(scale=fit, grayscale=True)
                grey = np.array(bitmap.to_numpy(), np.int16).reshape(bitmap.height, bitmap.width)
    except (pypdfium2.PdfiumError, MemoryError) as error:
        raise UnsuitableDocument(
            f"Không vẽ được trang {page_index + 1} để tìm chỗ trống cho mã QR; hãy xuất lại tài "
            "liệu. / The page cannot be drawn to find room for the code; re-create the document."
        ) from error
    return Vacancy(grey < np.median(grey) - _INK_LEVELS, width, height)


def first_blank(places: Iterable[Rect], taken: Iterable[Rect], vacancy: Vacancy) -> Rect | None:
    """The first of `places` that is blank and meets none of `taken`; all are of one view."""
    others = tuple(taken)
    for place in places:
        if not any(_meet(place, other) for other in others) and vacancy.is_blank(place):
            return place
    return None


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
