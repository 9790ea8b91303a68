"""The head of an administrative paper: national header, agencies, number, place and date.

Cells 1-5 of NĐ 30/2020, Appendix I: country and motto top right; agencies top left with number
and symbol below them; place and date on the right. `find_head` works on the pieces of a page
from a given place downwards, so it also finds the second head on a paper copy (SAO Y).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ocr.fields.doctypes import likeness, plain
from ocr.fields.mending import DIGIT, digits
from ocr.fields.pieces import Piece, Span, bare, part, span_of

COUNTRY = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"
MOTTO = "Độc lập - Tự do - Hạnh phúc"

_NUMBER = re.compile(
    r"(?<!\w)S[ốôóồổỗòõoỐÔ6]\s*[:;.,]*\s*(?P<number>[IlOSB]?\d[\d\s]{0,6})?"
    r"(?P<unread>[^/⁄\\]{0,14}?)[/⁄\\]\s*(?P<symbol>(?:\d{4}\s*/\s*)?[A-ZĐÐ][^\W_]*(?:\s?[-–—]\s?[A-ZĐÐ&][^\W_&]*)*)"
)
# the stroke was not read, or was read as a digit: what this finds is always shown to a person
_STROKELESS = re.compile(
    r"(?<!\w)S[ốôóồổỗòõoỐÔ]\s*[:;.]\s*(?P<number>\d{1,6})(?P<symbol>[A-ZĐ]\w{0,3}-[A-ZĐ]{2,}(?:-\w+)*)$"
)
_DATE = re.compile(
    r"(?:(?P<place>[^\W\d_][^,;:.]{1,40}?)\s*[,.;]\s*)?"
    rf"[nN][gqạ]\w{{0,2}}y[\s.,]*(?P<day>{DIGIT}{{1,2}})[\s.,]*th\w{{1,3}}g[\s.,]*"
    rf"(?P<month>{DIGIT}{{1,2}})[\s.,]*n[\w]{{1,2}}m[\s.,]*(?P<year>\d{{4}})"
)
_DATE_GAPS = re.compile(r"\bng[àaảá]y\b.{0,8}\bth[áaả]ng\b.{0,8}\bn[ăaâ]m\b", re.IGNORECASE)
# matched on plain text: misread tone marks do not matter
_LEVELS = re.compile(r"^(xa|phuong|huyen|quan|tinh|thi tran|thi xa|thanh pho|tp\.?|dac khu)\b")
_UNITS = re.compile(
    r"^(so|phong|ban|trung tam|van phong|cuc|chi cuc|tong cuc|thanh tra|truong|vien|benh vien|"
    r"hat|doi|tram|cong an|quy|hoi dong|toa an|bao hiem|kho bac|chi nhanh|vu|ubnd|uy ban)\b"
)
_COLUMN_GAP_MM = 2.4  # justified text has narrower spaces
_DASHES = re.compile(r"[-–—_]")
_BODIES = ("uy ban nhan dan", "hoi dong nhan dan")


@dataclass(frozen=True, slots=True)
class IssueDate:
    """A printed date; `place` may be absent. `mended`: a letter was read for a digit (II: 11)."""

    value: datetime.date
    span: Span
    place: Span | None
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a paper holds. `bottom` is where the body may begin, in mm.

    `number` is None when no digits were printed between `Số:` and the symbol; `number_gap` and
    `date_gap` are the places of such empty or unreadable spaces.
    """

    page: int
    top: float
    bottom: float
    boundary: float
    left: tuple[Piece, ...]
    agency_lines: tuple[Piece, ...]
    number: Span | None
    symbol: Span | None
    number_gap: Span | None
    date: IssueDate | None
    date_gap: Span | None


def find_country(pieces: Sequence[Piece], after: int = 0) -> tuple[int, int] | None:
    """Index of the piece with the country's name and of its first word; None without one."""
    for n in range(after, len(pieces)):
        words = pieces[n].words
        for k in range(max(1, len(words) - 5)):
            if plain(words[k].text)[:2] not in ("co", "cd", "go", "cq") and k:
                continue
            text = " ".join(w.text for w in words[k : k + 8])
            if likeness(text, COUNTRY) >= 0.8:
                return n, k
    return None


