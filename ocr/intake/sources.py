"""Files of scans and their pages, before any is decoded.

Light on purpose: whoever hands pages to worker processes needs no decoder itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocr.errors import IntakeError, LimitExceeded, UnreadableFile
from ocr.intake.limits import Limits
from ocr.intake.typed_errors import reading_of

Kind = Literal["pdf", "tiff", "jpeg", "png"]


@dataclass(frozen=True, slots=True)
class Source:
    """A file of scans that can be opened. `name` is for people; `pages` counts its pages."""

    path: Path
    name: str
    kind: Kind
    sha256: str
    pages: int


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One page still in its file: the record's page `number`, page `index` (from 1) of `source`."""

    source: Source
    index: int
    number: int


@dataclass(frozen=True, slots=True)
class IntakeFault:
    """A page that could not be taken in, with its place and the reason."""

    page: ScanPage
    error: IntakeError


def within(sources: Iterable[Source], limits: Limits) -> tuple[Source, ...]:
    """The files, when all together have no more pages than allowed. Raises LimitExceeded."""
    found: list[Source] = []
    pages = 0
    for source in sources:
        found.append(source)
        pages += source.pages
        if pages > limits.pages:
            raise LimitExceeded(
                f"the dossier has more than {limits.pages} pages up to here: split it",
                source=source.name,
            )
    return tuple(found)


def pages_of(sources: Sequence[Source]) -> Iterator[ScanPage]:
    """All pages of the files in order, numbered from 1."""
    number = 0
    for source in sources:
        for index in range(1, source.pages + 1):
            number += 1
            yield ScanPage(source, index, number)


def files_of(sources: Sequence[Path]) -> Iterator[Path]:
    """The files, with each folder's in natural order. Raises UnreadableFile."""
    for path in sources:
        if not path.is_dir():
            yield path
            continue
        with reading_of(path.name):
            inside = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
        if not inside:
            raise UnreadableFile("the folder holds no files: name the scans", source=path.name)
        yield from sorted(inside, key=_natural)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """page2 before page10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(p), "") if p.isdecimal() else (0, p) for p in parts], path.name
