"""A pile of paper through every way in, and through workers that are killed: always the same.

    python -m tests.proof_stack [--dossiers 12] [--kills 30] [--dpi 200] [--out FILE]

Twelve dossiers, 200 images of both sides, with cover sheets and one of everything that goes wrong
(`tests.station_papers`), drawn through a simulated eSCL scanner; its pages then come in by scanner,
watched folder, HTTP and console, each into a database of its own. Then once more while the worker
or one of its processes is killed by kill -9 at random moments. Splits, alarms, pages set aside,
readings and pictures have to be the same, byte for byte. Prints JSON; exit 1 when they are not.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from dossier.stacks.values import PaperState, StackState
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from signer.coversheet import CoverSheetKeys
from tests.fakes import SoftwareKey
from tests.reading_room import CALLER, ReadingRoom, RememberingWorkplace
from tests.station_papers import ScannedSide, StationPapers, station_papers
from tests.station_ways import WAYS, canonical, faults_of, scanned_over_escl

ROOT = Path(__file__).parent.parent
_PATIENCE_S = 5400.0
_KEY = "sheets.der"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dossiers", type=int, default=12)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--dpi", type=int, default=200)
    parser.add_argument("--components", default="2,1,4,3", help="pages of each component")
    parser.add_argument("--half", action="store_true", help="pages printed in their upper half")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    key = SoftwareKey(label="sheets")
    papers = station_papers(
        key,
        dt.datetime.now(dt.UTC),
        asked.dossiers,
        dpi=asked.dpi,
        components=tuple(int(pages) for pages in asked.components.split(",")),
        short=asked.half,
    )
    with tempfile.TemporaryDirectory(prefix="sohoa-stack-") as folder:
        found = prove(Path(folder), papers, key, asked.kills, asked.dpi)
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    sys.stdout.write(text)
    if asked.out:
        asked.out.write_text(text, "utf-8")
    return 1 if found["faults"] else 0


def prove(
    folder: Path, papers: StationPapers, key: SoftwareKey, kills: int, dpi: int
) -> dict[str, Any]:
    """All of it; `faults` is empty when everything held."""
    began = time.monotonic()
    fed = scanned_over_escl(papers, folder / "scanned", dpi)
    (folder / _KEY).write_bytes(key.certificate.public_bytes(Encoding.DER))
    results, faults, seconds = {}, [], {}
    with RememberingWorkplace(folder / "reading", os.cpu_count() or 1) as workplace:
        for way in WAYS:
            start = time.monotonic()
            results[way] = through(way, fed, folder / way, workplace, key)
            seconds[way] = round(time.monotonic() - start, 1)
    faults += faults_of(fed, papers, results["escl"])
    faults += [f"{way} gives another result" for way in WAYS if results[way] != results["escl"]]
    start = time.monotonic()
    killed, done = through_kills(fed, folder / "killed", kills)
    seconds["killed"] = round(time.monotonic() - start, 1)
    if killed != results["escl"]:
        faults.append(f"killed workers give another result: {_differing(results['escl'], killed)}")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    alarms: dict[str, int] = {}
    for kind, *_ in results["escl"]["alarms"]:
        alarms[kind] = alarms.get(kind, 0) + 1
    return {
        "dossiers": len(papers.dossiers),
        "dpi": dpi,
        "images": len(fed),
        "papers": len(results["escl"]["papers"]),
        "set_aside": len(results["escl"]["aside"]),
        "alarms": alarms,
        "ways": list(WAYS),
        "kills": done,
        "seconds": {**seconds, "all": round(time.monotonic() - began, 1)},
        "cpu_s_of_processes": round(children.ru_utime + children.ru_stime, 1),
        "faults": faults,
    }


def through(
    way: str, fed: Sequence[ScannedSide], folder: Path, workplace: RememberingWorkplace,
    key: SoftwareKey,
) -> dict[str, Any]:  # fmt: skip
    """One way, on a fresh database, all jobs done in this process."""
    keys = CoverSheetKeys([key.certificate])
    room = new_room(folder, workplace, keys)
    try:
        stack = WAYS[way](room, fed)
        room.work(but=())
        return canonical(room, stack)
    finally:
        room.database.close()


def new_room(folder: Path, workplace: RememberingWorkplace, keys: CoverSheetKeys) -> ReadingRoom:
    """A room on a fresh SQLite database."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder}/house.db"
    database = Database(url)
    upgrade(database)
    database.close()
    return ReadingRoom(url, folder, workplace, lambda: keys)


def through_kills(
    fed: Sequence[ScannedSide], folder: Path, kills: int, seed: int = 1
) -> tuple[dict[str, Any], dict[str, int]]:
    """The pile by workers that are killed so often; the result, and who was killed."""
    rng = random.Random(seed)
    done = {"worker": 0, "page_process": 0, "at_work": 0}
    certificate = folder.parent / _KEY
    with RememberingWorkplace(folder / "unused") as workplace:
        room = new_room(folder, workplace, keys_of(certificate))
        stack = WAYS["escl"](room, fed)
        pages = len(fed)
        worker = _start(folder, certificate)
        until = time.monotonic() + _PATIENCE_S
        try:
            for number in range(kills):
                _wait_for(room, stack, pages * (number + rng.random()) / kills)
                time.sleep(rng.uniform(0, 1.5))
                done["at_work"] += room.get(stack).state is StackState.READING
                inner = _children(worker.pid)
                if inner and number % 3 == 2:
                    done["page_process"] += _kill(rng.choice(inner))
                else:
                    done["worker"] += _kill(worker.pid)
                    worker.wait()
                    worker = _start(folder, certificate)
                assert time.monotonic() < until, "the pile is never done"
            while not _is_done(room, stack):
                assert worker.poll() is None, "the worker ended by itself"
                assert time.monotonic() < until, "the pile is never done"
                time.sleep(0.2)
            return canonical(room, stack), done
        finally:
            _kill(worker.pid)
            worker.wait()
            room.database.close()
            shutil.rmtree(folder / "reading", ignore_errors=True)


def keys_of(certificate: Path) -> CoverSheetKeys:
    from cryptography import x509

    return CoverSheetKeys([x509.load_der_x509_certificate(certificate.read_bytes())])


def _start(folder: Path, certificate: Path) -> subprocess.Popen[bytes]:
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.stack_worker", str(folder), str(certificate)],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip


def _wait_for(room: ReadingRoom, stack: str, pages: float) -> None:
    """Until so many pages are read, or all is."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        counts = room.stacks.get(CALLER, stack)[1]
        if counts.pages_read + counts.pages_faulty >= pages or _is_done(room, stack):
            return
        time.sleep(0.1)
    raise AssertionError("the pages are not read")


def _is_done(room: ReadingRoom, stack: str) -> bool:
    if room.get(stack).state is not StackState.ARRANGED:
        return False
    return PaperState.PROPOSING not in room.paper_states(stack)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        tasks = Path(f"/proc/{pid}/task")
        found = {
            int(child)
            for task in tasks.iterdir()
            for child in (task / "children").read_text().split()
        } | {int(child) for child in told.split()}
        return [child for child in sorted(found) if b"spawn_main" in _command(child)]
    return []


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _kill(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0


def _differing(one: dict[str, Any], other: dict[str, Any]) -> str:
    parts = []
    for name in one:
        if one[name] != other[name]:
            both = zip(one[name], other[name], strict=False)
            first = next(((n, a, b) for n, (a, b) in enumerate(both) if a != b), None)
            parts.append(f"{name}: {first}")
    return json.dumps(parts, ensure_ascii=False)[:2000]


if __name__ == "__main__":
    raise SystemExit(main())
