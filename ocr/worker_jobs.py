"""What the digitising process asks its workers to do, by name.

Decoders, OpenCV and the engine are imported where they work, in the workers: the process that hands
out pages and writes the record starts without them, in a third of the time.
"""

from __future__ import annotations

from pathlib import Path

from ocr.intake.limits import Limits
from ocr.intake.sources import IntakeFault, ScanPage, Source
from ocr.page import PageFault, RecognisedPage
from ocr.reading.engine_info import EngineInfo
from ocr.settings import DigitiseSettings


def look(path: Path, limits: Limits) -> Source:
    """`ocr.intake.survey.look`."""
    from ocr.intake import survey

    return survey.look(path, limits)


def process_page(
    page: ScanPage, settings: DigitiseSettings, work: Path
) -> RecognisedPage | IntakeFault:
    """`ocr.page_task.process_page`."""
    from ocr import page_task

    return page_task.process_page(page, settings, work)


def keep_page(
    page: ScanPage, settings: DigitiseSettings, work: Path, fault: PageFault
) -> RecognisedPage | IntakeFault:
    """`ocr.page_task.keep_page`."""
    from ocr import page_task

    return page_task.keep_page(page, settings, work, fault)


def engine_info(settings: DigitiseSettings) -> EngineInfo:
    """`ocr.page_task.engine_info`."""
    from ocr import page_task

    return page_task.engine_info(settings)
