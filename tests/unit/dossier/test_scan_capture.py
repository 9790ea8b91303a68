"""Page after page into a folder: whatever goes wrong, no page that was scanned is lost."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dossier.errors import (
    DossierError,
    ScanCancelled,
    ScannerNeedsHand,
    ScannerStopped,
    ScannerUnreachable,
    StateConflict,
    StoreError,
)
from dossier.scanners.address import address_of
from dossier.scanners.capture import Capture, capture
from dossier.scanners.escl import Patience, Scanner
from dossier.scanners.folder import LOG_FILE, ScannedPage
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import DocumentFormat, InputSource
from ocr.errors import OutputError
from tests.escl_papers import side, stack
from tests.escl_simulator import EsclSimulator, Faults

SIZE = (310, 438)
PATIENT = Patience(answer_s=5, busy_s=3, document_s=5, pause_s=0.02)


def scan(
    simulator: EsclSimulator, folder: Path, wish: ScanWish | None = None, **options: Any
) -> Capture:
    scanner = Scanner(address_of("quay-1", simulator.url), PATIENT)
    can = scanner.capabilities()
    settings = settle(wish or ScanWish(duplex=True, paper=None), can)
    return capture(scanner, can, settings, folder, now=lambda: datetime.now(UTC), **options)


def log_of(folder: Path) -> dict[str, Any]:
    log: dict[str, Any] = json.loads((folder / LOG_FILE).read_bytes())
    return log


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOG_FILE)


def assert_shows(path: Path, number: int) -> None:
    """The file is a picture of the numbered side, by more than the loss of JPEG."""
    seen = np.asarray(Image.open(path).convert("RGB"), np.int16)
    fed = np.asarray(side(number, SIZE), np.int16)
    others = [np.asarray(side(n, SIZE), np.int16) for n in range(1, 9) if n != number]
    assert np.abs(seen - fed).mean() < 3
    assert all(np.abs(seen - other).mean() > 20 for other in others)


def test_a_stack_comes_in_with_fronts_and_backs_in_turn(tmp_path: Path) -> None:
    told: list[ScannedPage] = []
    with EsclSimulator(stack(3, size=SIZE), size=SIZE) as simulator:
        done = scan(simulator, tmp_path / "new" / "folder", seen=told.append)
    folder = tmp_path / "new" / "folder"
    assert files(folder) == [f"{n:04d}.jpg" for n in range(1, 7)]
    for n in range(1, 7):
        assert_shows(folder / f"{n:04d}.jpg", n)
    assert [page.side for page in done.pages] == ["front", "back"] * 3
    assert tuple(told) == done.pages
    log = log_of(folder)
    assert [run["ended"] for run in log["runs"]] == ["complete"]
    for page, written in zip(log["pages"], simulator.sent, strict=True):
        assert page["sha256"] == hashlib.sha256(written).hexdigest()
        assert (folder / page["file"]).read_bytes() == written


def test_each_page_is_on_the_disk_before_the_next_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every NextDocument, all pages handed out before have been synced, and the log too."""
    synced: set[str] = set()
    fsync = os.fsync
    late: list[str] = []

    def note(handle: int) -> None:
        fsync(handle)
        synced.add(str(Path(f"/proc/self/fd/{handle}").resolve()))

    monkeypatch.setattr(os, "fsync", note)
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        next_page = simulator.next_page

        def asked(job: Any) -> Any:
            named = [page["file"] for page in log_of(tmp_path)["pages"]]
            if len(named) != job.completed or files(tmp_path) != named:
                late.append(f"{job.completed}: {named}")
            if sum(".jpg" in name for name in synced) != job.completed:
                late.append(f"{job.completed}: {synced}")
            return next_page(job)

        simulator.next_page = asked  # type: ignore[method-assign]
        scan(simulator, tmp_path)
    assert not late
    assert str(tmp_path) in synced  # a rename lives in the folder


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("ScannerAdfJam", "take out the jammed sheet"),
        ("ScannerAdfHatchOpen", "close it"),
        ("ScannerAdfDoorOpen", "close it"),
        ("ScannerAdfMultipickDetected", "remove staples"),
        ("ScannerAdfMispick", "straighten the stack"),
        ("ScannerAdfDuplexPageTooShort", "from the glass"),
        ("ScannerAdfDuplexPageTooLong", "from the glass"),
        ("ScannerAdfInputTrayFailed", "call service"),
        ("ScannerAdfInputTrayOverloaded", "take some out"),
    ],
)
def test_a_feeder_that_stops_loses_nothing_and_goes_on(
    tmp_path: Path, state: str, advice: str
) -> None:
    faults = Faults(adf_after=(4, state))
    with EsclSimulator(stack(4, size=SIZE), size=SIZE, faults=faults) as simulator:
        with pytest.raises(ScannerNeedsHand) as stopped:
            scan(simulator, tmp_path)
        assert files(tmp_path) == ["0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg"]
        simulator.clear_jam()
        done = scan(simulator, tmp_path)
    said = str(stopped.value)
    assert stopped.value.state == state
    assert advice in said
    assert "Đã lưu 4 trang" in said
    assert "(0001.jpg–0004.jpg)" in said
    assert "run the same command to go on" in said
    assert (done.run, len(done.pages), done.pages_in_folder) == (2, 4, 8)
    for n in range(1, 9):
        assert_shows(tmp_path / f"{n:04d}.jpg", n)
    assert [run["ended"] for run in log_of(tmp_path)["runs"]] == ["ScannerNeedsHand", "complete"]


