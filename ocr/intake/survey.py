"""Scans in: files become pages.

`survey` looks at the files as a whole and refuses what cannot be a dossier at all; `take`
decodes one page of one file, and a page that cannot be taken becomes an `IntakeFault`, so
that one bad page does not lose the others. What a file is, its first bytes tell, never its
name. Both touch hostile bytes: in service they run in worker processes under limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ocr.errors import DamagedFile, IntakeError, LimitExceeded, UnreadableFile, UnsupportedFile
from ocr.intake.checks import PagePlace, TakenPage
from ocr.intake.image_file import count_tiff, take_jpeg, take_png, take_tiff
from ocr.intake.limits import ORDINARY, Limits
from ocr.intake.pdf_file import count_pdf, take_pdf
from ocr.intake.sources import IntakeFault, Kind, ScanPage, Source, files_of, pages_of, within
from ocr.intake.typed_errors import reading_of
from ocr.page import PageImage

__all__ = [
    "IntakeFault",
    "Kind",
    "ScanPage",
    "Source",
    "files_of",
    "intake",
    "look",
    "pages_of",
    "survey",
    "take",
    "within",
]

_PDF_HEADER_WITHIN = 1024  # bytes; ISO 32000-1 Annex H, implementation note 13


def survey(sources: Sequence[Path], limits: Limits = ORDINARY) -> tuple[Source, ...]:
    """Look at all files before any page is taken; folders stand for their files in natural order.

    Raises `UnreadableFile` (missing, no permission, nothing in it), `UnsupportedFile`,
    `EncryptedFile`, `DamagedFile` (a whole file) or `LimitExceeded`.
    """
    return within((look(path, limits) for path in files_of(sources)), limits)


def take(page: ScanPage, work: Path, limits: Limits = ORDINARY) -> TakenPage:
    """Decode one page and put its kept image into the folder `work`.

    Raises an `IntakeError` that names file and page, or `OutputError` when `work` cannot be
    written.
    """
    source = page.source
    place = PagePlace(
        source.path, source.name, source.sha256, page.index, page.number, work, limits
    )
    takers = {"pdf": take_pdf, "tiff": take_tiff, "jpeg": take_jpeg, "png": take_png}
    return takers[source.kind](place)


def intake(
    sources: Sequence[Path], work: Path, limits: Limits = ORDINARY
) -> Iterator[PageImage | IntakeFault]:
    """All pages in order, in this process: `survey`, then `take` for each page.

    A bad page comes out as `IntakeFault`; a bad file raises before the first page.
    """
    for page in pages_of(survey(sources, limits)):
        try:
            yield take(page, work, limits).image
        except IntakeError as error:
            yield IntakeFault(page, error)


def look(path: Path, limits: Limits) -> Source:
    """What one file is. Raises like `survey`."""
    name = path.name
    with reading_of(name):
        if not path.exists():
            raise UnreadableFile("there is no such file: check the path", source=name)
        if not path.is_file():
            raise UnreadableFile("this is not a regular file", source=name)
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise LimitExceeded(
                f"{size} bytes are more than the allowed {limits.file_bytes}: "
                "scan at a lower resolution or split the file",
                source=name,
            )
        with path.open("rb") as stream:
            head = stream.read(_PDF_HEADER_WITHIN)
            if not head:
                raise DamagedFile("the file is empty: scan or copy it again", source=name)
            kind = _kind(head, name)
            stream.seek(0)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    pages = 1
    if kind == "tiff":
        pages = count_tiff(path, name, limits)
    elif kind == "pdf":
        pages = count_pdf(path, name, limits)
    return Source(path, name, kind, sha256, pages)


def _kind(head: bytes, name: str) -> Kind:
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if b"%PDF-" in head:
        return "pdf"
    raise UnsupportedFile(
        "its first bytes are not those of a PDF, TIFF, JPEG or PNG, whatever its name says: "
        "save the scan in one of these formats",
        source=name,
    )
