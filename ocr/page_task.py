"""One page from file to text: what a worker process does, and `ocr.workers` asks for."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from ocr.errors import IntakeError, RecognitionError
from ocr.intake.checks import TakenPage
from ocr.intake.survey import IntakeFault, ScanPage, take
from ocr.page import PageFault, RecognisedPage
from ocr.quality.inspect import inspect_page
from ocr.reading.cleanup import without_seal
from ocr.reading.page_reader import PageReader, unread
from ocr.reading.raster import Grey
from ocr.reading.recognise import EngineInfo, Recogniser
from ocr.record.compact import encode_compact
from ocr.settings import DigitiseSettings
from ocr.wholefile import output_error


def process_page(
    page: ScanPage, settings: DigitiseSettings, work: Path
) -> RecognisedPage | IntakeFault:
    """Take a page in, read it, look at its quality, and in compact mode encode it.

    An engine's failure costs the text only. Raises OutputError and EngineMissing, which no
    other page would survive either.
    """
    try:
        taken = take(page, work, settings.limits)
    except IntakeError as error:
        return IntakeFault(page, error)
    bilevel = taken.image.kept.bits == 1
    even = taken.raster if bilevel else without_seal(taken.raster)
    reader = PageReader(engine_of(settings))
    try:
        recognised = reader.read(taken.image, even)
    except RecognitionError as error:
        fault = PageFault(type(error).__name__, str(error))
        recognised = unread(taken.image, fault)
    if settings.quality is not None:
        quality = inspect_page(recognised, taken.raster, settings.quality)
        recognised = replace(recognised, quality=quality)
    return _compacted(recognised, taken, even, settings, work)


def keep_page(
    page: ScanPage, settings: DigitiseSettings, work: Path, fault: PageFault
) -> RecognisedPage | IntakeFault:
    """Take a page in without reading it: what remains when reading killed its worker."""
    try:
        taken = take(page, work, settings.limits)
    except IntakeError as error:
        return IntakeFault(page, error)
    return unread(taken.image, fault)


def engine_info(settings: DigitiseSettings) -> EngineInfo:
    """Engine and models. Raises EngineMissing."""
    return engine_of(settings).info


@functools.lru_cache(maxsize=1)
def engine_of(settings: DigitiseSettings) -> Recogniser:
    """The engine of this process: models are loaded once and stay. Raises EngineMissing.

    Imported here, not above: the engine's library reads its thread limit when it is loaded,
    after the worker's initialiser has set it.
    """
    if settings.engine == "tesserocr":
        from ocr.reading.tesseract import TesserocrEngine

        return TesserocrEngine(settings.languages, settings.models)
    from ocr.reading.tesseract_cli import PytesseractEngine

    return PytesseractEngine(settings.languages, settings.models, 0.9 * settings.page_seconds)


def _compacted(
    page: RecognisedPage, taken: TakenPage, even: Grey, settings: DigitiseSettings, work: Path
) -> RecognisedPage:
    if settings.mode != "compact":
        return page
    name = f"page{page.image.number:05d}"
    try:
        compact = encode_compact(taken.raster, even, page.image.dpi, work, name, blank=page.blank)
    except OSError as error:
        raise output_error(work / name, error) from error
    return replace(page, compact=compact)
