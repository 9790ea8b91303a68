"""The database: SQLite in WAL by default, PostgreSQL by URL; one engine, safe for threads.

    with database.begin() as connection:     # one transaction, durable when the block ends
    with database.read() as connection:      # a snapshot, changes nothing
    database.together(work)                  # a small write, committed with its neighbours'

On PostgreSQL rows are locked in one order by everybody, so that nobody waits in a circle: jobs
(by id), idempotency keys, blobs, clerical sequences, records, items and rows of batches, books of
numbers, deliveries, the register of results; the audit log's lock comes last. Each module says
where its own order matters.

On SQLite every writing transaction begins with BEGIN IMMEDIATE: pysqlite begins none before a
SELECT, and two callers that read, then write, would lose an update (measured: 200 increments
ended at 37; with it, 200 of 200).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dossier.errors import StoreError
from dossier.storage.grouping import Group
from dossier.storage.turns import Turns

T = TypeVar("T")
_BUSY_MS = 30_000
_GROUP = 64  # small writes in one commit, at most
_WRITES = "sohoa_writes"  # execution option: this connection is going to write


class Database:
    """A database of the service. Make one a process; close it with `close`."""

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        """`url` as SQLAlchemy takes it: ``sqlite:////path/house.db`` or ``postgresql://…``."""
        parsed = sa.make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 16}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": _BUSY_MS / 1000, "check_same_thread": False}
        else:
            options["pool_pre_ping"] = True
        self.engine = sa.create_engine(parsed, **options)
        self._turns: Turns | None = None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
            in_memory = parsed.database in (None, "", ":memory:")
            file = None if in_memory else Path(str(parsed.database))
            self._turns = Turns(file, _BUSY_MS / 1000)
        self._group: Group[Callable[[sa.Connection], Any], Any] = Group(self._run_together, _GROUP)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One writing transaction: committed when the block ends, undone when it raises.

        Raises `StoreError` for what the database reports, except `sa.exc.IntegrityError`,
        which the caller's rules give a meaning.
        """
        with _translated(), self._turn(), self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading; on SQLite it waits for no writer. Raises `StoreError`."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    def together(self, work: Callable[[sa.Connection], T]) -> T:
        """Run a small write in one commit with those that other threads hand in meanwhile.

        Returns after the commit, so what `work` returned is durable. `work` may run twice (its
        neighbours' failure undoes the first run), so it touches nothing but the connection. It
        raises what `work` raises; then only this work is undone.

        On PostgreSQL it is a transaction of its own: the locks of one work would be held while
        the next one waits for its own, and two processes could wait for each other in a circle.
        The server itself forces commits of one moment to the disk together.
        """
        if not self.is_sqlite:
            with self.begin() as connection:
                return work(connection)
        result: T = self._group.do(work)
        return result

    def _run_together(self, works: Sequence[Callable[[sa.Connection], Any]]) -> list[Any]:
        with self.begin() as connection:
            return [work(connection) for work in works]

    def now(self, connection: sa.Connection) -> datetime:
        """The database's clock, which all machines share. UTC."""
        if self.is_sqlite:
            return datetime.now(UTC)
        found: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return found.astimezone(UTC)

    def close(self) -> None:
        """Close idle connections."""
        self.engine.dispose()
        if self._turns is not None:
            self._turns.close()

    def _turn(self) -> AbstractContextManager[None]:
        return nullcontext() if self._turns is None else self._turns.taken()


def insert_if_new(table: sa.Table, *returning: sa.Column[Any]) -> Mapping[str, sa.Insert]:
    """An insert that leaves a row of the same key as it is, by ``connection.dialect.name``.

    Each is made when it is first used: the other database's dialect is 2 MB.
    """
    return _IfNew(table, returning)


class _IfNew(dict[str, sa.Insert]):
    def __init__(self, table: sa.Table, returning: tuple[sa.Column[Any], ...]) -> None:
        super().__init__()
        self._table = table
        self._returning = returning

    def __missing__(self, dialect: str) -> sa.Insert:
        made: Any = import_module(f"sqlalchemy.dialects.{dialect}").insert(self._table)
        made = made.on_conflict_do_nothing()
        self[dialect] = made.returning(*self._returning) if self._returning else made
        return self[dialect]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except (DBAPIError, sqlite3.Error) as error:
        kind = type(error.orig if isinstance(error, DBAPIError) else error).__name__
        raise StoreError(
            "Cơ sở dữ liệu không trả lời; không mất gì, hãy thử lại. / The database does not "
            f"answer; nothing is lost, try again ({kind})."
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(
            f"Lỗi cơ sở dữ liệu. / Database error ({type(error).__name__})."
        ) from error


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ANN401 - sqlite3's own
    del record
    connection.isolation_level = None  # transactions are begun by us, below
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it is answered
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Turn on the write-ahead log. SQLite's own waiting does not cover the switch of a new file.

    Of twelve processes that opened a new file together, one in six rounds saw "locked" at once.
    """
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin on the driver's own connection: through the engine it costs as much as a query."""
    writes = connection.get_execution_options().get(_WRITES, False)
    own = cast(sqlite3.Connection, connection.connection.dbapi_connection)
    own.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
