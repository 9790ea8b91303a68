"""Scanning from a network scanner into a stack, in a thread of the web process.

    runs.start(caller, stack_id, "quay-3", ScanWish(duplex=True))     # StateConflict: one runs
    runs.of(stack_id)                                                 # how far it is

Each page is durable in its folder, then in the stack, before the scanner is asked for the next.
What lies in the folder and is not in the stack (the process was killed between the two) is put
there when the next run begins.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.console.files import Purpose, add_file
from api.problems import report
from api.web.intake import Received
from dossier.errors import ScanCancelled, StateConflict
from dossier.intake.observations import Side
from dossier.model import Caller, new_id
from dossier.scanners.address import choose_scanner
from dossier.scanners.capture import capture
from dossier.scanners.escl import Scanner
from dossier.scanners.folder import ScannedPage
from dossier.scanners.tickets import ScanWish, settle

if TYPE_CHECKING:
    from api.house import House

_LOG = logging.getLogger(__name__)
_PAGE_FILE = re.compile(r"\d{4,6}\.(jpg|pdf)")
_MOST_KEPT = 200
_SIDES = {"front": Side.FRONT, "back": Side.BACK}


@dataclass(frozen=True, slots=True)
class ScanRun:
    """How far a run is. `message` ("Vietnamese / English") says why one broke off."""

    device: str
    is_running: bool = True
    pages: int = 0
    message: str = ""


class ScanRuns:
    """The runs of one process, one a stack at a time. Safe for threads."""

    def __init__(self, house: House, folder: Path) -> None:
        """Pages pass through `folder`."""
        self._house = house
        self._folder = folder
        self._lock = threading.Lock()
        self._runs: dict[str, ScanRun] = {}
        self._stops: dict[str, threading.Event] = {}

    def of(self, stack_id: str) -> ScanRun | None:
        """The last run of a stack, if this process made one."""
        return self._runs.get(stack_id)

    def start(
        self,
        caller: Caller,
        stack_id: str,
        device: str,
        wish: ScanWish,
        purpose: Purpose = None,
    ) -> None:
        """Begin a run. Raises `StateConflict` while one runs, `NotFound`, `InvalidOrder`.

        Whatever is wrong with the scanner is told by `of`.
        """
        scanners = {
            name: (one.url, one.certificate) for name, one in self._house.settings.scanners.items()
        }
        scanner = Scanner(choose_scanner(device or None, scanners))
        self._house.stacks.get(caller, stack_id)
        stop = threading.Event()
        with self._lock:
            known = self._runs.get(stack_id)
            if known is not None and known.is_running:
                raise StateConflict(
                    "Tập giấy này đang được quét; hãy chờ xong hoặc bấm Dừng. / This stack is "
                    "being scanned; wait, or press Stop."
                )
            while len(self._runs) >= _MOST_KEPT:
                ended = next((one for one, run in self._runs.items() if not run.is_running), None)
                if ended is None:
                    break
                del self._runs[ended]
            self._runs[stack_id] = ScanRun(scanner.address.name)
            self._stops[stack_id] = stop
        run = _Run(self._house, caller, stack_id, self._folder / stack_id, purpose)
        threading.Thread(
            target=self._run, args=(run, scanner, wish, stop), name=f"scan-{stack_id}", daemon=True
        ).start()

    def stop(self, stack_id: str) -> None:
        """Ask a run to end after the page that it is at."""
        with self._lock:
            stop = self._stops.get(stack_id)
        if stop is not None:
            stop.set()

    def forget(self, stack_id: str) -> None:
        """Remove the files of a stack that no more paper comes into: they are in its scans."""
        with self._lock:
            known = self._runs.get(stack_id)
            if known is not None and known.is_running:
                return
            self._runs.pop(stack_id, None)
            self._stops.pop(stack_id, None)
        shutil.rmtree(self._folder / stack_id, ignore_errors=True)

    def _run(self, run: _Run, scanner: Scanner, wish: ScanWish, stop: threading.Event) -> None:
        message = ""
        try:
            run.take_left_over()
            capabilities = scanner.capabilities()
            settings = settle(wish, capabilities)

            def seen(page: ScannedPage) -> None:
                run.take(page.file, _SIDES.get(page.side, Side.SINGLE))
                self._note(run.stack_id, more=1)

            capture(scanner, capabilities, settings, run.folder, now=_now, stop=stop, seen=seen)
        except ScanCancelled:
            message = "Đã dừng quét. / Scanning was stopped."
        except Exception as error:  # noqa: BLE001 - whatever it is: the screen has to say it
            told = report(error)
            if told.error_id is not None:
                _LOG.exception("a scan broke off", extra={"error_id": told.error_id})
            message = told.message
        self._note(run.stack_id, message=message, is_running=False)

    def _note(
        self, stack_id: str, *, more: int = 0, message: str = "", is_running: bool = True
    ) -> None:
        with self._lock:
            known = self._runs[stack_id]
            self._runs[stack_id] = replace(
                known, pages=known.pages + more, message=message, is_running=is_running
            )


class _Run:
    """Where the pages of one run go."""

    def __init__(
        self, house: House, caller: Caller, stack_id: str, folder: Path, purpose: Purpose
    ) -> None:
        self._house, self._caller, self._purpose = house, caller, purpose
        self.stack_id = stack_id
        # a page that takes another one's place is no more of the stack: it has its own folder
        self.folder = folder / ("pages" if purpose is None else new_id("again"))

    def take_left_over(self) -> None:
        """Put into the stack what an earlier run left in the folder."""
        if self.folder.is_dir():
            names = (path.name for path in self.folder.iterdir())
            for name in sorted(name for name in names if _PAGE_FILE.fullmatch(name)):
                self.take(name, Side.SINGLE)

    def take(self, name: str, side: Side) -> None:
        path = self.folder / name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        received = Received(digest, path.stat().st_size, path)
        shown = name if self._purpose is None else f"{self.folder.name}-{name}"
        add_file(
            self._house,
            self._caller,
            self.stack_id,
            shown,
            received,
            side=side,
            purpose=self._purpose,
        )


def _now() -> datetime:
    return datetime.now(UTC)
