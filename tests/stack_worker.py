"""An `ocr` worker over a folder until it is killed: python -m tests.stack_worker FOLDER KEY"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from dossier.queue.worker import Worker
from dossier.stacks.workplace import Workplace
from ocr.settings import DigitiseSettings
from tests.proof_stack import keys_of
from tests.reading_room import ReadingRoom


def main() -> None:
    folder, certificate = Path(sys.argv[1]), Path(sys.argv[2])
    keys = keys_of(certificate)
    cores = os.cpu_count() or 1
    with Workplace(folder / "reading", DigitiseSettings()) as workplace:
        room = ReadingRoom(f"sqlite:///{folder}/house.db", folder, workplace, lambda: keys)
        Worker(room.jobs, "ocr", room.handlers, threads=cores, lease_s=3).run(threading.Event())


if __name__ == "__main__":
    main()
