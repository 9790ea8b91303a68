"""Nobody waits in a circle: python -m tests.proof_locks [--seconds 20] [--processes 2]

Processes with sixteen threads each write to one PostgreSQL whatever the service writes
(`tests.lock_storm`). Prints what they did as JSON; ends with an error when the server had to break
a deadlock, a statement failed, or an update was lost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import sqlalchemy as sa

from dossier.audit.recompute import recompute
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.lock_storm import found
from tests.running_service import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    wanted = parser.parse_args()
    cluster = PostgresCluster(postgres_programs())
    try:
        url = cluster.url(cluster.new_database())
        database = Database(url)
        upgrade(database)
        told = prove(database, url, wanted.seconds, wanted.seed, wanted.processes, wanted.threads)
        database.close()
    finally:
        cluster.close()
    sys.stdout.write(json.dumps({"seed": wanted.seed, **told}, ensure_ascii=False) + "\n")
    return 0


def prove(
    database: Database, url: str, seconds: float, seed: int, processes: int, threads: int
) -> dict[str, Any]:
    """Run the storm on an empty database with the newest schema, and judge it."""
    found(database)
    command = [sys.executable, "-m", "tests.lock_storm", url, str(seconds)]
    running = [
        subprocess.Popen([*command, str(seed + n), str(threads)], cwd=ROOT, stdout=subprocess.PIPE)
        for n in range(processes)
    ]
    done: dict[str, int] = {}
    errors: list[str] = []
    for process in running:
        out, _ = process.communicate(timeout=seconds + 120)
        assert process.returncode == 0, out
        told = json.loads(out)
        errors += told["errors"]
        for name, count in told["done"].items():
            done[name] = done.get(name, 0) + count
    assert not errors, (len(errors), errors[:5])
    return {"done": done, **judge(database, done)}


def judge(database: Database, done: dict[str, int]) -> dict[str, Any]:
    """No deadlock; numbers, counters, versions and the audit chain agree with the rows."""
    with database.read() as connection:

        def one(statement: str) -> Any:
            return connection.execute(sa.text(statement)).scalar_one()

        deadlocks = one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert deadlocks == 0, f"{deadlocks} deadlocks"
        chain = recompute(connection, "service")
        wrong = {name: one(statement) for name, statement in _LOST.items()}
        assert not any(wrong.values()), wrong
        for agency in ("H01", "H02"):
            version = one(f"SELECT version FROM agencies WHERE id = '{agency}'")  # noqa: S608
            assert version == 1 + done.get(f"renamed {agency}", 0), (agency, version)
        return {
            "deadlocks": deadlocks,
            "audit_entries": chain.seq,
            "records": one("SELECT count(*) FROM records"),
            "published": one("SELECT count(*) FROM records WHERE published_at IS NOT NULL"),
        }


_LIVE = "state NOT IN ('failed', 'cancelled')"
_EVENTS = 'SELECT count(*) FROM audit_entries WHERE entry LIKE \'%"event":"{}"%\''
_LOST = {
    # a number given twice to living records of which neither replaces the other
    "numbers twice": f"""SELECT count(*) FROM (SELECT 1 FROM records WHERE number IS NOT NULL
        AND superseded_by IS NULL AND {_LIVE}
        GROUP BY agency_id, symbol, year, number HAVING count(*) > 1) AS twice""",  # noqa: S608
    # a number of a book that nobody has and nothing explains
    "numbers lost": f"""SELECT count(*) FROM number_books AS b,
        generate_series(1, b.last_number) AS n WHERE NOT EXISTS (SELECT 1 FROM records AS r
            WHERE r.agency_id = b.agency_id AND r.symbol = b.book AND r.year = b.year
            AND r.number = n AND {_LIVE})
        AND NOT EXISTS (SELECT 1 FROM audit_entries AS e WHERE e.agency_id = b.agency_id
            AND (e.entry LIKE '%"event":"number.unused"%' OR e.entry LIKE '%"unused_numbers"%')
            AND e.entry LIKE '%"number":' || n || ',%'
            AND e.entry LIKE '%' || b.book || '%')""",  # noqa: S608
    "batch counters": """SELECT count(*) FROM batches AS b WHERE b.finished_at IS NULL AND (
        b.published <> (SELECT count(*) FROM batch_items AS i WHERE i.batch_id = b.id
            AND i.state IN ('published', 'held'))
        OR b.handed <> (SELECT count(*) FROM batch_items AS i WHERE i.batch_id = b.id
            AND (i.record_id IS NOT NULL OR i.state = 'failed')))""",
    "records without their event": f"""SELECT abs((SELECT count(*) FROM records
        WHERE state IN ('published', 'superseded') AND batch_id IS NULL)
        - ({_EVENTS.format("signature.published")} AND subject IN
            (SELECT id FROM records WHERE batch_id IS NULL)))""",  # noqa: S608
    "records between states": """SELECT count(*) FROM records AS r WHERE sequence_id IS NULL
        AND state IN ('accepted', 'signing') AND NOT EXISTS (SELECT 1 FROM jobs AS j
            WHERE j.subject = r.id AND j.state IN ('ready', 'running'))""",
    "replaced by nobody": """SELECT count(*) FROM records AS r WHERE superseded_by IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM records AS s WHERE s.id = r.superseded_by
            AND s.supersedes = r.id AND s.state NOT IN ('failed', 'cancelled'))""",
}


if __name__ == "__main__":
    sys.exit(main())
