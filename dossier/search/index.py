"""The search index of a database: documents go in, are replaced and go; pages are found.

    index = SearchIndex(database)
    index.prepare()                                        # once a process
    index.put(connection, document, pages)                 # in the transaction that publishes them
    found = index.search(caller, "quyet dinh 123/QĐ-UBND", limit=20)

The pages' words with their boxes are rows of `search_pages`; what answers quickly
(`dossier.search.terms`) is made of them and can be made again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder
from dossier.model import Caller, Role
from dossier.search.matching import match
from dossier.search.query import RANKS, Query, Rank, page_terms
from dossier.search.terms import Entry, PostgresTerms, SQLiteTerms, TermIndex
from dossier.search.values import (
    Found,
    Hit,
    PageText,
    SearchDocument,
    packed,
    unpacked,
)
from dossier.storage.database import Database
from dossier.storage.tables import search_documents, search_pages

_READERS = (Role.SCANNER, Role.OFFICER, Role.LEADER, Role.CLERK, Role.AUDITOR)
_AT_ONCE = 500  # pages in memory while the index is made again
_MOST_READ = 400  # pages that one question reads in vain; then it says how to go on
_PAGE_BITS = 13  # of an id: pages of a document, counted down
_LAST_PAGE = (1 << _PAGE_BITS) - 1
_SINCE = datetime(2020, 1, 1, tzinfo=UTC)


class SearchIndex:
    """Pages that can be found. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._terms: TermIndex = SQLiteTerms() if database.is_sqlite else PostgresTerms()

    def prepare(self) -> None:
        """Make what is missing: at the first start, and after a restore. Raises `StoreError`."""
        with self._database.read() as connection:
            if self._terms.exists(connection):
                return
        with self._database.begin() as connection:
            self._terms.lock(connection, alone=True)
            if not self._terms.exists(connection):
                self._make(connection)

    def rebuild(self) -> int:
        """Make the whole index again from the pages' words; how many pages. Raises `StoreError`.

        One transaction: who searches meanwhile finds what was there before.
        """
        with self._database.begin() as connection:
            self._terms.lock(connection, alone=True)
            return self._make(connection)

    # --- what goes in and out ------------------------------------------------------------

    def put(
        self, connection: sa.Connection, document: SearchDocument, pages: Sequence[PageText]
    ) -> None:
        """Index a document, in place of what was indexed under its id.

        In the caller's transaction: found from its commit on. Pages without words are left out.
        """
        self.remove(connection, document.agency_id, document.id)
        now = self._database.now(connection)
        connection.execute(
            sa.insert(search_documents).values(
                id=document.id,
                agency_id=document.agency_id,
                title=document.title,
                dossier_code=document.dossier_code,
                component_code=document.component_code,
                indexed_at=now,
            )
        )
        first = _free_ids(connection, now)
        full = [page for page in pages if page.words]
        if not full:
            return
        connection.execute(
            sa.insert(search_pages),
            [
                {
                    "id": first + _LAST_PAGE - page.number,
                    "document_id": document.id,
                    "page": page.number,
                    "width_px": page.width_px,
                    "height_px": page.height_px,
                    "words": packed(page.words),
                }
                for page in full
            ],
        )
        entries = [
            (
                first + _LAST_PAGE - page.number,
                page_terms(document.agency_id, (word.text for word in page.words)),
            )
            for page in full
        ]
        self._terms.add(connection, entries)

    def remove(self, connection: sa.Connection, agency_id: str, document_id: str) -> bool:
        """Forget a document of the agency; False when there was none. The caller's transaction."""
        self._terms.lock(connection, alone=False)
        mine = (search_documents.c.id == document_id, search_documents.c.agency_id == agency_id)
        if connection.execute(sa.select(search_documents.c.id).where(*mine)).first() is None:
            return False
        of_document = search_pages.c.document_id == document_id
        for entries in _entries(connection, of_document):
            self._terms.remove(connection, entries)
        connection.execute(sa.delete(search_pages).where(of_document))
        connection.execute(sa.delete(search_documents).where(*mine))
        return True

    # --- what is asked -------------------------------------------------------------------

    def search(self, caller: Caller, text: str, after: str | None = None, limit: int = 20) -> Found:
        """The pages of the caller's agency that hold all words, best first.

        `after` is the cursor of the page before. Raises `AccessRefused`, `InvalidOrder`,
        `StoreError`.
        """
        caller.require(*_READERS)
        query = Query.parse(text)
        rank_number, before = _position(after)
        hits: list[Hit] = []
        last = ""
        in_vain = 0
        with self._database.read() as connection:
            for number in range(rank_number, len(RANKS)):
                rank = RANKS[number]
                terms = query.terms(rank, caller.agency_id)
                while terms is not None:
                    wanted = limit + 1 - len(hits)  # one more says whether there is more
                    ids = self._terms.find(connection, terms, before, wanted)
                    rows = _rows(connection, caller.agency_id, ids)
                    for page_id in ids:
                        hit = _hit(rows.get(page_id), query, rank)
                        if hit is None:
                            in_vain += 1
                        elif len(hits) == limit:
                            return Found(tuple(hits), last)
                        else:
                            hits.append(hit)
                        last = f"{number}.{page_id}"
                    if in_vain >= _MOST_READ:
                        return Found(tuple(hits), last)
                    if len(ids) < wanted:
                        break
                    before = ids[-1]
                before = None
        return Found(tuple(hits), None)

    # --- the index itself ----------------------------------------------------------------

    def _make(self, connection: sa.Connection) -> int:
        return self._terms.create(connection, _entries(connection, sa.true()))


