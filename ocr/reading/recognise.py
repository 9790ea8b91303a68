"""The seam to the recognition engine: images of single lines in, words out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ocr.page import Box
from ocr.reading.engine_info import EngineInfo
from ocr.reading.raster import Grey

__all__ = ["OSD_SURE", "EngineInfo", "LineMode", "ReadWord", "Reading", "Recogniser"]

OSD_SURE = 0.5
"""Orientation confidence from which the engine is believed.

The 15 that others ask for leaves 200-dpi pages on their head.
"""


class LineMode(enum.Enum):
    """How the engine looks at a line image (Tesseract's page segmentation modes)."""

    LINE = 7
    """One text line, the ordinary way."""
    RAW = 13
    """One text line without Tesseract's own layout tricks: better on short cells."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word in a line image: text as the engine gave it, box in its pixels, confidence 0-100."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the engine saw in one line image; no words where it saw none."""

    words: tuple[ReadWord, ...]

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(w.text for w in self.words)

    @property
    def confidence(self) -> float:
        """Mean over the words; 0 without words."""
        return sum(w.confidence for w in self.words) / len(self.words) if self.words else 0.0


class Recogniser(Protocol):
    """A recognition engine, held by one worker process and used by one thread.

    Languages are fixed when it is made. Engines raise `EngineMissing` when they or a model are
    not installed and `RecognitionError` when they fail on an image.
    """

    @property
    def info(self) -> EngineInfo:
        """Engine and models."""
        ...

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        """Read line images (dark on white, uint8), one answer each, in order.

        All lines of a page come in one call, so that an engine with a high start-up cost pays
        it once.
        """
        ...

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        """Whether a page of horizontal lines stands on its head; None: cannot tell."""
        ...

    def close(self) -> None:
        """Free the engine's memory. Idempotent."""
        ...