def find_head(pieces: Sequence[Piece], after: int = 0) -> tuple[Head, int] | None:
    """The first head from piece `after` on, and the index of its country line; None without one."""
    place = find_country(pieces, after)
    if place is None:
        return None
    index, word = place
    country = part(pieces[index], word)
    if word:  # an agency's long name comes close to the country's: one piece, two columns
        above = part(pieces[index], 0, word)
        pieces = [*pieces[:index], above, country, *pieces[index + 1 :]]
    return head_beside(pieces, country, country.left - 1.5), index


def head_beside(
    pieces: Sequence[Piece], country: Piece, boundary: float, agency_above: float = 12
) -> Head:
    """The head whose right column begins with `country`: the national header, or a form of copy.

    `boundary` parts the columns and `agency_above` is how far above the agencies may begin (mm).
    """
    page_pieces = [p for p in pieces if p.page == country.page]
    window = [
        q
        for p in page_pieces
        if country.top - 14 <= p.middle <= country.bottom + 42
        for q in _split_at(p, boundary)
    ]
    left = sorted((p for p in window if p.right <= boundary + 8 and p.left < boundary - 4),
                  key=lambda p: p.middle)  # fmt: skip
    right = sorted((p for p in window if p.left >= boundary - 6), key=lambda p: p.middle)
    number, symbol, gap, number_at = _number(left)
    # without agency and number the header is a form's own, centred: the date stands elsewhere
    own_form = number_at is None and not _agency_lines(
        left, country.top - agency_above, country.bottom + 14
    )
    date, date_gap, date_bottom = (None, None, None) if own_form else _date(right, country)
    stop = number_at.top if number_at else date_bottom if date_bottom else country.bottom + 14
    agency = _agency_lines(left, country.top - agency_above, stop)
    bottom = max(
        [country.bottom + 6, date_bottom or 0.0, number_at.bottom if number_at else 0.0]
        + [p.bottom for p in agency]
    )
    return Head(
        country.page, min([country.top, *(p.top for p in agency)]), bottom, boundary, tuple(left),
        tuple(agency), number, symbol, gap, date, date_gap,
    )  # fmt: skip


def find_number_line(pieces: Sequence[Piece]) -> tuple[Span | None, Span, Span | None] | None:
    """Number, symbol and gap of a line `Số: .../...` that stands alone; None without one.

    Agreements without an agency carry it in the middle, below their heading.
    """
    for piece in pieces:
        match = _NUMBER.search(piece.text)
        if match is None or match.end() - match.start() < 0.8 * len(piece.text):
            continue
        number, symbol, gap, _ = _number([piece])
        if symbol is not None:
            return number, symbol, gap
    return None


def _split_at(piece: Piece, x: float) -> list[Piece]:
    """Part a piece that runs across the boundary of the two columns, at its widest gap there."""
    if piece.right <= x + 8 or piece.left >= x - 6 or len(piece.words) < 2:
        return [piece]
    best, where = 0.0, 0
    for k in range(1, len(piece.words)):
        head, tail = part(piece, 0, k), part(piece, k)
        gap = tail.left - head.right
        if tail.left > x - 22 and head.right < x + 14 and gap > best:
            best, where = gap, k
    return [part(piece, 0, where), part(piece, where)] if best > _COLUMN_GAP_MM else [piece]


def _number(
    left: Sequence[Piece],
) -> tuple[Span | None, Span | None, Span | None, Piece | None]:
    """Number, symbol, the gap where a number is missing, and the piece they stand in."""
    rows = [c for n, piece in enumerate(left) for c in (piece, _row_from(piece, left[n + 1 :]))]
    for candidate in rows:
        match = _NUMBER.search(candidate.text)
        if match is None:
            continue
        symbol = span_of(candidate, match, "symbol")
        # anything but digits and specks before the stroke: not read, so not proposed
        if match.group("number") is None or any(c.isalnum() or c in "?$#" for c in match["unread"]):
            return None, symbol, span_of(candidate, match), candidate
        return span_of(candidate, match, "number"), symbol, None, candidate
    for candidate in rows:
        match = _STROKELESS.search(candidate.text)
        if match is not None:
            number, symbol = (
                span_of(candidate, match, "number"),
                span_of(candidate, match, "symbol"),
            )
            return number, symbol, None, candidate
    return None, None, None, None


