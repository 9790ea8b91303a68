"""Pages of made-up documents for the search index: words in rows, with boxes that can be told."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from dossier.model import Caller, Role
from dossier.search.index import SearchIndex
from dossier.search.values import Found, PageText, PlacedWord, SearchDocument
from dossier.storage.database import Database
from dossier.storage.tables import agencies

AGENCY, NEIGHBOUR = "H22.12", "H22.13"
_IN_ROW = 10


def page_of(text: str, number: int = 1) -> PageText:
    """The words of `text`, ten to a row, each in a box of 80 × 30 pixels."""
    words = tuple(PlacedWord(word, box_of(n)) for n, word in enumerate(text.split()))
    return PageText(number, 1654, 2339, words)


def box_of(place: int) -> tuple[int, int, int, int]:
    """Where `page_of` puts the word of that place."""
    row, column = divmod(place, _IN_ROW)
    left, top = 100 + 100 * column, 100 + 40 * row
    return left, top, left + 80, top + 30


def reader(agency: str = AGENCY, *roles: Role) -> Caller:
    """Somebody who may search (no roles: an officer)."""
    return Caller("prn_reader", "Cán bộ mẫu", agency, frozenset(roles or {Role.OFFICER}))


class Library:
    """A search index with two agencies, filled a document at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.index = SearchIndex(database)
        self.index.prepare()
        with database.begin() as connection:
            for agency in (AGENCY, NEIGHBOUR):
                connection.execute(
                    sa.insert(agencies).values(
                        id=agency, name="UBND xã Mẫu", policy={}, created_at=datetime.now(UTC)
                    )
                )

    def put(self, name: str, *pages: str, agency: str = AGENCY) -> None:
        """Index a document of these pages."""
        document = SearchDocument(name, agency, f"Văn bản {name}", "H22.12-260301-0001", "KQ.01")
        texts = [page_of(text, number) for number, text in enumerate(pages, 1)]
        with self.database.begin() as connection:
            self.index.put(connection, document, texts)

    def remove(self, name: str, agency: str = AGENCY) -> bool:
        """Forget a document."""
        with self.database.begin() as connection:
            return self.index.remove(connection, agency, name)

    def search(self, text: str, agency: str = AGENCY, **more: object) -> Found:
        return self.index.search(reader(agency), text, **more)

    def names(self, text: str, agency: str = AGENCY) -> list[str]:
        """The documents of the hits, in their order, with the page where it is not the first."""
        hits = self.search(text, agency, limit=200).hits
        return [h.document.id + (f":{h.page}" if h.page > 1 else "") for h in hits]
