"""Finding the place of a signature in the text of a document.

Vietnamese administrative documents end with a block at the lower right: the authority ("TM.",
"KT.", "Q.", "TL.", "TUQ."), the signer's title in capitals, room for the signature, and the
signer's full name (NĐ 30/2020, Phụ lục I, ô 7a–7c); the list of recipients stands left of it.
The room between title and name is what is looked for here.

The text comes from the PDF itself, whether it was typed or recognised, through PDFium, so
that every way of signing finds the same place. PDFium is not safe under threads: `lines_of`
holds the lock of `signer.pdfium` while it reads.
"""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import reduce
from pathlib import Path
from typing import TypeVar

import pypdfium2
import pypdfium2.raw as pdfium_c

from signer.errors import ProfileError, UnsuitableDocument
from signer.pdfium import LOCK
from signer.sealing.appearance.placement import POINTS_PER_MM, View
from signer.sealing.stamp import PageGeometry, Rect

_MAX_CHARACTERS = 20_000  # a page with more text is no letter; it is passed over

_MIN_GAP = 6 * POINTS_PER_MM  # less than this between two lines is no room for a signature
_MAX_GAP = 80 * POINTS_PER_MM
_OFF_CENTRE = 20 * POINTS_PER_MM  # title and name are centred on each other, scans are skewed
_SAME_NAME = 0.75  # of 1: recognised names lose accents and letters
_COLUMN_GAP = 1.5  # line heights of white that part two columns

_AUTHORITY = re.compile(r"^(TM|KT|Q|TL|TUQ|T/M|K/T|T/L)\s*[./]")
_ADDITION = re.compile(r"\s[–—-]\s|\s*[,;(/|]")
_OFFICES = (
    "CHU TICH", "GIAM DOC", "TRUONG", "CHANH", "BI THU", "THU TRUONG", "CUC TRUONG", "VIEN",
    "TONG", "HIEU TRUONG", "CHI HUY", "TRUONG PHONG", "DOI TRUONG", "BO TRUONG",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text of one column; `rect` is in default user space of its page (0-based)."""

    page_index: int
    rect: Rect
    text: str


LineSource = Callable[[], Iterable[TextLine]]
"""Gives the text when it is asked for, and not before: reading it costs milliseconds a page."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Room for a signature: between `title` and `name`, both in the page's view (points)."""

    page_index: int
    title: Rect
    name: Rect

    @property
    def centre(self) -> float:
        """The column's middle."""
        return (self.title[0] + self.title[2] + self.name[0] + self.name[2]) / 4

    @property
    def room(self) -> tuple[float, float]:
        """Upper edge of the name, lower edge of the title."""
        return self.name[3], self.title[1]


def find_anchor(
    lines: Iterable[TextLine], pages: Sequence[PageGeometry], signer: str | None
) -> Anchor | None:
    """The room for the signature of `signer`, or of the last block when it is None.

    With a signer named, only a block that ends in that name is taken (accents and a few
    letters may be lost to recognition): nobody's signature goes over somebody else's name.
    What a certificate adds to the name behind a dash, comma or bracket does not count.
    """
    if signer is not None:
        signer = _ADDITION.split(signer)[0]
    seen = [
        _Seen(line.page_index, View(pages[line.page_index]).to_view(line.rect), line.text.strip())
        for line in lines
        if 0 <= line.page_index < len(pages)
    ]
    best: tuple[tuple[float, ...], Anchor] | None = None
    for name in seen:
        likeness = _likeness(name.text, signer) if signer else 0.0
        if likeness < _SAME_NAME if signer else not _is_name(name.text):
            continue
        anchor = _block_above(name, seen)
        if anchor is None:
            continue
        right = anchor.centre > View(pages[name.page_index]).width / 2
        merit = (likeness, name.page_index, right, -name.rect[1])
        if best is None or merit > best[0]:
            best = (merit, anchor)
    return best[1] if best else None


@dataclass(frozen=True, slots=True)
class _Seen:
    page_index: int
    rect: Rect
    text: str

    @property
    def middle(self) -> float:
        return (self.rect[0] + self.rect[2]) / 2


def _block_above(name: _Seen, lines: Sequence[_Seen]) -> Anchor | None:
    """The nearest title over `name`, if only room (or what was written into it) is between."""
    column = sorted(
        (
            line
            for line in lines
            if line.page_index == name.page_index
            and line is not name
            and line.rect[1] >= name.rect[3] - 1
            and abs(line.middle - name.middle) <= _OFF_CENTRE
        ),
        key=lambda line: line.rect[1],
    )
    note: Rect | None = None
    for line in column:
        if line.text.startswith("("):  # "(Ký, ghi rõ họ tên)" belongs to the title over it
            note = line.rect
        elif _is_title(line.text):
            title = line.rect if note is None else _hull(line.rect, note)
            gap = title[1] - name.rect[3]
            if gap >= _MIN_GAP:
                return Anchor(name.page_index, title, name.rect) if gap <= _MAX_GAP else None
            if _is_office(line.text):
                return None
            # otherwise letters of a seal or a scrawl, read where the signature goes
        elif _is_prose(line.text):
            return None
    return None


def _is_title(text: str) -> bool:
    """Capitals only, short, and an office, an authority or a role ("NGƯỜI LÀM ĐƠN")."""
    letters = [char for char in text if char.isalpha()]
    capitals = sum(char.isupper() for char in letters)
    if len(letters) < 4 or capitals < 0.85 * len(letters) or len(text.split()) > 12:
        return False
    return _is_office(text) or not any(char.isdigit() or char in ":;,/" for char in text)


def _is_office(text: str) -> bool:
    """An authority ("KT.") or the name of an office, in capitals or not."""
    plain = _plain(text).upper()
    return bool(_AUTHORITY.match(text)) or any(office in plain for office in _OFFICES)


def _is_name(text: str) -> bool:
    words = text.split()
    return (
        2 <= len(words) <= 7
        and all(char.isalpha() or char in " .-" for char in text)
        and all(word[0].isupper() for word in words)
        and not text.isupper()
    )


def _is_prose(text: str) -> bool:
    """Running text: several words, most of them in small letters."""
    words = [word for word in text.split() if len(word) > 1 and word.isalpha()]
    return len(words) >= 4 and sum(word.islower() for word in words) * 2 > len(words)


def _likeness(text: str, name: str) -> float:
    return SequenceMatcher(None, _plain(text), _plain(name), autojunk=False).ratio()


def _plain(text: str) -> str:
    """Small letters without accents: what recognition gets wrong most often."""
    bare = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(c for c in bare if not unicodedata.combining(c)).split())