def _row_from(piece: Piece, others: Sequence[Piece]) -> Piece:
    """The piece with the others of its visual row, from the left, as one piece."""
    row = [piece, *(p for p in others if abs(p.middle - piece.middle) < 2.5)]
    row.sort(key=lambda p: p.left)
    words = tuple(w for p in row for w in p.words)
    return Piece(words, piece.page, row[0].left, piece.top, row[-1].right, piece.bottom)


def read_date(piece: Piece) -> IssueDate | None:
    """A date in words (`..., ngày 05 tháng 3 năm 2024`) in a piece; None when it is no date."""
    match = _DATE.search(piece.text)
    if match is None:
        return None
    try:
        day, month = _once(match["day"], 31), _once(match["month"], 12)
        value = datetime.date(int(match["year"]), month, day)
    except ValueError:
        return None
    place = span_of(piece, match, "place") if match["place"] else None
    mended = not (match["day"] + match["month"]).isdigit()
    return IssueDate(value, _date_span(piece, match), place, mended)


def _once(read: str, most: int) -> int:
    """A day's or month's number; a digit that the engine gave twice (5Š, B8) counts once."""
    text = digits(read)
    if int(text) > most and len(text) == 2 and text[0] == text[1] and not read.isdigit():
        return int(text[0])
    return int(text)


def _date_span(piece: Piece, match: re.Match[str]) -> Span:
    """From the word `ngày` to the year."""
    start = match.end("place") + 1 if match["place"] else match.start()
    touched, at = [], 0
    for word in piece.words:
        if at < match.end() and at + len(word.text) > start:
            touched.append(word)
        at += len(word.text) + 1
    return Span(" ".join(w.text for w in touched), tuple(touched), piece.page)


def _date(
    right: Sequence[Piece], country: Piece
) -> tuple[IssueDate | None, Span | None, float | None]:
    below = [p for p in right if country.bottom - 1 < p.middle < country.bottom + 30]
    for n, piece in enumerate(below):
        for candidate in (piece, _row_from(piece, below[n + 1 :])):
            found = read_date(candidate)
            if found is not None:
                return found, None, candidate.bottom
    for n, piece in enumerate(below):
        candidate = _row_from(piece, below[n + 1 :])
        if _DATE_GAPS.search(candidate.text):
            return None, Span(candidate.text, candidate.words, candidate.page), candidate.bottom
    return None, None, None


def _agency_lines(left: Sequence[Piece], start: float, stop: float) -> list[Piece]:
    """Upper-case lines of the left column from `start` to `stop`, above the number."""
    lines: list[Piece] = []
    for piece in left:
        if piece.middle >= stop - 0.5 or piece.middle < start:
            continue
        if lines and piece.top - lines[-1].bottom > 9:
            break
        letters = [c for c in piece.text if c.isalpha()]
        if len(letters) >= 3 and sum(c.isupper() for c in letters) / len(letters) >= 0.8:
            lines.append(piece)
    return lines


def split_agency(lines: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Parent lines and issuing agency's lines.

    A committee or council whose place stands on the next line is one agency over two lines; a
    unit below such an agency, or a second committee, is the issuer and the rest its parent.
    """
    if len(lines) < 2:
        return [], list(lines)
    start = 0
    for n in range(1, len(lines)):
        opening = " ".join(_DASHES.sub(" ", plain(bare(lines[n].text))).split())
        if plain(lines[n - 1].text).strip(" .,:") in _BODIES and _LEVELS.match(opening):
            continue
        if _UNITS.match(opening):
            start = n
    if start == 0 and not _whole_body(lines):
        start = 1
    return list(lines[:start]), list(lines[start:])


def _whole_body(lines: Sequence[Piece]) -> bool:
    """Whether the lines are one people's committee or council with its place."""
    first = plain(bare(lines[0].text))
    return any(body in first for body in _BODIES) or bool(_UNITS.match(first))
