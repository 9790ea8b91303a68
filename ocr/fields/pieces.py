"""Lines of a page as pieces on a level sheet, for finding the cells of NĐ 30/2020.

A piece is a run of words without a wide gap. Its place is in millimetres after the page's skew
is taken out, so that "left of", "below" and "centred" mean what they mean on paper; the words
keep their boxes in pixels of the upright page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr.page import Box, RecognisedPage, Word

_MM_PER_INCH = 25.4
_GAP = 2.2  # gaps wider than this many line heights part two columns


@dataclass(frozen=True, slots=True)
class Piece:
    """Words side by side on one visual row; page is 1-based, lengths in millimetres."""

    words: tuple[Word, ...]
    page: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(w.text for w in self.words)

    @property
    def centre(self) -> float:
        """Horizontal middle."""
        return (self.left + self.right) / 2

    @property
    def middle(self) -> float:
        """Vertical middle."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """Height of the words' boxes."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Span:
    """Part of one or several pieces: its text, words, and the mean confidence (0-100)."""

    text: str
    words: tuple[Word, ...]
    page: int

    @property
    def confidence(self) -> float:
        """Mean word confidence weighted by length; 0 without words."""
        n = sum(len(w.text) for w in self.words)
        return sum(w.confidence * len(w.text) for w in self.words) / n if n else 0.0

    @property
    def box(self) -> Box:
        """The box around the words, in pixels of the upright page."""
        return enclosing(w.box for w in self.words)


def bare(text: str) -> str:
    """Text without the specks that dust leaves at its ends: `_ Kính gửi: ˆ`."""
    return text.lstrip(" _:;.,'\"`|~^ˆ°·•=*").rstrip(" _'\"`|~^ˆ°·•=*")


def enclosing(boxes: Iterable[Box]) -> Box:
    """The smallest box around boxes; an empty box at the origin when there are none."""
    every = list(boxes)
    if not every:
        return Box(0, 0, 0, 0)
    return Box(
        min(b.left for b in every),
        min(b.top for b in every),
        max(b.right for b in every),
        max(b.bottom for b in every),
    )


def join(pieces: Sequence[Piece]) -> Span:
    """All words of pieces in order; the page is that of the first."""
    words = tuple(w for p in pieces for w in p.words)
    return Span(" ".join(w.text for w in words), words, pieces[0].page if pieces else 0)


def tidy(span: Span) -> Span:
    """Without stray marks at the ends and between words."""
    words = [bare(w) for w in span.text.split()]
    kept = [w for w in words if any(c.isalnum() for c in w) or w in ("-", "–")]
    return Span(" ".join(kept).strip(" .,:;|_-–'\"*"), span.words, span.page)


def span_of(piece: Piece, match: re.Match[str], group: int | str = 0) -> Span:
    """The words that a match in `piece.text` touches."""
    start, end = match.span(group)
    touched = []
    at = 0
    for word in piece.words:
        if at < end and at + len(word.text) > start:
            touched.append(word)
        at += len(word.text) + 1
    return Span(match.group(group), tuple(touched), piece.page)


def part(piece: Piece, first: int, last: int | None = None) -> Piece:
    """The piece made of the words from `first` up to `last` (exclusive).

    Horizontal limits follow the words' share of the piece's width.
    """
    words = piece.words[first:last]
    if not words or not piece.words:
        return Piece((), piece.page, piece.left, piece.top, piece.left, piece.bottom)
    x0 = piece.words[0].box.left
    scale = (piece.right - piece.left) / max(1e-6, piece.words[-1].box.right - x0)
    left = piece.left + (words[0].box.left - x0) * scale
    right = piece.left + (words[-1].box.right - x0) * scale
    return Piece(words, piece.page, left, piece.top, right, piece.bottom)


def pieces_of(page: RecognisedPage, number: int) -> list[Piece]:
    """The page's pieces, by visual row from the top and from the left within a row."""
    found: list[tuple[int, Piece]] = []
    scale_x, scale_y = _MM_PER_INCH / _positive(page.dpi[0]), _MM_PER_INCH / _positive(page.dpi[1])
    angle = -math.radians(page.skew_degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    for line in page.lines:
        run: list[Word] = []
        runs = [run]
        for word in line.words:
            if run and word.box.left - run[-1].box.right > _GAP * max(line.size, 1.0):
                run = []
                runs.append(run)
            run.append(word)
        for words in runs:
            if not words:
                continue
            first, last = words[0].box, words[-1].box
            tall = sorted(w.box.height for w in words)[len(words) // 2] * scale_y
            x0, y0 = _turn(first.left * scale_x, _middle(first) * scale_y, cos, sin)
            x1, y1 = _turn(last.right * scale_x, _middle(last) * scale_y, cos, sin)
            middle = (y0 + y1) / 2
            piece = Piece(tuple(words), number, x0, middle - tall / 2, x1, middle + tall / 2)
            found.append((line.row, piece))
    found.sort(key=lambda item: (item[0], item[1].left))
    return [piece for _, piece in found]


def _positive(dpi: float) -> float:
    return dpi if dpi > 0 else 300.0


def _middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _turn(x: float, y: float, cos: float, sin: float) -> tuple[float, float]:
    return x * cos - y * sin, x * sin + y * cos
