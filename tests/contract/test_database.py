"""What `Database` promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from dossier.errors import InvalidOrder, StoreError
from dossier.storage.database import Database, insert_if_new
from dossier.storage.tables import idempotency, settings
from tests.fixtures_databases import PostgresCluster

Open = Callable[[str], Database]
PROCESSES = multiprocessing.get_context("forkserver")


def put(connection: sa.Connection, name: str, value: object = 0) -> None:
    connection.execute(sa.insert(settings).values(name=name, value=value))


def value_of(connection: sa.Connection, name: str, *, lock: bool = False) -> int:
    wanted = sa.select(settings.c.value).where(settings.c.name == name)
    return int(connection.execute(wanted.with_for_update() if lock else wanted).scalar_one())


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(sa.select(settings.c.name)).scalars())


def add_one(connection: sa.Connection) -> None:
    """Read, think, write: the way that loses updates where nothing stops it."""
    found = value_of(connection, "count", lock=True)
    time.sleep(0.001)
    connection.execute(
        sa.update(settings).where(settings.c.name == "count").values(value=found + 1)
    )


def _count_in_a_process(url: str, times: int) -> None:
    database = Database(url)
    for _ in range(times):
        with database.begin() as connection:
            add_one(connection)
    database.close()


def test_no_update_is_lost_between_threads_and_processes(
    database: Database, database_url: str
) -> None:
    with database.begin() as connection:
        put(connection, "count")
    PROCESSES.set_forkserver_preload(["dossier.storage.database", "dossier.storage.tables"])
    others = [
        PROCESSES.Process(target=_count_in_a_process, args=(database_url, 40)) for _ in range(2)
    ]
    for other in others:
        other.start()

    def count(_: int) -> None:
        with database.begin() as connection:
            add_one(connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(60)))
        list(pool.map(lambda _: database.together(add_one), range(60)))
    for other in others:
        other.join()
        assert other.exitcode == 0
    with database.read() as connection:
        assert value_of(connection, "count") == 200


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def spoil() -> None:
        with database.begin() as connection:
            put(connection, "a")
            raise InvalidOrder("no")

    with pytest.raises(InvalidOrder):
        spoil()
    assert names(database) == set()


def test_a_reader_waits_for_no_writer_and_sees_no_half(database: Database) -> None:
    with database.begin() as connection:
        put(connection, "a")
        began = time.monotonic()
        assert names(database) == set()
        assert time.monotonic() - began < 5
    assert names(database) == {"a"}


def test_integrity_errors_keep_their_meaning_and_others_are_translated(database: Database) -> None:
    with database.begin() as connection:
        put(connection, "a")

    def twice() -> None:
        with database.begin() as connection:
            put(connection, "a")

    with pytest.raises(sa.exc.IntegrityError):
        twice()

    def nonsense() -> None:
        with database.begin() as connection:
            connection.execute(sa.text("SELECT * FROM nowhere"))

    with pytest.raises(StoreError) as caught:
        nonsense()
    assert caught.value.__cause__ is not None
    assert names(database) == {"a"}


def test_foreign_keys_hold(database: Database) -> None:
    def orphan() -> None:
        with database.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO number_books VALUES ('no-agency', 'QĐ', 2026, 1)")
            )

    with pytest.raises(sa.exc.IntegrityError):
        orphan()


class Together:
    """Works that meet in one group: the first one holds the turn until all others wait."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gate = threading.Event()

    def hold(self, connection: sa.Connection) -> None:
        del connection
        self.gate.wait(10)

    def run(self, *works: Callable[[sa.Connection], object]) -> list[object]:
        """What each returned or raised."""

        def one(work: Callable[[sa.Connection], object]) -> object:
            try:
                return self.database.together(work)
            except Exception as error:  # noqa: BLE001 - given to the test
                return error

        with ThreadPoolExecutor(len(works) + 1) as pool:
            held = pool.submit(one, self.hold)
            time.sleep(0.1)
            done = [pool.submit(one, work) for work in works]
            time.sleep(0.2)
            self.gate.set()
            assert held.result() is None
            return [future.result() for future in done]