def _hull(a: Rect, b: Rect) -> Rect:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character as it is seen: its cell, and where its ink ends below (points of the view)."""

    char: str
    rect: Rect
    foot: float


@dataclass(frozen=True, slots=True)
class PageRows:
    """The characters of a page that stand level, from the top down, each row from the left."""

    page_index: int
    page: PageGeometry
    rows: tuple[tuple[Glyph, ...], ...]


def rows_of(source: Path | bytes, page_index: int = 0) -> PageRows:
    """The visible characters of one page (0-based) of a PDF, without blanks.

    Blocking, some milliseconds. Raises `UnsuitableDocument` when PDFium cannot read the file
    and `ProfileError` when there is no such page.
    """
    with LOCK:
        try:
            with closing(pypdfium2.PdfDocument(source)) as document:
                pages = len(document)
                if page_index >= pages:
                    raise ProfileError(
                        f"Văn bản có {pages} trang, không có trang {page_index + 1}; hãy sửa vị "
                        f"trí. / The document has {pages} pages and no page {page_index + 1}: give "
                        "a page that it has."
                    )
                with closing(document[page_index]) as page:
                    geometry = PageGeometry(page.get_bbox(), page.get_rotation())
                    with closing(page.get_textpage()) as text:
                        found = _glyphs(text, text.count_chars(), View(geometry))
        except (pypdfium2.PdfiumError, OSError) as error:
            raise _unreadable(error) from error
    rows = [sorted(row, key=lambda glyph: glyph.rect[0]) for row in _rows(found)]
    return PageRows(page_index, geometry, tuple(map(tuple, rows)))


def lines_of(source: Path | bytes, pages: Iterable[int] | None = None) -> tuple[TextLine, ...]:
    """The lines of text on `pages` (0-based; default: the last three) of a PDF.

    Columns are kept apart. Blocking, some milliseconds a page. Raises `UnsuitableDocument`
    when PDFium cannot read the file.
    """
    with LOCK:
        try:
            with closing(pypdfium2.PdfDocument(source)) as document:
                count = len(document)
                chosen = range(max(0, count - 3), count) if pages is None else pages
                return tuple(
                    line
                    for index in chosen
                    if 0 <= index < count
                    for line in _page(document, index)
                )
        except (pypdfium2.PdfiumError, OSError) as error:
            raise _unreadable(error) from error


def _unreadable(error: Exception) -> UnsuitableDocument:
    return UnsuitableDocument(
        f"Không đọc được chữ của tài liệu ({error}); hãy gửi tệp PDF nguyên vẹn, không đặt mật "
        f"khẩu. / The text of the document cannot be read ({error}); give a whole PDF without a "
        "password."
    )


def _page(document: pypdfium2.PdfDocument, index: int) -> list[TextLine]:
    with closing(document[index]) as page:
        x0, y0, x1, y1 = page.get_bbox()
        view = View(PageGeometry((x0, y0, x1, y1), page.get_rotation()))
        with closing(page.get_textpage()) as text:
            count = text.count_chars()
            words = _words(text, count, view) if count <= _MAX_CHARACTERS else []
    return [
        TextLine(index, view.to_user(line.rect), line.text) for line in _in_columns(_rows(words))
    ]


@dataclass(frozen=True, slots=True)
class _Word:
    rect: Rect  # in the view
    text: str

    @property
    def height(self) -> float:
        return self.rect[3] - self.rect[1]


def _words(text: pypdfium2.PdfTextPage, count: int, view: View) -> list[_Word]:
    runs: list[list[_Word]] = [[]]
    for index in range(count):
        char = _character(text, index)
        if char is None:
            runs.append([])
            continue
        rect = view.to_view(text.get_charbox(index, loose=True))
        if view.holds(rect):  # text off the page, or at no number at all, is seen by nobody
            runs[-1].append(_Word(rect, char))
    return [_joined(run, "") for run in runs if run]


def _glyphs(text: pypdfium2.PdfTextPage, count: int, view: View) -> list[Glyph]:
    found = []
    for index in range(min(count, _MAX_CHARACTERS)):
        char = _character(text, index)
        if char is not None:
            rect = view.to_view(text.get_charbox(index, loose=True))
            if view.holds(rect):
                ink = view.to_view(text.get_charbox(index, loose=False))
                found.append(Glyph(char, rect, ink[1]))
    return found


def _character(text: pypdfium2.PdfTextPage, index: int) -> str | None:
    """The character, or None for a blank and for what has no shape."""
    char = chr(min(pdfium_c.FPDFText_GetUnicode(text, index), sys.maxunicode))
    return None if char.isspace() or unicodedata.category(char)[0] == "C" else char


def _joined(parts: Sequence[_Word], between: str) -> _Word:
    rects = [part.rect for part in parts]
    return _Word(reduce(_hull, rects), between.join(part.text for part in parts))


_Piece = TypeVar("_Piece", _Word, Glyph)


def _rows(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    """Words or characters that stand level, from the top of the page down."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: -_level(piece.rect)):
        last = rows[-1][-1].rect if rows else None
        if last and _level(last) - _level(piece.rect) <= 0.4 * min(
            last[3] - last[1], piece.rect[3] - piece.rect[1]
        ):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return rows


def _level(rect: Rect) -> float:
    return (rect[1] + rect[3]) / 2


def _in_columns(rows: Iterable[list[_Word]]) -> Iterable[_Word]:
    for row in rows:
        columns: list[list[_Word]] = []
        reach = -math.inf
        for word in sorted(row, key=lambda word: word.rect[0]):
            if word.rect[0] - reach <= _COLUMN_GAP * word.height:
                columns[-1].append(word)
            else:
                columns.append([word])
            reach = max(reach, word.rect[2])
        for column in columns:
            yield _joined(column, " ")
