"""A page on its way from scan to record: the values that pass between the steps of `ocr`.

Coordinates. All boxes are in pixels of the *upright* page: the kept image after its quarter
turns, at the kept image's resolution, x to the right, y down, origin top left. Small skew is
not removed from the kept image (the scanner's bytes stay), so a line has a slope.

All values are frozen, picklable and independent of any engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ocr.quality.findings import PageQuality

QuarterTurns = Literal[0, 1, 2, 3]  # clockwise turns that make the kept image upright


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left and top inclusive, right and bottom exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Horizontal extent in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Vertical extent in pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word: NFC text without white space, its box, confidence 0-100.

    `confidence` is the engine's own; `certainty` is the chance in percent that the text is right
    (`ocr.reading.doubt`), None where nobody judged it. A `doubtful` word is one that a person has
    to look at; `alternative` is what another reading of the same ink said, where it differs.
    """

    text: str
    box: Box
    confidence: float
    certainty: float | None = None
    doubtful: bool = False
    alternative: str | None = None

    def __setstate__(self, state: Sequence[object]) -> None:
        _restore(self, state)


@dataclass(frozen=True, slots=True)
class Line:
    """Words of one line in reading order.

    `baseline` is y in pixels at x = 0 of the page and `slope` is dy/dx (y down), so the
    baseline at x is ``baseline + slope * x``. `size` is the line height in pixels
    (ascender to descender). `segment` counts the side-by-side blocks of one visual row
    from the left (0 for a full-width line): lines of one row share `row`.
    """

    words: tuple[Word, ...]
    box: Box
    baseline: float
    slope: float
    size: float
    row: int
    segment: int

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(w.text for w in self.words)

    @property
    def confidence(self) -> float:
        """Mean word confidence, weighted by length; 0 for an empty line."""
        n = sum(len(w.text) for w in self.words)
        return sum(w.confidence * len(w.text) for w in self.words) / n if n else 0.0


@dataclass(frozen=True, slots=True)
class ImageStream:
    """One image as it stands in the record: encoded bytes and what PDF must say of them.

    `path` holds the encoded bytes (a file of the work folder, so that 300 pages do not stay
    in memory). `filter` is the PDF filter name; FlateDecode streams hold zlib data of rows
    without predictors. `bits` per component is 8, or 1 for CCITTFaxDecode (Group 4, one
    strip; `black_is_1` as in ISO 32000-1 Table 11). `components`: 1 grey, 3 sRGB.
    """

    path: Path
    filter: Literal["DCTDecode", "CCITTFaxDecode", "FlateDecode"]
    width_px: int
    height_px: int
    components: Literal[1, 3]
    bits: Literal[1, 8]
    black_is_1: bool = False


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as intake gives it on.

    `number` counts the pages of the record from 1; `source` and `source_page` say where it
    came from. `original_sha256` is the digest of the page's original encoded bytes (the JPEG
    stream, the strip, or the whole file where the page is a file); `kept` is the image that
    goes into the record, and `kept_is_original` tells that its bytes are the scanner's own.
    `exif_turns` are the clockwise quarter turns that the file's metadata asks for.
    `dpi` is horizontal, vertical; `dpi_assumed` marks a guess (the file gave none).
    """

    number: int
    source: str
    source_page: int
    source_sha256: str
    original_sha256: str
    kept: ImageStream
    kept_is_original: bool
    dpi: tuple[float, float]
    dpi_assumed: bool
    exif_turns: QuarterTurns


@dataclass(frozen=True, slots=True)
class CompactImage:
    """Mixed raster content of a page (compact mode): a bilevel ink mask over a background.

    `mask` is CCITT Group 4 at scan resolution, painted in `ink_rgb` (0-1 each) over
    `background` (None: white paper; a bilevel source is its own mask).
    """

    mask: ImageStream
    ink_rgb: tuple[float, float, float]
    background: ImageStream | None


@dataclass(frozen=True, slots=True)
class PageFault:
    """Why a page has no text: the error's class name and its message."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """A page with its text.

    `turns` are all clockwise quarter turns from the kept image to the upright page (those of
    the metadata and those found by looking); `width_px`, `height_px` and `dpi` are those of
    the upright page. `skew_degrees` is the angle of the text lines on the upright page,
    positive when they fall to the right. A blank page has no lines and no fault; a page with
    a `fault` keeps its image and has no lines. `quality` is there when a profile was given.
    `unread` are places with ink like letters for which no word stands: to be looked at, too.
    """

    image: PageImage
    turns: QuarterTurns
    width_px: int
    height_px: int
    dpi: tuple[float, float]
    skew_degrees: float
    blank: bool
    lines: tuple[Line, ...]
    compact: CompactImage | None = None
    fault: PageFault | None = None
    quality: PageQuality | None = None
    unread: tuple[Box, ...] = ()

    def __setstate__(self, state: Sequence[object]) -> None:
        _restore(self, state)

    @property
    def doubtful_words(self) -> tuple[Word, ...]:
        """The words that a person has to look at, in reading order."""
        return tuple(w for line in self.lines for w in line.words if w.doubtful)

    @property
    def text(self) -> str:
        """One visual row a line; side-by-side blocks are set apart by three spaces."""
        rows: dict[int, list[str]] = {}
        for line in self.lines:
            rows.setdefault(line.row, []).append(line.text)
        return "\n".join("   ".join(parts) for parts in rows.values())

    @property
    def confidence(self) -> float:
        """Mean word confidence, weighted by length; 0 when there are no words."""
        words = [w for line in self.lines for w in line.words]
        n = sum(len(w.text) for w in words)
        return sum(w.confidence * len(w.text) for w in words) / n if n else 0.0


def _restore(value: Any, state: Sequence[object]) -> None:  # noqa: ANN401 - any dataclass
    """Set the fields of an unpickled value; those younger than the pickle take their defaults."""
    for field, kept in zip(fields(value), state, strict=False):
        object.__setattr__(value, field.name, kept)
    for field in fields(value)[len(state) :]:
        object.__setattr__(value, field.name, field.default)
