"""A process with a worker: writes the worker's id to the named file, then waits to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ocr.workers import Workers
from tests.worker_tasks import own_pid


def main() -> None:
    """Start a worker, tell its id, and wait."""
    with Workers(1, seconds=600, memory_bytes=4 << 30) as workers:
        told = Path(sys.argv[1])
        part = told.with_suffix(".part")
        part.write_text(str(workers.submit(own_pid).result()))
        part.rename(told)
        time.sleep(600)


if __name__ == "__main__":
    main()
