"""Restores a backup into an empty installation: whole, proved, or not at all.

    1 the file is read once and checked, octet by octet     nothing is written yet
    2 blobs                                                 named by their digests, so harmless
    3 the key agent's database, proved, and its policy      renamed into place
    4 the tables, proved                                    one transaction, the last step of all

A process that dies before the end of 4 leaves an installation without a row; running restore
again finishes it. Before it says done, every link of every audit chain, every head and the
digest of every blob was computed from what the new installation gives back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dossier.audit.log import AuditLog
from dossier.audit.recompute import ChainState, recompute
from dossier.backup.archive import ArchiveReader, PieceStream, Progress, silent
from dossier.backup.make import (
    BLOBS,
    CHAINS,
    HOUSE,
    KEYS,
    POLICY,
    BackupSummary,
    Installation,
    check_small,
)
from dossier.backup.rows import load_rows
from dossier.errors import BackupError, ChainBroken
from dossier.model import JSON, AuditEvent
from dossier.storage.database import Database
from dossier.storage.migrations import configuration, upgrade
from dossier.storage.store import BlobStore
from dossier.storage.tables import audit_entries, metadata, settings

_OWN = ".restoring"  # what the agent's database is called until it is whole


def restore(path: Path, target: Installation, progress: Progress = silent) -> BackupSummary:
    """Restore the backup `path` into `target`.

    Raises `BackupError` when the file is damaged (naming the member), the installation is not
    empty, or what was written does not prove itself; `BlobDamaged`, `StoreError`. Then the
    tables are as empty as before.
    """
    with ArchiveReader(path) as archive:
        archive.check(progress)
        _require_schema(str(archive.header.get("schema")))
        _require_empty(target.house)
        blobs = _put_blobs(archive, target.blobs, progress)
        chains: dict[str, ChainState] = {}
        has_keys = bool(archive.names(f"{KEYS}/"))
        rows = 0
        if has_keys:
            if target.keys is None:
                raise BackupError(
                    "Bản sao lưu có nhật ký khóa nhưng nơi này không có chỗ cho nó; hãy đặt "
                    "agent.database. / The backup holds the key agent's chain and there is no "
                    "place for it; set agent.database."
                )
            rows, chains = _restore_keys(archive, target.keys, progress)
        has_policy = bool(archive.names(POLICY))
        if has_policy and target.policy is not None:
            _put_policy(archive.whole(POLICY), target.policy)
        with target.house.begin() as connection:
            _require_unused(connection)
            more = _load(archive, HOUSE, connection, progress)
            chains |= _prove(archive, HOUSE, connection)
            check_small(connection)
            _prove_blobs(archive, target.blobs, progress)
        upgrade(target.house)
        size = sum(int(member["size"]) for member in archive.manifest["members"])
    return BackupSummary(rows + more, blobs, size, chains, has_keys, has_policy)


def note_restore(house: Database, summary: BackupSummary, actor: str) -> None:
    """Write into the service's chain that it was restored, and as of which entries.

    An auditor sees by it where numbers and uses of keys of the time between are missing.
    Raises `AuditUnavailable`.
    """
    if not summary.chains[CHAINS[HOUSE]].seq:
        return  # a machine of the key agent alone
    ends: dict[str, JSON] = {
        chain: {"seq": state.seq, "link": state.link} for chain, state in summary.chains.items()
    }
    details = {"chains": ends, "rows": summary.rows, "blobs": summary.blobs}
    AuditLog(house).write(AuditEvent("house.restored", actor, None, "house", details))


def _require_schema(schema: str) -> None:
    """This program knows the schema that the backup was made with."""
    try:
        known = ScriptDirectory.from_config(configuration(None)).get_revision(schema)
    except CommandError:
        known = None
    if known is None:
        raise BackupError(
            "Bản sao lưu của phiên bản mới hơn; hãy cập nhật chương trình rồi khôi phục. / The "
            f"backup was made by a later version (schema {schema}); update this program first."
        )


def _require_empty(database: Database) -> None:
    with database.read() as connection:
        _require_unused(connection)


def _require_unused(connection: sa.Connection) -> None:
    """No table has a row, but for the settings that a first start may have written."""
    present = set(sa.inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in present or table is settings:
            continue
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise BackupError(
                f"Nơi khôi phục đã có dữ liệu (bảng {table.name}); hãy dùng một cơ sở dữ liệu "
                "trống. / The installation is not empty; restore into an empty database."
            )


def _load(
    archive: ArchiveReader, prefix: str, connection: sa.Connection, progress: Progress
) -> int:
    """Make the schema of the backup's day and fill its tables; returns the number of rows."""
    _remake_schema(connection, str(archive.header["schema"]))
    tables: list[tuple[str, list[list[str]]]] = archive.header["tables"]
    rows = 0
    for done, (name, columns) in enumerate(tables):  # what is referred to comes first
        progress(f"{prefix} {name}", done, len(tables))
        try:
            rows += load_rows(connection, name, columns, archive.lines(f"{prefix}/{name}.jsonl"))
        except sa.exc.IntegrityError as error:
            raise BackupError(
                f"Bảng {name} trong bản sao lưu trái quy tắc của cơ sở dữ liệu. / The rows of the "
                f"table {name} in the backup break the rules of the database."
            ) from error
    progress(f"{prefix} tables", len(tables), len(tables))
    return rows


