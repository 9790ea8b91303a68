"""Page after page into a folder. What was scanned is never lost.

Each document is written whole and forced to the disk before the next one is asked for: file
first, then the folder's log (`.sohoa-scan.json`), which is written anew in one step. A crash
between the two leaves a page that the log does not have; the next run takes it in. Whatever
ends a run, the pages before it stay, and the same command goes on behind the last of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dossier.errors import ScanCancelled, ScannerError, StateConflict, StoreError
from dossier.scanners.escl import Document, ScanJob, Scanner
from dossier.scanners.values import DocumentFormat, InputSource, ScannerCapabilities, ScanSettings
from ocr.wholefile import whole_file

LOG_FILE = ".sohoa-scan.json"
_PAGE_FILE = re.compile(r"(\d{4,6})\.(jpg|pdf)")
_FORM = 1


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """One file in the folder. `side` is "front" or "back" of a duplex run, else ""."""

    number: int
    file: str
    size_bytes: int
    sha256: str
    run: int | None
    """Which run made it; None: found in the folder after a crash."""
    side: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """What one run brought. `pages` are this run's, `pages_in_folder` all of them."""

    folder: Path
    run: int
    pages: tuple[ScannedPage, ...]
    pages_in_folder: int
    settings: ScanSettings
    capabilities: ScannerCapabilities


def capture(
    scanner: Scanner,
    capabilities: ScannerCapabilities,
    settings: ScanSettings,
    folder: Path,
    *,
    now: Callable[[], datetime],
    stop: threading.Event | None = None,
    seen: Callable[[ScannedPage], None] = lambda _: None,
) -> Capture:
    """Scan all that lies in the feeder, or the page on the glass, into `folder`.

    `seen` is told of each page once it is durable. When `stop` is set, or any error leaves this
    function, the device is told to forget the job. Raises `ScannerError` whose message says
    which pages are kept and how to go on, `StateConflict` while another run writes into the
    folder, `StoreError` when its log is damaged, and `OutputError` when it cannot be written.
    """
    with _only_writer(folder):
        log = _Log(folder)
        job = scanner.start(settings, stop)
        run = log.begin(scanner, capabilities, settings, now())
        pages: list[ScannedPage] = []
        try:
            while (document := job.next_document()) is not None:
                page = log.add(document, run, _side(settings, len(pages)))
                pages.append(page)
                seen(page)
        except ScannerError as error:
            _forget(job)
            log.end(run, type(error).__name__, now())
            raise error.keeping(_advice(error, folder, pages, settings)) from error.__cause__
        except BaseException as error:
            _forget(job)
            log.end(run, type(error).__name__, now())
            raise
        log.end(run, "complete", now())
        return Capture(folder, run, tuple(pages), len(log.pages), settings, capabilities)


def _forget(job: ScanJob) -> None:
    with suppress(ScannerError):
        job.cancel()


def _side(settings: ScanSettings, before: int) -> str:
    if not settings.duplex or settings.format is not DocumentFormat.JPEG:
        return ""
    return "back" if before % 2 else "front"


def _advice(
    error: ScannerError, folder: Path, pages: list[ScannedPage], settings: ScanSettings
) -> str:
    """What of this run is kept, and what to put into the feeder before the same command again."""
    if not pages:
        return f"Chưa có trang mới trong {folder}. / No new page is in {folder}."
    first, last = pages[0].file, pages[-1].file
    told = (
        f"Đã lưu {len(pages)} trang của lần quét này ({first}–{last}) trong {folder}. / "
        f"{len(pages)} pages of this run are kept ({first}–{last}) in {folder}."
    )
    if isinstance(error, ScanCancelled) or settings.source is InputSource.PLATEN:
        return told
    if pages[-1].side == "front":
        return (
            f"{told} Tờ cuối mới có mặt trước ({last}): đặt lại chính tờ đó lên đầu các tờ chưa "
            f"quét rồi chạy lại cùng lệnh; mặt trước của nó sẽ có hai ảnh. / Of the last sheet "
            f"only the front was scanned ({last}): put that sheet back on top of those that were "
            "not, and run the same command; its front will be there twice."
        )
    return (
        f"{told} Đặt các tờ chưa quét vào khay rồi chạy lại cùng lệnh để quét tiếp. / Load the "
        "sheets that were not scanned and run the same command to go on."
    )


class _Log:
    """The folder's log. Guarded by the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOG_FILE
        self.runs: list[dict[str, Any]] = []
        self.pages: list[dict[str, Any]] = []
        self._read()
        self._adopt()

    def begin(
        self,
        scanner: Scanner,
        capabilities: ScannerCapabilities,
        settings: ScanSettings,
        at: datetime,
    ) -> int:
        """Note a new run; its number, from 1."""
        number = len(self.runs) + 1
        self.runs.append(
            {
                "run": number,
                "scanner": scanner.address.name,
                "make_and_model": capabilities.make_and_model,
                "serial_number": capabilities.serial_number,
                "settings": asdict(settings),
                "started_at": at.isoformat(timespec="seconds"),
                "ended": None,
            }
        )
        self._write()
        return number

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

    def end(self, run: int, how: str, at: datetime) -> None:
        """Note how a run ended: ``complete``, or the error's name."""
        entry = self.runs[run - 1]
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
            self.runs = [dict(run) for run in entries["runs"]]
            self.pages = [asdict(ScannedPage(**page)) for page in entries["pages"]]
            is_ours = entries["form"] == _FORM and all(type(p["number"]) is int for p in self.pages)
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
        """Take in pages that became durable just before a crash."""
        known = {page["file"] for page in self.pages}
        for found in sorted(self._page_files(), key=lambda match: int(match[1])):
            if found[0] not in known:
                content = (self._folder / found[0]).read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                page = ScannedPage(int(found[1]), found[0], len(content), digest, None)
                self.pages.append(asdict(page))

    def _page_files(self) -> Iterator[re.Match[str]]:
        for path in self._folder.iterdir():
            if found := _PAGE_FILE.fullmatch(path.name):
                yield found

    def _write(self) -> None:
        entries = {"form": _FORM, "runs": self.runs, "pages": self.pages}
        with whole_file(self._path) as stream:
            stream.write(json.dumps(entries, ensure_ascii=False, indent=1).encode())


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
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
