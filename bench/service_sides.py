"""The two sides of the service's measurements: the same work in one process, and over HTTP.

The work: seal a one-page PDF, verify what was sealed, keep the result durably (fsync).
"""

from __future__ import annotations

import http.client
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from api.settings import load_settings
from api.wiring import open_desk
from bench.harness import Actions
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest

LEVELS = {"bb": Level.B_B, "blta": Level.B_LTA}


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests saw; latencies in seconds, of those that were served."""

    per_s: float
    served: int
    shed: int
    failed: int
    median_s: float
    p99_s: float


def in_process(data: Path, document: bytes, out: Path) -> Actions:
    """Sealing, verifying and storing with the token in this process; documents a second."""
    desk_context = open_desk(load_settings(data))
    desk = desk_context.__enter__()  # lives as long as the party
    key = desk.key("leader")

    def rate(level: Level, threads: int, count: int) -> float:
        numbers = iter(range(count))
        lock = threading.Lock()

        def run() -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                sealed, _ = desk.services.sealer.seal_bytes(
                    document, SealRequest(key=key, level=level)
                )
                report = desk.services.verifier.verify(sealed)
                assert report.signatures
                _store(out / f"{number}-{os.urandom(8).hex()}.pdf", sealed)

        return count / _wall(run, threads)

    return {
        f"{name}.{threads}": _bound(rate, level, threads, 40 * (1 + (threads > 1) * 4))
        for name, level in LEVELS.items()
        for threads in (1, 2, 4, 16)
    }


def _bound(
    rate: Callable[[Level, int, int], float], level: Level, threads: int, count: int
) -> Callable[[], float]:
    return lambda: rate(level, threads, count)


def _store(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)


def _wall(run: Callable[[], None], threads: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run) for _ in range(threads)]:
            done.result()
    return time.perf_counter() - began


def over_http(port: int, secret: str, document: bytes) -> Actions:
    """A load generator: closed loops of 1 and 16 clients, each waiting for its answer."""

    def closed(level: str, clients: int, count: int) -> Load:
        numbers = iter(range(count))
        lock = threading.Lock()
        seen: list[tuple[int, float]] = []

        def run() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    connection.close()
                    return
                began = time.perf_counter()
                status = _post(connection, secret, level, document)
                with lock:
                    seen.append((status, time.perf_counter() - began))

        seconds = _wall(run, clients)
        return _load(seen, seconds)

    def overload(level: str, per_s: float, seconds: float) -> Load:
        """An open loop: requests arrive at `per_s` whatever happens to the earlier ones."""
        seen: list[tuple[int, float]] = []
        lock = threading.Lock()
        kept = threading.local()

        def one(due: float) -> None:
            connection = getattr(kept, "connection", None)
            if connection is None:
                connection = kept.connection = http.client.HTTPConnection(
                    "127.0.0.1", port, timeout=120
                )
            try:
                status = _post(connection, secret, level, document)
            except OSError:
                connection.close()
                status = 0
            with lock:  # measured from when it was due: waiting for a thread counts too
                seen.append((status, time.perf_counter() - due))

        began = time.perf_counter()
        with ThreadPoolExecutor(256) as pool:
            for number in range(int(per_s * seconds)):
                due = began + number / per_s
                time.sleep(max(0.0, due - time.perf_counter()))
                pool.submit(one, due)
        return _load(seen, time.perf_counter() - began)

    actions: Actions = {
        f"{level}.{clients}": (lambda at=level, n=clients: closed(at, n, 40 * (1 + (n > 1) * 9)))
        for level in ("B-B", "B-LTA")
        for clients in (1, 16)
    }
    return {
        **actions,
        **{
            f"overload.{per_s}": (lambda rate=per_s: overload("B-B", rate, 10))
            for per_s in range(20, 1001, 20)
        },
    }


def _post(connection: http.client.HTTPConnection, secret: str, level: str, document: bytes) -> int:
    query = urlencode({"key": "test-leader", "level": level})
    connection.request(
        "POST",
        f"/v1/signatures?{query}",
        document,
        {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/pdf",
            "Idempotency-Key": os.urandom(12).hex(),
            "Prefer": "wait=60",
        },
    )
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _load(seen: list[tuple[int, float]], seconds: float) -> Load:
    served = sorted(latency for status, latency in seen if status == 201)
    shed = sum(status in (429, 503) for status, _ in seen)
    return Load(
        per_s=len(served) / seconds,
        served=len(served),
        shed=shed,
        failed=len(seen) - len(served) - shed,
        median_s=statistics.median(served) if served else float("nan"),
        p99_s=served[int(len(served) * 0.99)] if served else float("nan"),
    )
