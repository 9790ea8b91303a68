"""Restores a backup and kills itself (-9) at the n-th step.

python -m tests.backup_victim BACKUP DATABASE_URL BLOBS_FOLDER KEYS_DB N
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from dossier.backup import Installation, restore
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database


def main() -> None:
    backup, url, blobs, keys, number = sys.argv[1:]
    left = int(number)

    def count(step: str, done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    target = Installation(Database(url), FolderBlobs(Path(blobs)), Path(keys))
    restore(Path(backup), target, count)


if __name__ == "__main__":
    main()
