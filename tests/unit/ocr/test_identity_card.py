"""The identity card's QR payload: both generations, what disagrees, and what is no card."""

from __future__ import annotations

import datetime
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.fields.identity_card import born_abroad, read_identity_card

# 097 is no province; nobody bears these numbers
CARD = "097190000017|000000017|Nguyễn Thị Mẫu|05031990|Nữ|Thôn Thử, Xã Bình Mẫu, Mẫu Giang|21062021"
NEXT = "097204000021||Trần Văn Thử|17112004|Nam|Phường Tân Thử, Mẫu Giang|02012025|||"


def test_a_card_of_2021_gives_its_seven_fields():
    card = read_identity_card(CARD)
    assert card is not None
    assert (card.number, card.old_number, card.name) == (
        "097190000017", "000000017", "Nguyễn Thị Mẫu",
    )  # fmt: skip
    assert (card.born, card.sex) == (datetime.date(1990, 3, 5), "Nữ")
    assert card.address == "Thôn Thử, Xã Bình Mẫu, Mẫu Giang"
    assert card.issued == datetime.date(2021, 6, 21)
    assert (card.doubts, card.further) == ((), 0)
    assert born_abroad(card)


def test_a_card_of_2024_may_have_more_fields_which_are_only_counted():
    card = read_identity_card(NEXT)
    assert card is not None
    assert (card.old_number, card.sex, card.further, card.doubts) == ("", "Nam", 3, ())


def test_a_code_read_as_latin_1_or_decomposed_says_the_same():
    card = read_identity_card(CARD)
    assert read_identity_card(CARD.encode().decode("latin-1")) == card
    assert read_identity_card(unicodedata.normalize("NFD", CARD)) == card
    assert read_identity_card(f"\ufeff{CARD}\r\n") == card


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("097190", "097090", {"sex"}),  # a man's digit on a woman's card
        ("097190", "097390", {"born"}),  # 2090
        ("097190", "097191", {"born"}),
        ("097190", "000190", {"number"}),
        ("|Nữ|", "|Nam|", {"sex"}),
        ("|Nữ|", "|?|", {"sex"}),
        ("05031990", "31021990", {"born"}),
        ("05031990", "1990-03-05", {"born"}),
        ("21062021", "21061980", {"issued"}),
        ("21062021", "", {"issued"}),
        ("|000000017|", "|17|", {"old_number"}),
        ("Nguyễn Thị Mẫu", "Mẫu", {"name"}),
        ("Nguyễn Thị Mẫu", "Nguyễn <b>Mẫu</b>", {"name"}),
    ],
)
def test_what_disagrees_is_said_in_both_languages(old: str, new: str, fields: set[str]):
    card = read_identity_card(CARD.replace(old, new, 1))
    assert card is not None
    assert {d.field for d in card.doubts} == fields
    assert all("thẻ gốc" in d.message_vi and "card itself" in d.message_en for d in card.doubts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.invalid/verify?x=1",
        "1|2|3|4|5|6|7",
        CARD.replace("097190000017", "09719000001"),
        CARD.replace("097190000017", "09719000001٧"),
        CARD.rsplit("|", 1)[0],
        CARD + "|" * 6,
        CARD + "x" * 1200,
    ],
)
def test_what_is_no_card_is_none(text: str):
    assert read_identity_card(text) is None


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.text(max_size=20), min_size=6, max_size=13).map(
    lambda parts: "|".join(["097190000017", *parts])
)))  # fmt: skip
def test_no_text_makes_it_raise_and_dates_are_never_made_up(text: str):
    card = read_identity_card(text)
    if card is not None:
        assert len(card.number) == 12
        assert (card.born is None) <= any(d.field == "born" for d in card.doubts)
