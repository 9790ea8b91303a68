"""Rows as JSON lines, the same from SQLite and PostgreSQL, and back into either.

A row is a list in the order of its columns. JSON columns travel as the very text that is stored,
so that the JSON null and no value at all stay two things; times are microseconds; bytes are hex.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from dossier.errors import BackupError
from dossier.storage.tables import Instant

_BATCH = 500


def columns_of(table: sa.Table) -> list[list[str]]:
    """Name and kind (``json``, ``instant``, ``bytes``, ``plain``) of each column."""
    return [[column.name, _kind(column)] for column in table.columns]


def _kind(column: sa.Column[Any]) -> str:
    if isinstance(column.type, sa.JSON):
        return "json"
    if isinstance(column.type, Instant):
        return "instant"
    return "bytes" if isinstance(column.type, sa.LargeBinary) else "plain"


def dump_rows(connection: sa.Connection, table: sa.Table) -> Iterator[bytes]:
    """The rows of `table` as lines, in the order of its primary key."""
    wanted = [
        sa.cast(c, sa.Text)
        if kind == "json"
        else sa.type_coerce(c, sa.BigInteger)
        if kind == "instant"
        else c
        for c, (_, kind) in zip(table.columns, columns_of(table), strict=True)
    ]
    binary = [n for n, (_, kind) in enumerate(columns_of(table)) if kind == "bytes"]
    statement = sa.select(*wanted).order_by(*table.primary_key.columns)
    streaming = connection.execution_options(yield_per=_BATCH)
    for row in streaming.execute(statement):
        values = list(row)
        for n in binary:
            values[n] = None if values[n] is None else bytes(values[n]).hex()
        yield json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def load_rows(
    connection: sa.Connection, name: str, columns: list[list[str]], lines: Iterable[bytes]
) -> int:
    """Insert lines that `dump_rows` made into the table `name`; returns how many."""
    table = sa.table(name, *(sa.column(column) for column, _ in columns))
    values = {
        column: _bound(column, kind, is_sqlite=connection.dialect.name == "sqlite")
        for column, kind in columns
    }
    statement = sa.insert(table).values(values)
    count = 0
    batch: list[dict[str, Any]] = []
    for line in lines:
        batch.append(_row(name, columns, line))
        if len(batch) == _BATCH:
            connection.execute(statement, batch)
            count, batch = count + len(batch), []
    if batch:
        connection.execute(statement, batch)
    return count + len(batch)


def _bound(column: str, kind: str, *, is_sqlite: bool) -> sa.ColumnElement[Any]:
    if kind == "json":
        text: sa.BindParameter[Any] = sa.bindparam(f"{column}_", type_=sa.Text())
        # SQLite keeps JSON as text; its CAST would make a number of it
        return text if is_sqlite else sa.cast(text, sa.JSON)
    return sa.bindparam(f"{column}_")


def _row(name: str, columns: list[list[str]], line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
        return {
            f"{column}_": bytes.fromhex(value) if kind == "bytes" and value is not None else value
            for (column, kind), value in zip(columns, values, strict=True)
        }
    except (ValueError, TypeError) as error:
        raise BackupError(
            f"Bảng {name} trong bản sao lưu có dòng không đọc được. / A row of the table {name} in "
            "the backup cannot be read."
        ) from error
