"""kill -9 of the process that watches a folder: python -m tests.proof_inbox [--kills 30]

Prints one line of JSON a database; ends with an error when a file was lost, doubled or put out
of order.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.inbox_watcher import storm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--drops", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("postgresql", "sqlite"))
    wanted = parser.parse_args()
    faults = 0
    cluster = PostgresCluster(postgres_programs()) if wanted.only != "sqlite" else None
    try:
        for name in ("sqlite", "postgresql"):
            if wanted.only not in (None, name):
                continue
            with tempfile.TemporaryDirectory(prefix="sohoa-inbox-") as place:
                folder = Path(place)
                url = f"sqlite:///{folder / 'house.db'}"
                if name == "postgresql" and cluster is not None:
                    url = cluster.url(cluster.new_database())
                database = Database(url)
                upgrade(database)
                database.close()
                begin = time.monotonic()
                judged = storm(
                    url, folder, kills=wanted.kills, drops=wanted.drops, seed=wanted.seed
                )
                told = judged.to_json() | {"seconds": round(time.monotonic() - begin, 1)}
                sys.stdout.write(json.dumps({name: told}, ensure_ascii=False) + "\n")
                sys.stdout.flush()
                faults += len(judged.faults)
    finally:
        if cluster is not None:
            cluster.close()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
