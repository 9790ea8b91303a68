"""The supervisor over real processes: order, crashes, drains, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


class Watched:
    """A running supervisor and what its parts wrote down."""

    def __init__(self, folder: Path, *parts: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervised", str(folder), *parts],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    @property
    def events(self) -> list[tuple[str, int, str]]:
        path = self.folder / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(name, int(pid), event) for name, pid, event in map(str.split, lines)]

    def told(self) -> str:
        return (self.folder / "log").read_text()

    def story(self) -> list[str]:
        return [f"{name} {event}" for name, _, event in self.events]

    def pids(self, name: str) -> list[int]:
        return [pid for who, pid, event in self.events if who == name and event == "start"]

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.events, self.told())
            time.sleep(0.01)

    def until_ready(self) -> None:
        self.until(lambda: "supervisor ready" in self.story())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def survivors(self) -> list[int]:
        """Processes of this run that still live."""
        return [pid for _, pid, event in self.events if event == "start" and _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    running: list[Watched] = []

    def start(*parts: str) -> Watched:
        running.append(Watched(tmp_path / "run", *parts))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.log.close()
        for pid in one.survivors():
            os.kill(pid, signal.SIGKILL)


def test_stages_start_upwards_and_stop_downwards(watch: Callable[..., Watched]) -> None:
    run = watch("prepare:0:step", "agent:1:slow", "worker:2:steady", "web:3:steady")
    run.until_ready()
    assert run.end() == 0
    story = run.story()
    assert story.index("prepare start") < story.index("agent start")
    assert story.index("agent ready") < story.index("worker start")
    assert story.index("worker ready") < story.index("web start")
    assert story.index("web ready") < story.index("supervisor ready")
    stops = [event for event in story if event.endswith((" stop", " drain"))]
    assert stops == ["supervisor drain", "web stop", "worker stop", "agent stop"]
    assert story[-1] == "supervisor stopped"
    assert run.survivors() == []


def test_steps_alone_end_by_themselves(watch: Callable[..., Watched]) -> None:
    run = watch("prepare:0:step", "migrate:1:step")
    assert run.process.wait(20) == 0
    assert run.story()[-1] == "supervisor ended"
    assert run.story().count("migrate start") == 1


def test_signal_during_the_start_stops_what_was_started(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:slow", "web:1:steady")
    run.until(lambda: "agent start" in run.story())
    assert run.end() == 0
    assert run.story()[-1] == "supervisor stopped"
    assert "web start" not in run.story()
    assert run.survivors() == []


def test_one_crash_is_mended_at_once(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:steady", "web:1:steady")
    run.until_ready()
    began = time.monotonic()
    os.kill(run.pids("agent")[0], signal.SIGKILL)
    run.until(lambda: run.story().count("agent ready") == 2)
    assert time.monotonic() - began < 5  # two starts of Python on a busy machine, no back-off
    assert "SIGKILL" in run.told()
    assert run.story().count("web start") == 1  # the others are left alone
    assert run.end() == 0


def test_crash_during_the_start_is_tried_again(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:once-bad", "web:1:steady")
    run.until_ready()
    assert run.story().count("agent start") == 2
    assert run.end() == 0


def test_loop_of_crashes_backs_off_shows_the_last_lines_and_gives_up(
    watch: Callable[..., Watched],
) -> None:
    run = watch("agent:0:steady", "worker:1:crash")
    began = time.monotonic()
    assert run.process.wait(30) == 3
    assert time.monotonic() - began > 0.5 + 1 + 2 + 4  # the delays between six starts
    assert run.story().count("worker start") == 6
    assert "    worker cannot go on\n    because of crash" in run.told()
    assert "crashed 3 times in a row" in run.told()
    assert run.survivors() == []


def test_refusal_is_not_tried_again(watch: Callable[..., Watched]) -> None:
    """A wrong PIN or a wrong setting does not become right; the PIN is tried once."""
    run = watch("agent:0:refuse", "web:1:steady")
    assert run.process.wait(20) == 9
    assert run.story().count("agent start") == 1
    assert "web start" not in run.story()
    assert "because of refuse" in run.told()


def test_who_ignores_sigterm_is_killed_in_time(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:steady", "worker:1:stubborn")
    run.until_ready()
    began = time.monotonic()
    assert run.end() == 0
    assert time.monotonic() - began < 5
    assert run.story()[-2:] == ["agent stop", "supervisor stopped"]  # in their order still
    assert run.survivors() == []


def test_second_signal_kills_everything(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:steady", "web:1:parent")
    run.until_ready()
    os.kill(run.pids("agent")[0], signal.SIGSTOP)  # it will not hear of the drain
    run.process.send_signal(signal.SIGINT)
    run.until(lambda: "web stop" in run.story())
    began = time.monotonic()
    assert run.end() == 0
    assert time.monotonic() - began < 3
    assert run.survivors() == []


def test_death_of_the_supervisor_ends_everybody(watch: Callable[..., Watched]) -> None:
    """kill -9: no handler runs, and still nobody is left, grandchildren included."""
    run = watch("agent:0:steady", "worker:1:parent", "web:2:stubborn")
    run.until_ready()
    assert len(run.survivors()) == 5
    run.process.kill()
    run.process.wait()
    run.until(lambda: run.survivors() == [], 5)


def test_what_a_crashed_part_leaves_is_swept(watch: Callable[..., Watched]) -> None:
    run = watch("worker:0:parent")
    run.until_ready()
    grandchild = run.pids("worker-child")[0]
    os.kill(run.pids("worker")[0], signal.SIGKILL)
    run.until(lambda: not _lives(grandchild))
    assert run.end() == 0


def test_hangup_renews_the_web_alone(watch: Callable[..., Watched]) -> None:
    run = watch("agent:0:steady", "web:1:steady")
    run.until_ready()
    run.process.send_signal(signal.SIGHUP)
    run.until(lambda: run.story().count("web ready") == 2)
    assert run.story().count("web stop") == 1
    assert run.story().count("agent start") == 1
    assert run.end() == 0
