"""Scans that are made to harm whoever decodes them: each fails its own digitization, at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from dossier.model import JobState, Role
from tests.fixtures_digitizing import AGENCIES, ScanningRoom, scanner_of
from tests.hostile_documents import cyclic_pages, garbage
from tests.hostile_pages import encrypted, pages, picture

HOSTILE_SCANS: dict[str, tuple[Callable[[], bytes], str]] = {
    "pixels of JPEG 2000": (lambda: picture(b"JPXDecode"), "60000"),
    "pixels of JBIG2": (lambda: picture(b"JBIG2Decode"), "60000"),
    "pixels of a bitmap": (lambda: picture(b"FlateDecode"), "60000"),
    "pages without end": (lambda: pages(100_000), "pages"),
    "pages in a ring": (cyclic_pages, "a"),
    "encrypted": (lambda: encrypted("mat-khau"), "password"),
    "garbage": (garbage, "a"),
}


@pytest.mark.timeout(120)
def test_bounds_on_pixels_and_pages_fail_that_scan_alone(
    sqlite_scanning_room: ScanningRoom,
) -> None:
    """No try is repeated, for the same scan would give the same answer; the worker lives on."""
    room = sqlite_scanning_room
    ordered = {name: room.order(room.bring(make()))[0] for name, (make, _) in HOSTILE_SCANS.items()}
    stop = threading.Event()
    worker = threading.Thread(target=room.worker(lease_s=5.0).run, args=(stop,))
    worker.start()
    try:
        until = time.monotonic() + 100
        for found in ordered.values():
            while room.get(found).finished_at is None:
                assert time.monotonic() < until, room.get(found)
                time.sleep(0.05)
    finally:
        stop.set()
        worker.join()
    for name, found in ordered.items():
        ended = room.get(found)
        assert ended.state is JobState.FAILED, (name, ended)
        assert ended.error["kind"] == "InvalidOrder", (name, ended.error)
        assert HOSTILE_SCANS[name][1] in ended.error["message"], (name, ended.error)
        (job,) = room.jobs.list(scanner_of(AGENCIES[0], Role.AUDITOR), subject=found.id)
        assert (job.attempts, job.crashes) == (1, 0), (name, job)
