"""The type's name and the abstract (trích yếu): cells 5a and 5b of NĐ 30/2020, Appendix I."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ocr.fields.doctypes import Catalogue, TypeMatch, plain
from ocr.fields.header_cells import Head
from ocr.fields.pieces import Piece, Span, bare, join, part

_FORM = re.compile(
    r"^(don|to khai|giay|phieu|danh sach|bang|trich luc|hop dong|van ban|ban cam ket|ban tuong"
    r" trinh|so|quyet dinh|ly lich|so yeu)\b"
)
_BODY = re.compile(
    r"^(can cu|kinh gui|xet |hom nay|ma ho so|bo phan tiep nhan|[ivx]{1,4}[.,)] |\d+[.,)] |[-–—+] |"
    r"stt\b|\(|dieu \d|nam \d{4} )"
)
_EITHER = re.compile(r"^(theo|thuc hien|de)\b")  # begins a body as well as an abstract
_LETTER = re.compile(r"^[^\w]{0,2}V\s?(?:[/⁄\\1lI]\s?[vwy]|[/⁄])(?!\w)[\s:.]*", re.IGNORECASE)
_EITHER_CASE = frozenset("cosuvwxz")
_WELL_CENTRED_MM = 1.8
_CENTRED_MM = 3.6  # a first-line indent of 10 mm moves a full line by 5
_FIRST_MM = 9.2  # from the heading to the abstract
_PITCH_MM = 7.4  # size 14 at one and a half lines; the body stands further below
_MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class Title:
    """The heading of the paper; `kind` None when it is a form outside the catalogue."""

    span: Span
    kind: TypeMatch | None
    abstract: Span | None


def find_letter_abstract(head: Head) -> Span | None:
    """The abstract of an official letter: `V/v ...` under the number, over several lines."""
    column = sorted(head.left, key=lambda p: p.middle)
    for n, piece in enumerate(column):
        if not _LETTER.match(piece.text):
            continue
        lines = [piece]
        for following in column[n + 1 :]:
            if following.top - lines[-1].bottom > 5 or _BODY.match(plain(bare(following.text))):
                break
            if following.middle - lines[-1].middle < 1.5:
                continue
            speck = len(following.words) > 1 and following.words[0].text in "-–—_.,'"
            lines.append(part(following, 1) if speck else following)
        whole = join(lines)
        text = _LETTER.sub("V/v ", whole.text, count=1).strip()
        return Span(text, whole.words, whole.page)
    return None


def find_title(pieces: Sequence[Piece], below: float, catalogue: Catalogue) -> Title | None:
    """The heading below `below` mm and the centred lines under it; None without a heading."""
    level = (_undusted(p) for p in pieces if p.middle > below)
    rows = sorted((p for p in level if p.words), key=lambda p: p.middle)
    for n, piece in enumerate(rows[:14]):
        text = piece.text.strip(" .:;,-_|*'\"")
        if not upper_case(text):
            continue
        kind = catalogue.by_title(text)
        if kind is None and not _FORM.match(plain(text)):
            continue
        heading, used = _heading(rows, n)
        lines = _abstract_lines(rows[n + used :], heading[-1])
        span = join(heading)
        clean = Span(span.text.strip(" .:;,-_|*'\""), span.words, span.page)
        return Title(clean, kind if used == 1 else None, join(lines) if lines else None)
    return None


def _heading(rows: Sequence[Piece], n: int) -> tuple[list[Piece], int]:
    """A heading may run over two upper-case lines (`GIẤY TIẾP NHẬN ... / VÀ HẸN ...`)."""
    lines = [rows[n]]
    for piece in rows[n + 1 : n + 3]:
        close = piece.top - lines[-1].bottom < 4
        wide = lines[-1].right - lines[-1].left > 90
        if close and wide and upper_case(piece.text) and abs(piece.centre - lines[0].centre) < 9:
            lines.append(piece)
        else:
            break
    return lines, len(lines)


def _abstract_lines(rows: Sequence[Piece], heading: Piece) -> list[Piece]:
    """Centred lines close below the heading, up to the body."""
    lines: list[Piece] = []
    last = heading
    for found in rows:
        piece = _unbulleted(found, heading)
        if lines:
            piece = _lowered(piece)
        if piece.page != heading.page or len(lines) == _MOST_LINES:
            break
        if piece.middle - last.middle < 2 or _is_dust(piece, heading):
            continue
        if piece.middle - last.middle > (_PITCH_MM if lines else _FIRST_MM) or _BODY.match(
            plain(bare(piece.text))
        ):
            break
        either = _EITHER.match(plain(bare(piece.text)))
        most = _WELL_CENTRED_MM if either else _CENTRED_MM
        if abs(piece.centre - heading.centre) > most or upper_case(piece.text):
            break
        if lines and not _continues(lines, piece):
            break
        lines.append(piece)
        last = piece
    return lines


def _undusted(piece: Piece) -> Piece:
    """The piece without the marks at its end: a speck or a rule there moves its middle."""
    last = len(piece.words)
    while last and not any(c.isalnum() or c in "-–)" for c in piece.words[last - 1].text):
        last -= 1
    return piece if last == len(piece.words) else part(piece, 0, last)


def _unbulleted(piece: Piece, heading: Piece) -> Piece:
    """Without a dash before a line that stands under the heading's middle only without it."""
    if len(piece.words) < 2 or piece.words[0].text not in "-–—.,'":
        return piece
    rest = part(piece, 1)
    off, without = abs(piece.centre - heading.centre), abs(rest.centre - heading.centre)
    return rest if without < min(off, _WELL_CENTRED_MM) else piece


def _lowered(piece: Piece) -> Piece:
    """A short last line (`cơ sở`) of letters that look alike in both cases, in lower case."""
    letters = [c for c in plain(piece.text) if c.isalpha()]
    if not letters or not _EITHER_CASE.issuperset(letters):
        return piece
    return replace(piece, words=tuple(replace(w, text=w.text.lower()) for w in piece.words))


def _is_dust(piece: Piece, heading: Piece) -> bool:
    """Specks or torn-off marks read as a line of their own."""
    letters = sum(c.isalnum() for c in piece.text)
    sure = join([piece]).confidence
    return piece.height < 0.4 * heading.height or letters < 2 or sure < (80 if letters < 3 else 40)


def _continues(lines: Sequence[Piece], piece: Piece) -> bool:
    """Whether a line can continue a centred abstract: the pitch stays, the first line was full."""
    if len(lines) >= 2:
        pitch = lines[1].middle - lines[0].middle
        if piece.middle - lines[-1].middle > pitch * 1.3:
            return False
    return lines[0].right - lines[0].left > 80


def upper_case(text: str) -> bool:
    """Whether a text is set in capitals, a misread letter aside."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) >= 3 and sum(c.isupper() for c in letters) / len(letters) >= 0.8
