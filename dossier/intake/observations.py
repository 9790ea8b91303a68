"""What is known of the pages of a stack before it is split."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever names a side needs no cryptography for it
    from dossier.intake.sheet_codes import SheetReading
    from ocr.separators.patch_codes import PatchCode


class Side(enum.StrEnum):
    """Which side of a sheet of paper a page is."""

    SINGLE = "single"  # scanned on one side
    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class PageObservation:
    """What is known of a page when the stack is split; pages are named by their position."""

    side: Side = Side.SINGLE
    blank: bool = False
    sheets: tuple[SheetReading, ...] = ()
    patches: frozenset[PatchCode] = frozenset()
    sha256: str = ""
    printed_number: int | None = None
    """As read from the page; where numbers jump, an alarm is raised and nothing is split."""


class Likeness(enum.StrEnum):
    """How two images are alike."""

    SAME = "same"
    NOTE = "note"  # the same page, with something laid over it


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two pages of the stack that look alike (`dossier.intake.duplicates`), the earlier first."""

    one: int
    other: int
    likeness: Likeness
