"""Whose paper it is: what was typed, else what the identity card in the dossier says. Pure.

    proposed = proposed_owner(fields, card, cards_of_the_dossier)
    proposed.owner.missing                   # what Điều 9.2.b still demands
    proposed.asked                           # targets that a person has to answer before the end
    as_confirmed(target, "02/01/1990", day)  # "1990-01-02"

Checking asks by it and filing codes by it: there is no other rule.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dossier.checking.values import About, Target
from dossier.errors import InvalidOrder

if TYPE_CHECKING:  # cards need what images are looked at with
    from ocr.fields.card_reading import CardReading
    from ocr.record.checked import CheckedField

OWNER_ID, OWNER_NAME, OWNER_BORN = "owner_id", "owner_name", "owner_born"
"""Fields that a person may type: identifier, name, birth or establishment date."""
OWNER_FIELDS = (OWNER_ID, OWNER_NAME, OWNER_BORN)
_PERSON = re.compile(r"[0-9]{12}", re.ASCII)
_ORGANISATION = re.compile(r"[0-9]{10}(?:-[0-9]{3})?|[A-Z][0-9]{2}(?:\.[0-9]{1,3}){0,4}", re.ASCII)
_DAY = re.compile(r"(?P<day>[0-9]{1,2})/(?P<month>[0-9]{1,2})/(?P<year>[0-9]{4})", re.ASCII)
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})", re.ASCII)
_FIRST_YEAR = 1800


class OwnerSource(enum.StrEnum):
    """Where what is known of the owner comes from, the surest first."""

    TYPED = "typed"
    CARD = "card"  # on the paper itself
    DOSSIER_CARD = "dossier-card"  # the only one among the dossier's other papers
    NUMBER = "citizen-number"  # the only one that the paper names
    UNKNOWN = "unknown"


SOURCES = {
    OwnerSource.TYPED: ("Người kiểm tra đã nhập", "a person typed it"),
    OwnerSource.CARD: ("Lấy từ thẻ căn cước trên giấy tờ này", "from the identity card on it"),
    OwnerSource.DOSSIER_CARD: (
        "Lấy từ thẻ căn cước duy nhất trong hồ sơ",
        "from the only identity card of the dossier",
    ),
    OwnerSource.NUMBER: (
        "Lấy từ số định danh duy nhất ghi trên giấy tờ",
        "from the only personal number on the paper",
    ),
    OwnerSource.UNKNOWN: ("Chưa biết chủ giấy tờ", "the owner is not known"),
}
"""Each source in Vietnamese and English."""


@dataclass(frozen=True, slots=True)
class OwnerData:
    """The owner; empty texts are not known."""

    id: str = ""
    name: str = ""
    born: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that TT 01/2023/TT-VPCP, Điều 9.2.b demands and nobody gave."""
        if self.id:
            return ()
        return tuple(
            field
            for field, value in ((OWNER_NAME, self.name), (OWNER_BORN, self.born))
            if not value
        )


@dataclass(frozen=True, slots=True)
class ProposedOwner:
    """The owner as known now, whence, and whether that is sure enough without a person's word.

    Sure is what somebody typed, and what a card's code says; print and numbers are doubtful.
    """

    owner: OwnerData
    source: OwnerSource
    sure: bool
    id_is_said: bool = False

    @property
    def asked(self) -> tuple[str, ...]:
        """Targets to answer: the identifier; when a person said that there is none, the others."""
        if not self.owner.missing:
            return () if self.sure else (target_of(OWNER_ID),)
        first = () if self.id_is_said else (OWNER_ID,)
        return tuple(map(target_of, (*first, *self.owner.missing)))

    def value(self, target: str) -> str:
        """What is proposed for one of the targets."""
        values = (self.owner.id, self.owner.name, self.owner.born)
        return dict(zip(map(target_of, OWNER_FIELDS), values, strict=True)).get(target, "")


def target_of(field: str) -> str:
    """The target of an owner's field."""
    return str(Target(About.FIELD, field))


def owner_of(
    fields: Sequence[CheckedField],
    card: CardReading | None,
    of_dossier: Iterable[CardReading | None],
) -> OwnerData:
    """The owner of a paper; see `proposed_owner`."""
    return proposed_owner(fields, card, of_dossier).owner


