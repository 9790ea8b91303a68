"""`sohoa scan` end to end: settings, progress, JSON, exit codes, and going on after a jam."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api import cli
from tests.escl_papers import side, stack
from tests.escl_simulator import EsclSimulator, Faults

A4 = (2480, 3508)
SIZE = (310, 438)
Run = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command with the given scanners in the settings."""

    def call(scanners: dict[str, str], *arguments: object) -> tuple[int | str | None, str, str]:
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        lines = [f'[scanners.{name}]\nurl = "{url}"\n' for name, url in scanners.items()]
        (data / "sohoa.toml").write_text("".join(lines), "utf-8")
        with pytest.raises(SystemExit) as ended:
            cli.main(["scan", "--data", str(data), *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


def test_a_stack_goes_into_a_folder_and_is_told_in_both_languages(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        code, out, told = run(
            {"quay-1": simulator.url},
            *("--to", folder, "--duplex", "--paper", "max", "--dpi", 150, "--grey", "--json"),
        )
        job = next(iter(simulator.jobs.values())).settings
    assert code == 0, told
    assert (job["Duplex"], job["XResolution"], job["ColorMode"]) == ("true", "150", "Grayscale8")
    result = json.loads(out)
    assert [page["file"] for page in result["pages"]] == [f"{n:04d}.jpg" for n in (1, 2, 3, 4)]
    assert [page["side"] for page in result["pages"]] == ["front", "back", "front", "back"]
    assert result["scanner"]["name"] == "quay-1"
    assert result["settings"]["dpi"] == 150
    assert all((folder / page["file"]).stat().st_size for page in result["pages"])
    for words in ("Mẫu Thử Scan 3000", "0003.jpg mặt trước", "front", "Đã quét 4 trang"):
        assert words in told


def test_by_default_a4_in_colour_at_300_dpi(run: Run, tmp_path: Path) -> None:
    with EsclSimulator(glass=side(1), size=A4, has_feeder=False) as simulator:
        code, _, told = run({"a": simulator.url}, "--to", tmp_path / "scans")
        job = next(iter(simulator.jobs.values())).settings
    assert code == 0, told
    assert (job["InputSource"], job["ColorMode"]) == ("Platen", "RGB24")
    assert (job["XResolution"], job["Width"], job["Height"]) == ("300", "2480", "3508")


def test_after_a_jam_the_same_command_goes_on(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    faults = Faults(adf_after=(2, "ScannerAdfJam"))
    wanted = ("--to", folder, "--duplex", "--paper", "max", "--json")
    with EsclSimulator(stack(2, size=SIZE), size=SIZE, faults=faults) as simulator:
        code, out, told = run({"quay-1": simulator.url}, *wanted)
        assert code == 7
        error = json.loads(out)["error"]
        assert error["kind"] == "ScannerNeedsHand"
        assert "gỡ tờ bị kẹt" in error["message"]
        assert "Đã lưu 2 trang" in told
        simulator.clear_jam()
        code, out, _ = run({"quay-1": simulator.url}, *wanted)
    assert code == 0
    assert json.loads(out)["pages_in_folder"] == 4
    assert [page["number"] for page in json.loads(out)["pages"]] == [3, 4]


def test_only_scanners_of_the_settings_are_asked(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        code, _, told = run({}, "--to", folder, "--device", simulator.url)
        assert code == 4
        assert "[scanners.TEN] url" in told
        two = {"quay-1": "http://192.0.2.1/eSCL", "quay-2": simulator.url}
        assert run(two, "--to", folder)[0] == 4  # which of them?
        assert simulator.requests == []
        by_url = run(two, "--to", folder, "--paper", "max", "--device", simulator.url)
        assert by_url[0] == 0
    assert sorted(path.name for path in folder.glob("*.jpg")) == ["0001.jpg"]


def test_what_the_scanner_cannot_do_is_said(run: Run, tmp_path: Path) -> None:
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        code, _, told = run({"a": simulator.url}, "--to", tmp_path / "x", "--dpi", 600)
        assert code == 4
        assert "100, 150, 200, 300 dpi" in told
        assert len(simulator.feeder) == 1
    assert not (tmp_path / "x").exists()


def test_a_wrong_address_in_the_settings(run: Run, tmp_path: Path) -> None:
    code, _, told = run({"a": "gopher://192.168.1.20"}, "--to", tmp_path / "x")
    assert code == 4
    assert "[scanners.a]" in told
