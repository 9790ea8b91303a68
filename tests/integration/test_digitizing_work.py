"""Scans become records by the worker: real pages, a real queue, real kills."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from dossier.digitizing.digitizations import Digitization
from dossier.errors import InvalidOrder, StoreError
from dossier.model import JobState
from ocr.errors import OutputError
from tests.fixtures_digitizing import AGENCIES, ScanningRoom, scanner_of

PROCESSES = multiprocessing.get_context("forkserver")


def work_off(room: ScanningRoom, found: Digitization, seconds: float = 90.0) -> Digitization:
    """Run a worker until the digitization has ended."""
    stop = threading.Event()
    worker = threading.Thread(target=room.worker(lease_s=1.0).run, args=(stop,))
    worker.start()
    try:
        until = time.monotonic() + seconds
        while (now := room.get(found)).finished_at is None:
            assert time.monotonic() < until, now
            time.sleep(0.05)
    finally:
        stop.set()
        worker.join()
    return now


def test_scans_become_a_record(sqlite_scanning_room: ScanningRoom, scan: Path) -> None:
    room = sqlite_scanning_room
    page = room.bring(scan.read_bytes())
    found, _ = room.order(page, page_count=1, title="Quyết định thử nghiệm")
    done = work_off(room, found)
    assert (done.state, done.pages_done, done.pages) == (JobState.DONE, 1, 1), done.error
    assert done.result_sha256
    assert done.text_sha256
    assert done.fields_sha256
    text = room.blobs.get(done.text_sha256).decode()
    assert "Quyết định này có hiệu lực" in text
    fields = json.loads(room.blobs.get(done.fields_sha256))
    assert fields["state"] == "DRAFT"
    with room.blobs.local(done.result_sha256) as path, pikepdf.open(path) as pdf:
        (name,) = [name for name in pdf.attachments if name.endswith(".json")]
        manifest = json.loads(pdf.attachments[name].get_file().read_bytes())
    assert manifest["record"]["title"] == "Quyết định thử nghiệm"
    assert manifest["record"]["creator"] == "UBND xã Mẫu Sơn Thử"
    assert manifest["record"]["id"] == f"H22.12-260301-0001/KQ.01/{found.id}"
    assert manifest["digitised"]["operator"] == "Nguyễn Văn Mẫu"
    assert manifest["digitised"]["station"] == "tram-01"
    (entry,) = manifest["pages"]
    assert entry["source_sha256"] == hashlib.sha256(scan.read_bytes()).hexdigest()
    with room.database.read() as connection:
        assert room.holdings.media_type(connection, AGENCIES[0], done.result_sha256) == (
            "application/pdf"
        )
    assert list((room.folder / "work").iterdir()) == []


def test_what_is_no_scan_fails_for_good(sqlite_scanning_room: ScanningRoom) -> None:
    room = sqlite_scanning_room
    done = work_off(room, room.order(room.bring(b"this is no image"))[0])
    assert done.state is JobState.FAILED
    assert done.error["kind"] == "InvalidOrder"
    assert "Scan them again" in done.error["message"]
    assert list((room.folder / "work").iterdir()) == []


def test_the_declared_pages_have_to_be_there(
    sqlite_scanning_room: ScanningRoom, scan: Path
) -> None:
    room = sqlite_scanning_room
    room.order(room.bring(scan.read_bytes()), page_count=2)
    with pytest.raises(InvalidOrder, match="have 1 pages, 2 were declared") as caught:
        room.work(room.claim())
    assert caught.value.field == "page_count"


def test_cancelling_stops_the_work(
    sqlite_scanning_room: ScanningRoom, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = sqlite_scanning_room
    found, _ = room.order(room.bring(scan.read_bytes()))
    noted = room.digitizations.progress

    def cancelled_just_now(*args: object) -> bool:
        room.digitizations.cancel(scanner_of(), found.id)
        return noted(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(room.digitizations, "progress", cancelled_just_now)
    room.work(room.claim())
    assert room.get(found).state is JobState.CANCELLED
    assert room.get(found).result_sha256 is None
    assert list((room.folder / "work").iterdir()) == []
    assert room.jobs.claim("ocr", "another", 1, 5.0) == []


@pytest.mark.parametrize("cause", ["full disk", "no work folder"])
def test_what_the_machine_lacks_is_waited_for(
    sqlite_scanning_room: ScanningRoom, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    room = sqlite_scanning_room

    def full(*args: object, **kwargs: object) -> None:
        raise OutputError("record.pdf cannot be written: the disk is full")

    if cause == "full disk":
        monkeypatch.setattr("dossier.digitizing.work.digitise_dossier", full)
    else:
        (room.folder / "work").rmdir()
        (room.folder / "work").write_bytes(b"")
    room.order()
    with pytest.raises(StoreError):
        room.work(room.claim())


def _work(url: str, folder: Path) -> None:
    ScanningRoom(url, folder).worker(lease_s=1.0).run(threading.Event())


def _wait_until(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_worker_is_no_loss(
    sqlite_scanning_room: ScanningRoom, sqlite_url: str, scan: Path, tmp_path: Path
) -> None:
    room = sqlite_scanning_room
    pages = []
    with Image.open(scan) as image:
        for n in range(3):
            image.crop((0, 10 * n, 1240, 900)).save(tmp_path / "page.png", dpi=(200, 200))
            pages.append(room.bring((tmp_path / "page.png").read_bytes()))
    found, _ = room.order(*pages)
    for already in range(2):  # once as soon as it began, once after a page
        victim = PROCESSES.Process(target=_work, args=(sqlite_url, room.folder))
        victim.start()
        _wait_until(
            lambda wanted=already: (
                room.get(found).state is JobState.RUNNING  # type: ignore[misc]
                and room.get(found).pages_done >= wanted
            )
        )
        os.kill(victim.pid or 0, signal.SIGKILL)
        victim.join()
        assert room.get(found).finished_at is None
        time.sleep(1.2)  # the lease runs out
    done = work_off(room, found)
    assert (done.state, done.pages_done) == (JobState.DONE, 3), done.error
    assert done.result_sha256 is not None
    with room.blobs.local(done.result_sha256) as path, pikepdf.open(path) as pdf:
        assert len(pdf.pages) == 3
    assert room.events().count("digitization.done") == 1
    assert room.events().count("job.retaken") == 2
    assert list((room.folder / "work").iterdir()) == []