def test_half_a_sheet_is_said_to_be_half(tmp_path: Path) -> None:
    faults = Faults(adf_after=(3, "ScannerAdfJam"))
    with EsclSimulator(stack(4, size=SIZE), size=SIZE, faults=faults) as simulator:
        with pytest.raises(ScannerNeedsHand) as stopped:
            scan(simulator, tmp_path)
        simulator.clear_jam()
        simulator.feeder.appendleft(stack(1, first=3, size=SIZE)[0])  # what the message asks for
        scan(simulator, tmp_path)
    assert "only the front was scanned (0003.jpg)" in str(stopped.value)
    for n, shown in enumerate([1, 2, 3, 3, 4, 5, 6, 7, 8], start=1):
        assert_shows(tmp_path / f"{n:04d}.jpg", shown)


@pytest.mark.parametrize(
    ("faults", "kind", "kept"),
    [
        (Faults(vanish_in_page=3), ScannerUnreachable, 2),
        (Faults(drop_in_page=3), ScannerUnreachable, 2),
        (Faults(abort_after=3), ScannerStopped, 3),
        (Faults(swallow_page=2), ScannerStopped, 3),
        (Faults(vanish_in_page=1), ScannerUnreachable, 0),
    ],
)
def test_a_scanner_that_fails_leaves_whole_pages_only(
    tmp_path: Path, faults: Faults, kind: type[DossierError], kept: int
) -> None:
    with EsclSimulator(stack(2, size=SIZE), size=SIZE, faults=faults) as simulator:
        with pytest.raises(kind) as failed:
            scan(simulator, tmp_path)
        sent = list(simulator.sent)
    assert files(tmp_path) == [f"{n:04d}.jpg" for n in range(1, kept + 1)]
    assert [(tmp_path / name).read_bytes() for name in files(tmp_path)] == sent[:kept]
    assert (f"Đã lưu {kept} trang" if kept else "Chưa có trang mới") in str(failed.value)
    assert log_of(tmp_path)["runs"][0]["ended"] == kind.__name__


