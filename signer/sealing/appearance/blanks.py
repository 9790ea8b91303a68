"""Number and date, written over the blanks that were typed for them.

A document comes to its signer with ``Số:      /QĐ-UBND`` and ``…, ngày    tháng    năm 2026``:
number and date are given by the clerk after the authorised person signed (NĐ 30/2020, Điều 15),
each by a signature of the agency's key whose appearance stands over the blank.

    room = find_number(rows_of(path), place)          # or find_date
    FieldPlan("number", room.empty())                 # before the first signature
    SealRequest(key, stamp=room.write_number(7, …))   # when the clerk gives it

What a blank is comes from the text of the page: room between two words, or dots and dashes
that stand for it. Rooms are immutable values in points of the page as it is seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from signer.errors import ProfileError
from signer.sealing.appearance.anchor import Glyph, PageRows
from signer.sealing.appearance.face import Face
from signer.sealing.appearance.placement import View
from signer.sealing.appearance.plan import PlacedStamp
from signer.sealing.appearance.profiles import AppearanceProfile, BlankPlace, FontRule
from signer.sealing.appearance.typeface import SetLine, TextBlock, Typeface, typeface
from signer.sealing.stamp import DocumentGeometry, PageGeometry, Rect

_FILLER = r"[.\u2026_\-\u2013\u2014\u00b7]*"  # dots and dashes typed where a blank is meant
_NUMBER = re.compile(rf"so:?({_FILLER})(\d*)({_FILLER})/")
_DATE = re.compile(
    rf"ngay({_FILLER})(\d{{0,2}})({_FILLER})thang({_FILLER})(\d{{0,2}})({_FILLER})"
    rf"nam({_FILLER})(\d{{0,4}})({_FILLER})"
)
_FLAT = frozenset("nmhaoăstxr")  # letters that stand on the baseline
_PAD = 1.0  # points between what is written and what is typed
_SHRINK_STEP_PT = 0.25
_BELOW, _ABOVE = 0.25, 0.95  # of the size: room under and over the baseline


@dataclass(frozen=True, slots=True)
class FixedStamp:
    """A stamp whose place is known already (`signer.sealing.stamp.StampPlan`)."""

    stamp: PlacedStamp

    def resolve(self, document: DocumentGeometry) -> PlacedStamp:
        """The stamp itself. Raises `ProfileError` when the document has no such page."""
        if self.stamp.page_index >= len(document.pages):
            raise ProfileError(
                f"the document has {len(document.pages)} pages, no page "
                f"{self.stamp.page_index + 1}: give a page that it has"
            )
        return self.stamp


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one figure, from `left` to `right`; `typed` is what stands there already."""

    left: float
    right: float
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """Where a number or a date goes: `rect` and `slots` in the page's view.

    `slots` is empty when somebody gave the rectangle: what is written is then centred in it.
    """

    page_index: int
    page: PageGeometry
    rect: Rect
    baseline: float
    slots: tuple[Slot, ...] = ()
    symbol: str = ""
    """What is typed behind the number's blank, as ``QĐ-UBND``."""

    def empty(self) -> FixedStamp:
        """Nothing but the place, for a field that is made ahead."""
        return self._stamp(Face(self.rect[2] - self.rect[0], self.rect[3] - self.rect[1]))

    def write_number(self, number: int, profile: AppearanceProfile) -> FixedStamp:
        """The number over its blank. Raises `ProfileError` when it does not fit."""
        return self._write([number_text(number)], profile)

    def write_date(self, day: date, profile: AppearanceProfile) -> FixedStamp:
        """Day, month and year over what is blank of them.

        Raises `ProfileError` when something else is typed there, or does not fit.
        """
        texts = date_texts(day)
        if not self.slots:
            return self._write([f"ngày {texts[0]} tháng {texts[1]} năm {texts[2]}"], profile)
        missing = []
        for slot, text in zip(self.slots, texts, strict=True):
            if slot.typed and int(slot.typed) != int(text) and not _is_begun(slot, text):
                raise ProfileError(
                    f"the document is typed with “{slot.typed}” where the date {day} has “{text}”: "
                    "give the date that the document leaves room for, or correct the document"
                )
            missing.append(text[len(slot.typed) :] if _is_begun(slot, text) else "")
        return self._write(missing, profile)

    def _write(self, texts: Sequence[str], profile: AppearanceProfile) -> FixedStamp:
        x0, y0, x1, y1 = self.rect
        face = typeface(profile.font.name)
        rooms = self.slots or (Slot(x0, x1),)
        size = _size(face, profile.font, texts, rooms, y1 - y0)
        lines = []
        for text, slot in zip(texts, rooms, strict=True):
            if text:
                width = face.width(text) / 1000 * size
                middle = (slot.left + slot.right) / 2
                lines.append(
                    SetLine(text, middle - width / 2 - x0, self.baseline - y0, width)
                )  # fmt: skip
        red, green, blue = bytes.fromhex(profile.font.colour[1:])
        colour = (red / 255, green / 255, blue / 255)
        block = TextBlock(face, size, colour, tuple(lines), x1 - x0, y1 - y0)
        return self._stamp(Face(x1 - x0, y1 - y0, text=(block, (0.0, 0.0))))

    def _stamp(self, face: Face) -> FixedStamp:
        view = View(self.page)
        return FixedStamp(
            PlacedStamp(
                self.page_index, view.to_user(self.rect), view.turn, face, anchored=bool(self.slots)
            )
        )


