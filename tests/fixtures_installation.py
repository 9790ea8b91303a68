"""An installation made by `sohoa init`, and the command line run as its users run it.

def test_something(sohoa, installation):
    done = sohoa("verify", "file.pdf", "--json")
    assert done.code == 0, done.told
    assert done.json["indication"] == "TOTAL-PASSED"
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/liberation2/LiberationSerif-Regular.ttf"
LINES = (
    "ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ",
    "Số: 001/QĐ-UBND",
    "Điều 1. Quyết định này có hiệu lực kể từ ngày ký.",
    "Điều 2. Văn phòng chịu trách nhiệm thi hành.",
)


@dataclass(frozen=True)
class Done:
    """A finished command: exit code, standard output, what it told people."""

    code: int
    out: str
    told: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sohoa = Callable[..., Done]


def run_sohoa(*arguments: str | Path, prefix: tuple[str, ...] = (), **environ: str) -> Done:
    """Run the command line in a process of its own."""
    command = [*prefix, sys.executable, "-m", "api", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1", **environ},
        cwd=Path(__file__).parent.parent,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of one installation; to be copied by whoever changes it."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    done = run_sohoa("init", "--data", folder)
    assert done.code == 0, done.told
    return folder


@pytest.fixture
def sohoa(installed: Path) -> Sohoa:
    """The command line with the session's installation."""

    def run(*arguments: str | Path, **options: Any) -> Done:
        return run_sohoa(*arguments, "--data", installed, **options)

    return run


@pytest.fixture
def own_installation(installed: Path, tmp_path: Path) -> Path:
    """A copy of the installation that a test may spoil."""
    folder = tmp_path / "own-data"
    shutil.copytree(installed, folder)
    configuration = folder / "token" / "softhsm2.conf"
    configuration.write_text(
        configuration.read_text("utf-8").replace(str(installed), str(folder)), "utf-8"
    )
    return folder


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clean JPEG page with four lines of `LINES`, 200 dpi."""
    path = tmp_path_factory.mktemp("scan") / "scan.jpg"
    image = Image.new("RGB", (1240, 900), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(FONT, 40)
    for n, line in enumerate(LINES):
        draw.text((100, 120 + 90 * n), line, "black", font)
    image.save(path, dpi=(200, 200), quality=92)
    return path
