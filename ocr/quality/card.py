"""Expired identity cards.

The card's QR code does not say until when it is valid, but the law does: a card is renewed at
25, 40 and 60 (since 1 July 2024 at 14 too), and one issued within two years before such an age
is valid until the next (Luật Căn cước 26/2023/QH15 and Luật Căn cước công dân 59/2014/QH13,
both Điều 21). Date of birth and date of issue, which the code has, are enough.
"""

from __future__ import annotations

import datetime as dt

from ocr.quality.findings import Code, Finding, Place
from ocr.quality.profiles import Profile
from ocr.quality.sentences import finding

_AGES = (14, 25, 40, 60)
_EARLY_YEARS = 2


def card_expiry(born: dt.date, issued: dt.date) -> dt.date | None:
    """The last day that a card is valid; None for one that is so for life.

    Raises `ValueError` when the card was issued before its holder was born.
    """
    if issued < born:
        raise ValueError(f"a card cannot be issued ({issued}) before its holder is born ({born})")
    for age in _AGES:
        # who gets a card within two years of the age need not come again for it
        if issued < _birthday(born, age - _EARLY_YEARS):
            return _birthday(born, age)
    return None


def expired_card(
    born: dt.date,
    issued: dt.date,
    today: dt.date,
    place: Place,
    profile: Profile,
    *,
    told: dt.date | None = None,
) -> Finding | None:
    """The finding that a card has expired on `today` (in Vietnam), or None.

    `place` is where the card lies on the page; `told` is the day of expiry printed on it, which
    goes before what follows from the law. Raises like `card_expiry`.
    """
    last = told or card_expiry(born, issued)
    if last is None or today <= last:
        return None
    days = (today - last).days
    crossed = profile.crossed(Code.CARD_EXPIRED, days)
    return None if crossed is None else finding(Code.CARD_EXPIRED, days, crossed, (place,))


def _birthday(born: dt.date, age: int) -> dt.date:
    """Born on 29 February: 1 March in other years, as an age is complete when its day is over."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return dt.date(born.year + age, 3, 1)
