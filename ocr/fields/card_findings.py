"""What to look at on an identity card: its code against its print, and each in itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ocr.fields.card_text import CardText
from ocr.fields.doctypes import likeness, plain
from ocr.fields.identity_card import IdentityCard, number_sex, number_year
from ocr.fields.pieces import Span
from ocr.page import Box

Severity = Literal["warn", "note"]

_SAME_ADDRESS = 0.86
_SURE = 80.0  # confidence of a print that may contradict the code
_NAMES_VI: Mapping[str, str] = MappingProxyType(
    {
        "number": "số định danh", "name": "họ tên", "born": "ngày sinh", "sex": "giới tính",
        "residence": "nơi thường trú", "issued": "ngày cấp",
    }
)  # fmt: skip
_NAMES_EN: Mapping[str, str] = MappingProxyType(
    {
        "number": "number", "name": "name", "born": "date of birth", "sex": "sex",
        "residence": "residence", "issued": "date of issue",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CardFinding:
    """What somebody has to look at on a card. `field` is empty when it is about the whole card.

    Codes: CARD_CODE_UNREAD, CARD_CODE_DOUBT (the code disagrees within itself), CARD_PRINT_DOUBT
    (the printed number disagrees with birth or sex), CARD_DIFFERS (code and print), CARD_MARKS
    (only marks differ, a part is missing, or the reading is unsure: most likely misread),
    CARD_SEVERAL (more than one card on the page).
    """

    code: str
    severity: Severity
    field: str
    vi: str
    en: str
    box: Box


def findings_of(
    text: CardText, cards: Sequence[tuple[IdentityCard, Box]], box: Box
) -> Iterator[CardFinding]:
    """Everything that disagrees on a page's card; `cards` are its codes, `box` is all of it."""
    if cards:
        card, symbol = cards[0]
        for doubt in card.doubts:
            yield CardFinding(
                "CARD_CODE_DOUBT", "warn", doubt.field, doubt.message_vi, doubt.message_en, symbol
            )
        for name, told in code_values(card):
            printed = text.get(name)
            if printed is not None and not _same(name, told, printed.text):
                yield _difference(name, told, printed)
    else:
        yield CardFinding(
            "CARD_CODE_UNREAD", "note", "",
            "Không đọc được mã QR của thẻ; dữ liệu lấy từ chữ in, hãy đối chiếu với thẻ.",
            "The card's QR code cannot be read; what is shown comes from the print, compare it "
            "with the card.",
            box,
        )  # fmt: skip
        yield from _print_doubts(text)
    told_numbers = {card.number for card, _ in cards}
    if len(told_numbers) > 1 or len({n.text for n in text.numbers}) > 1:
        yield CardFinding(
            "CARD_SEVERAL", "warn", "",
            "Trang có nhiều thẻ căn cước; hãy chụp mỗi thẻ một trang.",
            "There are several identity cards on the page; scan each on a page of its own.",
            box,
        )  # fmt: skip


def code_values(card: IdentityCard) -> Iterator[tuple[str, str]]:
    """What a code says, by the names of `ocr.fields.card_text`; dates in ISO 8601."""
    for name, value in (
        ("number", card.number),
        ("old_number", card.old_number),
        ("name", card.name),
        ("born", card.born and card.born.isoformat()),
        ("sex", card.sex),
        ("residence", card.address),
        ("issued", card.issued and card.issued.isoformat()),
    ):
        if value:
            yield name, value


def _difference(name: str, told: str, printed: Span) -> CardFinding:
    """A warning where the letters differ and the reading is sure; otherwise a note."""
    # marks alone, or a part: what was lost on the way is seldom what was forged
    alike = name in ("name", "residence") and plain(printed.text) in plain(told)
    sure = name in ("number", "born", "issued") or printed.confidence >= _SURE
    warns = sure and not alike
    vi, en = _NAMES_VI[name], _NAMES_EN[name]
    return CardFinding(
        "CARD_DIFFERS" if warns else "CARD_MARKS", "warn" if warns else "note", name,
        f"Mã QR và chữ in trên thẻ khác nhau ở {vi}: “{told}” và “{printed.text}”; hãy đối chiếu "
        "với thẻ gốc.",
        f"QR code and print differ in the {en}: “{told}” and “{printed.text}”; compare them with "
        "the card itself.",
        printed.box,
    )  # fmt: skip


def _same(name: str, told: str, printed: str) -> bool:
    if name == "residence":
        # the print is cut into lines, and abridges; the code has the address on one
        one, other = _letters(told), _letters(printed)
        return likeness(one, other) >= _SAME_ADDRESS or (len(other) > 12 and other in one)
    return told.casefold().split() == printed.casefold().split()


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plain(text))


def _print_doubts(text: CardText) -> Iterator[CardFinding]:
    """Where the printed number disagrees with birth and sex (TT 59/2021/TT-BCA, Điều 4)."""
    number, born, sex = text.get("number"), text.get("born"), text.get("sex")
    if number is None:
        return
    wrong = []
    if born is not None and number_year(number.text) != int(born.text[:4]):
        wrong.append("born")
    if sex is not None and number_sex(number.text) != sex.text:
        wrong.append("sex")
    for name in wrong:
        yield CardFinding(
            "CARD_PRINT_DOUBT", "warn", name,
            f"Số định danh in trên thẻ không khớp {_NAMES_VI[name]}; hãy đối chiếu với thẻ gốc.",
            f"The number printed on the card disagrees with the {_NAMES_EN[name]}; compare it "
            "with the card itself.",
            number.box,
        )  # fmt: skip
