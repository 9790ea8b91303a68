"""Uploads that go on after any interruption, by several clients and processes."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

import dossier.storage.uploads as module
from dossier.errors import (
    AccessRefused,
    BlobDamaged,
    InvalidOrder,
    QuotaExceeded,
    StateConflict,
    StoreError,
)
from dossier.model import Caller, Role
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobInfo, digest_of
from dossier.storage.tables import agencies
from dossier.storage.uploads import Uploads, UploadStatus

PROCESSES = multiprocessing.get_context("forkserver")
QUOTA = 40 << 20
DATA = random.Random(3).randbytes(3_000_000)
NAME = digest_of(DATA)


def caller_of(agency: str = "H22.12", *roles: Role) -> Caller:
    return Caller("prn_x", "Máy quét", agency, frozenset(roles or {Role.SCANNER}))


OURS, THEIRS = caller_of(), caller_of("H22.13")


class Desk:
    """Uploads as one web process has them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.database = Database(url)
        self.blobs = FolderBlobs(folder / "blobs")
        self.holdings = Holdings(self.database)
        self.uploads = Uploads(
            folder / "uploads", self.blobs, self.database, self.holdings, max_bytes=30 << 20
        )

    def put(
        self,
        data: bytes = DATA,
        offset: int = 0,
        end: int | None = None,
        *,
        caller: Caller = OURS,
        step: int = 100_000,
        name: str | None = None,
        total: int | None = None,
    ) -> UploadStatus:
        part = data[offset:end]
        return self.uploads.append(
            caller,
            name or digest_of(data),
            offset=offset,
            total=len(data) if total is None else total,
            chunks=(part[n : n + step] for n in range(0, len(part), step)),
            media_type="application/pdf",
        )

    def left(self) -> list[str]:
        """Files of unfinished uploads."""
        return [p.name for p in (self.folder / "uploads").glob("*/*")]


def make_agencies(database: Database) -> None:
    with database.begin() as connection:
        for caller in (OURS, THEIRS):
            connection.execute(
                sa.insert(agencies).values(
                    id=caller.agency_id,
                    name="UBND xã Mẫu",
                    policy={"blob_quota_bytes": QUOTA},
                    created_at=datetime.now(UTC),
                )
            )


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(database_url, tmp_path)
    make_agencies(desk.database)
    yield desk
    desk.database.close()


