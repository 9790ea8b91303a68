"""A small twin of `tests.proof_search`: the same pages, judged the same way, not timed."""

from __future__ import annotations

from dossier.storage.database import Database
from tests.proof_search import judge, measure
from tests.search_corpus import Corpus, fill
from tests.search_pages import Library

PAGES = 600


def test_answers_among_hundreds_of_pages(database: Database) -> None:
    library, corpus = Library(database), Corpus()
    fill(database, corpus, PAGES)
    assert library.index.rebuild() == PAGES
    assert judge(library, corpus, PAGES)["numbers_found"] > 70
    assert "all" in measure(library.index, corpus, PAGES, 1)
