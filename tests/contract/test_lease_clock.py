"""Leases live by the database's clock: a machine whose own clock is wrong takes nobody's work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dossier.audit.log import AuditLog
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database
from tests.running_service import ROOT

SOURCE = ROOT / "tests" / "clock_shift" / "shift.c"
LEASE_S = 1.5
HOUR_S = 3600
# a machine of its own: says how late it believes it is, claims, renews while it is told to
MACHINE = """
import sys, time
from dossier.audit.log import AuditLog
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database

database = Database(sys.argv[1])
queue = JobQueue(database, AuditLog(database))
print(int(time.time()), flush=True)
for line in sys.stdin:
    if line == "claim\\n":
        print(len(queue.claim("seal", "shifted", 1, float(sys.argv[2]))), flush=True)
    elif line == "keep\\n":
        print(len(queue.keep("shifted", float(sys.argv[2]))), flush=True)
    elif line == "retry\\n":
        with database.begin() as connection:
            queue.enqueue(connection, queue="seal", kind="x", subject="late", agency_id=None)
        print(0, flush=True)
database.close()
"""


@pytest.fixture(scope="module")
def shifting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clock") / "shift.so"
    options = ["-Wall", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run(["gcc", *options, "-o", made, SOURCE, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("shift_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_is_an_hour_wrong_moves_no_lease(
    shifting: Path, shift_s: int, postgres_url: str, open_database: Callable[[str], Database]
) -> None:
    database = open_database(postgres_url)
    queue = JobQueue(database, AuditLog(database))
    with database.begin() as connection:
        queue.enqueue(connection, queue="seal", kind="x", subject="one", agency_id=None)
    process = subprocess.Popen(
        [sys.executable, "-c", MACHINE, postgres_url, str(LEASE_S)],
        cwd=ROOT,
        env={"LD_PRELOAD": str(shifting), "CLOCK_SHIFT_S": str(shift_s), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def tell(word: str) -> int:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    with process:
        its_time = int(process.stdout.readline())
        assert abs(its_time - time.time() - shift_s) < 60  # its clock is wrong indeed

        # it holds a job: nobody else gets it while it renews, for longer than a lease
        assert tell("claim") == 1
        until = time.monotonic() + 1.5 * LEASE_S
        while time.monotonic() < until:
            assert tell("keep") == 1
            assert queue.claim("seal", "here", 1, LEASE_S) == []
            time.sleep(0.2)
        # and when it stops, the job is free after one lease, not an hour early or late
        began = time.monotonic()
        taken = []
        while not taken and time.monotonic() < began + 10 * LEASE_S:
            taken = queue.claim("seal", "here", 1, LEASE_S)
            time.sleep(0.05)
        assert [job.subject for job in taken] == ["one"]
        assert time.monotonic() - began > 0.5 * LEASE_S

        # the other way round: it does not believe that our lease has run out
        assert tell("claim") == 0
        assert queue.keep("here", LEASE_S)
        assert tell("keep") == 0
        # what it enqueues is due now
        assert tell("retry") == 0
        assert [job.subject for job in queue.claim("seal", "here", 5, LEASE_S)] == ["late"]
        process.stdin.close()
        assert process.wait(20) == 0
