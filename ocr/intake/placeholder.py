"""The page that stands in a record for one that could not be taken in.

Paper and record must count alike, and a gap must be seen: so the place of the lost page is
taken by a crossed-out sheet that says so, marked with the fault.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr.intake.sources import IntakeFault
from ocr.page import PageFault, PageImage, RecognisedPage
from ocr.reading.raster import store_g4
from ocr.wholefile import output_error

_DPI = 150
_WIDTH, _HEIGHT = 1240, 1754  # A4


def placeholder(fault: IntakeFault, work: Path) -> RecognisedPage:
    """A sheet for the record in place of a page. Raises OutputError."""
    page = fault.page
    path = work / f"page{page.number:05d}.g4"
    try:
        kept = store_g4(np.asarray(_sheet(fault)) == 0, path)
    except OSError as error:
        raise output_error(path, error) from error
    image = PageImage(
        number=page.number,
        source=page.source.name,
        source_page=page.index,
        source_sha256=page.source.sha256,
        original_sha256=page.source.sha256,  # its own bytes cannot be told apart
        kept=kept,
        kept_is_original=False,
        dpi=(_DPI, _DPI),
        dpi_assumed=True,
        exif_turns=0,
    )
    why = PageFault(type(fault.error).__name__, str(fault.error))
    return RecognisedPage(
        image, 0, _WIDTH, _HEIGHT, (_DPI, _DPI), 0.0, blank=False, lines=(), fault=why
    )


def _sheet(fault: IntakeFault) -> Image.Image:
    sheet = Image.new("1", (_WIDTH, _HEIGHT), 1)
    draw = ImageDraw.Draw(sheet)
    edge = 60
    draw.rectangle((edge, edge, _WIDTH - edge, _HEIGHT - edge), outline=0, width=4)
    draw.line((edge, edge, _WIDTH - edge, _HEIGHT - edge), fill=0, width=3)
    draw.line((edge, _HEIGHT - edge, _WIDTH - edge, edge), fill=0, width=3)
    page = fault.page
    # Pillow's built-in face has no stacked Vietnamese marks: the words go without
    words = [
        "KHONG DOC DUOC TRANG NAY",
        "THIS PAGE COULD NOT BE READ",
        _plain(f"{page.source.name}, {page.index}"),
    ]
    draw.rectangle((140, 740, _WIDTH - 140, 1010), fill=1, outline=0, width=3)
    for k, text in enumerate(words):
        face = ImageFont.load_default(size=40 if k < 2 else 26)
        draw.text((_WIDTH // 2, 800 + 75 * k), text, fill=0, font=face, anchor="mm")
    return sheet


def _plain(text: str) -> str:
    """ASCII letters only, at most what fits the sheet."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return bare.encode("ascii", "ignore").decode("ascii")[:60]