def _remake_schema(connection: sa.Connection, schema: str) -> None:
    """Nothing is lost: that the tables are empty was checked in this transaction."""
    metadata.drop_all(connection)
    connection.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
    command.upgrade(configuration(connection), schema)


def _prove(archive: ArchiveReader, prefix: str, connection: sa.Connection) -> dict[str, ChainState]:
    """The chain, recomputed from the rows just written, ends where the backup says."""
    chain = CHAINS[prefix]
    try:
        state = recompute(connection, chain)
    except ChainBroken as error:
        raise BackupError(str(error)) from error
    told: dict[str, Any] = archive.manifest["chains"].get(chain, {})
    if told != {"seq": state.seq, "link": state.link, "heads": state.heads}:
        raise BackupError(
            f"Chuỗi “{chain}” sau khi khôi phục không dừng ở chỗ bản sao lưu ghi. / The restored "
            f"audit chain ends at {state.seq}, the backup tells of {told.get('seq')}."
        )
    return {chain: state}


def _put_blobs(archive: ArchiveReader, blobs: BlobStore, progress: Progress) -> int:
    names = archive.names(BLOBS)
    for done, name in enumerate(names):
        progress("blobs", done, len(names))
        stream = cast("BinaryIO", PieceStream(archive.read(name)))
        blobs.put(stream, sha256=name.removeprefix(BLOBS))
    return len(names)


def _prove_blobs(archive: ArchiveReader, blobs: BlobStore, progress: Progress) -> None:
    """Read every blob back; a full read compares its digest."""
    names = archive.names(BLOBS)
    for done, name in enumerate(names):
        progress("prove blobs", done, len(names))
        for _ in blobs.read(name.removeprefix(BLOBS)):
            pass


# --- the key agent's ---------------------------------------------------------------------------


def _restore_keys(
    archive: ArchiveReader, path: Path, progress: Progress
) -> tuple[int, dict[str, ChainState]]:
    """Make the agent's database beside its name, prove it, then give it the name."""
    with _stopped_agent(path):
        told = archive.manifest["chains"].get(CHAINS[KEYS], {})
        if path.exists() and _holds(path, told):  # an earlier restore got this far
            return _count_rows(archive), {CHAINS[KEYS]: ChainState(**told)}
        part = path.with_name(path.name + _OWN)
        _remove(part)
        database = Database(f"sqlite:///{part}")
        try:
            with database.begin() as connection:
                rows = _load(archive, KEYS, connection, progress)
                chains = _prove(archive, KEYS, connection)
            upgrade(database)
            with database.read() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            database.close()
            _remove(part)
            raise
        database.close()
        _remove(path)
        part.replace(path)
        _sync(path.parent)
        _remove(part)  # what stood beside it
    return rows, chains


def _holds(path: Path, told: dict[str, Any]) -> bool:
    """Whether the agent's chain at `path` begins with the one of the backup; empty: False."""
    database = Database(f"sqlite:///{path}")
    try:
        upgrade(database)
        own = audit_entries.c
        with database.read() as connection:
            in_chain = own.chain == CHAINS[KEYS]
            if connection.execute(sa.select(own.seq).where(in_chain).limit(1)).first() is None:
                return False
            link = connection.execute(
                sa.select(own.link_sha256).where(in_chain, own.seq == told.get("seq"))
            ).scalar()
    finally:
        database.close()
    if link is None or link != told.get("link"):
        raise BackupError(
            f"{path} đã có nhật ký khóa khác; hãy khôi phục vào nơi trống. / The key agent's "
            "database holds another chain; restore into an empty installation."
        )
    return True


def _count_rows(archive: ArchiveReader) -> int:
    return sum(1 for name in archive.names(f"{KEYS}/") for _ in archive.lines(name))


@contextmanager
def _stopped_agent(path: Path) -> Iterator[None]:
    """Keep the agent from starting meanwhile. Raises `BackupError` while one runs."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupError(
            "Dịch vụ khóa đang chạy; hãy dừng nó rồi khôi phục. / The key agent is running; stop "
            "it, then restore."
        ) from error
    finally:
        os.close(lock)


def _put_policy(text: bytes, path: Path) -> None:
    """The policy in its place; beside it where another one is in force already."""
    if path.exists() and path.read_bytes() != text:
        path = path.with_name(path.name + ".restored")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + _OWN)
    part.touch(mode=0o600)
    part.write_bytes(text)
    part.replace(path)
    _sync(path.parent)


def _remove(path: Path) -> None:
    """An SQLite file and what belongs to it."""
    for suffix in ("-wal", "-shm", "-journal", ".turn", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
