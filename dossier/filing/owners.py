"""Whose paper it is: what was typed, else what the identity card in the dossier says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr.fields.card_reading import CardReading
from ocr.record.checked import CheckedField

OWNER_ID, OWNER_NAME, OWNER_BORN = "owner_id", "owner_name", "owner_born"
"""Fields that a person may type: identifier, name, birth or establishment date."""


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


def owner_of(
    fields: Sequence[CheckedField],
    card: CardReading | None,
    of_dossier: Iterable[CardReading | None],
) -> OwnerData:
    """The owner of a paper.

    What a person typed goes before all else; an identifier that was typed empty says that there is
    none. Then the card on the paper itself, then the one of the dossier's other papers, and last
    the only citizen's number that the paper names. Two different cards of one dossier name nobody.
    """
    typed = {one.name: one.value for one in reversed(fields) if one.name.startswith("owner_")}
    found = OwnerData()
    if card is not None:
        found = _on_card(card)
    else:
        people = {owner.id: owner for one in of_dossier if one and (owner := _on_card(one)).id}
        if len(people) == 1:
            (found,) = people.values()
        else:
            numbers = {one.value for one in fields if one.name == "citizen_number" and one.value}
            if len(numbers) == 1:
                found = OwnerData(id=numbers.pop())
    if typed.get(OWNER_ID) and typed[OWNER_ID] != found.id:
        found = OwnerData(id=typed[OWNER_ID])  # somebody else's card says nothing of them
    elif any(typed.get(name) for name in (OWNER_NAME, OWNER_BORN)) and OWNER_ID not in typed:
        described = typed.get(OWNER_NAME) in (None, "", found.name)
        found = found if described else OwnerData()
    elif OWNER_ID in typed and not typed[OWNER_ID]:
        found = OwnerData()
    return OwnerData(
        found.id,
        typed.get(OWNER_NAME) or found.name,
        typed.get(OWNER_BORN) or found.born,
    )


def _on_card(card: CardReading) -> OwnerData:
    applicant = card.applicant
    values = {
        name: applicant[name].value for name in ("number", "name", "born") if name in applicant
    }
    return OwnerData(values.get("number", ""), values.get("name", ""), values.get("born", ""))
