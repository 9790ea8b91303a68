"""Both rates of the doubtful words' flags on a handful of pages that nothing was fitted on.

The promise itself (90 % of the wrong words, 10 % of the right ones) is measured on many pages by
`python -m bench.flags --full`; so few pages have some forty wrong words, hence the margins.
"""

from __future__ import annotations

import pytest

from bench.flags import Tally, stands, tally
from bench.flags_set import JudgedPage, judged_pages, scans_of
from ocr.reading.doubt_scale import bundled_doubt_scale

pytestmark = pytest.mark.tesseract

SEED = 97


@pytest.fixture(scope="module")
def pages() -> list[JudgedPage]:
    scans = [*scans_of("texts", (SEED,), 1, every=9), *scans_of("seeds", (SEED,), 1, every=9)]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_THREAD_LIMIT", "1")
        return list(judged_pages(scans, bundled_doubt_scale()))


def test_most_wrong_words_are_flagged_and_few_right_ones(pages: list[JudgedPage]) -> None:
    total = sum((tally(page, bundled_doubt_scale()) for page in pages), Tally())
    assert total.wrong >= 10
    assert total.recall >= 80
    assert total.alarms <= 12


def test_the_second_reading_mends_more_than_it_spoils(pages: list[JudgedPage]) -> None:
    words = [word for page in pages for word in page.words]
    assert sum(map(stands, words)) >= sum(word.right for word in words)


def test_few_words_are_read_again(pages: list[JudgedPage]) -> None:
    words = [word for page in pages for word in page.words]
    assert sum(word.look.second is not None for word in words) < 0.2 * len(words)
