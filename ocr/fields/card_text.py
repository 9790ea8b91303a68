"""The print on a chip identity card: values beside their labels, or on the line below them.

Labels stand in Vietnamese and English (`Họ và tên / Full name:`) and differ between the card of
2021 (căn cước công dân) and that of 2024 (căn cước, whose back has residence and dates); a
misread letter in a label does no harm. What is read here is what stands on the card: whether it
is right, `ocr.fields.card_reading` asks the number and the code.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr.fields.doctypes import likeness, plain
from ocr.fields.pieces import Piece, Span, join, part

LIFELONG = "Không thời hạn"
"""The value of `expires` on a card that is valid for life."""

# The longest first: "ngay thang nam sinh" before "ngay sinh". False: an English half.
_LABELS: tuple[tuple[str, str, bool], ...] = (
    ("number", "so dinh danh ca nhan", True),
    ("number", "personal identification number", False),
    ("name", "ho chu dem va ten khai sinh", True),
    ("name", "ho va ten", True),
    ("name", "full name", False),
    ("born", "ngay thang nam sinh", True),
    ("born", "ngay sinh", True),
    ("born", "date of birth", False),
    ("issued", "ngay thang nam cap", True),
    ("issued", "date of issue", False),
    ("expires", "ngay thang nam het han", True),
    ("expires", "co gia tri den", True),
    ("expires", "date of expiry", False),
    ("birthplace", "noi dang ky khai sinh", True),
    ("birthplace", "place of birth", False),
    ("origin", "que quan", True),
    ("origin", "place of origin", False),
    ("residence", "noi thuong tru", True),
    ("residence", "noi cu tru", True),
    ("residence", "place of residence", False),
    ("nationality", "quoc tich", True),
    ("nationality", "nationality", False),
    ("sex", "gioi tinh", True),
    ("sex", "sex", False),
    ("number", "so", True),
    ("number", "no", False),
)
_NEAR = 0.8
_SHORT = 4  # letters: labels that resemble too much of other text to be misread, or to count
_BELOW_MM = 3.2  # from a label's line to that of its value
_ASIDE_MM = 6.0
_DATE = re.compile(r"(?<!\d)(\d{2})\s?[/.\-]\s?(\d{2})\s?[/.\-]\s?(\d{4})(?!\d)")
_NUMBER = re.compile(r"(?<!\d)\d{12}(?!\d)")
_AFTER_SO = re.compile(r"^\D{1,3}[/(|lI]?\s?N[oọó]|^\D{2,6}\d{9}", re.IGNORECASE)
_EDGES = " .,:;|_-–/\\'\"“”‘’()[]{}*~=+<>`¬!¡ˆ‹›°"
_ADDRESSES = ("origin", "residence", "birthplace")
_MOST_LINES = 2
_HEADINGS = ("CĂN CƯỚC CÔNG DÂN", "THẺ CĂN CƯỚC", "CĂN CƯỚC")
_NEW_LABELS = ("so dinh danh ca nhan", "ho chu dem va ten khai sinh", "ngay thang nam sinh",
               "noi cu tru", "noi dang ky khai sinh")  # fmt: skip


@dataclass(frozen=True, slots=True)
class CardText:
    """The labelled values of a page, each field once, with its words.

    `labels` counts the fields that a Vietnamese label was found for, `english` those with an
    English one; `heading` is set where a card's heading stands alone; `numbers` are all
    twelve-digit numbers beside a label for one. `is_new`: labels of the card of 2024.
    """

    values: tuple[tuple[str, Span], ...]
    labels: int
    english: int
    heading: Span | None
    numbers: tuple[Span, ...]
    is_new: bool

    def get(self, name: str) -> Span | None:
        """The value of a field; its text is in the form of `read_card_text`."""
        return next((span for known, span in self.values if known == name), None)


@dataclass(frozen=True, slots=True)
class _Label:
    """A label found in a piece: its field, words `first` to `last` (exclusive), its key."""

    field: str
    first: int
    last: int
    key: str
    vietnamese: bool


def read_card_text(pieces: Sequence[Piece]) -> CardText:
    """The values of a page's pieces, in whatever state they are: there may be none.

    Dates are in ISO 8601, the name in capitals as it is printed, `number` twelve digits, `sex`
    Nam or Nữ; a value that is not of its field's form is left out.
    """
    found: dict[str, Span] = {}
    numbers: list[Span] = []
    vietnamese: set[str] = set()
    english: set[str] = set()
    keys: set[str] = set()
    for n, piece in enumerate(pieces):
        labels = list(_labels(piece))
        for label in labels:
            keys.add(label.key)
            if len(label.key) > _SHORT:
                (vietnamese if label.vietnamese else english).add(label.field)
        for field, read in _beside(piece, labels):
            span = _formed(field, _whole(field, read, piece, pieces[n + 1 :]))
            if span is None:
                continue
            found.setdefault(field, span)
            if field == "number":
                numbers.append(span)
    return CardText(
        tuple(found.items()), len(vietnamese), len(english), _heading(pieces), tuple(numbers),
        bool(keys & set(_NEW_LABELS)),
    )  # fmt: skip


def _labels(piece: Piece) -> Iterator[_Label]:
    """The labels of a piece from the left."""
    words = [re.sub(r"[^a-z]", "", plain(w.text)) for w in piece.words]
    n, before = 0, None
    while n < len(words):
        label = _label_at(words, n)
        if label is None or not _in_place(label, before, piece):
            n += 1
            continue
        yield label
        n, before = label.last, label


def _in_place(label: _Label, before: _Label | None, piece: Piece) -> bool:
    """Short labels count only where they can stand: an address may begin with `Số 5`, too.

    `Số` stands before a long number or its English half; `No` and `Sex` after the Vietnamese one.
    """
    if len(label.key) > _SHORT:
        return True
    if label.vietnamese:
        rest = "".join(w.text for w in piece.words[label.first :])
        return bool(_AFTER_SO.search(rest))
    return before is not None and before.field == label.field


def _label_at(words: Sequence[str], n: int) -> _Label | None:
    """The label whose letters the words from `n` on bear; blanks and strokes do not count."""
    if not words[n]:
        return None
    for field, key, vietnamese in _LABELS:
        letters = key.replace(" ", "")
        if words[n][0] != letters[0] and words[n][1:3] != letters[1:3]:
            continue  # two misread letters at its beginning: the comparison below is slow
        text, end = "", n
        while end < len(words) and len(text) < len(letters) - 1:
            text += words[end]
            end += 1
        least = _NEAR if len(letters) > _SHORT else 1.0
        if abs(len(text) - len(letters)) <= 2 and likeness(text, letters) >= least:
            return _Label(field, n, end, key, vietnamese)
        if letters == "so" and words[n] == "sono":  # `Số/No` in one word
            return _Label(field, n, n + 1, key, vietnamese)
    return None


def _beside(piece: Piece, labels: Sequence[_Label]) -> Iterator[tuple[str, Piece | None]]:
    """Each label's field with what stands between it and the next label; None: nothing does.

    The two halves of a label (`Ngày sinh / Date of birth`) count as one.
    """
    for n, label in enumerate(labels):
        following = labels[n + 1] if n + 1 < len(labels) else None
        value = part(piece, label.last, following.first if following is not None else None)
        filled = any(c.isalnum() for w in value.words for c in w.text)
        if following is not None and following.field == label.field and not filled:
            continue
        yield label.field, value if filled else None


def _whole(field: str, value: Piece | None, label: Piece, below: Sequence[Piece]) -> list[Piece]:
    """The lines of a value: beside the label, below it, or both for an address."""
    lines = [value] if value is not None else []
    last = label
    for piece in below:
        if len(lines) >= (_MOST_LINES if field in _ADDRESSES else 1):
            break
        if piece.page != label.page or piece.top - last.bottom > _BELOW_MM:
            break
        if piece.middle - last.middle < 1.0:
            continue
        aside = piece.right < label.left - 1 or piece.left > label.left + 40
        if aside or (not lines and abs(piece.left - label.left) > _ASIDE_MM):
            continue
        if any(True for _ in _labels(piece)):
            break
        lines.append(piece)
        last = piece
    return lines


def _formed(field: str, lines: Sequence[Piece]) -> Span | None:
    """The value in its field's form; None when there is nothing of that form."""
    if not lines:
        return None
    whole = join(lines)
    text = " ".join(w for w in whole.text.split() if any(c.isalnum() for c in w)).strip(_EDGES)
    value: str | None
    match field:
        case "number":
            digits = _NUMBER.search(re.sub(r"(?<=\d)\s(?=\d)", "", text))
            value = digits[0] if digits is not None else None
        case "born" | "issued":
            value = _date(text)
        case "expires":
            value = _date(text) or (LIFELONG if likeness(text, LIFELONG) > 0.85 else None)
        case "sex":
            words = [plain(w).strip(_EDGES) for w in text.split()]
            value = "Nam" if "nam" in words[:2] else "Nữ" if "nu" in words[:2] else None
        case "name":
            value = _name(text)
        case _:
            # no syllable begins with Pl: what is left of `Place of ...` where it was cut off
            text = re.sub(r"^[Pp][Ll]\S*\s", "", text).strip(_EDGES)
            value = text if sum(c.isalpha() for c in text) >= 3 else None
    return None if value is None else Span(value, whole.words, whole.page)


def _date(text: str) -> str | None:
    match = _DATE.search(text)
    if match is None:
        return None
    try:
        return datetime.date(int(match[3]), int(match[2]), int(match[1])).isoformat()
    except ValueError:
        return None


def _name(text: str) -> str | None:
    """Words in capitals; a speck read as a letter at the end is left out."""
    words = [w.strip(_EDGES) for w in text.split()]
    kept = [w for w in words if w.isalpha() and w.isupper()]
    return " ".join(kept) if len(kept) >= 2 else None


def _heading(pieces: Sequence[Piece]) -> Span | None:
    for piece in pieces:
        text = piece.text.strip(_EDGES)
        if text.isupper() and any(likeness(text, known) >= 0.88 for known in _HEADINGS):
            return join([piece])
    return None
