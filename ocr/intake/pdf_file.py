"""Pages out of PDF files.

A page that is one whole-page image gives that image: its stream as it stands where the record
takes its filter, else its decoded pixels at their own resolution. Any other page is rendered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf
from PIL import Image

from ocr.errors import EncryptedFile, LimitExceeded
from ocr.intake.checks import PagePlace, TakenPage
from ocr.intake.flatten import flattened
from ocr.intake.jpeg import read_header
from ocr.intake.limits import Limits
from ocr.intake.pdf_image import SoleImage, check_page, sole_image
from ocr.intake.typed_errors import reading_of
from ocr.page import ImageStream, QuarterTurns
from ocr.reading.raster import decode

if TYPE_CHECKING:
    import pypdfium2

RENDER_DPI = 300
_TREE_DEPTH = 64  # a longer way to the root is a loop


def count_pdf(path: Path, name: str, limits: Limits) -> int:
    """The number of pages. Raises EncryptedFile, DamagedFile or LimitExceeded."""
    with reading_of(name), _opened(path, name) as pdf:
        pages = len(pdf.pages)
        if pages > limits.file_pages:
            raise LimitExceeded(
                f"{pages} pages are more than the allowed {limits.file_pages}: split the file",
                source=name,
            )
        if not pages:
            raise ValueError("it has no pages")
    return pages


def take_pdf(place: PagePlace) -> TakenPage:
    """One page of a PDF file."""
    with place.reading(), _opened(place.path, place.name) as pdf:
        page = pdf.pages[place.page - 1]
        check_page(page, place)
        turns = _turns(page)
        sole = sole_image(page)
        if sole is not None:
            taken = _own_stream(sole, place, turns)
            if taken is not None:
                return taken
        import pypdfium2  # loaded only for pages that are more than one plain image

        with closing(pypdfium2.PdfDocument(place.path)) as document:
            if sole is not None:
                taken = _own_pixels(document, sole, place, turns)
                if taken is not None:
                    return taken
            return _rendered(document, place)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[pikepdf.Pdf]:
    try:
        pdf = pikepdf.open(path)
    except pikepdf.PasswordError as error:
        raise EncryptedFile(
            "needs a password: save a copy without one and take that in", source=name
        ) from error
    with pdf:
        yield pdf


def _turns(page: pikepdf.Page) -> QuarterTurns:
    node: pikepdf.Object = page.obj
    levels = 0  # /Rotate is inherited (ISO 32000-1, 7.7.3.4)
    while "/Rotate" not in node and "/Parent" in node and levels < _TREE_DEPTH:
        node, levels = node["/Parent"], levels + 1
    return (0, 1, 2, 3)[int(node.get("/Rotate", 0)) // 90 % 4]


def _own_stream(sole: SoleImage, place: PagePlace, turns: QuarterTurns) -> TakenPage | None:
    """The image stream unmodified; None where the record cannot hold it as it is."""
    place.check_size(sole.width_px, sole.height_px)
    data = sole.stream.read_raw_bytes()
    if sole.fits_dct:
        header = read_header(data)
        same = (header.width_px, header.height_px) == (sole.width_px, sole.height_px)
        if not (same and header.fits_pdf and len(header.component_ids) == sole.components):
            return None
        kept = ImageStream(
            place.keep_bytes(data, "jpg"),
            "DCTDecode",
            sole.width_px,
            sole.height_px,
            1 if sole.components == 1 else 3,
            8,
        )
    elif sole.fits_g4:
        kept = ImageStream(
            place.keep_bytes(data, "g4"),
            "CCITTFaxDecode",
            sole.width_px,
            sole.height_px,
            1,
            1,
            sole.black_is_1,
        )
    else:
        return None
    return place.taken(kept, decode(kept), own_bytes=True, original=data, dpi=sole.dpi, turns=turns)


def _own_pixels(
    document: pypdfium2.PdfDocument, sole: SoleImage, place: PagePlace, turns: QuarterTurns
) -> TakenPage | None:
    """The image's decoded pixels, not resampled; None where PDFium gives others than it should."""
    if sole.masked:
        return None
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    with closing(document[place.page - 1]) as page:
        images = list(page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]))
        if len(images) != 1:
            return None
        bitmap = images[0].get_bitmap(render=False)
        if (bitmap.width, bitmap.height) != (sole.width_px, sole.height_px):
            return None
        pixels, _ = flattened(bitmap.to_pil())
    kept = place.keep_raster(pixels, bilevel=sole.bits == 1 and pixels.ndim == 2)
    original = bytes(sole.stream.read_raw_bytes())
    return place.taken(kept, pixels, own_bytes=False, original=original, dpi=sole.dpi, turns=turns)


def _rendered(document: pypdfium2.PdfDocument, place: PagePlace) -> TakenPage:
    """The page as a viewer shows it, upright, at 300 dpi."""
    with closing(document[place.page - 1]) as page:
        width_pt, height_pt = page.get_size()
        scale = RENDER_DPI / 72
        place.check_size(math.ceil(width_pt * scale), math.ceil(height_pt * scale))
        image: Image.Image = page.render(scale=scale).to_pil()
        pixels, _ = flattened(image)
    kept = place.keep_raster(pixels, bilevel=False)
    return place.taken(kept, pixels, own_bytes=False, original=None, dpi=(RENDER_DPI, RENDER_DPI))
