"""The search screen: words marked on the page's image, of papers and of digitizations."""

from __future__ import annotations

import re

import pytest

from dossier.search.values import PageText, PlacedWord, SearchDocument
from tests.console_room import read_paper
from tests.fixtures_console import ConsoleRoom, Operator
from tests.fixtures_signing import OTHER_AGENCY
from tests.fixtures_web import document

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def thu(console: ConsoleRoom) -> Operator:
    return console.signed_in()


def _indexed(console: ConsoleRoom, thu: Operator, name: str, title: str, *words: str) -> None:
    placed = tuple(
        PlacedWord(word, (100 + 300 * n, 200, 380 + 300 * n, 240)) for n, word in enumerate(words)
    )
    found = SearchDocument(name, thu.caller.agency_id, title, "H1", "TP1")
    with console.house.database.begin() as connection:
        console.house.search.put(connection, found, [PageText(1, 2480, 3508, placed)])


def test_words_are_found_and_marked_on_the_image(console: ConsoleRoom, thu: Operator) -> None:
    _, paper, _ = read_paper(console.maker, thu.caller)
    _indexed(console, thu, paper, HOSTILE, "Quyết", "định", HOSTILE)
    page = thu.get("/console/search?q=quyet dinh")
    assert "1 pages found" in page.text
    assert "<mark>Quyết" in page.text
    assert page.text.count('class="mark found"') == 2
    assert 'x="100" y="200" width="280" height="40"' in page.text
    assert "<script>alert" not in page.text
    image = re.search(r'src="(/console/search/pages/[^"]+)"', page.text)
    assert image is not None
    assert thu.get(image[1]).headers["content-type"] == "image/webp"
    assert thu.get(f"/console/search/pages/{paper}/3.webp").status_code == 404
    stranger = console.signed_in(agency=OTHER_AGENCY, name="Người xã khác")
    assert stranger.get(image[1]).status_code == 404
    assert "No page holds" in stranger.get("/console/search?q=quyet dinh").text


def test_a_page_of_a_record_is_drawn_once(console: ConsoleRoom, thu: Operator) -> None:
    record = console.house.blobs.put(document(7))
    pictures = console.web.app.state.console.pictures
    drawn = pictures.drawn(record.sha256, 1)
    assert drawn[8:12] == b"WEBP"
    assert pictures.drawn(record.sha256, 1) is drawn
    assert thu.get("/console/search/pages/dig_none/1.webp").status_code == 404


def test_questions_that_cannot_be_asked(console: ConsoleRoom, thu: Operator) -> None:
    assert thu.get("/console/search").status_code == 200
    assert "No page holds" in thu.get("/console/search?q=chua co").text
    for query in ("q=%2E%2E", "q=a&after=x", "q=" + "x" * 5000, f"q={HOSTILE}", "q=a&hit=999"):
        answer = thu.get(f"/console/search?{query}")
        assert answer.status_code in (200, 422)
        assert "<script>alert" not in answer.text
