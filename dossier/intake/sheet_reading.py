"""What cover sheets a scan or a PDF shows: every page drawn, its codes judged.

    for page in read_sheets(path, certificates, work): ...

The file is a stranger's: let it be read in a process with bounds (`ocr.workers`).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from cryptography import x509

from dossier.intake.alarms import AlarmKind
from dossier.intake.observations import PageObservation
from dossier.intake.sheet_codes import SheetReading, judge_codes
from dossier.intake.splitting import SplitRules, split_stack
from ocr.errors import LimitExceeded
from ocr.intake.limits import Limits
from ocr.intake.survey import ScanPage, look, take
from ocr.reading.raster import turned
from ocr.separators.codes import find_page_codes
from signer.coversheet import CoverSheetKeys

MOST_PAGES = 100
_LIMITS = Limits(page_pixels=60_000_000, page_side_px=12_000, file_bytes=200_000_000)
_A4_LONG_INCHES = 297 / 25.4


class Worth(enum.StrEnum):
    """What a sheet is worth at a moment."""

    GENUINE = "genuine"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    FORGED = "forged"
    UNKNOWN_KEY = "unknown-key"


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The cover sheets on one page, counted from 1; an ordinary page has none."""

    page: int
    sheets: tuple[SheetReading, ...]


_WORTH = {
    AlarmKind.EXPIRED_SHEET: Worth.EXPIRED,
    AlarmKind.NOT_YET_VALID: Worth.NOT_YET_VALID,
    AlarmKind.FORGED_SHEET: Worth.FORGED,
    AlarmKind.UNKNOWN_KEY: Worth.UNKNOWN_KEY,
}


def worth_of(reading: SheetReading, at: datetime) -> Worth:
    """Whether the sheet would split a stack of its own station at that time, and why not."""
    claims = reading.claims
    here = SplitRules(claims.agency, claims.station, at)
    split = split_stack([PageObservation(sheets=(reading,))], here)
    found = [_WORTH[alarm.kind] for alarm in split.alarms if alarm.kind in _WORTH]
    return found[0] if found else Worth.GENUINE


def read_sheets(path: Path, certificates: Sequence[bytes], work: Path) -> tuple[SheetPage, ...]:
    """Every page of a file and its sheets, judged under `certificates` (DER). Blocks.

    `work` is a folder for what is taken out of the file. Raises `ocr.errors.OCRError`.
    """
    keys = CoverSheetKeys([x509.load_der_x509_certificate(der) for der in certificates])
    source = look(path, _LIMITS)
    if source.pages > MOST_PAGES:
        raise LimitExceeded(
            f"{source.pages} pages are more than {MOST_PAGES}: give the scan of the sheets alone",
            source=source.name,
        )
    return tuple(_page(ScanPage(source, n, n), keys, work) for n in range(1, source.pages + 1))


def _page(page: ScanPage, keys: CoverSheetKeys, work: Path) -> SheetPage:
    taken = take(page, work, _LIMITS)
    raster = turned(taken.raster, taken.image.exif_turns)
    grey = raster if raster.ndim == 2 else cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY)
    dpi = max(raster.shape[:2]) / _A4_LONG_INCHES  # a sheet is an A4 page, whatever a file says
    codes = find_page_codes(np.asarray(grey, np.uint8), dpi)
    return SheetPage(page.index, judge_codes([code.data for code in codes], keys))
