"""Small blobs in the database beside a folder: one store to whoever reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from dossier.errors import BlobDamaged, NotFound
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.smallblobs import SMALL_BYTES, SmallBlobs
from dossier.storage.store import BlobInfo, digest_of
from dossier.storage.tables import small_blobs


@pytest.fixture
def others(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def blobs(database: Database, others: FolderBlobs) -> SmallBlobs:
    return SmallBlobs(database, others)


def keep(database: Database, blobs: SmallBlobs, *items: bytes) -> list[BlobInfo]:
    with database.begin() as connection:
        return blobs.keep(connection, items)


def test_what_is_kept_is_read_like_any_blob(database, blobs, others):
    (info,) = keep(database, blobs, b"report")
    assert info == BlobInfo(digest_of(b"report"), 6)
    assert others.stat(info.sha256) is None
    assert blobs.get(info.sha256) == b"report"
    assert blobs.stat(info.sha256) == info
    assert b"".join(blobs.read(info.sha256)) == b"report"
    assert b"".join(blobs.read(info.sha256, 1, 4)) == b"epo"
    with blobs.local(info.sha256) as path:
        assert path.read_bytes() == b"report"
    assert not path.exists()


def test_what_is_put_goes_to_the_other_store(blobs, others):
    info = blobs.put(b"document")
    assert others.get(info.sha256) == b"document"
    assert blobs.get(info.sha256) == b"document"
    assert blobs.stat(info.sha256) == info
    assert list(blobs.read(info.sha256)) == [b"document"]
    with blobs.local(info.sha256) as path:
        assert path.read_bytes() == b"document"


def test_keeping_again_changes_nothing(database, blobs):
    first = keep(database, blobs, b"a", b"b", b"a")
    assert keep(database, blobs, b"b", b"a", b"b") == [first[1], first[0], first[1]]


def test_what_is_kept_goes_with_its_transaction(database, blobs):
    def work(connection: sa.Connection) -> None:
        blobs.keep(connection, [b"report"])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.together(work)
    assert blobs.stat(digest_of(b"report")) is None
    with pytest.raises(NotFound):
        blobs.get(digest_of(b"report"))
    with pytest.raises(NotFound):
        blobs.read(digest_of(b"report"))
    with pytest.raises(NotFound), blobs.local(digest_of(b"report")):
        pass


def test_large_ones_are_refused(database, blobs):
    keep(database, blobs, b"x" * SMALL_BYTES)
    with pytest.raises(ValueError, match="at most"):
        keep(database, blobs, b"x" * (SMALL_BYTES + 1))


def test_a_damaged_row_is_no_blob(database, blobs):
    (info,) = keep(database, blobs, b"report")
    with database.begin() as connection:
        connection.execute(sa.update(small_blobs).values(data=b"rep0rt"))
    with pytest.raises(BlobDamaged):
        blobs.get(info.sha256)


def test_all_names_both_kinds(database, blobs):
    kept = keep(database, blobs, *(b"%d" % n for n in range(1100)))
    put = blobs.put(b"document")
    assert sorted(blobs.all(), key=lambda i: i.sha256) == sorted(
        [*kept, put], key=lambda i: i.sha256
    )
    blobs.check()