@pytest.fixture
def sqlite_desk(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(sqlite_url, tmp_path)
    make_agencies(desk.database)
    yield desk
    desk.database.close()


def test_whole_at_once(desk: Desk) -> None:
    assert desk.uploads.status(OURS, NAME) == UploadStatus(0, None, complete=False)
    assert desk.put() == UploadStatus(len(DATA), len(DATA), complete=True)
    assert desk.uploads.status(OURS, NAME) == UploadStatus(len(DATA), len(DATA), complete=True)
    assert desk.blobs.get(NAME) == DATA
    with desk.database.read() as connection:
        assert desk.holdings.require(connection, OURS.agency_id, NAME) == BlobInfo(NAME, len(DATA))
    assert desk.left() == []


def test_part_by_part(desk: Desk) -> None:
    for offset in range(0, len(DATA), 700_000):
        assert desk.uploads.status(OURS, NAME).offset == offset
        status = desk.put(offset=offset, end=offset + 700_000)
    assert status.complete
    assert desk.blobs.get(NAME) == DATA


def test_an_empty_blob(desk: Desk) -> None:
    assert desk.put(b"").complete
    assert desk.blobs.get(digest_of(b"")) == b""


def test_a_finished_blob_is_not_read_again(desk: Desk) -> None:
    desk.put()

    def unread() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    status = desk.uploads.append(
        OURS, NAME, offset=0, total=len(DATA), chunks=unread(), media_type="application/pdf"
    )
    assert status.complete
    with pytest.raises(InvalidOrder, match="not 5"):
        desk.put(b"12345", name=NAME)


class _ClientGone(Exception):
    pass


def test_what_came_before_the_client_was_gone_is_kept(desk: Desk) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA[:400_000]
        yield DATA[400_000:500_001]
        raise _ClientGone

    with pytest.raises(_ClientGone):
        desk.uploads.append(
            OURS, NAME, offset=0, total=len(DATA), chunks=broken(), media_type="application/pdf"
        )
    assert desk.uploads.status(OURS, NAME) == UploadStatus(500_001, len(DATA), complete=False)
    assert desk.put(offset=500_001).complete
    assert desk.blobs.get(NAME) == DATA


def test_a_gap_is_refused(desk: Desk) -> None:
    desk.put(end=1000)
    with pytest.raises(StateConflict, match="1000 bytes of 3000000 are here"):
        desk.put(offset=1001)
    with pytest.raises(StateConflict):
        desk.put(offset=1000, total=len(DATA) + 1)
    assert desk.put(offset=1000).complete


def test_bytes_that_are_here_may_come_again(desk: Desk) -> None:
    desk.put(end=1_000_000)
    assert desk.put(offset=300, end=600_000).offset == 600_000
    assert desk.uploads.status(OURS, NAME).offset == 1_000_000
    assert desk.put(offset=999_000).complete
    assert desk.blobs.get(NAME) == DATA


def test_other_bytes_replace_what_was_here(desk: Desk) -> None:
    """A client that sent rubbish, and now sends the blob."""
    wrong = bytes(1_000_000)
    desk.put(wrong + DATA[1_000_000:], end=1_000_000, name=NAME)
    assert desk.put(offset=0).complete
    assert desk.blobs.get(NAME) == DATA


def test_wrong_bytes_are_refused_and_forgotten(desk: Desk) -> None:
    with pytest.raises(BlobDamaged, match="send them again"):
        desk.put(DATA[:-1] + b"!", name=NAME)
    assert desk.uploads.status(OURS, NAME) == UploadStatus(0, None, complete=False)
    assert desk.left() == []
    assert list(desk.blobs.all()) == []
    assert desk.put().complete


def test_more_bytes_than_announced(desk: Desk) -> None:
    with pytest.raises(InvalidOrder, match="check the length"):
        desk.put(total=1_000_000)
    assert desk.put().complete  # with the right length


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "../../etc/passwd"}, "sha256"),
        ({"offset": -1}, "offset"),
        ({"offset": 10, "total": 9}, "offset"),
        ({"total": (30 << 20) + 1}, "total"),
    ],
)
def test_refusals(sqlite_desk: Desk, change: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        sqlite_desk.put(**change)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.field == field
    assert sqlite_desk.left() == []


def test_who_may_upload(sqlite_desk: Desk) -> None:
    for role in (Role.AUDITOR, Role.ADMIN):
        with pytest.raises(AccessRefused):
            sqlite_desk.put(caller=caller_of("H22.12", role))
    for role in (Role.CLERK, Role.LEADER, Role.OFFICER):
        assert sqlite_desk.put(caller=caller_of("H22.12", role)).complete


def test_agencies_do_not_see_each_other(desk: Desk) -> None:
    desk.put(end=1_000_000)
    assert desk.uploads.status(THEIRS, NAME) == UploadStatus(0, None, complete=False)
    desk.put(offset=1_000_000)
    # the bytes are in the store by now, and still theirs to bring, every one of them
    assert desk.uploads.status(THEIRS, NAME) == UploadStatus(0, None, complete=False)
    with pytest.raises(StateConflict):
        desk.put(offset=len(DATA), caller=THEIRS)
    with pytest.raises(BlobDamaged):
        desk.put(bytes(len(DATA)), name=NAME, caller=THEIRS)
    assert desk.put(caller=THEIRS).complete
    assert desk.blobs.get(NAME) == DATA


def test_quota_counts_what_is_unfinished(desk: Desk) -> None:
    big = [random.Random(n).randbytes(15 << 20) for n in range(3)]
    desk.put(big[0])
    desk.put(big[1], end=14 << 20)
    with pytest.raises(QuotaExceeded):
        desk.put(big[2])
    assert desk.put(big[1], offset=14 << 20).complete
    with pytest.raises(QuotaExceeded):
        desk.put(big[2])
    assert desk.put(big[2], caller=THEIRS).complete


def test_too_many_unfinished(sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_OPEN", 3)
    files = [b"file %d" % n for n in range(4)]
    for data in files[:3]:
        sqlite_desk.put(data, end=2)
    with pytest.raises(QuotaExceeded, match="finish them first"):
        sqlite_desk.put(files[3], end=2)
    sqlite_desk.put(files[0], offset=2)
    sqlite_desk.put(files[3], end=2)


def test_abandoned_uploads_are_swept(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    other = b"young"
    desk.put(end=1000)
    desk.put(other, end=2)
    for part in (desk.folder / "uploads").glob(f"*/{NAME}.part"):
        os.utime(part, (time.time() - 90_000,) * 2)
    assert desk.uploads.sweep() == 0  # it looked just now
    os.utime(desk.folder / "uploads" / "swept", (time.time() - 4000,) * 2)
    assert desk.uploads.sweep() == 1
    assert desk.uploads.status(OURS, NAME).offset == 0
    assert desk.uploads.status(OURS, digest_of(other)).offset == 2
    assert desk.put().complete


def test_a_store_that_fails_costs_nothing_sent(
    sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> BlobInfo:
        raise StoreError("the store is full")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_desk.blobs, "put", full)
        with pytest.raises(StoreError):
            sqlite_desk.put()
    assert sqlite_desk.uploads.status(OURS, NAME).offset == len(DATA)
    assert sqlite_desk.put(offset=len(DATA)).complete


@pytest.fixture
def file_limit() -> Iterator[Callable[[int], None]]:
    """Sets the largest file that this process may write (RLIMIT_FSIZE)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more(
    sqlite_desk: Desk, file_limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHECKPOINT_BYTES", 300_000)
    file_limit(2_000_000)
    with pytest.raises(StoreError) as caught:
        sqlite_desk.put()
    assert getattr(caught.value.__cause__, "errno", None) == errno.EFBIG
    kept = sqlite_desk.uploads.status(OURS, NAME).offset
    assert kept == 1_800_000  # the last checkpoint; what came after it gave its room back
    (part,) = (sqlite_desk.folder / "uploads").glob("*/*.part")
    assert part.stat().st_size == kept
    file_limit(-1)
    assert sqlite_desk.put(offset=kept).complete


# --- several processes and crashes -----------------------------------------------------------


def _upload(url: str, folder: Path, seed: int, *, slow: bool = False) -> bool:
    """Upload `DATA` in parts of random sizes until it is there; as a web process does."""
    desk, chance = Desk(url, folder), random.Random(seed)
    try:
        while True:
            status = desk.uploads.status(OURS, NAME)
            if status.complete:
                return desk.blobs.get(NAME) == DATA
            end = status.offset + chance.randrange(1, 400_000)
            try:
                desk.put(offset=status.offset, end=end, step=20_000)
            except StateConflict:  # somebody else began again
                continue
            if slow:
                time.sleep(0.01)
    finally:
        desk.database.close()


def test_two_processes_and_eight_threads_bring_the_same_blob(desk: Desk, database_url: str) -> None:
    PROCESSES.set_forkserver_preload(["tests.contract.test_uploads"])
    with PROCESSES.Pool(2) as processes, ThreadPoolExecutor(8) as threads:
        others = processes.starmap_async(
            _upload, [(database_url, desk.folder, n) for n in range(2)], chunksize=1
        )
        done = list(threads.map(lambda n: desk.put(step=50_000 + n), range(8)))
        assert others.get(60) == [True, True]
        processes.close()
        processes.join()
    assert all(status.complete for status in done)
    assert desk.blobs.get(NAME) == DATA
    assert desk.left() == []
    assert hashlib.sha256(DATA).hexdigest() == NAME


def test_killed_at_any_moment(
    sqlite_desk: Desk, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9, again and again: what was vouched for stays, and the blob arrives."""
    desk, chance = sqlite_desk, random.Random(5)
    PROCESSES.set_forkserver_preload(["tests.contract.test_uploads"])
    vouched, kills = 0, 0
    for n in range(25):
        web = PROCESSES.Process(
            target=_upload, args=(sqlite_url, desk.folder, n), kwargs={"slow": True}
        )
        web.start()
        time.sleep(0.12 + chance.uniform(0, 0.12))
        if web.is_alive():
            os.kill(web.pid or 0, signal.SIGKILL)
            kills += 1
        web.join()
        status = desk.uploads.status(OURS, NAME)
        assert status.offset >= vouched
        vouched = status.offset
        for journal in (desk.folder / "uploads").glob("*/*.json"):
            part = journal.with_suffix(".part").read_bytes()
            assert part[:vouched] == DATA[:vouched]
        if status.complete:
            break
    assert kills >= 2
    assert _upload(sqlite_url, desk.folder, 99)
    assert desk.blobs.get(NAME) == DATA
    assert desk.left() == []


def test_a_request_does_not_wait_for_ever(
    sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TURN_S", 0.2)

    def meanwhile() -> Iterator[bytes]:
        yield DATA[:1000]
        with pytest.raises(StateConflict, match="Another request"):
            sqlite_desk.put()
        yield DATA[1000:]

    status = sqlite_desk.uploads.append(
        OURS, NAME, offset=0, total=len(DATA), chunks=meanwhile(), media_type="application/pdf"
    )
    assert status.complete
