"""Cleaning of text, the font's bytes, and where words are put."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from ocr.page import Box, Line, Word
from ocr.record.textfont import ASCENT, DESCENT, TextFont, advance, text_width
from ocr.record.textlayer import PageScale, clean_text, page_text, text_operators
from tests.record_pages import SERIF, PageSpec, make_page


@given(st.text())
def test_clean_text_is_nfc_without_category_c(text):
    cleaned = clean_text(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(c)[0] == "C" for c in cleaned)
    assert clean_text(cleaned) == cleaned
    cleaned.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tiê\u0301ng", "Tiếng"),
        ("a\u200bb\ufeff", "ab"),
        (" a \t b\u00a0c ", "a b c"),
        ("a\u0302\u200d\u0301", "ấ"),
        ("\ud800x\ue000", "x"),
        ("\u200b", ""),
    ],
)
def test_clean_text_examples(text, expected):
    assert clean_text(text) == expected


def test_advances_are_those_of_a_times_like_face():
    metrics = TTFont(SERIF)["hmtx"]
    cmap = TTFont(SERIF).getBestCmap()
    for character in "aăâđêôơưĐỆ .,;:()/-0123456789ẤỰ–“”…":
        width = metrics[cmap[ord(character)]][0] * 1000 / 2048
        assert advance(character) == pytest.approx(width, abs=0.51)


def test_characters_that_the_table_lacks_have_an_advance():
    assert advance("\U0001f600") == 1000  # wide
    assert advance("\u20d7") >= 1  # combining
    assert advance("\ua4d0") == 600
    assert advance("\u0301") == 1
    assert text_width("aa") == pytest.approx(0.888)


def test_the_font_holds_just_the_characters_used_with_their_widths():
    font = TextFont()
    assert not font.used
    codes = font.encode("Ấn Ấn")
    assert codes == bytes.fromhex("00020003000100020003")
    assert font.used
    program = TTFont(io.BytesIO(font.program()))
    assert program.getGlyphOrder()[1:] == ["g1", "g2", "g3"] or len(program.getGlyphOrder()) == 4
    widths = [program["hmtx"][g][0] for g in program.getGlyphOrder()]
    assert widths == [500, advance(" "), advance("Ấ"), advance("n")]
    assert set(program.getBestCmap()) == {ord(c) for c in " Ấn"}
    glyph = program["glyf"][program.getGlyphOrder()[2]]
    assert (glyph.xMin, glyph.xMax) == (0, advance("Ấ"))
    assert (glyph.yMin, glyph.yMax) == (DESCENT, ASCENT)


def test_many_characters_make_several_blocks():
    font = TextFont()
    font.encode("".join(chr(c) for c in range(0x100, 0x1F0)))
    cmap = font.to_unicode().decode()
    assert [int(n) for n in re.findall(r"(\d+) beginbfchar", cmap)] == [100, 100, 41]
    assert "<0002> <0100>" in cmap


def test_a_character_beyond_the_basic_plane_maps_to_a_pair():
    font = TextFont()
    font.encode("\U00020000")
    assert "<0002> <D840DC00>" in font.to_unicode().decode()


SCRIPT = """
import hashlib
from ocr.record.textfont import TextFont
font = TextFont()
font.encode("Cộng hòa xã hội chủ nghĩa Việt Nam")
print(hashlib.sha256(font.program() + font.to_unicode()).hexdigest())
"""


def test_the_font_is_the_same_in_every_process():
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


SCALE = PageScale(600.0, 800.0, 0.5, 0.5)


def operators(page, font: TextFont | None = None) -> str:
    return text_operators(page, SCALE, font or TextFont()).decode()


def line_of(*words: Word, slope: float = 0.0, size: float = 40.0) -> Line:
    hull = Box(0, 0, 1000, 50)
    return Line(words, hull, 100.0, slope, size, 0, 0)


@pytest.fixture
def blank_page(tmp_path):
    return make_page(tmp_path, PageSpec(lines=(), encoding="g4", dpi=50))


def test_a_word_is_stretched_over_its_box_and_the_pen_moves_to_the_next(blank_page):
    words = (
        Word("ab", Box(100, 70, 180, 105), 90.0),
        Word("c", Box(220, 70, 240, 105), 90.0),
    )
    text = operators(replace(blank_page, lines=(line_of(*words),)))
    size = float(re.search(r"/F0 ([\d.]+) Tf", text)[1])
    (x, y, stretch, move), (x2, y2, _, none) = [
        (float(a), float(b), float(c), d)
        for a, b, c, d in re.findall(
            r"1 0 0 1 ([\d.]+) ([\d.]+) Tm ([\d.]+) Tz \[<[0-9A-F]+>( -?[\d.]+)?\] TJ", text
        )
    ]
    assert (x, x2, y, y2) == (50, 110, 750, 750)
    em = size * stretch / 100
    assert text_width("ab") * em == pytest.approx(40, abs=0.01)
    pen = x + (text_width("ab ") - float(move) / 1000) * em
    assert pen == pytest.approx(x2, abs=0.01)
    assert none == ""


def test_words_that_are_nothing_are_left_out(blank_page):
    nothing = Word("\u200b", Box(0, 0, 9, 9), 0.0)
    page = replace(blank_page, lines=(line_of(nothing), line_of()))
    assert operators(page) == ""
    assert page_text(page) == ""


def test_a_box_without_width_still_gives_a_drawable_word(blank_page):
    page = replace(blank_page, lines=(line_of(Word("i", Box(50, 70, 50, 100), 9.0), size=0.1),))
    text = operators(page)
    assert "/F0 1 Tf" in text
    assert float(re.search(r"([\d.]+) Tz", text)[1]) > 0


def test_pen_moves_stay_within_the_limits(blank_page):
    words = (Word("i", Box(0, 70, 1, 100), 9.0), Word("i", Box(99_999, 70, 100_000, 100), 9.0))
    page = replace(blank_page, lines=(line_of(*words, size=1.0),))
    assert "-30000]" in operators(page)


def test_steep_lines_are_turned(blank_page):
    words = (Word("ab", Box(100, 70, 180, 105), 90.0), Word("c", Box(220, 90, 240, 125), 90.0))
    text = operators(replace(blank_page, lines=(line_of(*words, slope=0.3),)))
    (cos, sin, *_), *_ = re.findall(r"([\d.-]+) ([\d.-]+) [\d.-]+ [\d.-]+ [\d.]+ [\d.]+ Tm", text)
    assert float(sin) / float(cos) == pytest.approx(-0.3, abs=1e-3)


def test_page_text_keeps_rows_and_side_by_side_blocks(blank_page):
    def line(text: str, row: int, segment: int) -> Line:
        word = Word(text, Box(0, 0, 9, 9), 9.0)
        return Line((word,), word.box, 9.0, 0.0, 9.0, row, segment)

    page = replace(
        blank_page, lines=(line("tra\u0301i", 0, 0), line("phải", 0, 1), line("dưới", 1, 0))
    )
    assert page_text(page) == "trái   phải\ndưới"
