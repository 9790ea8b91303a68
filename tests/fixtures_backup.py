"""A populated installation, a backup of it, and what to compare afterwards.

backup_source   an `Installation` with rows in every table, both chains and heads
backup_file     its backup
rows(database)  all rows, the very text of JSON included
"""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from dossier.audit.heads import HeadSealer
from dossier.audit.log import AuditLog
from dossier.backup import Installation, back_up
from dossier.model import AuditEvent
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from dossier.storage.tables import (
    Instant,
    audit_entries,
    audit_heads,
    metadata,
    records,
    settings,
    small_blobs,
)

CHAIN_TABLES = (audit_entries, audit_heads, settings)


def sample(column: sa.Column, n: int, blob: str):
    """A value for `column` in row `n`: every kind of value that has gone wrong somewhere."""
    if column.table is small_blobs:
        data = bytes(range(n))
        return data if column.name == "data" else hashlib.sha256(data).hexdigest()
    if column.name.endswith("sha256"):
        return blob
    if isinstance(column.type, sa.JSON):
        return [{"tên": "Nguyễn Văn Mẫu", "n": n}, [1.5, None], "text", 7, None, sa.null()][
            n % 6 if column.nullable else n % 4
        ]
    if isinstance(column.type, Instant):
        return datetime(2026, 3, 2, 1, 2, 3, n, UTC) if n % 3 or not column.nullable else None
    if isinstance(column.type, sa.Integer):
        return n if column.type.__class__ is sa.Integer else 2**40 + n
    if isinstance(column.type, sa.LargeBinary):
        return bytes(range(n))
    if column.nullable and n % 4 == 0:
        return None
    return f"mẫu “{n}”\n\t\\ {'x' * (n % 3)}"[: column.type.length or 99]


def fill(database: Database, store: FolderBlobs) -> None:
    """Some rows in every table but those of the audit chain."""
    names = [store.put(f"văn bản {n}".encode()).sha256 for n in range(7)]
    store.put(b"")
    store.put(random.Random(5).randbytes(1 << 20 | 5))
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            if table in CHAIN_TABLES:
                continue
            for n in range(1, 8):
                row = {}
                for column in table.columns:
                    if column.foreign_keys:
                        [key] = column.foreign_keys
                        row[column.name] = connection.execute(
                            sa.select(key.column).order_by(key.column).offset(n - 1).limit(1)
                        ).scalar_one()
                    else:
                        row[column.name] = sample(column, n, names[n - 1])
                connection.execute(sa.insert(table), row)
        connection.execute(sa.insert(settings), {"name": "epoch", "value": {"n": 1}})
        # a report of a published record is a row
        small = hashlib.sha256(bytes(range(3))).hexdigest()
        first = sa.select(sa.func.min(records.c.id)).scalar_subquery()
        connection.execute(
            sa.update(records).where(records.c.id == first).values(report_sha256=small)
        )


@pytest.fixture
def backup_source(database, tmp_path, test_pki) -> Installation:
    store = FolderBlobs(tmp_path / "source-blobs")
    fill(database, store)
    log = AuditLog(database)
    for n in range(12):
        log.write(AuditEvent("signature.accepted", "prn_1", "H22", f"rec_{n}", {"số": n}))
        if n in (5, 9):
            HeadSealer(log, test_pki.seal, test_pki.timestamper).seal()
    agent = tmp_path / "agent" / "keys.db"
    agent.parent.mkdir()
    keys = Database(f"sqlite:///{agent}")
    upgrade(keys)
    chain = AuditLog(keys, "keys")
    for n in range(5):
        chain.write(AuditEvent("key.intent", "prn_1", "H22", f"rec_{n}", {"attempt": 1}))
    HeadSealer(chain, test_pki.seal, test_pki.timestamper).seal()
    keys.close()
    policy = tmp_path / "key-policy.toml"
    policy.write_text("[keys.officer]\n", "utf-8")
    return Installation(database, store, agent, policy)


@pytest.fixture
def backup_file(backup_source, tmp_path) -> Path:
    path = tmp_path / "one.tar"
    back_up(path, backup_source)
    return path


@pytest.fixture
def sqlite_target(tmp_path, open_database) -> Installation:
    """An empty installation on SQLite."""
    return empty_installation(tmp_path / "target", open_database)


def empty_installation(folder: Path, open_database, url: str = "") -> Installation:
    """An installation without a row."""
    folder.mkdir()
    return Installation(
        open_database(url or f"sqlite:///{folder}/house.db"),
        FolderBlobs(folder / "blobs"),
        folder / "agent" / "keys.db",
        folder / "key-policy.toml",
    )


def rows(database: Database) -> dict[str, list]:
    """All rows of all tables, the very text of JSON included."""
    found = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            columns = [
                sa.cast(c, sa.Text) if isinstance(c.type, sa.JSON) else c for c in table.columns
            ]
            wanted = sa.select(*columns).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in connection.execute(wanted)]
    return found


def is_empty(database: Database) -> bool:
    with database.read() as connection:
        present = sa.inspect(connection).get_table_names()
        return not any(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name in present
        )