def proposed_owner(
    fields: Sequence[CheckedField],
    card: CardReading | None,
    of_dossier: Iterable[CardReading | None],
) -> ProposedOwner:
    """The owner of a paper.

    What a person typed goes before all else; an identifier that was typed empty says that there is
    none. Then the card on the paper itself, then the one of the dossier's other papers, and last
    the only citizen's number that the paper names. Two different cards of one dossier name nobody.
    """
    typed = {one.name: one.value for one in reversed(fields) if one.name.startswith("owner_")}
    found, source, sure = _read(fields, card, of_dossier)
    if typed.get(OWNER_ID):
        sure, source = True, OwnerSource.TYPED
        if typed[OWNER_ID] != found.id:  # somebody else's card says nothing of them
            found = OwnerData(id=typed[OWNER_ID])
    elif OWNER_ID in typed:
        found, source = OwnerData(), OwnerSource.TYPED
    elif any(typed.get(name) for name in (OWNER_NAME, OWNER_BORN)):
        described = typed.get(OWNER_NAME) in (None, "", found.name)
        found = found if described else OwnerData()
        source = source if described else OwnerSource.TYPED
    owner = OwnerData(
        found.id, typed.get(OWNER_NAME) or found.name, typed.get(OWNER_BORN) or found.born
    )
    sure = sure or (source is OwnerSource.TYPED and not owner.missing)
    return ProposedOwner(owner, source, sure, OWNER_ID in typed)


def as_confirmed(target: Target, value: str, today: date) -> str:
    """What a person confirms, in the form that records keep: dates in ISO 8601.

    Raises `InvalidOrder` for an identifier, a name or a date of the owner that is none. An empty
    value says that there is none; other targets are left as they are.
    """
    text = value.strip()
    if target.about is not About.FIELD or target.name not in OWNER_FIELDS or not text:
        return value
    if target.name == OWNER_BORN:
        return _day_of(text, today)
    if target.name == OWNER_NAME:
        if not any(character.isalpha() for character in text):
            raise InvalidOrder(
                "Họ tên hoặc tên tổ chức phải có chữ; hãy nhập lại. / A name has letters; type it "
                "again.",
                field="value",
            )
        return text
    if not (_PERSON.fullmatch(text) or _ORGANISATION.fullmatch(text)):
        raise InvalidOrder(
            "Số định danh cá nhân phải có đúng 12 chữ số, viết liền (tổ chức: mã số thuế 10 chữ số "
            "hoặc mã định danh như H22.12); hãy xem lại, hoặc để trống nếu không có. / A personal "
            "number has exactly 12 digits without blanks (organisations: a tax code of 10 digits, "
            "or an identifier like H22.12); look again, or leave it empty where there is none.",
            field="value",
        )
    return text


def _day_of(text: str, today: date) -> str:
    day = _date(text)
    if day is None or day.year < _FIRST_YEAR or day > today:
        raise InvalidOrder(
            "Ngày sinh hoặc ngày thành lập phải là ngày có thật, không ở tương lai, viết như "
            "02/01/1990; hãy nhập lại. / The date of birth or establishment has to be a real day "
            "that is not to come, written like 02/01/1990; type it again.",
            field="value",
        )
    return day.isoformat()


def _date(text: str) -> date | None:
    found = _DAY.fullmatch(text) or _ISO.fullmatch(text)
    if found is None:
        return None
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return None


def _read(
    fields: Sequence[CheckedField],
    card: CardReading | None,
    of_dossier: Iterable[CardReading | None],
) -> tuple[OwnerData, OwnerSource, bool]:
    """What was read of the owner, where, and whether a card's code says it."""
    if card is not None:
        return _on_card(card), OwnerSource.CARD, _is_code(card)
    cards = {owner.id: (owner, one) for one in of_dossier if one and (owner := _on_card(one)).id}
    if len(cards) == 1:
        ((owner, one),) = cards.values()
        return owner, OwnerSource.DOSSIER_CARD, _is_code(one)
    numbers = {one.value for one in fields if one.name == "citizen_number" and one.value}
    if len(numbers) == 1:
        return OwnerData(id=numbers.pop()), OwnerSource.NUMBER, False
    return OwnerData(), OwnerSource.UNKNOWN, False


def _is_code(card: CardReading) -> bool:
    number = card.applicant.get("number")
    return number is not None and number.source == "code"


def _on_card(card: CardReading) -> OwnerData:
    applicant = card.applicant
    values = {
        name: applicant[name].value for name in ("number", "name", "born") if name in applicant
    }
    return OwnerData(values.get("number", ""), values.get("name", ""), values.get("born", ""))
