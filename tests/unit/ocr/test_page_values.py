"""Values of a page: they pickle, and readings kept by an older release still load."""

from __future__ import annotations

import pickle
from pathlib import Path

from ocr.page import Box, ImageStream, Line, PageImage, RecognisedPage, Word

PLAIN = Word("Quyết", Box(1, 2, 30, 12), 91.5)
DOUBTED = Word("dịnh", Box(40, 2, 60, 12), 80.0, 41.0, doubtful=True, alternative="định")


def _page(*words: Word) -> RecognisedPage:
    stream = ImageStream(Path("p.jpg"), "DCTDecode", 100, 100, 3, 8)
    image = PageImage(1, "p.jpg", 1, "00", "00", stream, True, (200.0, 200.0), False, 0)
    line = Line(words, Box(1, 2, 60, 12), 11.0, 0.0, 10.0, 0, 0)
    return RecognisedPage(image, 0, 100, 100, (200.0, 200.0), 0.0, False, (line,))


def test_values_pickle() -> None:
    page = _page(PLAIN, DOUBTED)
    again = pickle.loads(pickle.dumps(page))  # noqa: S301 - made a moment ago
    assert again == page
    assert again.lines[0].words == (PLAIN, DOUBTED)


def test_a_word_kept_before_there_were_doubts_still_loads() -> None:
    word = Word.__new__(Word)
    word.__setstate__(["Quyết", Box(1, 2, 30, 12), 91.5])
    assert word == PLAIN
    assert (word.certainty, word.doubtful, word.alternative) == (None, False, None)


def test_a_page_kept_before_there_were_unread_places_still_loads() -> None:
    page = _page(PLAIN)
    before = [getattr(page, name) for name in RecognisedPage.__slots__][:8]
    again = RecognisedPage.__new__(RecognisedPage)
    again.__setstate__(before)
    assert again == page
    assert again.unread == ()


def test_doubtful_words_come_in_reading_order() -> None:
    assert _page(PLAIN, DOUBTED).doubtful_words == (DOUBTED,)
    assert _page(PLAIN).doubtful_words == ()
