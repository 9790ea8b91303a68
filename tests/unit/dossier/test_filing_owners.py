"""Whose paper it is: what was typed goes before cards, cards before numbers on the paper."""

from __future__ import annotations

import pytest

from dossier.checking.owners import OwnerData, owner_of
from ocr.fields.card_reading import CardField, CardReading
from ocr.page import Box
from ocr.record.checked import CheckedField

BOX = Box(0, 0, 1, 1)
MAU = OwnerData("001190000001", "Nguyễn Thị Mẫu", "1990-01-02")
THU = OwnerData("001185000002", "Lê Văn Thử", "1985-03-04")


def card(owner: OwnerData) -> CardReading:
    values = {"number": owner.id, "name": owner.name, "born": owner.born}
    fields = tuple(CardField(name, value, 99.0, BOX, "code") for name, value in values.items())
    return CardReading(None, fields, (), BOX)


def fields(**values: str) -> list[CheckedField]:
    return [CheckedField(name, value, None) for name, value in values.items()]


@pytest.mark.parametrize(
    ("typed", "own", "of_dossier", "found"),
    [
        ({}, MAU, [THU], MAU),
        ({}, None, [None, MAU, MAU], MAU),
        ({}, None, [MAU, THU], OwnerData()),  # two people: nobody is named
        ({"citizen_number": "001185000002"}, None, [], OwnerData("001185000002")),
        ({"citizen_number": "001185000002"}, None, [MAU], MAU),
        ({"owner_id": THU.id}, MAU, [], OwnerData(THU.id)),
        ({"owner_id": MAU.id}, MAU, [], MAU),
        ({"owner_id": ""}, MAU, [], OwnerData()),
        ({"owner_name": "Lê Văn Thử"}, MAU, [], OwnerData("", "Lê Văn Thử")),
        ({"owner_name": MAU.name}, MAU, [], MAU),
        (
            {"owner_name": "Công ty Mẫu", "owner_born": "2001-05-06"},
            None,
            [],
            OwnerData("", "Công ty Mẫu", "2001-05-06"),
        ),
    ],
)
def test_the_owner_is_found(typed, own, of_dossier, found):
    cards = [card(one) if one else None for one in of_dossier]
    assert owner_of(fields(**typed), card(own) if own else None, cards) == found


def test_without_an_identifier_name_and_birth_are_demanded():
    assert MAU.missing == ()
    assert OwnerData("", "Lê Văn Thử").missing == ("owner_born",)
    assert OwnerData().missing == ("owner_name", "owner_born")


def test_two_numbers_on_a_paper_name_nobody():
    both = [CheckedField("citizen_number", number, None) for number in (MAU.id, THU.id)]
    assert owner_of(both, None, []) == OwnerData()
