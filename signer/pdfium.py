"""PDFium, the engine of a widely used browser: what a file looks like to whoever opens it.

    with opened(data) as document:              # blocks while another thread uses PDFium
        with document.page(0) as page:
            page.picture(page.size_px(1.0, 4_000_000)), page.text()

The only way from `signer` to pypdfium2. PDFium is not safe under threads: a document holds the
lock of this module until it is closed, and one thread may hold several documents.
Nothing in the file is trusted: numbers are bounded before anything is drawn.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium_c

from signer.errors import EngineRefused

LOCK = threading.RLock()
"""Held by whoever calls into PDFium."""

MAX_CHARACTERS = 400_000  # of one page
MAX_IMAGE_PIXELS = 400_000_000  # of all images of one page: A0 at 600 dpi
MAX_IMAGES = 20_000
MAX_FORM_DEPTH = 8
_MAX_SIGNATURES = 10_000
_WHITE = 0xFFFFFFFF
_BYTES_A_PIXEL = 4

Picture = npt.NDArray[np.uint8]
"""Rows of pixels of four bytes: blue, green, red, unused."""


@dataclass(frozen=True, slots=True)
class PixelBox:
    """Pixels [left, right) by [top, bottom) of a picture, from its upper left corner."""

    left: int
    top: int
    right: int
    bottom: int


@contextmanager
def opened(data: bytes, end: int | None = None) -> Iterator[PDFiumDocument]:
    """The document in the first `end` bytes of `data` (not copied); closed when the context ends.

    Raises `EngineRefused` when PDFium cannot open it.
    """
    with LOCK:
        raw = pdfium_c.FPDF_LoadMemDocument64(data, len(data) if end is None else end, None)
        if not raw:
            reason = pdfium_c.FPDF_GetLastError()
            raise EngineRefused(
                f"PDFium không mở được tệp (mã {reason}). / PDFium cannot open the file (code "
                f"{reason})."
            )
        document = pypdfium2.PdfDocument(raw)
        try:
            yield PDFiumDocument(document, data)
        finally:
            document.close()


class PDFiumDocument:
    """One open document; for the thread that opened it."""

    def __init__(self, document: pypdfium2.PdfDocument, data: bytes) -> None:
        self._document = document
        self._data = data  # PDFium reads from it as long as the document is open
        document.init_forms()  # fields are drawn as a viewer draws them

    @property
    def has_valid_xref(self) -> bool:
        """False when PDFium had to search the file for objects, whatever its sections say."""
        return bool(pdfium_c.FPDF_DocumentHasValidCrossReferenceTable(self._document))

    @cached_property
    def page_count(self) -> int:
        """The number of pages that PDFium counts."""
        return int(pdfium_c.FPDF_GetPageCount(self._document))

    def page_size(self, index: int) -> tuple[float, float]:
        """Width and height in points as shown (crop box, turned); zeros when there is no page."""
        size = pdfium_c.FS_SIZEF()
        if not pdfium_c.FPDF_GetPageSizeByIndexF(self._document, index, size):
            return 0.0, 0.0
        return float(size.width), float(size.height)

    def byte_ranges(self) -> list[tuple[int, ...]]:
        """The /ByteRange of every signature that PDFium sees: those of the form's first level."""
        out: list[tuple[int, ...]] = []
        count = pdfium_c.FPDF_GetSignatureCount(self._document)
        for index in range(min(count, _MAX_SIGNATURES)):
            signature = pdfium_c.FPDF_GetSignatureObject(self._document, index)
            length = pdfium_c.FPDFSignatureObj_GetByteRange(signature, None, 0)
            if length:
                numbers = (ctypes.c_int * length)()
                pdfium_c.FPDFSignatureObj_GetByteRange(signature, numbers, length)
                out.append(tuple(numbers))
        return out

    @contextmanager
    def page(self, index: int) -> Iterator[PDFiumPage]:
        """One page, read. Raises `EngineRefused` when PDFium cannot read it."""
        try:
            page = self._document.get_page(index)
        except pypdfium2.PdfiumError as error:
            raise EngineRefused(
                f"PDFium không đọc được trang {index + 1}. / PDFium cannot read page {index + 1}."
            ) from error
        try:
            yield PDFiumPage(page)
        finally:
            page.close()


