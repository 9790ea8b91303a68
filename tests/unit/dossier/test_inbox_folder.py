"""What is taken from a watched folder and what is refused; nothing there is followed or lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.errors import QuotaExceeded, StoreError
from dossier.identity import local_administrator
from dossier.intake.observations import Side
from dossier.storage.database import Database
from dossier.storage.tables import agencies
from tests.drop_room import AGENCIES, PAGES, Watched, digest, jpeg, tiff


@pytest.fixture
def room(sqlite_url: str, open_database: Callable[[str], Database], tmp_path: Path) -> Watched:
    return Watched(open_database(sqlite_url), tmp_path)


def test_one_file_by_itself_and_both_sides(room: Watched) -> None:
    (room.root / "quét 7.tif").write_bytes(tiff(7, 5))
    duplex = room.inbox(room.order(room.principals[AGENCIES[0]], duplex=True))
    room.watcher = duplex
    room.drop("hai mặt", PAGES)
    assert len(room.wait(14)) == 2
    by_name = {key.partition("|")[0]: scans for key, scans in room.scans().items()}
    assert [s.side for s in by_name["quét 7.tif"]] == [Side.FRONT]
    assert [s.side for s in by_name["hai mặt"]] == [Side.FRONT, Side.BACK, Side.FRONT]


def test_what_grows_is_not_taken_and_what_is_renamed_into_place_is(room: Watched) -> None:
    folder = room.drop("lớn dần", {"1.jpg": jpeg(1)})
    target = folder / "2.jpg"
    whole = jpeg(2, 40_000)
    for end in range(1000, len(whole), 4000):
        target.write_bytes(whole[:end])
        assert room.wait(8) == []
    target.write_bytes(whole)
    assert room.wait(6) == []
    part = room.drop("đổi tên", {"1.jpg.part": jpeg(3)})
    assert len(room.wait(10)) == 1
    assert room.wait(20) == []  # a name that says it is not finished
    (part / "1.jpg.part").rename(part / "1.jpg")
    assert len(room.wait(14)) == 1
    assert {s.name: s.sha256 for scans in room.scans().values() for s in scans} == {
        "1.jpg": digest(jpeg(3)),
        "2.jpg": digest(whole),
    }


def test_a_marker_says_that_a_drop_is_complete(room: Watched) -> None:
    folder = room.drop("gấp", PAGES)
    (folder / "XONG").touch()
    assert len(room.wait(2)) == 1
    assert "gấp/XONG" in room.lying("done")
    with_growing = room.drop("gấp 2", {"1.jpg": jpeg(5, 1000), "DONE": b""})
    room.watcher.look()
    (with_growing / "1.jpg").write_bytes(jpeg(6, 60_000))
    assert room.watcher.look() == []
    assert len(room.watcher.look()) == 1


def test_a_torn_copy_waits_then_is_refused_and_the_stack_knows(room: Watched) -> None:
    torn, cut_tiff, cut_png = (
        jpeg(9, 5000)[:2000],
        tiff(1, 3)[:-30],
        b"\x89PNG\r\n\x1a\n" + b"0" * 99,
    )
    room.drop("dở", PAGES | {"3.jpg": torn, "4.tif": cut_tiff, "5.png": cut_png, "6.jpg": b""})
    assert room.wait(300) == []
    assert len(room.wait(320)) == 1
    [stack] = room.made()
    assert stack.order.pages == 7  # announced; three came: the splitting raises an alarm
    assert len(next(iter(room.scans().values()))) == 3
    refused = room.lying("refused")
    assert refused["dở/3.jpg"] == torn
    assert "chép dở" in refused["dở/3.jpg.ly-do.txt"].decode()
    assert {"dở/4.tif", "dở/5.png", "dở/6.jpg"} < refused.keys()


def test_what_is_no_scan_is_refused_and_nothing_is_followed(room: Watched, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(77))
    folder = room.drop("lạ", PAGES | {"ghi chú.txt": b"xin chao", "Thumbs.db": b"\0" * 9})
    (folder / "link.jpg").symlink_to(secret)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "trong").mkdir()
    (folder / "trong" / "a.jpg").write_bytes(jpeg(1))
    (room.root / "lối tắt").symlink_to(tmp_path)
    (room.root / "dài.jpg").symlink_to(secret)
    room.drop("chỉ chữ", {"a.txt": b"abc"})
    assert len(room.wait(30)) == 1
    held = {s.sha256 for scans in room.scans().values() for s in scans}
    assert held == {digest(data) for data in PAGES.values()}
    assert room.blobs.stat(digest(jpeg(77))) is None
    assert secret.read_bytes() == jpeg(77)
    refused = room.lying("refused")
    for name in ("lạ/ghi chú.txt", "lạ/Thumbs.db", "lạ/trong.ly-do.txt", "lạ/link.jpg.ly-do.txt",
                 "lạ/pipe.jpg.ly-do.txt", "dài.jpg/dài.jpg.ly-do.txt",
                 "lối tắt/lối tắt.ly-do.txt", "chỉ chữ/a.txt.ly-do.txt"):  # fmt: skip
        assert name in refused, sorted(refused)
    assert "JPEG" in refused["lạ/ghi chú.txt.ly-do.txt"].decode()
    left = {p.name for p in room.root.iterdir()} - {".taking", "done", "refused"}
    assert left == set()
    assert list((room.root / ".taking").iterdir()) == []


def test_two_inboxes_are_two_agencies(room: Watched) -> None:
    other_root = room.folder / "vao-2"
    other_root.mkdir()
    theirs = room.order(
        room.principals[AGENCIES[1]], name="quay-9", folder=other_root, agency_id=AGENCIES[1]
    )
    room.drop("a", PAGES)
    (other_root / "b").mkdir()
    (other_root / "b" / "1.jpg").write_bytes(jpeg(1))
    second = room.inbox(theirs)
    for _ in range(8):
        room.watcher.look()
        second.look()
        room.now += 2
    assert [stack.order.reference for stack in room.made()] == ["a"]
    assert [stack.order.reference for stack in room.made(AGENCIES[1])] == ["b"]
    with room.database.read() as connection:
        assert room.holdings.find(connection, AGENCIES[1], digest(PAGES["trang2.jpg"])) is None


def test_a_full_blob_store_loses_nothing(
    room: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room.drop("đầy", PAGES)
    put, left = room.blobs.put, [1]

    def full(source: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StoreError("ổ đĩa đầy / the disk is full")
        return put(source, **options)

    monkeypatch.setattr(room.blobs, "put", full)
    assert room.wait(30) == []
    assert room.made() == []
    assert room.drops() == []
    assert len([r for r in caplog.records if "the disk is full" in r.getMessage()]) == 1
    lying = {p.name: p.read_bytes() for p in room.root.glob(".taking/*/*")}
    assert lying == PAGES
    left[0] = 100
    assert len(room.wait(4)) == 1


def test_a_used_up_quota_and_a_principal_without_the_right_wait(room: Watched) -> None:
    principal = room.principals[AGENCIES[0]]
    admin = local_administrator("test")
    with room.database.begin() as connection:
        connection.execute(sa.update(agencies).values(policy={"blob_quota_bytes": 10}))
    room.drop("chờ", PAGES)
    assert room.wait(20) == []
    assert room.blobs.stat(digest(PAGES["trang1.jpg"])) is None
    with pytest.raises(QuotaExceeded):
        room.holdings.require_room(AGENCIES[0], 11)
    with room.database.begin() as connection:
        connection.execute(sa.update(agencies).values(policy={}))
    room.identity.principals.disable(admin, principal, version=1)
    room.holdings.__init__(room.database)  # type: ignore[misc] # the quota is remembered a moment
    assert room.wait(4) == []
    room.identity.principals.enable(admin, principal, version=2)
    assert len(room.wait(4)) == 1


def test_what_changes_after_it_was_taken_is_not_thrown_away(
    room: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that kept the file open writes on; or drops another one into what was claimed."""
    room.drop("muộn", PAGES)
    close = room.stacks.close

    def meanwhile(*args: Any) -> Any:
        [taking] = (room.root / ".taking").iterdir()
        (taking / "trang2.jpg").write_bytes(jpeg(222))
        (taking / "trang99.jpg").write_bytes(jpeg(99))
        return close(*args)

    monkeypatch.setattr(room.stacks, "close", meanwhile)
    assert len(room.wait(14)) == 1
    [scans] = room.scans().values()
    assert [room.blobs.get(s.sha256) for s in scans] == list(PAGES.values())
    refused = room.lying("refused")
    assert refused["muộn/trang2.jpg"] == jpeg(222)
    assert refused["muộn/trang99.jpg"] == jpeg(99)
    assert "thay đổi" in refused["muộn/trang2.jpg.ly-do.txt"].decode()
