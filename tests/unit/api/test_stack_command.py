"""`sohoa stack`: files and a scanner's pages into stacks at a real service, after every break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api import cli
from api.client import Client
from api.client_errors import ClientError
from api.stacking import FolderStack
from dossier.errors import StoreError
from dossier.intake.observations import Side
from dossier.scanners.folder import FolderLog, ScannedPage
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import StackState, Way
from tests.drop_room import digest, jpeg, reader, tiff
from tests.escl_papers import stack
from tests.escl_simulator import EsclSimulator, Faults, Job
from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web

HOUSE = Path(__file__).parents[3]
SIZE = (310, 438)
PAGES = {f"trang{n}.jpg": jpeg(n) for n in (1, 2, 10)}
WHO = ("--station", "quay-3", "--officer", "Nguyễn Thị Mẫu")
Run = Callable[..., tuple[int | str | None, Any, str]]


@pytest.fixture
def key_file(web: Web, tmp_path: Path) -> Path:
    path = tmp_path / "khoa-api.txt"
    path.write_text(web.keys["scanner"] + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], address: str, key_file: Path, tmp_path: Path) -> Run:
    """Runs `sohoa stack …` against the service; exit code, JSON, what people are told."""

    def call(command: str, *arguments: object, scanner: str = "") -> Any:
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        settings = f'[scanners.quay-1]\nurl = "{scanner}"\n' if scanner else ""
        (data / "sohoa.toml").write_text(settings, "utf-8")
        where = ("--url", address, "--key-file", str(key_file), "--data", str(data), "--json")
        with pytest.raises(SystemExit) as ended:
            cli.main(["stack", command, *where, *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, json.loads(said.out), said.err

    return call


def scans_of(web: Web) -> list[tuple[str, Side, str]]:
    """Of the newest stack."""
    newest = web.house.stacks.list(reader(AGENCY))[0]
    scans = web.house.stacks.scans(reader(AGENCY), newest.id)
    return [(scan.name, scan.side, scan.sha256) for scan in scans]


def folder_of(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "ho-so"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_folder_is_put_once_however_often(run: Run, web: Web, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PAGES | {"quet.tif": tiff(1, 3)})
    code, told, said = run("put", folder, *WHO, "--duplex", "--reference", "lô 7", "--urgent")
    assert code == 0, said
    first = told["stack"]
    assert (first["state"], first["way"], first["urgent"]) == ("reading", "http", True)
    assert first["order"]["reference"] == "lô 7"
    assert "trang10.jpg: đã vào tập giấy (4/4)" in said
    assert scans_of(web) == [
        ("quet.tif", Side.FRONT, digest(tiff(1, 3))),
        ("trang1.jpg", Side.BACK, digest(PAGES["trang1.jpg"])),
        ("trang2.jpg", Side.FRONT, digest(PAGES["trang2.jpg"])),
        ("trang10.jpg", Side.BACK, digest(PAGES["trang10.jpg"])),
    ]
    same = ("put", folder, *WHO, "--duplex", "--reference", "lô 7", "--urgent")
    assert run(*same)[1]["stack"]["id"] == first["id"]
    assert run(*same, "--again")[1]["stack"]["id"] != first["id"]
    code, told, _ = run("show", first["id"])
    assert (code, told["stack"]["counts"]["scans"]) == (0, 4)


def test_what_cannot_be_put_is_said_before_anything_is_sent(
    run: Run, web: Web, key_file: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, PAGES | {"ghi chú.txt": b"abc"})
    code, told, _ = run("put", folder, *WHO)
    assert (code, told["error"]["kind"]) == (4, "InputUnusable")
    assert "ghi chú.txt" in told["error"]["message"]
    (folder / "ghi chú.txt").unlink()
    key_file.chmod(0o644)
    assert "chmod 600" in run("put", folder, *WHO)[1]["error"]["message"]
    key_file.chmod(0o600)
    key_file.write_text(web.keys["auditor"])
    assert run("put", folder, *WHO)[0] == 6
    assert web.house.stacks.list(reader(AGENCY)) == []


def test_from_a_scanner_into_a_stack(run: Run, web: Web, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    options = ("--to", folder, "--duplex", "--paper", "max", *WHO)
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        code, told, said = run("scan", *options, scanner=simulator.url)
        assert code == 0, said
        again = run("scan", *options, scanner=simulator.url)
    assert (again[0], again[1]["error"]["kind"]) == (6, "StateConflict")
    made = told["stack"]
    assert (made["state"], made["way"]) == ("reading", Way.ESCL)
    assert made["order"]["scanner"] == "quay-1"
    assert [page["number"] for page in told["scanned"]["pages"]] == [1, 2, 3, 4]
    assert scans_of(web) == [
        (f"{n:04d}.jpg", side, digest((folder / f"{n:04d}.jpg").read_bytes()))
        for n, side in enumerate((Side.FRONT, Side.BACK) * 2, 1)
    ]


def test_after_a_jam_the_same_command_fills_the_same_stack(
    run: Run, web: Web, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    options = ("--to", folder, "--duplex", "--paper", "max", *WHO)
    faults = Faults(adf_after=(2, "ScannerAdfJam"))
    with EsclSimulator(stack(2, size=SIZE), size=SIZE, faults=faults) as simulator:
        code, told, _ = run("scan", *options, scanner=simulator.url)
        assert (code, told["error"]["kind"]) == (7, "ScannerNeedsHand")
        [open_one] = web.house.stacks.list(reader(AGENCY))
        assert open_one.state is StackState.OPEN
        assert len(scans_of(web)) == 2
        simulator.clear_jam()
        code, told, said = run("scan", *options, "--more", scanner=simulator.url)
        assert (code, told["stack"]["state"]) == (0, "open"), said
        simulator.feeder.extend(stack(1, first=5, size=SIZE))
        code, told, _ = run("scan", *options, scanner=simulator.url)
    assert (code, told["stack"]["id"], told["stack"]["state"]) == (0, open_one.id, "reading")
    assert [name for name, _, _ in scans_of(web)] == [f"{n:04d}.jpg" for n in range(1, 7)]


class Killer(EsclSimulator):
    """Kills the client when it asks for the page behind the third."""

    victim: int | None = None

    def next_page(self, job: Job) -> Any:
        if self.victim is None or job.completed != 3:
            return super().next_page(job)
        os.kill(self.victim, signal.SIGKILL)
        self.victim = None
        raise ConnectionAbortedError


def test_killed_in_the_middle(
    run: Run, web: Web, address: str, key_file: Path, tmp_path: Path
) -> None:
    folder, data = tmp_path / "scans", tmp_path / "data"
    options = ("--to", folder, "--duplex", "--paper", "max", *WHO)
    with Killer(stack(3, size=SIZE), size=SIZE) as simulator:
        data.mkdir()
        (data / "sohoa.toml").write_text(f'[scanners.quay-1]\nurl = "{simulator.url}"\n')
        where = ("--url", address, "--key-file", key_file, "--data", data)
        command = [sys.executable, "-m", "api", "stack", "scan", *where, *options]
        with subprocess.Popen(
            list(map(str, command)), cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as scan:
            with simulator.lock:
                simulator.victim = scan.pid
            said, _ = scan.communicate(timeout=200)
        assert scan.returncode == -signal.SIGKILL, said.decode()
        [before] = web.house.stacks.list(reader(AGENCY))
        assert before.state is StackState.OPEN
        code, told, said_now = run("scan", *options, scanner=simulator.url)
    assert code == 0, said_now
    assert told["stack"]["id"] == before.id
    assert [digest((folder / f"{n:04d}.jpg").read_bytes()) for n in range(1, 7)] == [
        sha256 for _, _, sha256 in scans_of(web)
    ]


def test_a_service_that_is_away_costs_no_page(
    web: Web, address: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages are on the disk; `sohoa stack put FOLDER` brings what is missing."""
    folder = tmp_path / "scans"
    order = {"station": "quay-3", "officer": "Nguyễn Thị Mẫu", "way": "escl"}
    folder.mkdir()
    for n in (1, 2, 3):
        (folder / f"{n:04d}.jpg").write_bytes(jpeg(n))
    first = ScannedPage(**FolderLog(folder).pages[0])
    with (
        Client(address, web.keys["scanner"], patience_s=0.1, timeout_s=5) as client,
        monkeypatch.context() as patch,
    ):
        with FolderStack(client, folder, order) as filling:
            patch.setattr(Stacks, "add_scan", _away)
            filling.page(first)
        with pytest.raises(ClientError):
            filling.complete(close=True)
    assert scans_of(web) == []
    code, told, said = run("put", folder, *WHO)
    assert code == 0, said
    assert told["stack"]["id"] == filling.stack.id
    assert [sha256 for _, _, sha256 in scans_of(web)] == [digest(jpeg(n)) for n in (1, 2, 3)]


def _away(*args: Any, **kwargs: Any) -> Any:
    raise StoreError("the database is away")
