"""One page of a scanning station: read, judged, its marks found, its picture for the screen made.

    scanned, upright = scan_page(page, settings, work)

It is what a worker process does (`ocr.workers`); the image is decoded once, and nothing of it is
left but values and a small picture.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ocr.errors import EngineMissing, RecognitionError
from ocr.fields.card_reading import CardReading, read_card
from ocr.fields.extract import FieldCollector
from ocr.fields.page_number import printed_page_number
from ocr.intake.checks import TakenPage
from ocr.intake.survey import ScanPage, take
from ocr.page import Box, PageFault, QuarterTurns, RecognisedPage
from ocr.page_task import engine_of
from ocr.quality.inspect import inspect_page
from ocr.reading.cleanup import without_seal
from ocr.reading.page_reader import PageReader, unread
from ocr.reading.raster import Grey, Raster, turned
from ocr.reading.recognise import EngineInfo
from ocr.separators.blanks import BlankLook, look_for_writing
from ocr.separators.codes import find_page_codes
from ocr.separators.patch_codes import PatchCode
from ocr.separators.patches import find_patches
from ocr.settings import DigitiseSettings

PICTURE_HEIGHT_PX = 1240
_PICTURE_QUALITY = 75
_PICTURE_EFFORT = 2  # of 6: more takes three times as long for a twentieth of the size
_A4_LONG_INCHES = 297 / 25.4


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """What one page gave; its image files are gone.

    `codes` are payloads of QR codes, octet by octet; `pen` boxes of words in blue ink; `picture`
    is WebP, upright, `PICTURE_HEIGHT_PX` high at most. `engine` is None where none was asked.
    """

    page: RecognisedPage
    codes: tuple[bytes, ...]
    patches: frozenset[PatchCode]
    blank: BlankLook
    card: CardReading | None
    pen: frozenset[Box]
    printed_number: int | None
    engine: EngineInfo | None
    picture: bytes


def scan_page(
    page: ScanPage,
    settings: DigitiseSettings,
    work: Path,
    fault: PageFault | None = None,
    turns: QuarterTurns | None = None,
) -> tuple[ScannedPage, Raster]:
    """Take a page in, read it and look at everything on it; and its upright pixels.

    With a `fault` no engine is asked: what remains of a page whose reading killed its process.
    With `turns` a person said which way is up. An engine's failure costs the text only.
    `settings.quality` has to be given for the page to be held to something. Raises IntakeError,
    OutputError and EngineMissing.
    """
    # 1 pixels, text, quality
    taken = take(page, work, settings.limits)
    try:
        recognised, engine = _recognised(taken, settings, fault, turns)
        if settings.quality is not None:
            quality = inspect_page(recognised, taken.raster, settings.quality)
            recognised = replace(recognised, quality=quality)
        # 2 pen and print are told apart on the kept image
        collector = FieldCollector()
        collector.see(recognised)
    finally:
        taken.image.kept.path.unlink(missing_ok=True)
    # 3 marks
    upright = turned(taken.raster, recognised.turns)
    grey = _grey(upright)
    dpi = recognised.dpi[1]
    codes = find_page_codes(grey, max(grey.shape) / _A4_LONG_INCHES)
    scanned = ScannedPage(
        page=recognised,
        codes=tuple(sorted({code.data for code in codes})),
        patches=frozenset(found.code for found in find_patches(grey, dpi)),
        blank=look_for_writing(upright, dpi),
        card=read_card(recognised, taken.raster, codes),
        pen=collector.pen,
        printed_number=printed_page_number(recognised),
        engine=engine,
        picture=screen_picture(upright),
    )
    return scanned, upright


def screen_picture(upright: Raster) -> bytes:
    """A page as a screen shows it: WebP, never larger than the scan."""
    factor = PICTURE_HEIGHT_PX / max(upright.shape[:2])
    if factor < 1:
        small = cv2.resize(upright, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        upright = np.asarray(small, np.uint8)
    out = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(upright))
    picture.save(out, "WEBP", quality=_PICTURE_QUALITY, method=_PICTURE_EFFORT)
    return out.getvalue()


def _recognised(
    taken: TakenPage,
    settings: DigitiseSettings,
    fault: PageFault | None,
    turns: QuarterTurns | None,
) -> tuple[RecognisedPage, EngineInfo | None]:
    if fault is not None:
        return unread(taken.image, fault), None
    even = taken.raster if taken.image.kept.bits == 1 else without_seal(taken.raster)
    engine = engine_of(settings)
    try:
        return PageReader(engine).read(taken.image, even, turns=turns), engine.info
    except EngineMissing:
        raise
    except RecognitionError as error:
        return unread(taken.image, PageFault(type(error).__name__, str(error))), engine.info


def _grey(raster: Raster) -> Grey:
    if raster.ndim == 2:
        return raster
    return np.asarray(cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY), np.uint8)
