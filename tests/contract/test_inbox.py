"""Watched folders on both databases: what is dropped becomes a stack, once, and is never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.inboxes import dropfolder
from dossier.inboxes.inbox import Inbox
from dossier.intake.observations import Side
from dossier.stacks.stacks import PAGE_ROOM_BYTES
from dossier.stacks.values import StackState, Way
from dossier.storage.database import Database
from dossier.storage.station_tables import inbox_drops, inbox_files
from dossier.storage.tables import agencies
from dossier.storage.tables import jobs as job_rows
from tests.drop_room import AGENCIES, PAGES, Watched, digest, jpeg, reader


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Watched:
    return Watched(database, tmp_path)


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


def test_a_drop_waits_whole_until_the_quota_has_room_for_its_readings(
    room: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    needed = sum(len(data) + PAGE_ROOM_BYTES for data in PAGES.values())

    def allow(quota: int) -> None:
        with room.database.begin() as connection:
            connection.execute(sa.update(agencies).values(policy={"blob_quota_bytes": quota}))

    allow(needed - 1)
    room.drop("hồ sơ", PAGES)
    assert room.wait(14) == []
    assert room.made() == []
    assert room.drops() == []
    assert "ask an administrator to raise it" in caplog.text
    allow(needed)
    [made] = room.wait(14)
    assert [stack.id for stack in room.made()] == [made]
    assert room.lying("refused") == {}


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
    from dossier.inboxes.dropfolder import DropFolder
    from dossier.inboxes.rows import InboxRows
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
