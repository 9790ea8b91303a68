"""Types into a paper as fast as it goes, and tells each keystroke that was acknowledged.

python -m tests.typing_victim DATABASE_URL FOLDER PAPER_ID    # until it is killed
"""

from __future__ import annotations

import sys
from pathlib import Path

from dossier.checking.values import Target
from dossier.storage.database import Database
from tests.checking_room import MAU, CheckingRoom

TARGET = Target.parse("field:abstract")


def value_of(version: int) -> str:
    """What is typed as the keystroke of that number."""
    return f"Về việc nâng lương đợt {version}"


def main() -> None:
    url, folder, paper_id = sys.argv[1:]
    room = CheckingRoom(Database(url), Path(folder))
    room.desk.take(MAU, paper_id)
    version = 0
    while True:
        version += 1
        kept = room.desk.type(MAU, paper_id, TARGET, value_of(version), version)
        sys.stdout.write(f"{kept.version}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
