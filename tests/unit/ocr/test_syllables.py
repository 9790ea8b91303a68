"""Vietnamese spelling: which words are syllables, which tone may be put back."""

from __future__ import annotations

import pytest

from ocr.page import Box
from ocr.reading.recognise import Reading, ReadWord
from ocr.reading.scribble import is_scribble
from ocr.reading.syllables import is_possible, is_syllable, lost_stop_tone, mended, vocabulary

GOOD = [
    *("nguyễn", "quyền", "nghiêng", "giếng", "gìn", "quốc", "huỵch", "khuỷu", "yếu", "oản", "uỷ"),
    *("ủy", "hoà", "hòa", "được", "ngoằn", "quít", "thuở", "chuyện", "xét", "Đặng", "ƯỚC", "ÔNG"),
    *("y", "ý", "Quỹ", "khuya", "quyển", "thoắt"),
]


@pytest.mark.parametrize("word", GOOD)
def test_syllables(word: str) -> None:
    assert is_syllable(word)


@pytest.mark.parametrize(
    "word", ["kêt", "xyz", "UBND", "dpi", "quyêt", "ac", "tịt́", "b", "", "ngành́"]
)
def test_no_syllables(word: str) -> None:
    assert not is_syllable(word)


@pytest.mark.parametrize(
    "word", [*GOOD, "gì", "nghề", "ghế", "kỹ", "cửa", "giữa", "rượu", "uống", "Kạn", "ỦY"]
)
def test_possible(word: str) -> None:
    assert is_possible(word)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nghà", "ngh stands before e, ê, i only"),
        ("kông", "k before a back vowel"),
        ("cê", "c before a front vowel"),
        ("nge", "ng before a front vowel"),
        ("ghan", "gh before a back vowel"),
        ("qan", "q without u"),
        ("ngừơi", "the tone belongs on ơ"),
        ("quýêt", "the tone belongs on ê"),
        ("kêt", "a stop without its tone"),
        ("hạp̣", "two tones"),
        ("thuoong", "no such rhyme"),
        ("UBND", "an abbreviation"),
        ("", "nothing"),
    ],
)
def test_impossible(word: str, why: str) -> None:
    assert not is_possible(word), why


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("kêt", ("kết", "kệt")),
        ("QUYÊT", ("QUYẾT", "QUYỆT")),
        ("dươc", ("dước", "dược")),
        ("kết", None),
        ("nhân", None),
        ("UBND", None),
    ],
)
def test_lost_stop_tone(word: str, told: tuple[str, str] | None) -> None:
    assert lost_stop_tone(word) == told


def test_a_tone_is_put_back_only_when_the_page_shows_one_candidate() -> None:
    known = vocabulary(["Kết,", "luật", "thất", "thật", "12", "UBND"])
    assert known == {"kết", "luật", "thất", "thật"}
    assert mended("(kêt:", known) == "(kết:"
    assert mended("KÊT", known) == "KẾT"
    assert mended("thât", known) == "thât"  # thất or thật: the page knows both
    assert mended("viêt", known) == "viêt"  # the page knows neither
    assert mended("hòa", known) == "hòa"
    assert mended("--", known) == "--"


def _reading(*words: tuple[str, float]) -> Reading:
    return Reading(tuple(ReadWord(t, Box(0, 0, 1, 1), c) for t, c in words))


@pytest.mark.parametrize(
    ("words", "scribble"),
    [
        ([("là", 6)], True),
        ([("⁄/\\/", 40)], True),
        ([("V", 60)], True),
        ([("V", 95)], False),
        ([("-", 50)], True),
        ([("-", 80)], False),
        ([("7", 50)], True),
        ([("7", 80)], False),
        ([("1H/2024", 42)], False),
        ([("LIÊN", 57)], False),
        ([("Xqz", 50)], True),
        ([("Xqz", 90)], False),
        ([], True),
    ],
)
def test_scribble(words: list[tuple[str, float]], scribble: bool) -> None:
    assert is_scribble(_reading(*words)) is scribble
