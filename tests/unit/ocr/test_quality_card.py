"""When an identity card expires, from what its QR code says."""

from __future__ import annotations

import datetime as dt

import pytest

from ocr.quality.card import card_expiry, expired_card
from ocr.quality.findings import Code, Place, Severity
from ocr.quality.profiles import QualityBook
from tools.samples.fiction import Fiction
from tools.samples.idcard import card_sheet

D = dt.date
TODAY = D(2026, 3, 2)
PLACE = Place(62, 48, 147.6, 102)
PROFILE = QualityBook.default().at("one-stop", TODAY)


@pytest.mark.parametrize(
    ("born", "issued", "last"),
    [
        (D(1990, 5, 10), D(2015, 5, 10), D(2030, 5, 10)),  # at 25: until 40
        (D(1990, 5, 10), D(2013, 5, 9), D(2015, 5, 10)),  # more than two years before 25
        (D(1990, 5, 10), D(2013, 5, 10), D(2030, 5, 10)),  # two years before 25 count for 40
        (D(1990, 5, 10), D(2028, 5, 10), D(2050, 5, 10)),
        (D(1960, 5, 10), D(2018, 5, 9), D(2020, 5, 10)),
        (D(1960, 5, 10), D(2018, 5, 10), None),  # from 58 on for life
        (D(1950, 1, 1), D(2022, 1, 1), None),
        (D(2016, 6, 1), D(2025, 1, 1), D(2030, 6, 1)),  # a child's: until 14
        (D(2012, 6, 1), D(2025, 1, 1), D(2037, 6, 1)),
        (D(2000, 2, 29), D(2020, 1, 1), D(2025, 3, 1)),
    ],
)
def test_a_card_is_valid_until_the_next_age_of_renewal(
    born: dt.date, issued: dt.date, last: dt.date | None
) -> None:
    assert card_expiry(born, issued) == last


def test_a_card_older_than_its_holder_is_no_card() -> None:
    with pytest.raises(ValueError, match="before its holder is born"):
        card_expiry(D(2020, 1, 1), D(2019, 12, 31))


def test_an_expired_card_blocks_from_the_day_after() -> None:
    born, issued = D(2001, 3, 1), D(2020, 1, 1)
    assert expired_card(born, issued, D(2026, 3, 1), PLACE, PROFILE, told=D(2026, 3, 1)) is None
    assert expired_card(D(2001, 3, 2), issued, TODAY, PLACE, PROFILE) is None
    found = expired_card(born, issued, TODAY, PLACE, PROFILE)
    assert found is not None
    assert (found.code, found.severity, found.value) == (Code.CARD_EXPIRED, Severity.BLOCK, 1)
    assert found.places == (PLACE,)
    assert "26/2023" in found.threshold.legal_basis


def test_what_is_printed_on_the_card_goes_first() -> None:
    born, issued = D(1990, 5, 10), D(2015, 5, 10)
    assert expired_card(born, issued, TODAY, PLACE, PROFILE) is None
    assert expired_card(born, issued, TODAY, PLACE, PROFILE, told=D(2025, 5, 10)) is not None


def test_archives_take_expired_cards_with_a_note() -> None:
    profile = QualityBook.default().at("archive", TODAY)
    found = expired_card(D(2001, 3, 1), D(2020, 1, 1), TODAY, PLACE, profile)
    assert found is not None
    assert found.severity is Severity.NOTE


def test_the_code_of_a_generated_card_has_what_is_needed() -> None:
    _, code = card_sheet(Fiction("card"), "Nguyễn Thị Mẫu", "000123456789")
    _, _, _, born, _, _, issued = code.split("|")
    dates = [dt.datetime.strptime(t, "%d%m%Y").date() for t in (born, issued)]  # noqa: DTZ007
    last = card_expiry(dates[0], dates[1])
    assert last is None or last > dates[1]