def test_a_disk_that_is_full_frees_the_scanner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(handle: int) -> None:
        if ".0003.jpg" in str(Path(f"/proc/self/fd/{handle}").resolve()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(OutputError, match="free some space"):
            scan(simulator, tmp_path)
        assert [job.state for job in simulator.jobs.values()] == ["Canceled"]
    assert files(tmp_path) == ["0001.jpg", "0002.jpg"]
    assert log_of(tmp_path)["runs"][0]["ended"] == "OutputError"


def test_a_log_that_cannot_be_begun_frees_the_scanner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(OutputError, match="free some space"):
            scan(simulator, tmp_path)
        assert [job.state for job in simulator.jobs.values()] == ["Canceled"]
        assert len(simulator.feeder) == 1  # no sheet has moved
    assert list(tmp_path.iterdir()) == []


def test_cancelling_keeps_the_pages_and_tells_the_scanner(tmp_path: Path) -> None:
    stop = threading.Event()
    with EsclSimulator(stack(3, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(ScanCancelled) as cancelled:
            scan(simulator, tmp_path, stop=stop, seen=lambda p: p.number == 2 and stop.set())
        assert [job.state for job in simulator.jobs.values()] == ["Canceled"]
        assert len(simulator.feeder) == 2
    assert files(tmp_path) == ["0001.jpg", "0002.jpg"]
    assert "Đã lưu 2 trang" in str(cancelled.value)


def interrupt(_: ScannedPage) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_tells_the_scanner_too(tmp_path: Path) -> None:
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(KeyboardInterrupt):
            scan(simulator, tmp_path, seen=interrupt)
        assert [job.state for job in simulator.jobs.values()] == ["Canceled"]
    assert files(tmp_path) == ["0001.jpg"]
    assert log_of(tmp_path)["runs"][0]["ended"] == "KeyboardInterrupt"


def cut_off(folder: Path, *, pages: int) -> None:
    """Make the log what a kill leaves when only so many pages were noted."""
    log = log_of(folder)
    log["runs"][-1]["ended"] = None
    del log["runs"][-1]["ended_at"], log["pages"][pages:]
    (folder / LOG_FILE).write_text(json.dumps(log))


def test_a_page_that_a_crash_left_beside_the_log_is_taken_in(tmp_path: Path) -> None:
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        scan(simulator, tmp_path)
        cut_off(tmp_path, pages=3)
        (tmp_path / ".0005.jpg.abc.part").write_bytes(b"half")  # what the crash was writing
        simulator.feeder.extend(stack(1, first=5, size=SIZE))
        done = scan(simulator, tmp_path)
    assert [page.number for page in done.pages] == [5, 6]
    adopted = log_of(tmp_path)["pages"][3]
    assert (adopted["number"], adopted["run"]) == (4, 1)
    assert adopted["sha256"] == hashlib.sha256((tmp_path / "0004.jpg").read_bytes()).hexdigest()


def test_a_page_that_a_crash_lost_is_told_once(tmp_path: Path) -> None:
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        scan(simulator, tmp_path)
        cut_off(tmp_path, pages=3)
        (tmp_path / "0004.jpg").unlink()
        simulator.feeder.extend(stack(1, first=3, size=SIZE))
        with pytest.raises(ScannerStopped, match=r"the last page kept of it: 0003\.jpg"):
            scan(simulator, tmp_path)
        assert len(simulator.feeder) == 1  # nothing moved before a person has looked
        done = scan(simulator, tmp_path)
    assert [page.number for page in done.pages] == [4, 5]
    assert [run["ended"] for run in log_of(tmp_path)["runs"]] == ["cut off", "complete"]


def test_a_job_that_was_cut_off_goes_on_only_as_it_began(tmp_path: Path) -> None:
    """With other settings its next pages would be others than those asked for."""
    with EsclSimulator(stack(2, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(KeyboardInterrupt):
            scan(simulator, tmp_path, seen=interrupt)
        cut_off(tmp_path, pages=1)
        next(iter(simulator.jobs.values())).state = "Processing"  # the kill let nothing be said
        with pytest.raises(ScannerStopped, match=r"0001\.jpg"):
            scan(simulator, tmp_path, ScanWish(duplex=True, paper=None, dpi=150))
        assert [job.state for job in simulator.jobs.values()] == ["Canceled"]


def test_a_scanner_that_forgot_the_job_makes_a_person_look(tmp_path: Path) -> None:
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        scan(simulator, tmp_path)
        cut_off(tmp_path, pages=2)
        simulator.jobs.clear()
        simulator.feeder.extend(stack(1, first=3, size=SIZE))
        with pytest.raises(ScannerStopped, match=r"0002\.jpg"):
            scan(simulator, tmp_path)
        assert scan(simulator, tmp_path).pages_in_folder == 4


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """A page that somebody took out keeps its number; what others put here is not overwritten."""
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        scan(simulator, tmp_path)
        (tmp_path / "0002.jpg").unlink()
        (tmp_path / "0007.jpg").write_bytes(b"somebody's own")
        simulator.feeder.extend(stack(1, first=3, size=SIZE))
        scan(simulator, tmp_path)
    assert files(tmp_path) == ["0001.jpg", "0007.jpg", "0008.jpg", "0009.jpg"]
    assert (tmp_path / "0007.jpg").read_bytes() == b"somebody's own"


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        b"[]",
        b'{"form": 2, "runs": [], "pages": []}',
        b'{"form": 1, "runs": [], "pages": [{"number": 1}]}',
        b'{"form": 1, "runs": [7], "pages": []}',
        b'{"form": 1, "runs": [{"run": 2}], "pages": []}',
    ],
)
def test_a_damaged_log_is_not_built_upon(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOG_FILE).write_bytes(content)
    with EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator:
        with pytest.raises(StoreError, match="another folder"):
            scan(simulator, tmp_path)
        assert not simulator.jobs  # the paper still lies in the feeder
    assert (tmp_path / LOG_FILE).read_bytes() == content


def test_two_scans_do_not_write_into_one_folder(tmp_path: Path) -> None:
    met: list[BaseException] = []
    with (
        EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator,
        EsclSimulator(stack(1, size=SIZE), size=SIZE) as other,
    ):

        def meanwhile(page: ScannedPage) -> None:
            with pytest.raises(StateConflict) as conflict:
                scan(other, tmp_path)
            met.append(conflict.value)

        scan(simulator, tmp_path, seen=meanwhile)
        assert len(other.feeder) == 1
    assert len(met) == 2
    assert files(tmp_path) == ["0001.jpg", "0002.jpg"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        EsclSimulator(stack(1, size=SIZE), size=SIZE) as simulator,
        pytest.raises(StoreError, match="choose another"),
    ):
        scan(simulator, tmp_path / "file" / "below")


def test_the_glass_and_pdf(tmp_path: Path) -> None:
    wish = ScanWish(InputSource.PLATEN, format=DocumentFormat.PDF, paper=None)
    with EsclSimulator(glass=side(1, SIZE), size=SIZE) as simulator:
        done = scan(simulator, tmp_path, wish)
        again = scan(simulator, tmp_path, ScanWish(InputSource.PLATEN, paper=None, dpi=150))
    assert [page.file for page in (*done.pages, *again.pages)] == ["0001.pdf", "0002.jpg"]
    assert (tmp_path / "0001.pdf").read_bytes().startswith(b"%PDF-")
    seen = Image.open(io.BytesIO((tmp_path / "0002.jpg").read_bytes()))
    assert seen.size == (SIZE[0] // 2, SIZE[1] // 2)
    assert seen.info["dpi"] == (150, 150)
