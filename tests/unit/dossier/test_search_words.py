"""Words of search: folded and marked; what is shown of a page."""

from __future__ import annotations

import unicodedata

import pytest

from dossier.search.folding import Token, tokens
from dossier.search.matching import match
from dossier.search.query import RANKS, Query, page_terms
from dossier.search.values import PageText, PlacedWord, packed, unpacked
from ocr.page import Box, ImageStream, Line, PageImage, RecognisedPage, Word
from tests.search_pages import page_of

_ALPHABET = (
    "aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệghiìỉĩíịklmnoòỏõóọôồổỗốộơờởỡớợpqrstuùủũúụưừửữứựvxyỳỷỹýỵ"
)


def test_every_letter_of_the_alphabet_folds_to_ascii() -> None:
    for form in ("NFC", "NFD"):
        for letter in unicodedata.normalize(form, _ALPHABET + _ALPHABET.upper()).split():
            folded = "".join(token.folded for token in tokens(letter))
            assert folded.isascii(), letter
    folded = [tokens(letter)[0].folded for letter in _ALPHABET]
    assert "".join(dict.fromkeys(folded)) == "abcdeghiklmnopqrstuvxy"
    assert len({tokens(letter)[0].accented for letter in _ALPHABET}) == len(_ALPHABET)


def test_both_ways_to_write_a_letter_are_one() -> None:
    for text in ("Quyết định", "ĐƯỜNG", "nghiệp", "Hoà"):
        decomposed = unicodedata.normalize("NFD", text)
        assert tokens(text) == tokens(decomposed) == tokens(text.upper())


def test_what_parts_words() -> None:
    assert [t.folded for t in tokens("123/QĐ-UBND, TT.01_x (đã)")] == [
        *("123", "qd", "ubnd", "tt", "01", "x", "da")
    ]
    assert tokens("—…/_ \u0301") == ()
    assert tokens("a" * 100) == (Token("a" * 64, "a" * 64),)


def test_a_page_has_each_term_once_and_its_agency() -> None:
    terms = page_terms("H1", ["Đà", "Nẵng", "đà", "nẵng"])
    assert terms == sorted(set(terms))
    plain = [term for term in terms if term.isascii()]
    assert plain == ["@4831", "da_nang", "nang_da", "~da", "~nang"]
    assert len(terms) == 7


def test_ranks_part_the_answers() -> None:
    """Each page that matches has exactly one rank: what one requires, the next ones exclude."""
    query = Query.parse("quyết định 45")
    asked = [query.terms(rank, "H1") for rank in RANKS]
    assert [len(q.required) for q in asked if q] == [8, 6, 6, 4]
    assert [len(q.excluded) for q in asked if q] == [0, 1, 1, 2]
    assert [bool(Query.parse("45").terms(rank, "H1")) for rank in RANKS] == [True, *[False] * 3]
    assert [bool(Query.parse("xã").terms(r, "H1")) for r in RANKS] == [True, False, True, False]


@pytest.mark.parametrize(
    ("typed", "groups"),
    [
        ("quyết định", ["quyet", "dinh"]),
        ('"quyết định" số', ["quyet dinh", "so"]),
        ("123/QĐ-UBND", ["123 qd ubnd"]),
        ('"chưa đóng', ["chua dong"]),
        ('a"b c"d', ["a", "b c", "d"]),
    ],
)
def test_groups(typed: str, groups: list[str]) -> None:
    found = [" ".join(t.folded for t in group) for group in Query.parse(typed).groups]
    assert found == groups


def test_the_snippet_is_where_most_is_found() -> None:
    filler = " ".join(["chữ"] * 60)
    page = page_of(f"định {filler} quyết định {filler} quyet dinh {filler}")
    found = match(page.words, Query.parse("định quyết"))
    assert found is not None
    assert [piece.text for piece in found.snippet if piece.match] == ["quyết định"]
    assert sum(len(piece.text.split()) for piece in found.snippet) == 30
    assert len(found.words) == 5


def test_a_match_over_words_torn_apart_marks_all_of_them() -> None:
    page = page_of("Số: 123 /QĐ- UBND, ngày")
    found = match(page.words, Query.parse("123/qđ-ubnd"))
    assert found is not None
    assert [(word.text, word.exact) for word in found.words] == [
        *(("123", True), ("/QĐ-", True), ("UBND,", True))
    ]
    assert match(page.words, Query.parse("123/ubnd")) is None


def test_words_of_a_recognised_page() -> None:
    stream = ImageStream(None, "DCTDecode", 200, 100, 1, 8)  # type: ignore[arg-type]
    image = PageImage(3, "a.jpg", 1, "", "", stream, True, (200, 200), False, 0)
    words = (
        Word("Quyết", Box(1.4, 2.6, 30.5, 12), 90),
        Word("\u200b", Box(0, 0, 1, 1), 5),
        Word("di\u0323nh", Box(40, 2, 60, 12), 90),
    )
    line = Line(words, Box(1, 2, 60, 12), 10, 0, 12, 0, 0)
    page = RecognisedPage(image, 0, 200, 100, (200, 200), 0, False, (line,))
    text = PageText.of(page)
    assert text == PageText(
        3, 200, 100, (PlacedWord("Quyết", (1, 3, 30, 12)), PlacedWord("dịnh", (40, 2, 60, 12)))
    )
    assert unpacked(packed(text.words)) == text.words
