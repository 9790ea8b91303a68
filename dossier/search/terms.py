"""The index proper, behind one face: which pages have these terms, newest first.

SQLite: a contentless FTS5 table that holds terms and nothing else (`detail=none`). It gives rows
in the order of their ids, so the first answers cost the same however many there are.
PostgreSQL: a `tsvector` under a GIN index. It gives all rows of an answer at once; where a word
is on most pages, the newest pages of the agency are looked at first, and mostly suffice.

Both are made of `search_pages` and can be made again at any time; neither is part of a backup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from dossier.search.query import TermQuery
from dossier.storage.tables import SEARCH_TERMS, search_pages

_LOCK = 0x536F536561  # "SoSea": the advisory lock of those who make the index

Entry = tuple[int, Sequence[str]]
"""A page's id and its terms."""


class TermIndex(Protocol):
    """Terms of pages in one database. Works in the caller's transaction; holds no state.

    Who makes it waits for those who write pages, and they for it (`lock`, `alone`); who searches
    waits for nobody.
    """

    def exists(self, connection: sa.Connection) -> bool:
        """Whether it was made here."""

    def lock(self, connection: sa.Connection, *, alone: bool) -> None:
        """Before pages or terms are written (`alone`: before all are): wait for the others."""

    def create(self, connection: sa.Connection, handfuls: Iterable[Sequence[Entry]]) -> int:
        """Make it of these pages, in place of one that is there; how many they are."""

    def add(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Take in pages that it does not have."""

    def remove(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Forget pages; their terms have to be the ones that were added."""

    def find(
        self, connection: sa.Connection, query: TermQuery, before: int | None, limit: int
    ) -> list[int]:
        """Up to `limit` ids below `before` (None: from the newest), highest first."""


class SQLiteTerms:
    """FTS5. Its `ascii` tokenizer takes every other character for part of a term."""

    def exists(self, connection: sa.Connection) -> bool:
        """Whether it was made here."""
        query = sa.text("SELECT 1 FROM sqlite_master WHERE name = :name")
        return connection.execute(query, {"name": SEARCH_TERMS}).first() is not None

    def lock(self, connection: sa.Connection, *, alone: bool) -> None:
        """Nothing to do: a writing transaction is the only one."""

    def create(self, connection: sa.Connection, handfuls: Iterable[Sequence[Entry]]) -> int:
        """Make it of these pages."""
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {SEARCH_TERMS}")
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {SEARCH_TERMS} USING fts5(terms, content='', detail=none, "
            """columnsize=0, tokenize="ascii tokenchars '~=_@'")"""
        )
        count = 0
        for entries in handfuls:
            self.add(connection, entries)
            count += len(entries)
        return count

    def add(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Take in pages that it does not have."""
        statement = f"INSERT INTO {SEARCH_TERMS}(rowid, terms) VALUES (?, ?)"  # noqa: S608 - a constant name
        self._write(connection, statement, entries)

    def remove(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Forget pages; a contentless table has to be told what it knew of them."""
        statement = f"INSERT INTO {SEARCH_TERMS}({SEARCH_TERMS}, rowid, terms) "
        self._write(connection, f"{statement} VALUES ('delete', ?, ?)", entries)

    @staticmethod
    def _write(connection: sa.Connection, statement: str, entries: Sequence[Entry]) -> None:
        rows = [(page_id, " ".join(terms)) for page_id, terms in entries]
        if rows:
            connection.exec_driver_sql(statement, rows)

    def find(
        self, connection: sa.Connection, query: TermQuery, before: int | None, limit: int
    ) -> list[int]:
        """Walk down from `before`; ends with the last row that is wanted."""
        text = _all_of(query.required)
        for group in query.excluded:
            text = f"({text}) NOT ({_all_of(group)})"
        bound = "" if before is None else "AND rowid < :before "
        statement = sa.text(
            f"SELECT rowid FROM {SEARCH_TERMS} WHERE {SEARCH_TERMS} MATCH :query {bound}"  # noqa: S608 - a constant name
            "ORDER BY rowid DESC LIMIT :limit"
        )
        values: dict[str, Any] = {"query": text, "limit": limit}
        if before is not None:
            values["before"] = before
        return list(connection.execute(statement, values).scalars())


def _all_of(terms: Iterable[str]) -> str:
    return " AND ".join(f'"{term}"' for term in terms)


class PostgresTerms:
    """`tsvector` without positions, as PostgreSQL's own parser would split ``123/QĐ-UBND``."""

    _LOOK = 200  # newest pages that are looked at before the index is asked

    def exists(self, connection: sa.Connection) -> bool:
        """Whether it was made here."""
        query = sa.text("SELECT to_regclass(:name)")
        return connection.execute(query, {"name": SEARCH_TERMS}).scalar() is not None

    def lock(self, connection: sa.Connection, *, alone: bool) -> None:
        """The pages' lock comes before any of the terms', so that nobody waits in a circle."""
        if alone:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        mode = "SHARE" if alone else "ROW EXCLUSIVE"  # many may write, or one reads all of them
        connection.exec_driver_sql(f"LOCK TABLE {search_pages.name} IN {mode} MODE")

    def create(self, connection: sa.Connection, handfuls: Iterable[Sequence[Entry]]) -> int:
        """Make it beside the one that is searched, its index last; then let it take the place."""
        made = f"{SEARCH_TERMS}_made"
        connection.exec_driver_sql(
            f"CREATE TABLE {made} (agency text NOT NULL, page_id bigint NOT NULL, "
            "terms tsvector NOT NULL, PRIMARY KEY (agency, page_id))"
        )
        count = 0
        for entries in handfuls:
            self._insert(connection, made, entries)
            count += len(entries)
        for statement in (
            # without a list of pending entries, which every question would have to read through
            f"CREATE INDEX ON {made} USING gin (terms) WITH (fastupdate = off)",
            f"ANALYZE {made}",
            f"DROP TABLE IF EXISTS {SEARCH_TERMS}",
            f"ALTER TABLE {made} RENAME TO {SEARCH_TERMS}",
        ):
            connection.exec_driver_sql(statement)
        return count

    def add(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Take in pages that it does not have."""
        self._insert(connection, SEARCH_TERMS, entries)

    @staticmethod
    def _insert(connection: sa.Connection, table: str, entries: Sequence[Entry]) -> None:
        statement = sa.text(
            f"INSERT INTO {table} VALUES (:agency, :page_id, array_to_tsvector(:terms))"  # noqa: S608 - a constant name
        )
        rows = [
            {"agency": _agency(terms), "page_id": page_id, "terms": list(terms)}
            for page_id, terms in entries
        ]
        if rows:
            connection.execute(statement, rows)

    def remove(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Forget pages."""
        statement = sa.text(
            f"DELETE FROM {SEARCH_TERMS} WHERE agency = :agency AND page_id = :page_id"  # noqa: S608 - a constant name
        )
        rows = [{"agency": _agency(terms), "page_id": page_id} for page_id, terms in entries]
        if rows:
            connection.execute(statement, rows)

    def find(
        self, connection: sa.Connection, query: TermQuery, before: int | None, limit: int
    ) -> list[int]:
        """Look at the newest pages; when they do not fill the answer, ask the index."""
        text = " & ".join(f"'{term}'" for term in query.required)
        for group in query.excluded:
            text += " & !(" + " & ".join(f"'{term}'" for term in group) + ")"
        values = {
            "query": text,
            "agency": _agency(query.required),
            "before": 2**63 - 1 if before is None else before,
            "limit": limit,
            "look": self._LOOK,
        }
        newest = list(connection.execute(_NEWEST, values).scalars())
        if len(newest) == limit:
            return newest
        # the planner takes a row for as cheap as its visible part: the terms lie elsewhere
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return list(connection.execute(_INDEXED, values).scalars())


_NEWEST = sa.text(
    f"SELECT page_id FROM (SELECT page_id, terms FROM {SEARCH_TERMS} WHERE agency = :agency "  # noqa: S608 - a constant name
    "AND page_id < :before ORDER BY page_id DESC LIMIT :look) AS newest "
    "WHERE terms @@ CAST(:query AS tsquery) ORDER BY page_id DESC LIMIT :limit"
)
_INDEXED = sa.text(
    f"WITH found AS MATERIALIZED (SELECT agency, page_id FROM {SEARCH_TERMS} "  # noqa: S608 - a constant name
    "WHERE terms @@ CAST(:query AS tsquery)) SELECT page_id FROM found "
    "WHERE agency = :agency AND page_id < :before ORDER BY page_id DESC LIMIT :limit"
)


def _agency(terms: Iterable[str]) -> str:
    """The term of the agency: every page has one."""
    return next(term for term in terms if term.startswith("@"))