def test_together_commits_once_for_all_or_each_for_itself(database: Database) -> None:
    """On SQLite a commit is dear; on PostgreSQL locks of strangers in one would make circles."""
    commits: list[int] = []
    sa.event.listen(database.engine, "commit", lambda connection: commits.append(1))
    works = [lambda connection, n=n: put(connection, f"name {n}", n) or n for n in range(20)]
    assert Together(database).run(*works) == list(range(20))
    assert names(database) == {f"name {n}" for n in range(20)}
    # the one that held the turn, and the group
    assert len(commits) == (2 if database.is_sqlite else 21)


def test_together_one_failure_is_nobody_elses(database: Database) -> None:
    def refuse(connection: sa.Connection) -> None:
        put(connection, "refused")
        raise InvalidOrder("not this one")

    def collide(connection: sa.Connection) -> None:
        put(connection, "unheard")
        put(connection, "b")

    def broken(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT * FROM nowhere"))

    done = Together(database).run(
        lambda connection: put(connection, "a"),
        refuse,
        lambda connection: put(connection, "b"),
        collide,
        broken,
        lambda connection: put(connection, "c"),
    )
    assert names(database) >= {"a", "c"}
    assert done[0] is None
    assert isinstance(done[1], InvalidOrder)
    assert isinstance(done[4], StoreError)
    assert done[5] is None
    # of the two that want the same name one has it, whole
    winner, loser = (done[2], done[3]) if done[2] is None else (done[3], done[2])
    assert winner is None
    assert isinstance(loser, sa.exc.IntegrityError)
    assert "refused" not in names(database)
    assert ("unheard" in names(database)) == (done[3] is None)


def test_together_is_durable_when_it_returns(database: Database, database_url: str) -> None:
    def add(n: int) -> set[str]:
        database.together(lambda connection: put(connection, f"n{n}"))
        return names(database)

    with ThreadPoolExecutor(16) as pool:
        for n, seen in enumerate(pool.map(add, range(200))):
            assert f"n{n}" in seen


def test_insert_if_new_keeps_the_first(database: Database) -> None:
    insert = insert_if_new(settings)
    with database.begin() as connection:
        statement = insert[connection.dialect.name]
        connection.execute(statement, [{"name": "a", "value": 1}, {"name": "b", "value": 2}])
        connection.execute(statement, [{"name": "a", "value": 9}, {"name": "c", "value": 3}])
        found = connection.execute(sa.select(settings.c.value).order_by(settings.c.name))
        assert found.scalars().all() == [1, 2, 3]


def test_times_come_back_aware_and_exact(database: Database) -> None:
    at = datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=UTC)
    row = {"principal_id": "p", "key": "k", "request_sha256": "0" * 64, "resource_id": "r"}
    with database.begin() as connection:
        connection.execute(sa.insert(idempotency).values(**row, created_at=at))
        assert connection.execute(sa.select(idempotency.c.created_at)).scalar_one() == at
        assert abs(database.now(connection) - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(StoreError), database.begin() as connection:
        connection.execute(sa.insert(idempotency).values(**row, created_at=at.replace(tzinfo=None)))


# --- a server that goes away --------------------------------------------------------------------


def test_postgresql_restart(
    postgres: PostgresCluster, postgres_url: str, open_database: Open
) -> None:
    database = open_database(postgres_url)
    with ThreadPoolExecutor(8) as pool:  # several idle connections, all of them cut
        list(pool.map(lambda n: database.together(lambda c: put(c, f"n{n}")), range(8)))

    def cut() -> None:
        with database.begin() as connection:
            put(connection, "half")
            postgres.restart()
            put(connection, "other half")

    with pytest.raises(StoreError, match="nothing is lost"):
        cut()
    assert names(database) == {f"n{n}" for n in range(8)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: database.together(lambda c: put(c, f"again {n}")), range(8)))
    assert len(names(database)) == 16


def test_postgresql_that_is_down_is_said_so(
    postgres: PostgresCluster, postgres_url: str, open_database: Open
) -> None:
    database = open_database(postgres_url)
    with database.begin() as connection:
        put(connection, "kept")
    postgres.stop()
    try:
        with pytest.raises(StoreError):
            names(database)
        with pytest.raises(StoreError):
            database.together(lambda connection: put(connection, "lost"))
    finally:
        postgres.start()
    assert names(database) == {"kept"}


def test_a_database_nobody_can_open(tmp_path: object, open_database: Open) -> None:
    with pytest.raises(StoreError):
        names(open_database(f"sqlite:///{tmp_path}/no/such/folder/house.db"))
