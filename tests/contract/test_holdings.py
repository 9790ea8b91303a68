"""Which agency sees which blob, and how much it may keep, on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

import dossier.storage.holdings as module
from dossier.errors import InvalidOrder, NotFound, QuotaExceeded
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings, require_media_type
from dossier.storage.store import BlobInfo
from dossier.storage.tables import agencies, blobs

OURS, THEIRS = "H22.12", "H22.13"


def name(n: int) -> str:
    return f"{n:064x}"


@pytest.fixture
def holdings(database: Database) -> Holdings:
    with database.begin() as connection:
        for agency, policy in ((OURS, {"blob_quota_bytes": 1000}), (THEIRS, {})):
            connection.execute(
                sa.insert(agencies).values(
                    id=agency, name="UBND xã Mẫu", policy=policy, created_at=datetime.now(UTC)
                )
            )
    return Holdings(database)


def register(database: Database, holdings: Holdings, n: int, size: int, agency: str = OURS) -> None:
    with database.begin() as connection:
        holdings.register(connection, agency, BlobInfo(name(n), size), "application/pdf")


def test_a_blob_is_its_agencys_alone(database: Database, holdings: Holdings) -> None:
    register(database, holdings, 1, 70)
    with database.read() as connection:
        assert holdings.require(connection, OURS, name(1)) == BlobInfo(name(1), 70)
        assert holdings.media_type(connection, OURS, name(1)) == "application/pdf"
        assert holdings.find(connection, THEIRS, name(1)) is None
        with pytest.raises(NotFound) as theirs:
            holdings.require(connection, THEIRS, name(1))
        with pytest.raises(NotFound) as nobodys:
            holdings.require(connection, THEIRS, name(2))
        with pytest.raises(NotFound):
            holdings.media_type(connection, THEIRS, name(1))
    # another agency's blob looks like one that does not exist
    assert str(theirs.value).replace(name(1), name(2)) == str(nobodys.value)


def test_registering_again_changes_nothing(database: Database, holdings: Holdings) -> None:
    register(database, holdings, 1, 70)
    with database.begin() as connection:
        again = (BlobInfo(name(1), 70), "text/html")
        holdings.register_all(connection, OURS, [again, (BlobInfo(name(2), 5), "text/plain")])
        holdings.register_all(connection, OURS, [])
        assert holdings.media_type(connection, OURS, name(1)) == "application/pdf"
    assert holdings.used_bytes(OURS) == 75


def test_registering_belongs_to_its_transaction(database: Database, holdings: Holdings) -> None:
    def undone() -> None:
        with database.begin() as connection:
            holdings.register(connection, OURS, BlobInfo(name(1), 70), "text/plain")
            raise InvalidOrder("no")

    with pytest.raises(InvalidOrder):
        undone()
    assert holdings.used_bytes(OURS) == 0


def test_many_register_the_same_at_once(database: Database, holdings: Holdings) -> None:
    """In different orders: nobody waits for somebody who waits for them."""

    def work(n: int) -> None:
        items = [(BlobInfo(name(k), 1), "text/plain") for k in range(40)]
        with database.begin() as connection:
            holdings.register_all(connection, OURS, items[n:] + items[:n])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert holdings.used_bytes(OURS) == 40


def test_quota(database: Database, holdings: Holdings) -> None:
    holdings.require_room(OURS, 1000)
    register(database, holdings, 1, 600)
    holdings.require_room(OURS, 400)
    with pytest.raises(QuotaExceeded, match="600 of 1000 bytes"):
        holdings.require_room(OURS, 401)
    register(database, holdings, 2, 600)  # a result is never refused
    with pytest.raises(QuotaExceeded):
        holdings.require_room(OURS, 0)
    holdings.require_room(THEIRS, 1 << 50)  # no quota
    with pytest.raises(NotFound):
        holdings.require_room("H99", 1)


def test_the_sum_goes_on_from_where_it_stood(
    database: Database, holdings: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the last two minutes are summed each time, older ones once."""

    def aged(n: int, size: int, age: timedelta) -> None:
        with database.begin() as connection:
            connection.execute(
                sa.insert(blobs).values(
                    agency_id=OURS, sha256=name(n), size_bytes=size, media_type="text/plain",
                    created_at=datetime.now(UTC) - age,
                )
            )  # fmt: skip

    aged(1, 100, timedelta(hours=5))
    aged(2, 10, timedelta(seconds=90))
    assert holdings.used_bytes(OURS) == 110
    aged(3, 1, timedelta(seconds=100))  # committed late
    assert holdings.used_bytes(OURS) == 111
    monkeypatch.setattr(module, "_SETTLED", timedelta(seconds=95))  # time goes on
    assert holdings.used_bytes(OURS) == 111
    assert holdings.used_bytes(OURS) == 111
    assert Holdings(database).used_bytes(OURS) == 111


def test_an_older_sum_serves_while_the_quota_is_far(database: Database, holdings: Holdings) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(agencies).values(policy={"blob_quota_bytes": 1 << 40}))
    asked: list[str] = []
    sa.event.listen(
        database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *rest: asked.append(statement) if "sum(" in statement else 0,
    )
    for _ in range(20):
        holdings.require_room(OURS, 1 << 20)
    assert len(asked) == 2  # the first time: the settled rows and the young ones


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("application/pdf", "application/pdf"),
        ("Image/TIFF", "image/tiff"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("application/vnd.sohoa+json ;x=y", "application/vnd.sohoa+json"),
    ],
)
def test_media_types(given: str, kept: str) -> None:
    assert require_media_type(given) == kept


@pytest.mark.parametrize(
    "text", ["", "pdf", "a/b/c", "text/", "/x", "text/plain\r\nSet-Cookie: a=b", "é/x", "a" * 200]
)
def test_no_media_types(text: str) -> None:
    with pytest.raises(InvalidOrder):
        require_media_type(text)
