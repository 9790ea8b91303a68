"""Writers of one SQLite file take turns, threads and processes alike.

SQLite lets one writer in and makes the others sleep, longer each time, up to 100 ms: with a web
process and two workers most of a commit's time was sleep. Here threads queue for a lock and
processes for a lock on a file beside the database, looked at every half millisecond. A killed
process lets go at once. SQLite's own locks decide still; these only order those who come.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dossier.errors import StoreError

_LOOK_S = 0.0005


class Turns:
    """The turns of one process at a file, or (None) of its threads alone."""

    def __init__(self, beside: Path | None, wait_s: float) -> None:
        """`beside` is the database; the lock file has its name and ``.turn``."""
        self._path = None if beside is None else beside.with_name(f"{beside.name}.turn")
        self._wait_s = wait_s
        self._thread = threading.Lock()
        self._file: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and hold it. Raises `StoreError` when it does not come in time."""
        until = time.monotonic() + self._wait_s
        if not self._thread.acquire(timeout=self._wait_s):
            raise _no_turn()
        try:
            if self._path is None:
                yield
                return
            handle = self._lock(self._path, until)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            self._thread.release()

    def close(self) -> None:
        """Close the lock file; it is opened again when it is needed."""
        with self._thread:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _lock(self, path: Path, until: float) -> int:
        if self._file is None:
            try:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise StoreError(
                    f"Không mở được {path} ({error.strerror}); hãy kiểm tra quyền ghi thư mục. / "
                    "The lock file of the database cannot be opened; check that its folder can be "
                    "written."
                ) from error
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise _no_turn() from None
                time.sleep(_LOOK_S)
            else:
                return self._file


def _no_turn() -> StoreError:
    return StoreError(
        "Cơ sở dữ liệu đang bị chiếm quá lâu; không mất gì, hãy thử lại. / The database is busy "
        "for too long; nothing is lost, try again."
    )
