"""The folder that pages go to: its files, its log, its lock.

A page is written whole and forced to the disk, then the log is written anew in one step. A crash
between the two leaves a page that the log does not have; whoever opens the log takes it in.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dossier.errors import StateConflict, StoreError
from dossier.scanners.escl import Document, Scanner
from dossier.scanners.values import ScannerCapabilities, ScanSettings
from ocr.wholefile import whole_file

LOG_FILE = ".sohoa-scan.json"
_PAGE_FILE = re.compile(r"(\d{4,6})\.(jpg|pdf)")
_FORM = 1
_NO_RUN: dict[str, Any] = {"scanner": "", "settings": {}, "job": "", "ended": None}


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """One file in the folder. `side` is "front" or "back" of a duplex run, else ""."""

    number: int
    file: str
    size_bytes: int
    sha256: str
    run: int | None
    """Which run made it; None: it came from elsewhere."""
    side: str = ""


class FolderLog:
    """The folder's log. Used under the folder's lock (`only_writer`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOG_FILE
        self.runs: list[dict[str, Any]] = []
        self.pages: list[dict[str, Any]] = []
        self._read()
        self._adopt()

    def pages_of(self, run: int) -> list[dict[str, Any]]:
        """The pages that a run brought."""
        return [page for page in self.pages if page["run"] == run]

    def cut_off(self) -> dict[str, Any] | None:
        """The last run, when its process was killed before it could note how it ended."""
        last = self.runs[-1] if self.runs else None
        return last if last is not None and last["ended"] is None else None

    def begin(
        self,
        scanner: Scanner,
        capabilities: ScannerCapabilities,
        settings: ScanSettings,
        job_path: str,
        at: datetime,
    ) -> None:
        """Note a new run; its number is their count."""
        self.runs.append(
            {
                "run": len(self.runs) + 1,
                "scanner": scanner.address.name,
                "make_and_model": capabilities.make_and_model,
                "serial_number": capabilities.serial_number,
                "settings": settings_told(settings),
                "job": job_path,
                "started_at": at.isoformat(timespec="seconds"),
                "ended": None,
            }
        )
        self._write()

    def add(self, document: Document, run: int, side: str) -> ScannedPage:
        """Make a document durable under the next number."""
        number = self._next_number()
        name = f"{number:04d}.{document.format.suffix}"
        with whole_file(self._folder / name) as stream:
            stream.write(document.content)
        digest = hashlib.sha256(document.content).hexdigest()
        page = ScannedPage(number, name, len(document.content), digest, run, side)
        self.pages.append(asdict(page))
        self._write()
        return page

    def end(self, how: str, at: datetime) -> None:
        """Note how the last run ended: ``complete``, ``cut off``, or the error's name."""
        entry = self.runs[-1]
        entry["ended"], entry["ended_at"] = how, at.isoformat(timespec="seconds")
        self._write()

    def _next_number(self) -> int:
        """Behind every page that is or was here: a number is never given twice."""
        used = [page["number"] for page in self.pages]
        used += [int(found[1]) for found in self._page_files()]
        return max(used, default=0) + 1

    def _read(self) -> None:
        try:
            entries = json.loads(self._path.read_bytes())
            self.runs = [{**_NO_RUN, **run} for run in entries["runs"]]
            self.pages = [asdict(ScannedPage(**page)) for page in entries["pages"]]
            is_ours = (
                entries["form"] == _FORM
                and all(type(page["number"]) is int for page in self.pages)
                and [run.get("run") for run in self.runs] == [*range(1, len(self.runs) + 1)]
            )
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise self._damaged() from error
        if not is_ours:
            raise self._damaged()

    def _damaged(self) -> StoreError:
        return StoreError(
            f"{self._path} hỏng; các trang vẫn còn: hãy quét vào thư mục khác. / It is damaged; "
            "the pages are still there: scan into another folder."
        )

    def _adopt(self) -> None:
        """Take in pages that became durable just before a crash.

        A page is noted before the next is asked for, so the one behind the last that was noted
        is of the run that was cut off; others came from elsewhere.
        """
        known = {page["file"] for page in self.pages}
        next_number = max((page["number"] for page in self.pages), default=0) + 1
        last = self.cut_off()
        for found in sorted(self._page_files(), key=lambda match: int(match[1])):
            if found[0] not in known:
                number = int(found[1])
                content = (self._folder / found[0]).read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                run = last["run"] if last is not None and number == next_number else None
                page = ScannedPage(number, found[0], len(content), digest, run)
                self.pages.append(asdict(page))

    def _page_files(self) -> Iterator[re.Match[str]]:
        for path in self._folder.iterdir():
            if found := _PAGE_FILE.fullmatch(path.name):
                yield found

    def _write(self) -> None:
        entries = {"form": _FORM, "runs": self.runs, "pages": self.pages}
        with whole_file(self._path) as stream:
            stream.write(json.dumps(entries, ensure_ascii=False, indent=1).encode())


def settings_told(settings: ScanSettings) -> dict[str, Any]:
    """The settings as the log has them."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return told


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """The folder, made when it is missing, locked for this run; a crash frees it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(
            f"Không dùng được thư mục {folder} ({error.strerror}); chọn thư mục khác. / The folder "
            f"{folder} cannot be used ({error.strerror}); choose another."
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateConflict(
                f"Một lần quét khác đang ghi vào {folder}; chờ xong hoặc chọn thư mục khác. / "
                f"Another scan is writing into {folder}; wait, or choose another folder."
            ) from error
        yield
    finally:
        os.close(handle)
