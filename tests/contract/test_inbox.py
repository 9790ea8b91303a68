"""Watched folders on both databases: what is dropped becomes a stack, once, and is never lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.errors import QuotaExceeded, StoreError
from dossier.identity import local_administrator
from dossier.intake.observations import Side
from dossier.stacks import dropfolder
from dossier.stacks.inbox import Inbox
from dossier.stacks.values import StackState, Way
from dossier.storage.database import Database
from dossier.storage.station_tables import inbox_drops, inbox_files
from dossier.storage.tables import agencies
from dossier.storage.tables import jobs as job_rows
from tests.drop_room import AGENCIES, DropRoom, digest, jpeg, reader, tiff


class Watched(DropRoom):
    """A room with one watched folder; time goes on by `wait`."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database, folder)
        self.principals = self.people()
        self.watcher = self.inbox(self.order(self.principals[AGENCIES[0]]))

    def wait(self, seconds: float) -> list[str]:
        """Looks every two seconds for so long; the stacks that were made."""
        made = []
        for _ in range(round(seconds / 2) + 1):
            made += self.watcher.look()
            self.now += 2
        return made

    def drops(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(inbox_drops).order_by(inbox_drops.c.id)))


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Watched:
    return Watched(database, tmp_path)


PAGES = {f"trang{n}.jpg": jpeg(n) for n in (1, 2, 10)}


def test_a_folder_becomes_a_stack_and_its_files_are_kept(room: Watched) -> None:
    room.drop("Hồ sơ 12", PAGES)
    [made] = room.wait(14)
    [stack] = room.made()
    assert (stack.id, stack.way, stack.state) == (made, Way.FOLDER, StackState.READING)
    assert (stack.order.reference, stack.order.station) == ("Hồ sơ 12", "quay-3")
    assert stack.order.pages is None
    assert stack.principal_id == room.principals[AGENCIES[0]]
    [scans] = room.scans().values()
    assert [(s.position, s.name, s.side) for s in scans] == [
        (n, name, Side.SINGLE) for n, name in enumerate(("trang1.jpg", "trang2.jpg", "trang10.jpg"))
    ]
    for scan in scans:
        assert room.blobs.get(scan.sha256) == PAGES[scan.name]
    lying = room.lying("done")
    manifest = lying.pop("Hồ sơ 12/MANIFEST.csv").decode("utf-8-sig").splitlines()
    assert lying == {f"Hồ sơ 12/{name}": data for name, data in PAGES.items()}
    assert manifest[2] == (
        f"trang2.jpg,{len(PAGES['trang2.jpg'])},{digest(PAGES['trang2.jpg'])},{made}"
    )
    [drop] = room.drops()
    assert drop.moved_at is not None
    assert (drop.stack_id, drop.repeats) == (made, None)
    assert sorted(p.name for p in room.root.iterdir()) == [".taking", "done", "refused"]
    assert room.wait(30) == []
    with room.database.read() as connection:
        kinds = connection.execute(sa.select(job_rows.c.kind)).scalars().all()
    assert kinds == ["look-at-scan"] * 3


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


def test_the_same_drop_twice_is_one_stack_until_that_is_cancelled(room: Watched) -> None:
    room.drop("hồ sơ", PAGES)
    [first] = room.wait(14)
    room.drop("hồ sơ", PAGES)
    assert room.wait(14) == []
    assert [stack.id for stack in room.made()] == [first]
    manifests = [p.read_text("utf-8-sig") for p in room.root.glob("done/*/MANIFEST.csv")]
    assert len(manifests) == 2
    assert all(first in text for text in manifests)
    room.drop("hồ sơ", PAGES | {"trang11.jpg": jpeg(11)})  # another drop under the same name
    assert len(room.wait(14)) == 1
    room.stacks.cancel(reader(AGENCIES[0]), first)
    room.drop("hồ sơ", PAGES)
    [again] = room.wait(14)
    assert again != first


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


