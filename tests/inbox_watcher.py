"""A process that watches a folder until it is killed: python -m tests.inbox_watcher URL FOLDER ID

And who kills it at random moments while people drop, and judges what is there in the end.

    judged = storm(url, folder, kills=30, drops=40, seed=1)
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dossier.stacks.values import StackState
from dossier.storage.database import Database
from dossier.storage.station_tables import inbox_drops
from tests.drop_room import AGENCIES, DropRoom, digest, jpeg

HOUSE = Path(__file__).parent.parent
_PATIENCE_S = 270.0


@dataclass(frozen=True)
class Judged:
    """What a storm left. `faults` is empty when nothing was lost, doubled or out of order."""

    kills: int
    kills_at_work: int  # while something was claimed
    drops: int
    files: int
    stacks: int
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def watch(url: str, folder: Path, principal: str) -> None:
    room = DropRoom(Database(url), folder)
    inbox = room.inbox(room.order(principal, settle_s=0.05), time.monotonic)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        inbox.look()
        time.sleep(0.02)


def storm(url: str, folder: Path, *, kills: int, drops: int, seed: int = 1) -> Judged:
    """Kill the watcher so often, at random moments, while `drops` folders are dropped."""
    database = Database(url)
    room = DropRoom(database, folder)
    principal = room.people()[AGENCIES[0]]
    (room.root / ".taking").mkdir()
    rng = random.Random(seed)
    dropped: dict[str, dict[str, bytes]] = {}
    killed = at_work = 0
    until = time.monotonic() + _PATIENCE_S * max(1, kills / 10)
    chance = random.Random(seed + 1)

    def dropping(number: int) -> None:
        for _ in range(number):
            n = len(dropped)
            files = {f"trang{k}.jpg": jpeg(1000 * n + k) for k in range(rng.randint(3, 9))}
            dropped[f"tập {n}"] = files
            _put(room, f"tập {n}", {**files, "ghi chú.txt": b"x"})

    try:
        while True:
            remaining = kills - killed
            share = -(-(drops - len(dropped)) // max(1, remaining + 1))
            with _watcher(url, folder, principal) as process:
                dropper = threading.Thread(target=dropping, args=(max(0, share),))
                dropper.start()
                if remaining:
                    dropper.join()
                    _wait_for_work(room, until)
                    time.sleep(chance.random() * 0.15)
                    at_work += any((room.root / ".taking").iterdir())
                    process.send_signal(signal.SIGKILL)
                    killed += 1
                else:
                    dropper.join()
                    _wait_until_done(room, len(dropped), until)
                    process.send_signal(signal.SIGKILL)
                    break
        return Judged(
            killed,
            at_work,
            len(dropped),
            sum(map(len, dropped.values())),
            len(room.made()),
            tuple(_faults(room, dropped)),
        )
    finally:
        database.close()


@contextmanager
def _watcher(url: str, folder: Path, principal: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.inbox_watcher", url, str(folder), principal]
    with subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _put(room: DropRoom, name: str, files: dict[str, bytes]) -> None:
    """Written beside, renamed into place: a slow machine writes longer than the watcher waits."""
    beside = room.folder / "dang-chep"
    beside.mkdir()
    for file, data in files.items():
        (beside / file).write_bytes(data)
    beside.rename(room.root / name)


def _wait_for_work(room: DropRoom, until: float) -> None:
    """Until something is claimed or all is done."""
    while not any((room.root / ".taking").iterdir()) and _lying_in(room):
        if time.monotonic() > until:
            raise TimeoutError(f"the watcher takes nothing of {_lying_in(room)}")
        time.sleep(0.002)


def _wait_until_done(room: DropRoom, drops: int, until: float) -> None:
    while _unfinished(room, drops):
        if time.monotonic() > until:
            raise TimeoutError(f"not finished: {_unfinished(room, drops)}")
        time.sleep(0.05)


def _unfinished(room: DropRoom, drops: int) -> list[str]:
    """What is still to be done, and drops of which it is not noted that they were moved."""
    taken = len(list((room.root / "done").iterdir()))
    with room.database.read() as connection:
        rows = connection.execute(
            sa.select(inbox_drops.c.name).where(inbox_drops.c.moved_at.is_(None))
        )
        noted = list(rows.scalars())
    return [*_lying_in(room), *noted, *(["…"] if taken < drops else [])]


def _lying_in(room: DropRoom) -> list[str]:
    own = {".taking", "done", "refused"}
    waiting = [path.name for path in room.root.iterdir() if path.name not in own]
    return waiting + [path.name for path in (room.root / ".taking").iterdir()]


def _faults(room: DropRoom, dropped: dict[str, dict[str, bytes]]) -> list[str]:
    faults = []
    found = room.scans()
    names = [key.partition("|")[0] for key in found]
    if sorted(names) != sorted(dropped):
        faults.append(f"stacks: {sorted(names)}, dropped: {sorted(dropped)}")
    for key, scans in found.items():
        files = dropped.get(key.partition("|")[0], {})
        if [s.sha256 for s in scans] != [digest(data) for data in files.values()]:
            faults.append(f"{key}: other scans, or another order")
        faults += [f"{key}: no blob {s.name}" for s in scans if room.blobs.stat(s.sha256) is None]
    faults += [f"{s.id} is {s.state}" for s in room.made() if s.state is not StackState.READING]
    done, refused = room.lying("done"), room.lying("refused")
    for name, files in dropped.items():
        faults += [
            f"{name}/{file} is gone or changed"
            for file, data in files.items()
            if done.get(f"{name}/{file}") != data
        ]
        if f"{name}/MANIFEST.csv" not in done or f"{name}/ghi chú.txt" not in refused:
            faults.append(f"{name}: no manifest, or a foreign file that is nowhere")
    return faults


if __name__ == "__main__":
    watch(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
