"""Makes a backup while the service runs.

Tables are read in transactions that see one moment: the service's, and at once behind it the key
agent's, so that every use of a key that the service tells of is there, and hardly any that it
does not know of. Blobs are never changed, and are stored before the rows that name them: whatever
the tables of that moment name is there afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from dossier.audit.chain import moment_text
from dossier.audit.recompute import ChainState, recompute
from dossier.backup.archive import (
    FORMAT,
    HEADER,
    ArchiveWriter,
    PieceStream,
    Progress,
    silent,
)
from dossier.backup.rows import columns_of, dump_rows
from dossier.errors import BackupError
from dossier.storage import station_tables
from dossier.storage.database import Database
from dossier.storage.migrations import newest, upgrade
from dossier.storage.store import BlobStore, damaged, digest_of
from dossier.storage.tables import (
    batch_items,
    batches,
    digitizations,
    metadata,
    records,
    revocation_values,
    sequences,
    small_blobs,
    trust_versions,
    verification_items,
    verifications,
)
from dossier.storage.tables import blobs as holdings

_AT_ONCE = 200  # rows with data in memory
POLICY = "key-policy.toml"
HOUSE, KEYS, BLOBS = "house", "keys", "blobs/"
CHAINS = {HOUSE: "service", KEYS: "keys"}
"""The audit chain of each database."""

NAMED_BLOBS: tuple[sa.Column[Any], ...] = (
    holdings.c.sha256,
    records.c.source_sha256,
    records.c.result_sha256,
    records.c.report_sha256,
    records.c.evidence_sha256,
    sequences.c.source_sha256,
    sequences.c.current_sha256,
    batches.c.sheet_sha256,
    batch_items.c.source_sha256,
    batch_items.c.result_sha256,
    digitizations.c.result_sha256,
    digitizations.c.text_sha256,
    digitizations.c.fields_sha256,
    verifications.c.report_sha256,
    verifications.c.trust_sha256,
    verification_items.c.report_sha256,
    trust_versions.c.source_sha256,
    trust_versions.c.content_sha256,
    revocation_values.c.sha256,
    *station_tables.NAMED_BLOBS,
)
"""The columns that name blobs."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is backed up, or restored into.

    `blobs` is the store beside the database; small blobs are rows of it. `keys` and `policy` are
    the key agent's, if it is on this machine.
    """

    house: Database
    blobs: BlobStore
    keys: Path | None = None  # the SQLite file of the agent
    policy: Path | None = None


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What is in a backup. `chains`: state of each audit chain, by its name."""

    rows: int
    blobs: int
    size_bytes: int
    chains: dict[str, ChainState]
    has_keys: bool
    has_policy: bool


def back_up(path: Path, source: Installation, progress: Progress = silent) -> BackupSummary:
    """Write the backup `path`, which appears whole or not at all.

    Raises `BackupError`, `StoreError`, `BlobDamaged`, and `ChainBroken` when an audit chain
    does not hang together: then a backup would only spread the damage.
    """
    tables = metadata.sorted_tables
    has_keys = source.keys is not None and source.keys.is_file()
    if has_keys and source.house.is_sqlite and _is_empty(source.house):
        upgrade(source.house)  # a machine of the key agent alone: its house is empty
    with ArchiveWriter(path) as archive:
        archive.add_json(
            HEADER,
            {
                "format": FORMAT,
                "made_at": moment_text(datetime.now(UTC)),
                "schema": newest(),
                "tables": [[table.name, columns_of(table)] for table in tables],
            },
        )
        with _moment(source) as (house, agent):
            here = (archive, path.parent, progress)
            rows, chains, named = _add_tables(*here, HOUSE, house)
            if agent is not None:
                more, theirs, _ = _add_tables(*here, KEYS, agent)
                rows, chains = rows + more, chains | theirs
        has_policy = source.policy is not None and source.policy.is_file()
        if has_policy and source.policy is not None:
            with source.policy.open("rb") as stream:
                archive.add(POLICY, stream, source.policy.stat().st_size)
        blobs = _add_blobs(archive, source.blobs, named, progress)
        size = sum(member.size for member in archive.members)
        archive.add_manifest(
            {
                "chains": {
                    name: {"seq": state.seq, "link": state.link, "heads": state.heads}
                    for name, state in chains.items()
                },
                "rows": rows,
                "blobs": blobs,
            }
        )
    return BackupSummary(rows, blobs, size, chains, has_keys, has_policy)


