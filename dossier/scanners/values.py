"""What an eSCL scanner can do, is doing and is told to do. Plain values; lengths in 1/300 inch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

UNITS_PER_INCH = 300
"""eSCL measures every length in ``escl:ThreeHundredthsOfInches``, whatever the resolution."""


class InputSource(StrEnum):
    """``pwg:InputSource``."""

    PLATEN = "Platen"
    FEEDER = "Feeder"


class ColorMode(StrEnum):
    """``scan:ColorMode``; what a scanner offers beside these is not used."""

    BLACK_AND_WHITE_1 = "BlackAndWhite1"
    GRAYSCALE_8 = "Grayscale8"
    RGB_24 = "RGB24"


class DocumentFormat(StrEnum):
    """``pwg:DocumentFormat``."""

    JPEG = "image/jpeg"
    PDF = "application/pdf"

    @property
    def suffix(self) -> str:
        """The file name's end: ``jpg`` or ``pdf``."""
        return "jpg" if self is DocumentFormat.JPEG else "pdf"


class ScannerState(StrEnum):
    """``pwg:State`` of ScannerStatus."""

    IDLE = "Idle"
    PROCESSING = "Processing"
    TESTING = "Testing"
    STOPPED = "Stopped"
    DOWN = "Down"
    UNKNOWN = "unknown"


class AdfState(StrEnum):
    """``scan:AdfState``. Firmware disagrees on the word for an open cover: both are here."""

    LOADED = "ScannerAdfLoaded"
    EMPTY = "ScannerAdfEmpty"
    PROCESSING = "ScannerAdfProcessing"
    JAM = "ScannerAdfJam"
    MISPICK = "ScannerAdfMispick"
    HATCH_OPEN = "ScannerAdfHatchOpen"
    DOOR_OPEN = "ScannerAdfDoorOpen"
    MULTIPICK = "ScannerAdfMultipickDetected"
    TOO_SHORT = "ScannerAdfDuplexPageTooShort"
    TOO_LONG = "ScannerAdfDuplexPageTooLong"
    TRAY_FAILED = "ScannerAdfInputTrayFailed"
    TRAY_OVERLOADED = "ScannerAdfInputTrayOverloaded"
    UNKNOWN = "unknown"


class JobState(StrEnum):
    """``pwg:JobState``."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    CANCELED = "Canceled"
    ABORTED = "Aborted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resolutions:
    """Which resolutions, in dots an inch, the same both ways: some, or a range with a step."""

    discrete: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int, int], ...] = ()
    """(least, most, step)."""

    def allow(self, dpi: int) -> bool:
        """Whether the scanner takes `dpi` as it is."""
        return dpi in self.discrete or any(
            least <= dpi <= most and (dpi - least) % step == 0 for least, most, step in self.ranges
        )

    def __str__(self) -> str:
        words = [str(dpi) for dpi in self.discrete]
        words += [f"{least}–{most}" for least, most, _ in self.ranges]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class SettingProfile:
    """Colour modes, formats and resolutions that go together."""

    color_modes: frozenset[ColorMode]
    formats: frozenset[DocumentFormat]
    resolutions: Resolutions


@dataclass(frozen=True, slots=True)
class InputCapabilities:
    """What one way in can do: the glass, the feeder, or the feeder with both sides."""

    max_width: int
    max_height: int
    profiles: tuple[SettingProfile, ...]
    min_width: int = 1
    min_height: int = 1


@dataclass(frozen=True, slots=True)
class ScannerCapabilities:
    """``scan:ScannerCapabilities``: what the device is and can do."""

    version: str
    make_and_model: str
    serial_number: str
    uuid: str
    platen: InputCapabilities | None
    feeder: InputCapabilities | None
    feeder_duplex: InputCapabilities | None
    feeder_capacity: int | None = None
    detects_paper: bool = False
    """Whether `AdfState` says if there is paper in the feeder (``DetectPaperLoaded``)."""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """``scan:JobInfo`` of one job, newest first in the status."""

    path: str
    uuid: str
    state: JobState
    images_completed: int | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScannerStatus:
    """``scan:ScannerStatus``: what the device is doing now. `adf` is None without a feeder."""

    state: ScannerState
    adf: AdfState | None
    jobs: tuple[JobInfo, ...] = ()

    def job(self, path: str) -> JobInfo | None:
        """The job at `path`; devices name it by a whole URL, a path, or its last part."""
        name = path.rstrip("/").rpartition("/")[2]
        for job in self.jobs:
            if name and name in (job.path.rstrip("/").rpartition("/")[2], job.uuid):
                return job
        return None


@dataclass(frozen=True, slots=True)
class Region:
    """``pwg:ScanRegion``, from the upper left corner."""

    width: int
    height: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What a job is told (``scan:ScanSettings``). `dpi` dots an inch, both ways."""

    source: InputSource
    region: Region
    dpi: int = 300
    color_mode: ColorMode = ColorMode.RGB_24
    format: DocumentFormat = DocumentFormat.JPEG
    duplex: bool = False
    version: str = "2.0"


@dataclass(frozen=True, slots=True)
class Paper:
    """A size of paper, in 1/300 inch."""

    name: str
    width: int
    height: int


def _millimetres(name: str, width_mm: int, height_mm: int) -> Paper:
    per_mm = UNITS_PER_INCH / 25.4
    return Paper(name, round(width_mm * per_mm), round(height_mm * per_mm))


def _papers(papers: Iterable[Paper]) -> dict[str, Paper]:
    return {paper.name: paper for paper in papers}


PAPERS = _papers(
    [
        _millimetres("A3", 297, 420),
        _millimetres("A4", 210, 297),
        _millimetres("A5", 148, 210),
        _millimetres("A6", 105, 148),
        Paper("Letter", 2550, 3300),
        Paper("Legal", 2550, 4200),
    ]
)
"""By name; an office's papers are A4, its cards and slips A5 and A6, its tables A3."""
