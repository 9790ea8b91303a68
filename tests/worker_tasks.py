"""Tasks that worker processes import by name: some that fail as real ones do."""

from __future__ import annotations

import os
import time

from ocr.errors import DamagedFile


def double(value: int) -> int:
    """A task that goes well."""
    return 2 * value


def die(signal: int) -> None:
    """End the worker as a crash in native code does."""
    os.kill(os.getpid(), signal)
    time.sleep(30)


def leave(status: int) -> None:
    """End the worker with an exit status."""
    os._exit(status)


def hang() -> None:
    """Never end."""
    time.sleep(600)


def devour() -> int:
    """Ask for more memory than any page may have."""
    return len(bytearray(64 << 30))


def refuse() -> None:
    """Raise a typed error."""
    raise DamagedFile("broken", source="a.tif", page=3)


def threads_told() -> str | None:
    """What OpenMP is told in this worker."""
    return os.environ.get("OMP_THREAD_LIMIT")


def own_pid() -> int:
    """The worker's process id."""
    return os.getpid()
