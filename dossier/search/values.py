"""What is indexed and what is found: plain values between worker, index and door."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from dossier.model import JSON
from ocr.page import RecognisedPage
from ocr.record.textlayer import clean_text

MAX_WORDS = 10_000  # of a page; a sheet of paper has a tenth of it


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word and its box in whole pixels of the upright page: left, top, right, bottom."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PageText:
    """The words of one page in reading order; `number` counts the record's pages from 1."""

    number: int
    width_px: int
    height_px: int
    words: tuple[PlacedWord, ...]

    @classmethod
    def of(cls, page: RecognisedPage) -> Self:
        """The words as the record's text layer holds them."""
        words = [
            PlacedWord(text, _whole(word.box.left, word.box.top, word.box.right, word.box.bottom))
            for line in page.lines
            for word in line.words
            if (text := clean_text(word.text))
        ]
        return cls(page.image.number, page.width_px, page.height_px, tuple(words[:MAX_WORDS]))


def _whole(*edges: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge) for edge in edges)
    return left, top, right, bottom


def packed(words: tuple[PlacedWord, ...]) -> bytes:
    """The words as the table keeps them; `unpacked` reads them."""
    rows = [[word.text, *word.box] for word in words]
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


def unpacked(data: bytes) -> tuple[PlacedWord, ...]:
    """What `packed` wrote."""
    rows = json.loads(zlib.decompress(data))
    return tuple(PlacedWord(text, (a, b, c, d)) for text, a, b, c, d in rows)


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """A record that can be found; `id` is its digitization's."""

    id: str
    agency_id: str
    title: str
    dossier_code: str
    component_code: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a snippet; `match` tells that it was searched for."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class MatchedWord:
    """A word to be marked on the page's image; `exact`: with the very marks that were typed."""

    text: str
    box: tuple[int, int, int, int]
    exact: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that holds all words. `box`es are in pixels of a page of `width_px` × `height_px`.

    `exact`: the page has every word with the marks that were typed. `adjacent`: side by side.
    """

    document: SearchDocument
    indexed_at: datetime
    page: int
    width_px: int
    height_px: int
    exact: bool
    adjacent: bool
    snippet: tuple[Piece, ...]
    words: tuple[MatchedWord, ...]

    def to_json(self) -> dict[str, JSON]:
        """As programs get it, over HTTP and from the command line."""
        document = self.document
        indexed_at = self.indexed_at.astimezone(UTC).replace(tzinfo=None)
        return {
            "document": {
                "id": document.id,
                "title": document.title,
                "dossier_code": document.dossier_code,
                "component_code": document.component_code,
                "indexed_at": indexed_at.isoformat(timespec="milliseconds") + "Z",
            },
            "page": self.page,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "exact": self.exact,
            "adjacent": self.adjacent,
            "snippet": [{"text": piece.text, "match": piece.match} for piece in self.snippet],
            "words": [
                {"text": word.text, "box": list(word.box), "exact": word.exact}
                for word in self.words
            ],
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, best first; `next` is the cursor of the next page, if there is more."""

    hits: tuple[Hit, ...]
    next: str | None
