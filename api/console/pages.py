"""What is drawn over the picture of a page: doubtful words, findings, words that were searched for.

Marks are in pixels of the page as it is shown, turned like its picture, so that the templates
only copy numbers. Pure values, but for `reading_of`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from dossier.stacks.reading import PageReading
from dossier.stacks.values import StackPage
from dossier.storage.store import BlobStore
from ocr.page import Box

_KEPT = 64
_A4 = (1654, 2339)
_ROOM = 4.0  # pixels around a word


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle on the page as it is shown. `kind` is a class of the style sheet."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    target: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page to be shown: its size in pixels as it is turned, and the marks over it."""

    width: float
    height: float
    marks: tuple[Mark, ...] = ()


class Readings:
    """Readings of pages, the last ones kept. Safe for threads; blocks."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[str, PageReading] = OrderedDict()
        self._lock = Lock()

    def of(self, digest: str | None) -> PageReading | None:
        """The reading in a blob; None where there is none. Raises `StoreError`."""
        if digest is None:
            return None
        with self._lock:
            found = self._kept.get(digest)
        if found is None:
            found = PageReading.from_bytes(self._blobs.get(digest))
            with self._lock:
                self._kept[digest] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return found


def size_of(page: StackPage) -> tuple[float, float]:
    """Width and height of the upright page in pixels; those of an A4 page where nothing is said."""
    summary: dict[str, Any] = page.summary or {}
    width, height = summary.get("width_px"), summary.get("height_px")
    return (float(width), float(height)) if width and height else _A4


def sheet_of(
    page: StackPage, turns: int, reading: PageReading | None, more: Iterable[Mark] = ()
) -> Sheet:
    """The page with its doubtful words, its findings, and `more` marks of the upright page.

    Turned by `turns` quarter turns beyond what the machine found, less those that the reading
    was made with already.
    """
    if reading is None:
        return turned(Sheet(*size_of(page), tuple(more)), turns)
    width, height = reading.page.width_px, reading.page.height_px
    words = [
        Mark("doubtful", *around(box), target) for target, box in doubtful_places(page.id, reading)
    ]
    marks = (*_findings(reading, width, height), *words, *more)
    return turned(Sheet(width, height, marks), turns - already_turned(reading))


def already_turned(reading: PageReading) -> int:
    """Quarter turns of a person's that a reading was made with."""
    return (reading.page.turns - reading.machine_turns) % 4


def around(box: Box) -> tuple[float, float, float, float]:
    """Left, top, width and height of a box with some room around it."""
    left, top = box.left - _ROOM, box.top - _ROOM
    return left, top, box.width + 2 * _ROOM, box.height + 2 * _ROOM


def doubtful_places(page_id: str, reading: PageReading) -> list[tuple[str, Box]]:
    """Doubtful words and places without a word, by the targets that people confirm."""
    words = (word for line in reading.page.lines for word in line.words)
    found = [
        (f"word:{page_id}:{number}", word.box)
        for number, word in enumerate(words, 1)
        if word.doubtful
    ]
    gaps = enumerate(reading.page.unread, 1)
    return found + [(f"word:{page_id}:g{number}", box) for number, box in gaps]


def turned(sheet: Sheet, turns: int) -> Sheet:
    """The same after clockwise quarter turns."""
    for _ in range(turns % 4):
        marks = tuple(
            Mark(m.kind, sheet.height - m.y - m.height, m.x, m.height, m.width, m.target)
            for m in sheet.marks
        )
        sheet = Sheet(sheet.height, sheet.width, marks)
    return sheet


def _findings(reading: PageReading, width: float, height: float) -> list[Mark]:
    quality = reading.quality
    if quality is None or not all(quality.page_mm):
        return []
    across, down = width / quality.page_mm[0], height / quality.page_mm[1]
    return [
        Mark(
            f"finding {finding.severity.value}",
            place.left * across,
            place.top * down,
            (place.right - place.left) * across,
            (place.bottom - place.top) * down,
        )
        for finding in quality.findings
        for place in finding.places
        if finding.severity.value != "note"
    ]
