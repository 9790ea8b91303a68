"""Which processes `sohoa serve` runs, in which order; how the command line finds one command."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.commands.serve import parts_of
from api.errors import SettingsError
from api.lifeline import DRAIN_S
from api.settings import Settings, load_settings
from api.web.listening import listen


@pytest.fixture
def settings(installed: Path) -> Settings:
    return load_settings(installed, {})


def test_parts_and_their_stages(settings: Settings) -> None:
    parts = parts_of(settings, ("127.0.0.1", 8080), 7, 2)
    stages = {part.name: part.stage for part in parts}
    assert stages == {
        "authority": 0,
        "agent": 1,
        "worker seal 1": 2,
        "worker seal 2": 2,
        "worker ocr 1": 2,
        "worker house 1": 2,
        "web 1": 3,
        "web 2": 3,
    }
    assert all(str(settings.data_dir) in part.arguments for part in parts)
    assert {part.name: part.sockets for part in parts if part.sockets} == {
        "web 1": (7,),
        "web 2": (7,),
    }


def test_production_has_no_authority_and_workers_are_counted(settings: Settings) -> None:
    workers = settings.worker.model_copy(update={"seal_processes": 3, "ocr_processes": 0})
    real = settings.model_copy(update={"embedded": None, "worker": workers})
    names = [part.name for part in parts_of(real, ("127.0.0.1", 8080), 7, 1)]
    assert "authority" not in names
    assert names.count("worker seal 3") == 1
    assert not [name for name in names if "ocr" in name]


def test_a_whole_drain_keeps_within_the_bound(settings: Settings) -> None:
    """Stage after stage, each as long as its slowest part may take."""
    slowest: dict[int, float] = {}
    for part in parts_of(settings, ("127.0.0.1", 8080), 7, 1):
        slowest[part.stage] = max(slowest.get(part.stage, 0.0), part.drain_s)
    assert sum(slowest.values()) < DRAIN_S


def test_port_that_is_taken() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match="--port"),
    ):
        listen("127.0.0.1", other.getsockname()[1])


def test_address_that_is_not_ours() -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 8080)


def test_ipv6() -> None:
    with listen("::1", 0) as door:
        assert door.family is socket.AF_INET6


def test_one_command_imports_no_other(installed: Path) -> None:
    """Every process of the service starts through the command line: it has to be light."""
    program = (
        "import sys; from api import cli; "
        "code = 0\n"
        "try: cli.main(['worker', '--help'])\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'cv2', 'pikepdf', 'numpy', 'sqlalchemy', 'fastapi'} & set(sys.modules)\n"
        "sys.exit(code or len(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "seal" in done.stdout


def test_unknown_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api", "no-such-thing"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no-such-thing" in done.stderr