@pytest.mark.parametrize("locks", [True, False], ids=["with-locks", "without-locks"])
def test_two_machines_on_one_folder(
    room: Watched, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several watchers one wins a drop; where the file server has no locks, too."""
    if not locks:
        monkeypatch.setattr(dropfolder.fcntl, "flock", lambda *_: None)
    for n in range(6):
        room.drop(f"tập {n}", {f"{k}.jpg": jpeg(100 * n + k) for k in range(4)})
    order = room.order(room.principals[AGENCIES[0]], settle_s=0)
    watchers = [room.inbox(order) for _ in range(3)]
    begin = threading.Barrier(len(watchers))

    def watch(inbox: Inbox) -> None:
        begin.wait()
        for _ in range(8):
            inbox.look()

    threads = [threading.Thread(target=watch, args=(inbox,)) for inbox in watchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watchers[0].look()
    found = room.scans()
    assert sorted(key.partition("|")[0] for key in found) == [f"tập {n}" for n in range(6)]
    for key, scans in found.items():
        n = int(key.partition("|")[0].split()[1])
        assert [s.sha256 for s in scans] == [digest(jpeg(100 * n + k)) for k in range(4)]
    assert len([name for name in room.lying("done") if name.endswith(".jpg")]) == 24
    assert all(drop.moved_at is not None for drop in room.drops())


class _Killed(BaseException):
    """The process is gone, here."""


def _steps() -> list[tuple[type, str]]:
    from dossier.stacks.dropfolder import DropFolder
    from dossier.stacks.inboxrows import InboxRows
    from dossier.stacks.stacks import Stacks
    from dossier.storage.blobs import FolderBlobs

    return [
        (FolderBlobs, "put"),
        (InboxRows, "plan"),
        (Stacks, "open"),
        (Stacks, "add_scan"),
        (Stacks, "close"),
        (InboxRows, "made"),
        (DropFolder, "refuse"),
        (DropFolder, "claim"),
        (DropFolder, "finish"),
        (InboxRows, "moved"),
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_step(room: Watched, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each durable step, in one drop after the other: nothing is lost or twice."""
    for n, (kind, name) in enumerate(_steps()):
        files = PAGES | {"9.jpg": jpeg(500 + n), "x.txt": b"abc"}
        room.drop(f"tập {n}", files)
        with monkeypatch.context() as patch:
            patch.setattr(kind, name, _dying(getattr(kind, name), after))
            with pytest.raises(_Killed):
                room.wait(14)
        room.watcher = room.inbox(room.order(room.principals[AGENCIES[0]]))
        room.wait(14)
        found = {key.partition("|")[0]: s for key, s in room.scans().items()}
        assert len(room.made()) == n + 1, name
        ordered = [files[k] for k in ("9.jpg", "trang1.jpg", "trang2.jpg", "trang10.jpg")]
        assert [s.sha256 for s in found[f"tập {n}"]] == [digest(data) for data in ordered], name
        lying = room.lying("done")
        assert {k: lying[f"tập {n}/{k}"] for k in files if k != "x.txt"} == {
            k: v for k, v in files.items() if k != "x.txt"
        }
        assert f"tập {n}/x.txt" in room.lying("refused")
    assert all(stack.state is StackState.READING for stack in room.made())
    assert all(drop.moved_at is not None for drop in room.drops())


def _dying(step: Callable[..., Any], after: bool) -> Callable[..., Any]:
    def die(*args: Any, **kwargs: Any) -> Any:
        if after:
            step(*args, **kwargs)
        raise _Killed

    return die


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


def test_the_manifest_in_the_database_names_every_file(room: Watched) -> None:
    room.drop("hồ sơ", PAGES)
    [made] = room.wait(14)
    with room.database.read() as connection:
        rows = connection.execute(
            sa.select(inbox_files.c.name, inbox_files.c.sha256, inbox_drops.c.stack_id)
            .join(inbox_drops, inbox_drops.c.id == inbox_files.c.drop_id)
            .order_by(inbox_files.c.position)
        ).all()
    assert [tuple(row) for row in rows] == [
        (name, digest(data), made) for name, data in PAGES.items()
    ]
