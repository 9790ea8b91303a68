"""The QR code of an identity card (căn cước công dân of 2021, căn cước of 2024), read strictly.

The payload is text, fields parted by `|`: personal number, number of the older nine-digit card
(may be empty), full name, date of birth, sex, address, date of issue; dates as ddmmyyyy. Cards
of 2024 are said to append further fields; no published description was found, so they are
counted and not interpreted. The number is made
of the province of birth (3 digits), century and sex (1), year of birth (2) and six more
(Thông tư 59/2021/TT-BCA, Article 4), so it has to agree with the sex and the date beside it.

The code is not signed: whoever prints a card prints its code. It proves nothing by itself; it
fills a form without a typing error, and what disagrees within it is said.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Sex = Literal["Nam", "Nữ"]

_FIELDS = 7
_MOST_FIELDS = 12
_MOST_CHARACTERS = 1200  # a QR code of version 40 holds more, no card does
_NUMBER = re.compile(r"^\d{12}$", re.ASCII)
_OLD_NUMBER = re.compile(r"^(\d{9}|\d{12})?$", re.ASCII)
_DATE = re.compile(r"^(\d{2})(\d{2})(\d{4})$", re.ASCII)
_SEXES: dict[str, Sex] = {"nam": "Nam", "nữ": "Nữ"}
_HIGHEST_PROVINCE = 96  # 001 Hà Nội to 096 Cà Mau; above: states, for those born abroad
_FIRST_CARD = datetime.date(2016, 1, 1)  # Luật Căn cước công dân 59/2014/QH13 in force


@dataclass(frozen=True, slots=True)
class CardDoubt:
    """What disagrees in a code: the field, and a sentence in Vietnamese and English."""

    field: str
    message_vi: str
    message_en: str


@dataclass(frozen=True, slots=True)
class IdentityCard:
    """What the code says. `doubts` is empty when all of it agrees.

    `sex` and the dates are None when what stands there is none. `further` counts the fields
    after the seventh.
    """

    number: str
    old_number: str
    name: str
    born: datetime.date | None
    sex: Sex | None
    address: str
    issued: datetime.date | None
    further: int
    doubts: tuple[CardDoubt, ...]


def read_identity_card(payload: str) -> IdentityCard | None:
    """The card in a QR code's text; None when the text is not of that form at all.

    Of the form is what has seven fields or more and twelve digits in the first. A scanner that
    takes the code for Latin-1 is undone first.
    """
    if len(payload) > _MOST_CHARACTERS:
        return None
    parts = [part.strip() for part in _as_utf8(payload).strip("\ufeff \r\n").split("|")]
    if not _FIELDS <= len(parts) <= _MOST_FIELDS or not _NUMBER.match(parts[0]):
        return None
    number, old, name, born_text, sex_text, address, issued_text = parts[:_FIELDS]
    born, issued = _date(born_text), _date(issued_text)
    sex = _SEXES.get(sex_text.casefold())
    doubts = [
        *_unread(old, name, born_text, sex_text, issued_text),
        *_against_number(number, born, sex),
        *_against_time(born, issued),
    ]
    return IdentityCard(
        number, old, name, born, sex, address, issued, len(parts) - _FIELDS, tuple(doubts)
    )


def _as_utf8(payload: str) -> str:
    """NFC text; UTF-8 that was read as Latin-1 (`Nguyá»…n`) is put right."""
    try:
        text = payload.encode("latin-1").decode("utf-8")
    except UnicodeError:
        text = payload
    return unicodedata.normalize("NFC", text)


def _date(text: str) -> datetime.date | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        return datetime.date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None


def _unread(old: str, name: str, born: str, sex: str, issued: str) -> list[CardDoubt]:
    """Fields that are not of their form."""
    doubts = []
    if not _OLD_NUMBER.match(old):
        doubts.append(_doubt("old_number", "số cũ không phải 9 hay 12 chữ số",
                             "the older number is not of 9 or 12 digits"))  # fmt: skip
    letters = [c for c in name if not c.isspace()]
    if len(name.split()) < 2 or not all(c.isalpha() or c in "'-." for c in letters):
        doubts.append(_doubt("name", "họ tên không đủ hai chữ hoặc có ký tự lạ",
                             "the name is not of two words or more of letters"))  # fmt: skip
    for field, text, vi, en in (
        ("born", born, "ngày sinh", "the date of birth"),
        ("issued", issued, "ngày cấp", "the date of issue"),
    ):
        if _date(text) is None:
            doubts.append(_doubt(field, f"{vi} không phải ngày dạng ddmmyyyy",
                                 f"{en} is no date of the form ddmmyyyy"))  # fmt: skip
    if sex.casefold() not in _SEXES:
        doubts.append(_doubt("sex", "giới tính không phải Nam hay Nữ",
                             "the sex is neither Nam nor Nữ"))  # fmt: skip
    return doubts


def _against_number(number: str, born: datetime.date | None, sex: Sex | None) -> list[CardDoubt]:
    """Where the number disagrees with the fields beside it."""
    doubts = []
    if int(number[:3]) == 0:
        doubts.append(_doubt("number", "ba số đầu 000 không phải mã tỉnh hay mã nước",
                             "000 is no code of a province or a state"))  # fmt: skip
    if born is not None and born.year != number_year(number):
        doubts.append(_doubt("born", "năm sinh khác năm sinh ghi trong số định danh",
                             "the year of birth is not the one in the number"))  # fmt: skip
    if sex is not None and sex != number_sex(number):
        doubts.append(_doubt("sex", "giới tính khác giới tính ghi trong số định danh",
                             "the sex is not the one in the number"))  # fmt: skip
    return doubts


def _against_time(born: datetime.date | None, issued: datetime.date | None) -> list[CardDoubt]:
    if issued is None:
        return []
    if issued < _FIRST_CARD or (born is not None and issued < born):
        return [_doubt("issued", "ngày cấp trước khi có thẻ này hoặc trước ngày sinh",
                       "issued before such cards were, or before the birth")]  # fmt: skip
    return []


def number_year(number: str) -> int:
    """The year of birth that a twelve-digit personal number tells."""
    return 1900 + 100 * (int(number[3]) // 2) + int(number[4:6])


def number_sex(number: str) -> Sex:
    """The sex that a twelve-digit personal number tells."""
    return "Nữ" if int(number[3]) % 2 else "Nam"


def born_abroad(card: IdentityCard) -> bool:
    """Whether the number's first three digits are a state's, not a province's."""
    return int(card.number[:3]) > _HIGHEST_PROVINCE


def _doubt(field: str, message_vi: str, message_en: str) -> CardDoubt:
    return CardDoubt(
        field,
        f"Mã QR của thẻ: {message_vi}; hãy đối chiếu với thẻ gốc.",
        f"QR code of the card: {message_en}; compare it with the card itself.",
    )
