"""A station's two hours, all at once: scans through intake, OCR, PDF/A, checks and seals at B-LTA.

    python -m tests.proof_capacity var/proof/capacity --stacks 50 --pages 10

A whole `sohoa serve` on this machine, with its own token, authority and timestamps. Stacks come in
over HTTP, no more at a time than lie on a table (`--ahead`), so that reading, checking and sealing
go on side by side; a made-up operator confirms whatever the machine doubts, as it was read, so
what is measured is the machine's part. Told as JSON: pages an hour from the first upload to the
last seal, the memory of all processes over the run, and the arithmetic to a province's day.

The pages are drawn first, and kept in the folder: no two are alike, so no reading is used twice.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.completeness import Lack
from dossier.checking.desk import CheckingDesk
from dossier.checking.material import MaterialShelf
from dossier.checking.values import About, Paper, Target
from dossier.errors import StateConflict
from dossier.identity import Identity
from dossier.model import Caller
from dossier.queue.jobs import JobQueue
from dossier.stacks.values import PaperState
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.station_tables import papers, stacks
from tests.fixtures_installation import run_sohoa
from tests.running_service import RunningService
from tools.samples.degrade import Condition, scan
from tools.samples.evalset import SetOptions, documents

AGENCY = "H22.12"
PROVINCE_PAGES = 20_000
OWNER = "001190000001"  # a made-up identifier
WORKDAY_H = 8
_CONDITIONS: tuple[Condition, ...] = ("clean", "skew", "noise", "stamp", "uneven", "lowcon")
_SAMPLE_S = 5.0
_TENTHS = 10
_QUIET_S = 0.5


def draw(folder: Path, count: int, dpi: int, seed: int) -> list[Path]:
    """`count` pages as JPEG files; those that are there are not drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [folder / f"{seed}-{dpi}-{n:05d}.jpg" for n in range(count)]
    missing = [n for n, path in enumerate(wanted) if not path.exists()]
    if missing:
        with ProcessPoolExecutor() as pool:
            list(pool.map(_draw, [(wanted[n], n, dpi, seed) for n in missing], chunksize=4))
    return wanted


def _draw(order: tuple[Path, int, int, int]) -> None:
    path, number, dpi, seed = order
    made = next(iter(documents(SetOptions(seed * 100_000 + number, 1))))
    sheet = made[3][0]
    data = scan(sheet, _CONDITIONS[number % len(_CONDITIONS)], dpi, seed + number).data
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


class Operator:
    """Takes what is to be checked, confirms what is asked as it was read, and finishes."""

    def __init__(self, desk: CheckingDesk, shelf: MaterialShelf, caller: Caller) -> None:
        self._desk = desk
        self._shelf = shelf
        self._caller = caller
        self.finished = 0
        self.confirmed = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """Until `stop` is set."""
        while not self.stop.is_set():
            paper = self._desk.next(self._caller)
            if paper is None:
                time.sleep(_QUIET_S)
                continue
            self._desk.confirm(self._caller, paper.id, Target(About.FIELD, "owner_id"), OWNER)
            for missing in self._desk.missing(self._caller, paper.id):
                self._answer(paper, missing.kind, missing.target)
            try:
                self._desk.finish(self._caller, paper.id)
                self.finished += 1
            except StateConflict as error:
                self._desk.hold(self._caller, paper.id, str(error)[:400])

    def _answer(self, paper: Paper, kind: Lack, target: str) -> None:
        if kind is Lack.FINDING:
            key = Target.parse(target).name
            why = "Đã xem, giữ nguyên (chạy thử tải)."
            self._desk.resolve(self._caller, paper.id, key, why)
        elif target:
            parsed = Target.parse(target)
            read = self._shelf.of(paper).machine(parsed)
            value = (read.text if read else None) or ""
            self._desk.confirm(self._caller, paper.id, parsed, value)
            self.confirmed += 1


class Memory:
    """Samples what the processes of the service hold (proportional set size), in MiB, by part."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self.samples: list[Counter[str]] = []
        self.stop = threading.Event()

    def run(self) -> None:
        """Until `stop` is set."""
        while not self.stop.wait(_SAMPLE_S):
            held: Counter[str] = Counter()
            for pid in self._service.pids():
                held[_part(pid)] += round(_pss_mib(pid))
            self.samples.append(held)

    def told(self) -> dict[str, Any]:
        """Means of each tenth of the run, of all processes and part by part, and the peaks."""
        parts: Counter[str] = Counter()
        for sample in self.samples:
            parts |= sample
        sums = [sample.total() for sample in self.samples]
        return {
            "samples": len(sums),
            "tenths": _tenths(sums),
            "peak": max(sums, default=0),
            "peak_by_part": dict(parts.most_common()),
            "tenths_by_part": {
                part: _tenths([sample[part] for sample in self.samples])
                for part, _ in parts.most_common()
            },
        }


def _tenths(values: list[int]) -> list[int]:
    cuts = [len(values) * k // _TENTHS for k in range(_TENTHS + 1)]
    return [round(statistics.mean(values[a:b] or [0])) for a, b in pairwise(cuts)]


def _part(pid: int) -> str:
    """`web`, `worker seal`, ...: what the process runs; `child` for one that a part started."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if found := re.search(r"--lifeline \d+ (\w+(?: [a-z]\w*)?)", command):
            return found[1]
    return "child"


