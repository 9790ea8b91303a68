"""Poppler's programs: a second opinion of what a finished record shows and says.

The record is written by `ocr.record.pdfwriter`, and nothing of it reads the file here: poppler's
parser, its font code, its decoders of images. Debian: apt install poppler-utils.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ocr._run import run
from ocr.errors import RecognitionError
from ocr.reading.raster import Raster

_SECONDS = 60.0
_HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")


def picture_of(record: Path, page: int, size_px: tuple[int, int]) -> Raster:
    """A page (from 1) as pdftoppm draws it: RGB of exactly that width and height.

    Raises `EngineMissing`, `EngineTimedOut`, `EngineCrashed`, `RecognitionError`.
    """
    width, height = size_px
    place = ["-f", str(page), "-l", str(page)]
    size = ["-scale-to-x", str(width), "-scale-to-y", str(height)]
    drawn = run(["pdftoppm", "-q", *place, *size, str(record)], seconds=_SECONDS).stdout
    header = _HEADER.match(drawn)
    if header is None:
        raise RecognitionError(f"pdftoppm drew no page {page}")
    found = int(header[1]), int(header[2])
    pixels = drawn[header.end() :]
    if found != size_px or len(pixels) != 3 * width * height:
        raise RecognitionError(f"pdftoppm drew {found} pixels of page {page}, not {size_px}")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def words_of(record: Path) -> list[list[str]]:
    """The words of each page in the order of its content, as pdftotext reads them.

    Raises like `picture_of`.
    """
    said = run(["pdftotext", "-q", "-raw", "-enc", "UTF-8", str(record), "-"], seconds=_SECONDS)
    pages = said.stdout.decode("utf-8", "replace").split("\f")
    return [page.split() for page in pages[:-1]]  # a form feed ends each page