def number_text(number: int) -> str:
    """The number as it is written: below 10 with a leading zero (NĐ 30/2020, Phụ lục I)."""
    return f"{number:02d}"


def date_texts(day: date) -> tuple[str, str, str]:
    """Day, month, year as written: days below 10 and the months 1 and 2 get a leading zero."""
    month = f"{day.month:02d}" if day.month <= 2 else str(day.month)
    return f"{day.day:02d}", month, str(day.year)


def given_room(page_index: int, page: PageGeometry, rect: Rect) -> Room:
    """A rectangle that somebody gave, in points of the page as it is seen.

    Raises `ProfileError` when it is empty or leaves the page.
    """
    x0, y0, x1, y1 = rect
    if not (x0 < x1 and y0 < y1) or not View(page).holds(rect):
        raise ProfileError(
            f"the rectangle {rect} is empty or leaves page {page_index + 1}: give x0 y0 x1 y1 in "
            "points from the lower left of the page"
        )
    height = y1 - y0
    return Room(page_index, page, rect, y0 + height * _BELOW / (_BELOW + _ABOVE))


def find_number(page: PageRows, place: BlankPlace) -> Room | None:
    """The blank behind ``Số:`` in the head of the page; None when there is none to fill."""
    for row in _head(page, place):
        text, index = _plain(row)
        for match in _NUMBER.finditer(text):
            if match[2] or not _begins_column(row, index[match.start()]):
                continue
            last, slash = index[match.start(1) - 1], index[match.end() - 1]
            slot = Slot(row[last].rect[2], row[slash].rect[0])
            if slot.right - slot.left > 2 * _PAD:
                label = row[index[match.start()] : last + 1]
                return _room(page, label, [slot], _run_after(row, slash))
    return None


def find_date(page: PageRows, place: BlankPlace) -> Room | None:
    """The blanks of ``ngày … tháng … năm …`` in the head of the page; None when all is typed."""
    for row in _head(page, place):
        text, index = _plain(row)
        for match in _DATE.finditer(text):
            if match[2] and match[5] and len(match[8]) == 4:
                continue  # the date of something else, or nothing left to fill
            day, month, year = (row[index[match.start(group) - 1]] for group in (1, 4, 7))
            before_month, before_year = (row[index[match.end(group)]] for group in (3, 6))
            return _room(
                page,
                row[index[match.start()] : index[match.end() - 1] + 1],
                [
                    Slot(day.rect[2], before_month.rect[0], match[2]),
                    Slot(month.rect[2], before_year.rect[0], match[5]),
                    _year(row, index, match, year),
                ],
            )
    return None


