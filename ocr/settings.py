"""What a run of digitising is told. Plain values: they travel to the worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocr.intake.limits import ORDINARY, Limits
from ocr.quality.profiles import Profile

WORKING_DPI = 200
"""Recognition errs least at this resolution, and more pixels only cost time."""


@dataclass(frozen=True, slots=True)
class DigitiseSettings:
    """How pages are read and kept.

    `languages` as Tesseract writes them ("vie", "vie+eng"). `mode`: "faithful" keeps the
    scanner's bytes, "compact" stores mixed raster content. `models`: the folder of language
    models, None for the system's. `workers`: processes, None for one a core. `page_seconds`
    and `page_memory_bytes` bound one page (address space of its worker process). `quality`: what
    pages are held to (`ocr.quality`); None: they are not looked at.
    """

    languages: str = "vie"
    engine: Literal["tesserocr", "pytesseract"] = "tesserocr"
    mode: Literal["faithful", "compact"] = "faithful"
    models: Path | None = None
    limits: Limits = ORDINARY
    workers: int | None = None
    page_seconds: float = 120.0
    page_memory_bytes: int = 4 << 30
    quality: Profile | None = None