def _is_empty(database: Database) -> bool:
    with database.read() as connection:
        return not sa.inspect(connection).get_table_names()


@contextmanager
def _moment(source: Installation) -> Iterator[tuple[sa.Connection, sa.Connection | None]]:
    """Both databases, the service's first, as of one moment but for milliseconds."""
    with ExitStack() as open_:
        if source.keys is None or not source.keys.is_file():
            yield open_.enter_context(snapshot(source.house)), None
            return
        agent = Database(f"sqlite:///{source.keys}")
        open_.callback(agent.close)
        with snapshot(agent):
            pass  # what opening costs is not between the two
        yield open_.enter_context(snapshot(source.house)), open_.enter_context(snapshot(agent))


def _add_tables(
    archive: ArchiveWriter,
    folder: Path,
    progress: Progress,
    prefix: str,
    connection: sa.Connection,
) -> tuple[int, dict[str, ChainState], set[str]]:
    """All tables that `connection` sees: number of rows, state of the chain, names of blobs."""
    tables = metadata.sorted_tables
    count = 0
    found = MigrationContext.configure(connection).get_current_revision()
    if found != newest():
        raise BackupError(
            "Cấu trúc dữ liệu không cùng phiên bản với chương trình; hãy khởi động dịch vụ một "
            f"lần rồi sao lưu lại. / The schema of the {prefix} database is {found}, this "
            f"program's is {newest()}: start the service once, then back up again."
        )
    chain = CHAINS[prefix]
    chains = {chain: recompute(connection, chain)}
    small = check_small(connection)
    named = {
        value
        for column in NAMED_BLOBS
        for value in connection.execute(sa.select(column).distinct()).scalars()
        if value is not None and value not in small
    }
    for done, table in enumerate(tables):
        progress(f"{prefix} {table.name}", done, len(tables))
        with tempfile.TemporaryFile(dir=folder) as spool:
            for line in dump_rows(connection, table):
                spool.write(line)
                count += 1
            size = spool.tell()
            spool.seek(0)
            archive.add(f"{prefix}/{table.name}.jsonl", spool, size)
    return count, chains, named


def check_small(connection: sa.Connection) -> set[str]:
    """The blobs that are rows, each one's digest computed. Raises `BlobDamaged`."""
    names = set()
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(
        sa.select(small_blobs.c.sha256, small_blobs.c.data)
    )
    for sha256, data in rows:
        found = digest_of(data)
        if found != sha256:
            raise damaged(sha256, found)
        names.add(sha256)
    return names


@contextmanager
def snapshot(database: Database) -> Iterator[sa.Connection]:
    """A read-only connection that sees one moment for as long as it lasts."""
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        first = "SELECT 1 FROM sqlite_master LIMIT 1" if database.is_sqlite else "SELECT 1"
        connection.execute(sa.text(first))  # it fixes the moment; BEGIN alone does not
        yield connection


def _add_blobs(
    archive: ArchiveWriter, blobs: BlobStore, named: set[str], progress: Progress
) -> int:
    """Every blob of the store. Raises `BackupError` when one that the tables name is missing."""
    sizes = {info.sha256: info.size_bytes for info in blobs.all()}
    for sha256 in named - sizes.keys():
        info = blobs.stat(sha256)  # stored while the others were listed
        if info is None:
            raise BackupError(
                f"Thiếu tệp {sha256} mà dữ liệu có nhắc đến; hãy khôi phục tệp ấy từ bản sao lưu "
                "trước. / A blob that the tables name is not in the store; bring it back from an "
                "earlier backup, then try again."
            )
        sizes[sha256] = info.size_bytes
    for done, (sha256, size) in enumerate(sorted(sizes.items())):
        progress("blobs", done, len(sizes))
        stream = PieceStream(blobs.read(sha256))
        archive.add(f"{BLOBS}{sha256}", stream, size)
        stream.read(1)  # its end: only there did the store compare the digest
    progress("blobs", len(sizes), len(sizes))
    return len(sizes)