def _year(row: Sequence[Glyph], index: Sequence[int], match: re.Match[str], label: Glyph) -> Slot:
    """Behind ``năm``: up to what stands for the blank, or as wide as four figures."""
    typed = match[8]
    if len(typed) == 4:
        return Slot(label.rect[2], row[index[match.end(8) - 1]].rect[2], typed)
    left = row[index[match.end(8) - 1]].rect[2] if typed else label.rect[2]
    wide = (4 - len(typed) + 0.5) * 0.55 * (label.rect[3] - label.rect[1])
    filled = row[index[match.end(9) - 1]].rect[2] if match[9] or match[7] else left
    return Slot(left, max(filled, left + wide), typed)


def _room(
    page: PageRows, label: Sequence[Glyph], slots: Sequence[Slot], symbol: str = ""
) -> Room | None:
    """The room of `slots` on the line of `label`; None when it leaves the page."""
    feet = sorted(g.foot for g in label if _base(g.char) in _FLAT) or [label[0].foot]
    baseline = feet[len(feet) // 2]
    top = max(glyph.rect[3] for glyph in label)
    bottom = min(glyph.rect[1] for glyph in label)
    height = top - bottom
    rect = (
        slots[0].left,
        min(bottom, baseline - _BELOW * height),
        slots[-1].right,
        max(top, baseline + _ABOVE * height),
    )
    if not View(page.page).holds(rect) or rect[0] >= rect[2]:
        return None
    return Room(page.page_index, page.page, rect, baseline, tuple(slots), symbol)


def _size(
    face: Typeface, font: FontRule, texts: Sequence[str], rooms: Sequence[Slot], height: float
) -> float:
    size = min(font.size_pt, height / (_BELOW + _ABOVE))
    while size >= font.min_size_pt:
        if all(
            face.width(face.drawable(text)) / 1000 * size <= room.right - room.left - 2 * _PAD
            for text, room in zip(texts, rooms, strict=True)
            if text
        ):
            return size
        size -= _SHRINK_STEP_PT
    raise ProfileError(
        f"“{' '.join(filter(None, texts))}” does not fit the blank even at {font.min_size_pt} pt: "
        "give a place (page and rectangle) that is large enough, or leave more room in the document"
    )


def _is_begun(slot: Slot, text: str) -> bool:
    """Whether only the beginning of `text` is typed: nothing, or the 20 of a year."""
    return len(slot.typed) < len(text) and text.startswith(slot.typed) and len(slot.typed) != 1


def _head(page: PageRows, place: BlankPlace) -> Iterator[tuple[Glyph, ...]]:
    lowest = View(page.page).height * (1 - place.upper_share)
    return (row for row in page.rows if row and row[0].rect[1] >= lowest)


def _begins_column(row: Sequence[Glyph], at: int) -> bool:
    """Whether nothing stands closely before the character: "Luật số:" is no number's label."""
    if at == 0:
        return True
    rect = row[at].rect
    return rect[0] - row[at - 1].rect[2] >= rect[3] - rect[1]


def _run_after(row: Sequence[Glyph], at: int) -> str:
    """What is typed closely behind the character `at`."""
    out, reach = "", row[at].rect[2]
    for glyph in row[at + 1 :]:
        if glyph.rect[0] - reach > 0.2 * (glyph.rect[3] - glyph.rect[1]):
            break
        out += glyph.char
        reach = glyph.rect[2]
    return unicodedata.normalize("NFC", out)


def _base(char: str) -> str:
    """The letter without accents, small."""
    return unicodedata.normalize("NFD", char.casefold().replace("đ", "d"))[:1]


def _plain(row: Iterable[Glyph]) -> tuple[str, list[int]]:
    """The row's letters without accents, and for each the index of its glyph."""
    text, index = "", []
    for at, glyph in enumerate(row):
        base = _base(glyph.char)
        if base and not unicodedata.combining(base):
            text += base
            index.append(at)
    return text, index
