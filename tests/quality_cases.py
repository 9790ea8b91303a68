"""Pages with one defect each, and honest bad ones, held to the quality measures.

Measures and thresholds were made on seeds below 6000; figures are taken with others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ocr.page import RecognisedPage
from ocr.quality.findings import Code, Finding, PageQuality, Place, Severity
from ocr.quality.inspect import inspect_page, missing_seal
from ocr.quality.profiles import Profile, QualityBook
from ocr.reading.cleanup import without_seal
from ocr.reading.page_reader import PageReader
from ocr.reading.raster import Grey, Raster
from ocr.reading.recognise import EngineInfo, LineMode, Reading, Recogniser
from tests.scans import take_one
from tools.samples.defects import BoxMm, Defect, Legible, legible, spoiled
from tools.samples.degrade import Scan
from tools.samples.evalset import SetOptions, documents
from tools.samples.layout import Sheet

EXPECTED: dict[Defect, Code] = {
    "low-dpi": Code.LOW_RESOLUTION,
    "wrong-dpi": Code.DPI_IMPLAUSIBLE,
    "grey": Code.NOT_COLOUR,
    "scaled": Code.SCALED,
    "skew": Code.SKEWED,
    "blur-feeder": Code.BLURRED,
    "blur-lens": Code.BLURRED,
    "cut-edge": Code.CUT_EDGE,
    "corner-shadow": Code.SHADOW,
    "book-shadow": Code.SHADOW,
    "bleed-through": Code.BLEED_THROUGH,
    "thumb": Code.FINGER,
    "upside-down": Code.WRONG_ORIENTATION,
    "sideways": Code.WRONG_ORIENTATION,
    "no-seal": Code.SEAL_MISSING,
    "unreadable": Code.LOW_CONFIDENCE,
}
NEEDS_ENGINE: tuple[Defect, ...] = ("upside-down", "sideways", "unreadable")
DAY = dt.date(2026, 3, 2)
# full pages of print, which all kinds of defect can be put on
KINDS = (
    "to-trinh",
    "cong-van",
    "thong-bao",
    "ke-hoach",
    "bien-ban",
    "don",
    "danh-sach",
    "giay-moi",
)


class Blind:
    """A `Recogniser` that sees no words: the measures that need none cost no reading."""

    info = EngineInfo("blind", "0", ())

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        return [Reading(()) for _ in lines]

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        return False

    def close(self) -> None:
        pass


@cache
def sheets(seed: int) -> tuple[Sheet, Sheet]:
    """A signed page of print and what stands on its back."""
    kind = KINDS[seed % len(KINDS)]
    other = KINDS[(seed + 3) % len(KINDS)]
    found = documents(SetOptions(seed=seed, count=2, kinds=(kind, other)))
    front, back = (pages[-1] for _, _, _, pages in found)
    return front, back


def resolution(seed: int) -> int:
    """300 and 200 dpi by turns of all kinds."""
    return 300 if (seed // len(KINDS)) % 2 == 0 else 200


def with_defect(defect: Defect, seed: int) -> tuple[Scan, BoxMm]:
    front, back = sheets(seed)
    made = spoiled(front, back, defect, resolution(seed), seed)
    return made.scan, made.place_mm


def without_defect(kind: Legible, seed: int) -> Scan:
    front, back = sheets(seed)
    return legible(front, back, kind, resolution(seed), seed)


def profile_of(name: str = "one-stop") -> Profile:
    return QualityBook.default().at(name, DAY)


def read(scan: Scan, work: Path, engine: Recogniser | None = None) -> tuple[RecognisedPage, Raster]:
    """The page as the pipeline reads it, with its pixels."""
    path = work / f"scan{scan.suffix}"
    path.write_bytes(scan.data)
    taken = take_one(path, work)
    even = taken.raster if taken.image.kept.bits == 1 else without_seal(taken.raster)
    return PageReader(engine or Blind()).read(taken.image, even), taken.raster


def judged(page: RecognisedPage, raster: Raster, *, sealed: bool) -> list[Finding]:
    """Findings that stop an operator: warnings and blocks. `sealed`: it must bear a seal."""
    profile = profile_of()
    quality = inspect_page(page, raster, profile)
    found = list(quality.findings)
    seal = missing_seal([quality], profile) if sealed else None
    return [f for f in (*found, *([seal] if seal else [])) if f.severity is not Severity.NOTE]


def meets(finding: Finding, place: BoxMm, quality: PageQuality | None = None) -> bool:
    """Whether one of the finding's places touches where the defect is."""
    left, top, right, bottom = place
    return any(_overlap(p, left, top, right, bottom) for p in finding.places)


def _overlap(p: Place, left: float, top: float, right: float, bottom: float) -> bool:
    return p.left < right and left < p.right and p.top < bottom and top < p.bottom