def _pss_mib(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def put(service: RunningService, key: str, number: int, files: list[Path]) -> str:
    """One stack over HTTP; its id."""
    order = {
        "station": "quầy 1",
        "officer": "Nguyễn Thị Mẫu",
        "dossier_code": f"{AGENCY}-261123-{number:04d}",
        "component_code": "TP-01",
    }
    stack = _sent(service, key, "POST", "/v1/stacks", order, f"stack-{number}")
    for place, file in enumerate(files):
        data = file.read_bytes()
        blob = service.ask(
            "PUT",
            f"/v1/blobs/{hashlib.sha256(data).hexdigest()}",
            data,
            headers={"content-type": "image/jpeg"},
            authorised=key,
        )
        assert blob.status in (200, 201, 204), blob
        named = {"sha256": hashlib.sha256(data).hexdigest(), "name": file.name, "position": place}
        _sent(service, key, "POST", f"/v1/stacks/{stack['id']}/scans", named)
    _sent(service, key, "POST", f"/v1/stacks/{stack['id']}/close", {})
    found: str = stack["id"]
    return found


def _sent(
    service: RunningService, key: str, method: str, path: str, body: Any, once: str = ""
) -> Any:
    headers = {"idempotency-key": once} if once else {}
    answer = service.ask(method, path, body, headers=headers, authorised=key)
    assert answer.status in (200, 201, 202), (path, answer)
    return answer.json


def states(database: Database) -> dict[str, int]:
    """How many papers are in which state."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(papers.c.state, sa.func.count()).group_by(papers.c.state)
        )
        return {state: count for state, count in rows}  # noqa: C416 - rows are no pairs


def run(
    folder: Path, count: int, pages: int, dpi: int, seed: int, ahead: int = 8
) -> dict[str, Any]:
    """The whole run; what is to be told. At most `ahead` stacks are under way at a time."""
    drawn = draw(folder / "pages", count * pages, dpi, seed)
    data = folder / f"data-{time.time_ns()}"
    done = run_sohoa("init", "--data", data)
    assert done.code == 0, done.told
    with RunningService(data, {}) as service:
        database = Database(f"sqlite:///{data / 'house.db'}")
        try:
            return _measured(service, database, data, drawn, count, pages, ahead)
        finally:
            database.close()


def _measured(
    service: RunningService,
    database: Database,
    data: Path,
    drawn: list[Path],
    count: int,
    pages: int,
    ahead: int,
) -> dict[str, Any]:
    audit = AuditLog(database)
    identity = Identity(database, audit)
    keys = {
        "tram": service.new_client(AGENCY, ("scanner",)),
        "can-bo": service.new_client(AGENCY, ("officer",)),
    }
    caller = identity.authenticate_key(keys["can-bo"])[0]
    blobs = SmallBlobs(database, FolderBlobs(data / "blobs"))
    desk = CheckingDesk(database, audit, JobQueue(database, audit), blobs)
    operator = Operator(desk, MaterialShelf(blobs), caller)
    memory = Memory(service)
    helpers = [threading.Thread(target=it.run) for it in (operator, memory)]
    begun = time.monotonic()
    for thread in helpers:
        thread.start()
    try:
        for number in range(count):
            while number - states(database).get(PaperState.FILED, 0) >= ahead:
                time.sleep(_QUIET_S)  # the scanner goes on when there is room on the table
            put(service, keys["tram"], number, drawn[number * pages : (number + 1) * pages])
        uploaded = time.monotonic() - begun
        took = _until_all_filed(database, count, begun)
    finally:
        operator.stop.set()
        memory.stop.set()
        for thread in helpers:
            thread.join()
    per_hour = count * pages / took * 3600
    with database.read() as connection:
        left = connection.execute(
            sa.select(sa.func.count()).where(stacks.c.finished_at.is_(None))
        ).scalar_one()
    return {
        "pages": count * pages,
        "papers": states(database),
        "seconds_to_upload": round(uploaded, 1),
        "seconds": round(took, 1),
        "pages_an_hour": round(per_hour),
        "confirmations": operator.confirmed,
        "stacks_left": left,
        "memory_mib": memory.told(),
        "province": {
            "pages_a_day": PROVINCE_PAGES,
            "hours_on_this_machine": round(PROVINCE_PAGES / per_hour, 1),
            "machines_for_a_working_day": round(PROVINCE_PAGES / per_hour / WORKDAY_H, 2),
        },
    }


def _until_all_filed(database: Database, count: int, begun: float) -> float:
    """Wait; seconds since `begun`. Raises `AssertionError` when a paper can never be filed."""
    while True:
        found = states(database)
        if found.get(PaperState.FILED, 0) == count:
            return time.monotonic() - begun
        stuck = found.get(PaperState.HELD, 0)
        assert not stuck, (found, _errors(database))
        time.sleep(_QUIET_S)


def _errors(database: Database) -> list[Any]:
    with database.read() as connection:
        rows = connection.execute(sa.select(papers.c.id, papers.c.hold, papers.c.error))
        return [tuple(row) for row in rows if row.hold or row.error][:5]


def main() -> None:
    parser = argparse.ArgumentParser(description="pages through the whole station")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stacks", type=int, default=50)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--dpi", type=int, default=300)
    parser.add_argument("--ahead", type=int, default=8, help="stacks under way at a time")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    told = run(args.folder, args.stacks, args.pages, args.dpi, args.seed, args.ahead)
    print(json.dumps(told, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
