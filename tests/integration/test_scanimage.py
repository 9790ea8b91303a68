"""Debian's own client scans from the simulator: the simulator is not judged by us alone.

And our client gets the same pages from it: what `scanimage` decodes and what we keep are the
same pictures.
"""

from __future__ import annotations

import io
import os
import subprocess
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dossier.scanners.address import address_of
from dossier.scanners.capture import capture
from dossier.scanners.escl import Scanner
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import ColorMode, InputSource
from tests.escl_papers import Sheet, side, stack
from tests.escl_simulator import EsclSimulator, Faults

SIZE = (310, 438)
AIRSCAN = """[devices]
"Mau thu" = {url}, eSCL
[options]
discovery = disable
ws-discovery = off
"""


def scanimage(
    simulator: EsclSimulator, folder: Path, source: str, *options: str
) -> tuple[subprocess.CompletedProcess[str], list[Image.Image]]:
    """Run scanimage with a configuration of its own; what it said, and its pages."""
    house = folder / "sane"
    house.mkdir()
    (house / "dll.conf").write_text("airscan\n")
    (house / "airscan.conf").write_text(AIRSCAN.format(url=simulator.url))
    command = ["scanimage", "-d", "airscan:e0:Mau thu", "--source", source, "--format=png"]
    batch = [f"--batch={folder}/%04d.png", *(["--batch-count=1"] if source == "Flatbed" else [])]
    said = subprocess.run(
        [*command, *batch, "--resolution", "300", "--mode", "Color", *options],
        env={**os.environ, "SANE_CONFIG_DIR": str(house), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pages = [Image.open(path).copy() for path in sorted(folder.glob("*.png"))]
    return said, pages


def test_it_finds_what_the_scanner_can_do(tmp_path: Path) -> None:
    with EsclSimulator(stack(1, size=SIZE), side(9, SIZE), size=SIZE) as simulator:
        said, _ = scanimage(simulator, tmp_path, "Flatbed", "-A")
    assert "--source Flatbed|ADF|ADF Duplex" in said.stdout
    assert "--resolution 100|150|200|300dpi" in said.stdout
    assert "-x 0..26.2" in said.stdout  # 310/300 inch


@pytest.mark.parametrize(
    ("source", "expected"),
    [("Flatbed", [9]), ("ADF", [1, 3]), ("ADF Duplex", [1, 2, 3, 4])],
)
def test_lossless_pages_are_what_was_fed(
    tmp_path: Path, source: str, expected: Sequence[int]
) -> None:
    with EsclSimulator(
        stack(2, size=SIZE), side(9, SIZE), size=SIZE, formats=["image/png"]
    ) as simulator:
        said, pages = scanimage(simulator, tmp_path, source)
    assert [page.size for page in pages] == [SIZE] * len(expected), said.stderr
    for page, number in zip(pages, expected, strict=True):
        assert np.array_equal(np.asarray(page), np.asarray(side(number, SIZE)))


def test_a_part_of_the_glass_in_grey_at_another_resolution(tmp_path: Path) -> None:
    options = [
        "--mode",
        "Gray",
        "--resolution",
        "150",
        "-l",
        "5",
        "-t",
        "8",
        "-x",
        "15",
        "-y",
        "20",
    ]
    with EsclSimulator(glass=side(5, SIZE), size=SIZE, formats=["image/png"]) as simulator:
        _, pages = scanimage(simulator, tmp_path, "Flatbed", *options)
        job = next(iter(simulator.jobs.values())).settings
    assert (job["ColorMode"], job["XResolution"]) == ("Grayscale8", "150")
    # millimetres come back as 1/300 inch, within one of them
    for name, mm in (("XOffset", 5), ("YOffset", 8), ("Width", 15), ("Height", 20)):
        assert abs(int(job[name]) - mm * 300 / 25.4) <= 1
    assert pages[0].mode == "L"
    x, y, width, height = (int(job[n]) for n in ("XOffset", "YOffset", "Width", "Height"))
    seen = side(5, SIZE).crop((x, y, x + width, y + height))
    seen = seen.resize((width // 2, height // 2), Image.Resampling.BOX).convert("L")
    assert abs(pages[0].width - seen.width) <= 1
    part = (0, 0, min(pages[0].width, seen.width), min(pages[0].height, seen.height))
    assert np.array_equal(np.asarray(pages[0].crop(part)), np.asarray(seen.crop(part)))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("ScannerAdfJam", "Document feeder jammed"),
        ("ScannerAdfDoorOpen", "Scanner cover is open"),
    ],
)
def test_it_understands_the_faults_as_faults(tmp_path: Path, state: str, message: str) -> None:
    faults = Faults(adf_after=(2, state))
    with EsclSimulator(stack(3, size=SIZE), size=SIZE, faults=faults) as simulator:
        said, pages = scanimage(simulator, tmp_path, "ADF")
        again, _ = scanimage(simulator, _made(tmp_path / "again"), "ADF")
    assert len(pages) == 2
    assert "Batch terminated, 2 pages scanned" in said.stderr
    assert message in again.stderr


def test_it_says_that_the_feeder_is_empty(tmp_path: Path) -> None:
    with EsclSimulator(size=SIZE) as simulator:
        said, pages = scanimage(simulator, tmp_path, "ADF")
    assert not pages
    assert "out of documents" in said.stderr


@pytest.mark.parametrize("source", [InputSource.PLATEN, InputSource.FEEDER])
def test_our_client_keeps_the_very_pictures_that_scanimage_decodes(
    tmp_path: Path, source: InputSource
) -> None:
    """The same papers, once by each client; both decode the same JPEG, by libjpeg."""
    is_feeder = source is InputSource.FEEDER
    sheets = [Sheet(side(1, SIZE), side(2, SIZE)), Sheet(side(3, SIZE))]  # the last back is blank
    with EsclSimulator(sheets, side(9, SIZE), size=SIZE) as simulator:
        _, theirs = scanimage(simulator, tmp_path, "ADF Duplex" if is_feeder else "Flatbed")
        sent = list(simulator.sent)
        simulator.feeder.extend(sheets)
        scanner = Scanner(address_of("sim", simulator.url))
        can = scanner.capabilities()
        settings = settle(ScanWish(source, is_feeder, paper=None), can)
        ours = tmp_path / "ours"
        done = capture(scanner, can, settings, ours, now=lambda: datetime.now(UTC))
    assert len(theirs) == len(done.pages) == (4 if is_feeder else 1)
    for picture, page, document in zip(theirs, done.pages, sent, strict=True):
        kept = (ours / page.file).read_bytes()
        assert kept == document  # the device's own bytes, for both clients
        decoded = np.asarray(Image.open(io.BytesIO(kept)), np.int16)
        assert np.abs(decoded - np.asarray(picture, np.int16)).max() <= 2  # rounding of the IDCT
    assert settings.color_mode is ColorMode.RGB_24


def test_the_scanner_is_free_again_after_our_client_cancelled(tmp_path: Path) -> None:
    stop = threading.Event()
    with EsclSimulator(stack(4, size=SIZE), size=SIZE) as simulator:
        scanner = Scanner(address_of("sim", simulator.url))
        can = scanner.capabilities()
        job = scanner.start(settle(ScanWish(duplex=True, paper=None), can), stop)
        assert job.next_document() is not None
        job.cancel()
        _, pages = scanimage(simulator, tmp_path, "ADF")
    assert [page.size for page in pages] == [SIZE] * 3  # the first sheet was drawn in by us


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