class PDFiumPage:
    """One page of an open document."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._page = page
        self.width, self.height = page.get_size()

    def picture(self, size_px: tuple[int, int]) -> Picture:
        """The page as a viewer shows it, with annotations and fields.

        Raises `EngineRefused` when its images have more than `MAX_IMAGE_PIXELS`.
        """
        self._bound_images()
        return self._drawn(size_px, None, pdfium_c.FPDF_ANNOT)

    def contents(self, size_px: tuple[int, int]) -> Picture:
        """As `picture`, without annotations and fields. Raises `EngineRefused`."""
        self._bound_images()
        return self._drawn(size_px, None, 0)

    def over(self, contents: Picture) -> Picture:
        """The annotations and fields alone, over `contents`. The page has none of its own then."""
        items = pdfium_c.FPDFPage_CountObjects(self._page)
        for index in reversed(range(items)):
            item = pdfium_c.FPDFPage_GetObject(self._page, index)
            if not pdfium_c.FPDFPage_RemoveObject(self._page, item):
                raise EngineRefused("PDFium không tách được trang. / PDFium cannot part a page.")
            pdfium_c.FPDFPageObj_Destroy(item)
        size_px = contents.shape[1], contents.shape[0]
        return self._drawn(size_px, contents, pdfium_c.FPDF_ANNOT)

    def contents_print(self) -> bytes:
        """A digest of what PDFium reads as contents: kinds, places, the images' octets, text."""
        digest = hashlib.sha256(self.text())
        edges = [ctypes.c_float() for _ in range(4)]
        for index in range(pdfium_c.FPDFPage_CountObjects(self._page)):
            item = pdfium_c.FPDFPage_GetObject(self._page, index)
            kind = pdfium_c.FPDFPageObj_GetType(item)
            pdfium_c.FPDFPageObj_GetBounds(item, *edges)
            digest.update(repr((kind, *(edge.value for edge in edges))).encode())
            if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
                length = pdfium_c.FPDFImageObj_GetImageDataRaw(item, None, 0)
                octets = (ctypes.c_ubyte * length)()
                pdfium_c.FPDFImageObj_GetImageDataRaw(item, octets, length)
                digest.update(octets)
        return digest.digest()

    def _drawn(self, size_px: tuple[int, int], paper: Picture | None, flags: int) -> Picture:
        width, height = size_px
        buffer = (ctypes.c_ubyte * (width * height * _BYTES_A_PIXEL))()
        bitmap = pdfium_c.FPDFBitmap_CreateEx(
            width, height, pdfium_c.FPDFBitmap_BGRx, buffer, width * _BYTES_A_PIXEL
        )
        if not bitmap:
            raise MemoryError("no bitmap")
        try:
            if paper is None:
                pdfium_c.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
            else:
                ctypes.memmove(buffer, paper.tobytes(), len(buffer))
            place = (0, 0, width, height, 0)
            pdfium_c.FPDF_RenderPageBitmap(bitmap, self._page, *place, flags)
            if flags and self._page.formenv:
                pdfium_c.FPDF_FFLDraw(self._page.formenv, bitmap, self._page, *place, flags)
        finally:
            pdfium_c.FPDFBitmap_Destroy(bitmap)
        return np.frombuffer(memoryview(buffer), np.uint8).reshape(height, width, _BYTES_A_PIXEL)

    def size_px(self, scale: float, most_pixels: int) -> tuple[int, int]:
        """Width and height of a picture: `scale` pixels a point, or fewer where it is too large.

        Raises `EngineRefused` for a page without extent.
        """
        area = self.width * self.height
        if not (0 < area < math.inf):
            raise EngineRefused("Trang không có kích thước. / The page has no extent.")
        scale = min(scale, math.sqrt(most_pixels / area))
        width, height = (max(1, math.ceil(n * scale)) for n in (self.width, self.height))
        return min(width, most_pixels), min(height, max(1, 2 * most_pixels // width))

    def to_pixels(
        self, box: tuple[float, float, float, float], size_px: tuple[int, int]
    ) -> PixelBox:
        """Where `box` (user space: left, bottom, right, top) is in a picture of that size."""
        xs, ys = [], []
        for x, y in ((box[0], box[1]), (box[2], box[3]), (box[0], box[3]), (box[2], box[1])):
            across, down = ctypes.c_int(), ctypes.c_int()
            pdfium_c.FPDF_PageToDevice(self._page, 0, 0, *size_px, 0, x, y, across, down)
            xs.append(across.value)
            ys.append(down.value)
        return PixelBox(min(xs), min(ys), max(xs), max(ys))

    def _bound_images(self) -> None:
        """Refuse what would be unpacked to gigabytes: sizes are read, nothing is decoded."""
        pixels = 0
        for image in islice(self._images(), MAX_IMAGES):
            width, height = ctypes.c_uint(), ctypes.c_uint()
            pdfium_c.FPDFImageObj_GetImagePixelSize(image, width, height)
            pixels += width.value * height.value
            if pixels > MAX_IMAGE_PIXELS:
                raise EngineRefused(
                    "Hình trên trang quá lớn. / The images of a page have more than "
                    f"{MAX_IMAGE_PIXELS} pixels."
                )

    def _images(self) -> Iterator[object]:
        """The images of the page and of the forms that it draws, some levels deep."""
        count, take = pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject
        stack = [(take(self._page, n), 1) for n in range(count(self._page))]
        while stack:
            item, depth = stack.pop()
            kind = pdfium_c.FPDFPageObj_GetType(item)
            if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
                yield item
            elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < MAX_FORM_DEPTH:
                inner = range(pdfium_c.FPDFFormObj_CountObjects(item))
                stack += [(pdfium_c.FPDFFormObj_GetObject(item, n), depth + 1) for n in inner]

    def text(self) -> bytes:
        """The text of the page's contents (UTF-16); of annotations there is none.

        Empty where the page has more than `MAX_CHARACTERS`: no page for people to read has.
        """
        with self._text() as text:
            count = _characters(text)
            letters = (ctypes.c_ushort * (2 * count + 2))()  # two where one is not enough
            length = pdfium_c.FPDFText_GetText(text, 0, count, letters) if count else 0
            return bytes(memoryview(letters)[:length])

    def letters(self) -> str:
        """The text, one letter for each place that `text_boxes` counts."""
        with self._text() as text:
            codes = (pdfium_c.FPDFText_GetUnicode(text, n) for n in range(_characters(text)))
            return "".join(chr(min(code, sys.maxunicode)) for code in codes)

    def text_boxes(self, first: int, last: int) -> list[tuple[float, float, float, float]]:
        """The boxes (user space) of the characters [first, last) of the text."""
        with self._text() as text:
            end = min(last, _characters(text))
            return [text.get_charbox(index) for index in range(first, end)]

    def letters_near(
        self, box: PixelBox, size_px: tuple[int, int], most: int
    ) -> list[tuple[str, PixelBox]]:
        """The letters (of the first `most`) that touch `box` of a picture of that size."""
        near = self._to_points(box, size_px)
        found: list[tuple[str, PixelBox]] = []
        with self._text() as text:
            left, bottom, right, top = near
            if not pdfium_c.FPDFText_GetBoundedText(text, left, top, right, bottom, None, 0):
                return found
            edges = [ctypes.c_double() for _ in range(4)]  # left, right, bottom, top
            for index in range(min(_characters(text), most)):
                pdfium_c.FPDFText_GetCharBox(text, index, *edges)
                x, end, y, up = (edge.value for edge in edges)
                if x < right and end > left and y < top and up > bottom:
                    code = min(pdfium_c.FPDFText_GetUnicode(text, index), sys.maxunicode)
                    found.append((chr(code), self.to_pixels((x, y, end, up), size_px)))
        return found

    def _to_points(
        self, box: PixelBox, size_px: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        xs, ys = [], []
        for across, down in ((box.left, box.top), (box.right, box.bottom)):
            x, y = ctypes.c_double(), ctypes.c_double()
            pdfium_c.FPDF_DeviceToPage(self._page, 0, 0, *size_px, 0, across, down, x, y)
            xs.append(x.value)
            ys.append(y.value)
        return min(xs), min(ys), max(xs), max(ys)

    @contextmanager
    def _text(self) -> Iterator[pypdfium2.PdfTextPage]:
        text = self._page.get_textpage()
        try:
            yield text
        finally:
            text.close()


def _characters(text: pypdfium2.PdfTextPage) -> int:
    count = int(text.count_chars())
    return count if count <= MAX_CHARACTERS else 0
