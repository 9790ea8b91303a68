"""Worker processes: what kills one costs one task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr.errors import DamagedFile, EngineCrashed, EngineTimedOut, RecognitionError
from ocr.workers import Workers
from tests.worker_tasks import devour, die, double, hang, leave, own_pid, refuse, threads_told


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, seconds=60, memory_bytes=4 << 30) as running:
        yield running


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_costs_one_task(workers: Workers, number: int) -> None:
    tasks = [workers.submit(double, 1), workers.submit(die, int(number)), workers.submit(double, 2)]
    assert tasks[0].result() == 2
    with pytest.raises(EngineCrashed, match=f"the worker process died \\(signal {int(number)}\\)"):
        tasks[1].result()
    assert tasks[2].result() == 4
    assert workers.submit(double, 3).result() == 6


def test_a_worker_that_dies_between_tasks_is_replaced() -> None:
    with Workers(1, seconds=60, memory_bytes=4 << 30) as workers:
        for _ in range(2):
            os.kill(workers.submit(own_pid).result(), signal.SIGKILL)
            time.sleep(0.5)
            assert workers.submit(double, 3).result() == 6


def test_workers_that_cannot_start() -> None:
    dead = pytest.raises(EngineCrashed, match="die before they start: allow them more memory")
    with Workers(1, seconds=60, memory_bytes=1 << 20) as workers, dead:
        workers.submit(double, 1).result()


def test_exit_without_a_word(workers: Workers) -> None:
    with pytest.raises(EngineCrashed, match="exit status 7"):
        workers.submit(leave, 7).result()


def test_memory_limit(workers: Workers) -> None:
    with pytest.raises(EngineCrashed, match="more memory was needed"):
        workers.submit(devour).result()


def test_typed_errors_come_back_whole(workers: Workers) -> None:
    with pytest.raises(DamagedFile) as caught:
        workers.submit(refuse).result()
    assert str(caught.value) == "a.tif, page 3: broken"
    assert (caught.value.source, caught.value.page) == ("a.tif", 3)


def test_workers_are_told_one_thread(workers: Workers) -> None:
    assert workers.submit(threads_told).result() == "1"


def test_time_limit_and_what_is_left_behind() -> None:
    with Workers(1, seconds=0.8, memory_bytes=4 << 30) as workers:
        with pytest.raises(EngineTimedOut, match=r"stopped after 0\.8 s"):
            workers.submit(hang).result()
        left = workers.submit(hang)
    with pytest.raises(RecognitionError):
        left.result()


def test_as_many_workers_as_cores() -> None:
    with Workers(None, seconds=5, memory_bytes=4 << 30) as workers:
        assert workers.count == os.cpu_count()


def test_workers_die_with_their_owner(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    owner = subprocess.Popen([sys.executable, "-m", "tests.worker_owner", str(told)])
    deadline = time.monotonic() + 60
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = int(told.read_text())
    owner.kill()
    owner.wait()
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        if "zombie" in Path(f"/proc/{worker}/status").read_text():
            break  # nobody is there to bury it, but it is dead
        time.sleep(0.05)
    assert time.monotonic() < deadline
    assert own_pid() != worker
