"""kill -9 in the middle of a scan: the pages stay, and the job goes on or says what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api import cli
from tests.escl_papers import side, stack
from tests.escl_simulator import EsclSimulator, Job

HOUSE = Path(__file__).parents[2]
SIZE = (310, 438)


def options(data: Path, folder: Path) -> list[str]:
    return ["scan", "--data", str(data), "--to", str(folder), "--duplex", "--paper", "max"]


class Killer(EsclSimulator):
    """Kills the client when it asks for the page behind `after`: before or after drawing it."""

    after = 3
    draws_it = False
    victim: int | None = None

    def next_page(self, job: Job) -> Any:
        if self.victim is None or job.completed != self.after:
            return super().next_page(job)
        answer = super().next_page(job) if self.draws_it else None
        os.kill(self.victim, signal.SIGKILL)
        self.victim = None
        if answer is None:
            raise ConnectionAbortedError
        return answer


@pytest.mark.parametrize("draws_it", [False, True], ids=["before-the-page", "page-under-way"])
def test_a_killed_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str], draws_it: bool) -> None:
    folder, data = tmp_path / "scans", tmp_path / "data"
    data.mkdir()
    with Killer(stack(3, size=SIZE), size=SIZE) as simulator:
        simulator.draws_it = draws_it
        (data / "sohoa.toml").write_text(f'[scanners.a]\nurl = "{simulator.url}"\n')
        with subprocess.Popen(
            [sys.executable, "-m", "api", *options(data, folder)],
            cwd=HOUSE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as scan:
            with simulator.lock:
                simulator.victim = scan.pid
            said, _ = scan.communicate(timeout=200)
        assert scan.returncode == -signal.SIGKILL, said.decode()
        kept = sorted(path.name for path in folder.glob("*.jpg"))
        assert kept == ["0001.jpg", "0002.jpg", "0003.jpg"]
        sheet_in_the_tray = stack(1, first=3, size=SIZE)[0]

        def again() -> tuple[int | str | None, str]:
            with pytest.raises(SystemExit) as ended:
                cli.main(options(data, folder))
            return ended.value.code, capsys.readouterr().err

        if draws_it:
            code, told = again()
            assert code == 7, told
            assert "0003.jpg" in told
            simulator.feeder.appendleft(sheet_in_the_tray)
        code, told = again()
        assert code == 0, told
    files = sorted(folder.glob("*.jpg"))
    # the front of the sheet that was under way is there twice, as the message said
    sides = [1, 2, 3, 3, 4, 5, 6] if draws_it else [1, 2, 3, 4, 5, 6]
    assert [path.name for path in files] == [f"{n:04d}.jpg" for n in range(1, len(sides) + 1)]
    for path, number in zip(files, sides, strict=True):
        seen, fed = (np.asarray(i, np.int16) for i in (Image.open(path), side(number, SIZE)))
        assert np.abs(seen - fed).mean() < 3
    assert len(simulator.jobs) == (2 if draws_it else 1)
    assert not [job for job in simulator.jobs.values() if job.state == "Processing"]