def _free_ids(connection: sa.Connection, now: datetime) -> int:
    """The first of the ids for a document's pages: later documents have higher ones.

    Ticks of four microseconds since 2020, then the page counted down: the newest document's first
    page has the highest id of all. Lasts until 2162.
    """
    spread = secrets.randbelow(8)  # so that two machines of one clock hardly meet
    tick = int((now - _SINCE).total_seconds() * 250_000) + spread
    while True:
        first = tick << _PAGE_BITS
        taken = sa.select(search_pages.c.id).where(
            search_pages.c.id.between(first, first + _LAST_PAGE)
        )
        if connection.execute(taken.limit(1)).first() is None:
            return first
        tick += 1


def _entries(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> Iterator[list[Entry]]:
    """The terms of pages, computed from their words, in handfuls."""
    joined = search_pages.join(search_documents)
    query = sa.select(search_pages.c.id, search_pages.c.words, search_documents.c.agency_id)
    query = query.select_from(joined).where(wanted).order_by(search_pages.c.id).limit(_AT_ONCE)
    after = -1
    while rows := connection.execute(query.where(search_pages.c.id > after)).all():
        yield [
            (row.id, page_terms(row.agency_id, (word.text for word in unpacked(row.words))))
            for row in rows
        ]
        after = rows[-1].id


def _rows(connection: sa.Connection, agency_id: str, ids: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """The pages by id: the agency's own, whatever the index said."""
    if not ids:
        return {}
    query = (
        sa.select(
            search_pages.c.id.label("page_id"),
            search_pages.c.page,
            search_pages.c.width_px,
            search_pages.c.height_px,
            search_pages.c.words,
            search_documents,
        )
        .select_from(search_pages.join(search_documents))
        .where(search_pages.c.id.in_(ids))
    )
    # compared here: asked for by agency, SQLite walks through all of its documents for twenty ids
    rows = connection.execute(query)
    return {row.page_id: row for row in rows if row.agency_id == agency_id}


def _hit(row: sa.Row[Any] | None, query: Query, rank: Rank) -> Hit | None:
    if row is None:
        return None
    found = match(unpacked(row.words), query)
    if found is None:
        return None
    document = SearchDocument(
        row.id, row.agency_id, row.title, row.dossier_code, row.component_code
    )
    return Hit(
        document=document,
        indexed_at=row.indexed_at,
        page=row.page,
        width_px=row.width_px,
        height_px=row.height_px,
        exact=rank.exact,
        adjacent=rank.adjacent,
        snippet=found.snippet,
        words=found.words,
    )


def _position(after: str | None) -> tuple[int, int | None]:
    """Number of a rank and id of the last page that was shown. Raises `InvalidOrder`."""
    if after is None:
        return 0, None
    number, dot, page_id = after.partition(".")
    if not (dot and number in "0123" and len(number) == 1 and _is_id(page_id)):
        raise InvalidOrder(
            "Con trỏ after không đọc được; hãy dùng giá trị next của trang trước. / The cursor is "
            "not one of ours: use `next` of the last page.",
            field="after",
        )
    return int(number), int(page_id)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
