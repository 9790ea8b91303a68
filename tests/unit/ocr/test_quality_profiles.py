"""Thresholds of scan quality: read, dated, inherited, and refused when they cannot hold."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import pytest

from ocr.errors import QualityProfileError
from ocr.quality.findings import QUANTITIES, Code, Place, Severity
from ocr.quality.profiles import DEFAULT_PROFILE, QualityBook
from ocr.quality.sentences import finding

TODAY = dt.date(2026, 3, 2)
BUNDLED = (Path(__file__).parents[3] / "ocr/quality/thresholds.toml").read_text(encoding="utf-8")
BOOK = QualityBook.default()


@pytest.mark.parametrize("name", BOOK.ids)
@pytest.mark.parametrize("year", [2018, 2021, 2024, 2026, 2040])
def test_every_profile_answers_for_every_code_on_every_day(name: str, year: int) -> None:
    profile = BOOK.at(name, dt.date(year, 7, 1))
    assert {t.code for t in profile.thresholds} == set(Code)
    assert {t.profile for t in profile.thresholds} == {name}
    assert all(t.legal_basis for t in profile.thresholds)


@pytest.mark.parametrize("name", ["one-stop", "electronic-copy"])
@pytest.mark.parametrize(
    ("code", "good", "bad"),
    [(Code.LOW_RESOLUTION, 200, 199), (Code.NOT_COLOUR, 3, 1), (Code.SCALED, 2.0, 7.0)],
)
def test_what_the_law_asks_blocks_and_says_where_it_stands(
    name: str, code: Code, good: float, bad: float
) -> None:
    profile = BOOK.at(name, TODAY)
    assert profile.crossed(code, good) is None
    crossed = profile.crossed(code, bad)
    assert crossed is not None
    assert (crossed.severity, crossed.is_law) == (Severity.BLOCK, True)
    assert ("NĐ 30/2020" if name == "electronic-copy" else "TT 01/2023") in crossed.legal_basis


def test_what_no_rule_measures_is_called_ours() -> None:
    ours = {t.code for t in BOOK.at(DEFAULT_PROFILE, TODAY).thresholds if not t.is_law}
    assert {Code.BLURRED, Code.SHADOW, Code.SKEWED, Code.BLEED_THROUGH, Code.FINGER} <= ours


def test_the_gravest_threshold_that_is_crossed_speaks() -> None:
    profile = BOOK.at(DEFAULT_PROFILE, TODAY)
    severities = [profile.crossed(Code.SKEWED, value) for value in (1.0, 1.1, 3.0, 3.1)]
    assert [t and t.severity for t in severities] == [None, "note", "note", "warn"]
    # to the decimals that are shown: nobody is told that 3.0 is more than 3.0
    rounded = profile.crossed(Code.SKEWED, 3.04)
    assert rounded is not None
    assert rounded.severity is Severity.NOTE


def test_the_archives_rule_changed_in_2025() -> None:
    before = BOOK.at("archive", dt.date(2025, 6, 30)).crossed(Code.LOW_RESOLUTION, 150)
    after = BOOK.at("archive", dt.date(2025, 7, 1)).crossed(Code.LOW_RESOLUTION, 150)
    assert before is not None
    assert after is not None
    assert (before.is_law, after.is_law) == (True, False)
    assert "TT 05/2025" in after.legal_basis


def test_the_law_on_cards_changed_in_2024_for_profiles_that_inherit_it_too() -> None:
    bases = [
        BOOK.at("electronic-copy", day).crossed(Code.CARD_EXPIRED, 1)
        for day in (dt.date(2024, 6, 30), dt.date(2024, 7, 1))
    ]
    assert ["59/2014" in t.legal_basis for t in bases if t] == [True, False]


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(QualityProfileError, match=r"one-stop, electronic-copy"):
        BOOK.at("counter", TODAY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("limit = 25\n", "limit = 300\n"), "SHADOW is 300, not between 1 and 100 %"),
        (("limit = 25\n", "limit = nan\n"), "SHADOW is not a number"),
        (("limit = 25\n", "limit = true\n"), "SHADOW is not a number"),
        (("limit = 25\n", "limit = 55\n"), "SHADOW contradict"),
        (("limit = 25\n", "limit = 60\n"), "SHADOW contradict"),
        (('severity = "note"\n  limit = 25', 'severity = "warn"\n  limit = 25'), "contradict"),
        (('code = "FINGER"', 'code = "THUMB"'), "THUMB"),
        (('severity = "warn"', 'severity = "stop"'), "stop"),
        (('source = "ours"', 'source = "us"'), "law or ours"),
        (('extends = "working"', 'extends = "nothing"'), "nothing"),
        (('id = "archive"', 'id = "working"'), "comes twice"),
        (("valid_to = 2025-06-30", "valid_to = 2025-06-29"), "says nothing on 2025-06-30"),
        (("valid_to = 2025-06-30", 'valid_to = "2025"'), "dates"),
        (("valid_to = 2025-06-30", "valid_to = 2001-01-01"), "before it begins"),
        (("width_mm = 297", "width_mm = 597"), "A3"),
        (('vi = "Bản quét', 'vi = 3 # "'), "should be a text"),
        (("[[paper]]", "[[sheet]]"), "paper"),
        (("[[profile]]", "[[profile"), "array"),
    ],
)
def test_a_file_that_cannot_hold_is_refused(change: tuple[str, str], said: str) -> None:
    text = BUNDLED.replace(*change)
    assert text != BUNDLED
    with pytest.raises(QualityProfileError, match=said) as caught:
        QualityBook.read(text, "own.toml")
    assert "own.toml" in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QualityProfileError, match="No such file"):
        QualityBook.load(tmp_path / "none.toml")


def test_a_profile_travels_to_another_process_and_is_a_key() -> None:
    profile = BOOK.at(DEFAULT_PROFILE, TODAY)
    assert pickle.loads(pickle.dumps(profile)) == profile  # noqa: S301 - our own bytes
    assert hash(profile) == hash(BOOK.at(DEFAULT_PROFILE, TODAY))


@pytest.mark.parametrize("code", list(Code))
def test_every_code_tells_the_operator_what_to_do_in_both_languages(code: Code) -> None:
    profile = BOOK.at(DEFAULT_PROFILE, TODAY)
    bad = QUANTITIES[code].least - 1 if QUANTITIES[code].is_minimum else QUANTITIES[code].most + 0.5
    crossed = profile.crossed(code, bad)
    assert crossed is not None
    one = finding(code, bad, crossed, (Place(1, 2, 3.25, 4),))
    assert "Hãy " in one.vi or "hãy " in one.vi
    assert one.en.count(". ") >= 1
    assert "{" not in one.vi + one.en
    told = one.to_json()
    assert told["code"] == code.value
    assert told["places_mm"] == [[1, 2, 3.2, 4]]
    assert told["threshold"]["bound"] == ("min" if QUANTITIES[code].is_minimum else "max")


def test_vietnamese_numbers_take_a_comma() -> None:
    crossed = BOOK.at(DEFAULT_PROFILE, TODAY).crossed(Code.SKEWED, 4.25)
    assert crossed is not None
    one = finding(Code.SKEWED, 4.25, crossed, (Place(0, 0, 1, 1),))
    assert "4,2°" in one.vi
    assert "4.2°" in one.en
