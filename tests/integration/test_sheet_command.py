"""`sohoa sheet make` with a real token, and `sohoa sheet read` of what a printer gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from api import cli
from tests.fakes import SoftwareKey, pem
from tests.fixtures_installation import Sohoa
from tests.printed_codes import drawn

MAKE = ("--agency", "H22.12", "--dossier", "H22.12-261123-0001", "--station", "quay-3")
COMPONENTS = ("--component", "TP01:2:Đơn đề nghị: bản mẫu", "--component", "TP02:1")


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `sohoa sheet read` in this process."""

    def call(*arguments: Any) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(["sheet", "read", *map(str, arguments), "--json"])
        said = capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return code, json.loads(said.out), said.err

    return call


def test_made_printed_scanned_and_read(
    sohoa: Sohoa, installed: Path, read: Any, tmp_path: Path
) -> None:
    page = tmp_path / "bia.pdf"
    made = sohoa("sheet", "make", "-o", page, *MAKE, *COMPONENTS, "--json")
    assert made.code == 0, made.told
    assert made.json["components"] == [{"code": "TP01", "pages": 2}, {"code": "TP02", "pages": 1}]
    data = ("--data", installed)

    code, found, told = read(page, *data)
    assert code == 0, told
    assert (found["pages"], len(found["sheets"])) == (1, 1)
    [sheet] = found["sheets"]
    assert sheet["worth"] == "genuine"
    for name in ("serial", "agency", "dossier_code", "station", "valid_until"):
        assert sheet[name] == made.json[name]
    assert "Tờ bìa thật" in told

    scan = tmp_path / "scan.tif"  # the sheet, upside down, behind another page
    upside_down = Image.fromarray(drawn(page.read_bytes(), 150)[::-1, ::-1])
    ordinary = Image.new("L", upside_down.size, 255)
    ordinary.save(scan, save_all=True, append_images=[upside_down], dpi=(150, 150))
    code, found, _ = read(scan, *data)
    assert code == 0
    assert [(s["page"], s["serial"]) for s in found["sheets"]] == [(2, made.json["serial"])]

    code, found, _ = read(page, *data, "--at", "2099-01-01T00:00:00+07:00")
    assert (code, found["sheets"][0]["worth"]) == (2, "expired")
    stranger = tmp_path / "khac.pem"
    stranger.write_bytes(pem(SoftwareKey().certificate))
    code, found, told = read(page, "--keys", stranger)
    assert (code, found["sheets"][0]["worth"]) == (1, "unknown-key")
    assert "khóa lạ" in told


def test_what_is_no_sheet_and_what_cannot_be_made(
    sohoa: Sohoa, installed: Path, read: Any, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    Image.new("L", (600, 800), 255).save(blank)
    code, found, told = read(blank, "--data", installed)
    assert (code, found["sheets"]) == (2, [])
    assert "Không thấy tờ bìa" in told
    code, error, _ = read(tmp_path / "missing.pdf", "--data", installed)
    assert (code, error["error"]["kind"]) == (4, "InputUnusable")
    (tmp_path / "text.pdf").write_bytes(b"no PDF")
    assert read(tmp_path / "text.pdf", "--data", installed)[0] == 4

    page = tmp_path / "bia.pdf"
    with pytest.raises(SystemExit) as caught:
        cli.main(
            [
                "sheet",
                "make",
                "-o",
                str(page),
                *MAKE,
                "--component",
                "TP01",
                "--data",
                str(installed),
            ]
        )
    assert caught.value.code == 4
    nowhere = tmp_path / "none" / "bia.pdf"
    lost = sohoa("sheet", "make", "-o", nowhere, *MAKE, *COMPONENTS)
    assert lost.code == 8
    assert not page.exists()
