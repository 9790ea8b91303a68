"""The service against the same work in one process: documents a second, overload, batches.

Both sides seal, verify and keep durably; requests come from a process of their own, on the same
cores. Rates are by the wall clock, taken in turns.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from bench.harness import Measurement, Party, plain, ratio, spread_of
from bench.service_growth import growth
from bench.service_sides import Load, in_process, over_http
from tests.running_service import RunningService
from tests.storm import decision

ROUNDS = 3
BATCH = 5_000
_LEVELS = {"bb": "B-B", "blta": "B-LTA"}


def measurements() -> Iterable[Measurement]:
    """All rows of the service."""
    return select(("service.",))()


def select(prefixes: tuple[str, ...]) -> Callable[[], Iterable[Measurement]]:
    """The parts that hold a row which begins with one of `prefixes`."""
    parts = {"service.http": _http, "service.batch": _batch, "service.growth": growth}
    wanted = [
        part
        for name, part in parts.items()
        if any(name.startswith(p) or p.startswith(name) for p in prefixes)
    ]
    return lambda: itertools.chain.from_iterable(part() for part in wanted)


@contextmanager
def _running() -> Iterator[tuple[RunningService, Path]]:
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-") as folder:
        service = RunningService(Path(folder) / "data")
        service.start()
        try:
            service.secret = service.new_client()
            yield service, Path(folder)
        finally:
            service.stop()


def _http() -> Iterable[Measurement]:
    document = decision(1)
    with _running() as (service, folder):
        out = folder / "out"
        out.mkdir()
        with (
            Party(in_process, service.data, document, out) as alone,
            Party(over_http, service.port, service.secret, document) as clients,
        ):
            for name, level in _LEVELS.items():
                for count in (1, 16):
                    yield _share(alone, clients, name, level, count)
            yield from _overload(clients)


def _share(alone: Party, clients: Party, name: str, level: str, count: int) -> Measurement:
    """Documents a second over HTTP as a share of those in process, with as many threads."""
    ours, other = [], []
    for round_ in range(ROUNDS + 1):
        load = cast(Load, clients.call(f"{level}.{count}"))
        rate = cast(float, alone.call(f"{name}.{count}"))
        if load.failed or load.shed:
            raise RuntimeError(f"{load.failed} requests failed, {load.shed} were shed")
        if round_:  # the first one warms both up
            ours.append(load.per_s)
            other.append(rate)
    row = ratio(f"service.http.{name}.clients{count}.share", ours, other, speedup=False)
    return Measurement(row.name, row.value, "of in-process", *_rest(row))


def _rest(row: Measurement) -> tuple[float | None, float | None, int, float]:
    return row.ours, row.other, row.runs, row.spread


def _overload(clients: Party) -> Iterable[Measurement]:
    """Twice as many requests as can be served: p99 of those served against the median."""
    usual = cast(Load, clients.call("B-B.16"))
    per_s = max(20, min(1000, round(2 * usual.per_s / 20) * 20))
    loads = [cast(Load, clients.call(f"overload.{per_s}")) for _ in range(ROUNDS)]
    if any(load.failed for load in loads):
        raise RuntimeError(f"requests failed under overload: {loads}")
    tails = [load.p99_s / load.median_s for load in loads]
    yield Measurement(
        "service.http.overload.p99_over_median",
        statistics.median(tails),
        "×",
        statistics.median(load.p99_s * 1000 for load in loads),
        statistics.median(load.median_s * 1000 for load in loads),
        len(loads),
        spread_of(tails),
    )
    shed = [load.shed / (load.shed + load.served) for load in loads]
    yield plain("service.http.overload.shed", shed, "of requests")
    kept = [load.per_s / usual.per_s for load in loads]
    yield plain("service.http.overload.rate_kept", kept, "of the usual rate")


def _batch() -> Iterable[Measurement]:
    """A batch of 5,000 documents: its rate, and the memory of all processes over it."""
    with _running() as (service, folder):
        out = folder / "out"
        out.mkdir()
        with Party(in_process, service.data, decision(1), out) as alone:
            for name, level in _LEVELS.items():
                before = _in_turns(alone, name)
                rate, memory = _run_batch(service, level)
                rates = [a + b for a, b in zip(before, _in_turns(alone, name), strict=True)]
                best = max(rates, key=statistics.median)  # of the numbers of threads
                yield Measurement(
                    f"service.batch.{name}.share",
                    rate / statistics.median(best),
                    "of in-process",
                    rate,
                    statistics.median(best),
                    1,
                    spread_of(best),
                )
                yield Measurement(
                    f"service.batch.{name}.memory_last_over_first",
                    memory[-1] / memory[0],
                    "×",
                    memory[-1],
                    memory[0],
                    1,
                    0.0,
                )


def _in_turns(alone: Party, name: str) -> list[list[float]]:
    """Documents a second in one process: for 2, 4 and 16 threads, the rounds of each."""
    rounds = [[cast(float, alone.call(f"{name}.{n}")) for n in (2, 4, 16)] for _ in range(ROUNDS)]
    return [list(rates) for rates in zip(*rounds, strict=True)]


def _run_batch(service: RunningService, level: str) -> tuple[float, list[float]]:
    """Documents a second from release to the last one, and MiB after each tenth of the list."""
    items = []
    for number in range(BATCH):
        pdf = decision(number, seed=len(level))
        digest = hashlib.sha256(pdf).hexdigest()
        put = service.ask(
            "PUT", f"/v1/blobs/{digest}", pdf, headers={"Content-Type": "application/pdf"}
        )
        if put.status not in (200, 201, 204):
            raise RuntimeError(f"{put}")
        items.append({"source_sha256": digest, "reference": f"van-ban-{number}"})
    head = {"order": {"key": "test-leader", "level": level}, "title": "Đo tốc độ"}
    lines = "\n".join(json.dumps(line) for line in (head, *items)).encode()
    made = service.ask(
        "POST",
        "/v1/signature-batches",
        lines,
        headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": f"bench-{level}"},
    )
    if made.status != 201:
        raise RuntimeError(f"{made}")
    path = f"/v1/signature-batches/{made.json['id']}"
    released = service.ask("POST", f"{path}/release", {})
    if released.status not in (200, 202):
        raise RuntimeError(f"{released}")
    began, tenth, memory = time.perf_counter(), 1, []
    while True:
        now = service.ask("GET", path).json
        ended = now["published"] + now["failed"]
        while tenth <= 10 and ended >= tenth * BATCH // 10:
            memory.append(_resident_mib(service))
            tenth += 1
        if ended >= BATCH:
            break
        time.sleep(0.25)
    seconds = time.perf_counter() - began
    if now["failed"]:
        raise RuntimeError(f"{now['failed']} documents failed")
    return BATCH / seconds, memory


def _resident_mib(service: RunningService) -> float:
    """Memory of all the service's processes that is theirs alone, in MiB."""
    total = 0
    for pid in service.pids():
        try:
            told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in told.splitlines() if "Private" in line)
    return total / 1024
