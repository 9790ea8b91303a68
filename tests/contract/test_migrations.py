"""The migrations make exactly what `dossier.storage.tables` says, on both databases."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from dossier.errors import StoreError
from dossier.storage.database import Database
from dossier.storage.migrations import newest, upgrade
from dossier.storage.tables import agencies, metadata
from tests.fixtures_databases import PostgresCluster
from tools.draft_migration import operations_since

Open = Callable[[str], Database]
_SQLITE_SCHEMA = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'alembic%%'"
)
_POSTGRES_SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, character_maximum_length, "
    "column_default FROM information_schema.columns "
    "WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%%' ORDER BY 1, 2",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' "
    "AND tablename NOT LIKE 'alembic%%' ORDER BY 1",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'alembic%%' "
    "ORDER BY 1, 2",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def _schema(database: Database) -> list[object]:
    """The schema in the database's own words."""
    with database.read() as connection:
        if not database.is_sqlite:
            return [connection.exec_driver_sql(q).all() for q in _POSTGRES_SCHEMA]
        rows = connection.exec_driver_sql(_SQLITE_SCHEMA).all()
    # the order of a table's constraints has no meaning
    return sorted((r[0], r[1], r[2], sorted(_parts(r[3]))) for r in rows)


def _parts(sql: str | None) -> list[str]:
    return [line.strip().rstrip(",").replace('"', "") for line in (sql or "").splitlines()]


def test_migrated_schema_is_that_of_the_tables(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path, open_database: Open
) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert found == [], "write a migration: python tools/draft_migration.py NNNN 'What changed'"

    if database.is_sqlite:
        other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    else:
        other = open_database(request.getfixturevalue("empty_postgres_url"))
    with other.begin() as connection:
        metadata.create_all(connection)
    assert _schema(database) == _schema(other)


def test_upgrade_changes_once_and_keeps_rows(empty_url: str, open_database: Open) -> None:
    database = open_database(empty_url)
    assert upgrade(database) is True
    with database.begin() as connection:
        connection.execute(sa.text("INSERT INTO house_settings VALUES ('name', '\"value\"')"))
    assert upgrade(database) is False
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM house_settings")).scalar() == 1


def test_upgrade_undoes_a_change_that_failed(empty_url: str, open_database: Open) -> None:
    """What a crash in the midst leaves is the old schema, whole."""
    database = open_database(empty_url)
    with database.begin() as connection:
        agencies.create(connection)  # in the way of the first migration …
    with pytest.raises(StoreError):
        upgrade(database)
    with database.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["agencies"]
        agencies.drop(connection)
    assert upgrade(database) is True  # … and out of it


def test_upgrade_refuses_the_database_of_a_later_version(
    database: Database,
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="later version"):
        upgrade(database)


def test_revisions_stand_in_one_line() -> None:
    """Their numbers follow each other, so two that were written at once are noticed."""
    folder = Path(__file__).parents[2] / "dossier" / "storage" / "migrations" / "versions"
    numbers = sorted(path.name[:4] for path in folder.glob("[0-9]*.py"))
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]
    assert newest() == numbers[-1]


def _upgrade_in_its_own_process(url: str) -> tuple[bool, str]:
    database = Database(url)
    try:
        changed = upgrade(database)
        with database.read() as connection:
            connection.execute(sa.select(agencies)).all()
    except Exception as error:  # noqa: BLE001 - told to the test
        return False, repr(error.__cause__ or error)
    finally:
        database.close()
    return changed, ""


def test_twelve_processes_start_together(empty_url: str, postgres: PostgresCluster) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dossier.storage.migrations", "tests.contract.test_migrations"])
    with context.Pool(12) as pool:
        done = pool.starmap(_upgrade_in_its_own_process, [(empty_url,)] * 12, chunksize=1)
        pool.close()
        pool.join()
    assert [told for _, told in done if told] == []
    assert [changed for changed, _ in done].count(True) == 1


def test_the_draft_of_the_next_migration() -> None:
    """Nothing to write now; from nothing, it writes every table."""
    with pytest.raises(SystemExit, match="nothing to write"):
        operations_since(newest())
    code = operations_since(None)
    assert {name for name in metadata.tables if f"create_table('{name}'" in code} == set(
        metadata.tables
    )
    assert "Instant" not in code
