"""One page of a stack as a worker process reads it: values in, bytes out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from dossier.intake.page_trace import trace_of
from dossier.model import JSON
from dossier.stacks.plainvalues import plain
from dossier.stacks.reading import VERSION, PageReading
from ocr.intake.survey import ScanPage, Source, look
from ocr.page import PageFault, QuarterTurns
from ocr.page_scan import scan_page
from ocr.settings import DigitiseSettings

METHOD = 1
"""Of reading. A change after which pages should be read anew, and no earlier reading be used."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What is kept of a page: two blobs and what the strip shows. `fault`: it has no text."""

    reading: bytes
    picture: bytes
    summary: JSON
    fault: PageFault | None


def reading_key(sha256: str, index: int, settings: DigitiseSettings) -> str:
    """What a reading depends on, as a SHA-256: file, page, how it is read, what it is held to."""
    told = {
        "method": METHOD,
        "form": VERSION,
        "file": sha256,
        "page": index,
        "languages": settings.languages,
        "engine": settings.engine,
        "models": None if settings.models is None else settings.models.as_posix(),
        "limits": plain(settings.limits),
        "quality": None if settings.quality is None else plain(settings.quality),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read_page(
    source: Source,
    index: int,
    settings: DigitiseSettings,
    work: Path,
    fault: PageFault | None = None,
    turns: QuarterTurns | None = None,
) -> ReadPage:
    """Read page `index` (from 1) of a file; with a `fault` only its picture and its marks.

    With `turns` a person said which way is up.

    Raises IntakeError for a page that cannot be taken in, OutputError, EngineMissing.
    """
    named = Source(source.path, source.sha256, source.kind, source.sha256, source.pages)
    scanned, upright = scan_page(ScanPage(named, index, index), settings, work, fault, turns)
    page = scanned.page
    reading = PageReading(
        page=page,
        codes=scanned.codes,
        patches=scanned.patches,
        blank=scanned.blank,
        trace=trace_of(upright, page.dpi[1]),
        card=scanned.card,
        pen=scanned.pen,
        printed_number=scanned.printed_number,
        machine_turns=page.turns,
        engine=scanned.engine,
        key=reading_key(source.sha256, index, settings),
    )
    return ReadPage(reading.to_bytes(), scanned.picture, reading.summary(), page.fault)


def read_turned(
    path: Path, index: int, settings: DigitiseSettings, work: Path, turns: QuarterTurns
) -> ReadPage:
    """Read a page of a file once more, the way up that a person said. Raises like `read_page`."""
    return read_page(look(path, settings.limits), index, settings, work, None, turns)
