"""Real databases: SQLite files and a PostgreSQL cluster of our own.

    database            a `Database` with the newest schema, empty; runs the test on both kinds
    database_url        the URL of such a database, for tests that start other processes
    sqlite_url          the same on SQLite alone
    postgres_url        the same on PostgreSQL alone
    empty_postgres_url  a database without any table
    postgres            the cluster of this test process: `.restart()`, `.new_database()`

PostgreSQL runs on a Unix socket, without fsync, as the user `postgres` where we are root (it
refuses to be root). It ends with the session, or with the test process if that is killed.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dossier.storage.database import Database
from dossier.storage.migrations import upgrade

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    "lc_messages": "C",
}
_START_S = 60.0


class PostgresCluster:
    """One cluster in a folder of its own; every database in it belongs to one test."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="sohoa-pg-"))
        self._names = (f"t{n}" for n in itertools.count(1))
        self._server: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        if os.geteuid() == 0:
            self._user = "postgres"
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                *self._as_user(),
                *(programs / "initdb", "--no-sync", "--auth=trust", "--username=postgres"),
                *("--encoding=UTF8", "--locale=C", "--pgdata", self._folder / "data"),
            ],
            check=True,
            capture_output=True,
            cwd="/",
        )
        self.start()

    def _as_user(self) -> list[str | Path]:
        """Before a command: give up root, and end when the test process does."""
        end = ["setpriv", "--pdeathsig", "QUIT"]
        if self._user is None:
            return [*end]
        return [*end, "--reuid", self._user, "--regid", self._user, "--init-groups"]

    def url(self, name: str) -> str:
        """The address of the database `name`."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *self._as_user(),
                    *(self._programs / "postgres", "-D", self._folder / "data"),
                    *("-k", self._folder),
                    *(part for item in _SETTINGS.items() for part in ("-c", "=".join(item))),
                ],
                stdout=log,
                stderr=log,
                cwd="/",
            )
        until = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                told = (self._folder / "log").read_text("utf-8", "replace")
                assert self._server.poll() is None, told
                assert time.monotonic() < until, told
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts its clients off, SIGQUIT is a crash."""
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(_START_S)

    def restart(self) -> None:
        """Cut all clients off, as an upgrade of the server does."""
        self.stop()
        self.start()

    def run(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, template: str = "template1") -> str:
        """Make a database as a copy of `template`; its name."""
        name = next(self._names)
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever still uses it."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """End the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder)


def postgres_programs() -> Path:
    """The newest PostgreSQL of Debian's layout, else the one of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    program = found[-1] if found else shutil.which("postgres")
    assert program is not None, "install postgresql (its programs initdb and postgres)"
    return Path(program).parent


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """The cluster of this test process."""
    cluster = PostgresCluster(postgres_programs())
    yield cluster
    cluster.close()


def _make_schema(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def _postgres_template(postgres: PostgresCluster) -> str:
    name = postgres.new_database()
    _make_schema(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _make_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_postgres_url(postgres: PostgresCluster) -> Iterator[str]:
    """A fresh PostgreSQL database without any table."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def postgres_url(postgres: PostgresCluster, _postgres_template: str) -> Iterator[str]:
    """A fresh PostgreSQL database with the newest schema."""
    name = postgres.new_database(_postgres_template)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with the newest schema."""
    path = tmp_path / "house.db"
    shutil.copy(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with the newest schema; the test runs once with each kind."""
    kind = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(kind)
    return url


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens databases that are closed before the files and servers under them go."""
    opened: list[Database] = []

    def open_(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_
    for database in opened:
        database.close()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    """A `Database` with the newest schema, empty; the test runs once with each kind."""
    return open_database(database_url)
