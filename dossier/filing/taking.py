"""A page's image, taken from its scan again, with the text that people left: in a worker process.

The scanner's own bytes go into the record unchanged; nothing is read by machine any more.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ocr.errors import IntakeError, RecognitionError
from ocr.intake.survey import IntakeFault, ScanPage, look, take
from ocr.page import PageFault, QuarterTurns, RecognisedPage
from ocr.reading.cleanup import without_seal
from ocr.reading.page_reader import unread
from ocr.record.compact import encode_compact
from ocr.settings import DigitiseSettings
from ocr.wholefile import output_error
from signer.verification.file.pdf_objects import PDFSyntaxError
from signer.verification.file.structure import Document

_UNREAD = PageFault("Unread", "the page could not be read by machine")


def take_again(
    path: Path,
    name: str,
    index: int,
    number: int,
    reading: RecognisedPage | None,
    turns: int,
    settings: DigitiseSettings,
    work: Path,
) -> RecognisedPage | IntakeFault:
    """Page `index` (from 1) of the scan `path`, called `name`, as page `number` of the record.

    `reading` is what the page says, in its upright pixels; None: it has no text, and is turned by
    `turns` clockwise quarters beyond what its file says. The image file stays in `work`. Raises
    `RecognitionError` when the scan holds another image than was read, and `OutputError`.
    """
    source = replace(look(path, settings.limits), name=name)
    page = ScanPage(source, index, number)
    try:
        taken = take(page, work, settings.limits)
    except IntakeError as error:
        return IntakeFault(page, error)
    if reading is None:
        recognised = _turned(unread(taken.image, _UNREAD), turns)
    elif taken.image.original_sha256 != reading.image.original_sha256:
        raise RecognitionError(f"page {index} of {name} is not the image that was read")
    else:
        recognised = replace(reading, image=taken.image, compact=None)
    if settings.mode != "compact":
        return recognised
    is_bilevel = taken.image.kept.bits == 1
    even = taken.raster if is_bilevel else without_seal(taken.raster)
    file = f"page{number:05d}"
    try:
        compact = encode_compact(
            taken.raster, even, taken.image.dpi, work, file, blank=recognised.blank
        )
    except OSError as error:
        raise output_error(work / file, error) from error
    return replace(recognised, compact=compact)


def _turned(page: RecognisedPage, turns: int) -> RecognisedPage:
    clockwise: tuple[QuarterTurns, ...] = (0, 1, 2, 3)
    wanted = clockwise[(page.turns + turns) % 4]
    if not turns % 2:
        return replace(page, turns=wanted)
    return replace(
        page,
        turns=wanted,
        width_px=page.height_px,
        height_px=page.width_px,
        dpi=(page.dpi[1], page.dpi[0]),
    )


def signatures_in(path: Path) -> int:
    """How many signatures a PDF carries; 0 for any other file. For a worker: it is a stranger's.

    A file whose structure cannot be followed and that bears the traces of a signature counts as
    signed once: keeping it as it is harms nobody.
    """
    data = path.read_bytes()
    if b"%PDF-" not in data[:1024]:
        return 0
    try:
        return len(Document(data).current.signatures())
    except (PDFSyntaxError, RecursionError):
        return int(b"/ByteRange" in data)
