"""What a job may cost: processor time, memory, standing still, and how often it may try."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from dossier.audit.log import AuditLog
from dossier.errors import StoreError
from dossier.model import Caller, JobState, Role
from dossier.queue.bounds import Effort, JobBounds
from dossier.queue.jobs import Job, JobQueue, NewJob
from dossier.queue.retrying import Outcome, outcome_of
from dossier.queue.worker import Worker
from dossier.storage.database import Database

AUDITOR = Caller("prn-1", "Kiểm tra mẫu", "H22.12", frozenset({Role.AUDITOR}))
BOUNDS = JobBounds(0.3, frozenset({"document"}))


@pytest.fixture
def queue(sqlite_url: str, open_database: Callable[[str], Database]) -> JobQueue:
    database = open_database(sqlite_url)
    return JobQueue(database, AuditLog(database))


def add(queue: JobQueue, *subjects: str, kind: str = "document") -> None:
    with queue.database.begin() as connection:
        queue.enqueue_many(connection, [NewJob("seal", kind, s, "H22.12") for s in subjects])


def done(queue: JobQueue, job: Job) -> None:
    queue.database.together(lambda connection: queue.done(connection, job))


def ran(queue: JobQueue, handler: Callable[[Job], None], **options) -> Worker:
    """A worker that has ended by itself, without being stopped."""
    kinds = dict.fromkeys(("document", "other"), handler)
    worker = Worker(queue, "seal", kinds, lease_s=0.3, **{"bounds": BOUNDS, **options})
    thread = threading.Thread(target=worker.run, args=(threading.Event(),))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return worker


def found(queue: JobQueue) -> dict[str, tuple[JobState, str]]:
    return {
        view.subject: (view.state, (view.error or {}).get("kind", ""))
        for view in queue.list(AUDITOR, limit=200)
    }


def burn(until: threading.Event, most_s: float = 10) -> None:
    began = time.monotonic()
    while not until.is_set() and time.monotonic() - began < most_s:
        sum(range(1000))


def test_cpu_of_a_document_is_bounded_and_the_others_are_finished(queue):
    """It fails with a reason; what ran beside it is done; the process asks to be replaced."""
    add(queue, "endless", "calm-1", "calm-2")
    enough = threading.Event()

    def handler(job: Job) -> None:
        if job.subject == "endless":
            burn(enough)
            return
        time.sleep(0.6)  # waits longer than the other computes: waiting costs nothing
        done(queue, job)

    worker = ran(queue, handler, threads=3)
    told = found(queue)
    assert told["endless"] == (JobState.FAILED, "JobTooDemanding")
    assert told["calm-1"] == told["calm-2"] == (JobState.DONE, "")
    (view,) = (view for view in queue.list(AUDITOR) if view.subject == "endless")
    assert "0.3 s of processor time" in view.error["message"]
    assert "giây bộ xử lý" in view.error["message"]
    assert [hung.subject for hung in worker.health().hung] == ["endless"]
    enough.set()


def test_cpu_of_other_kinds_of_jobs_is_not_bounded(queue):
    add(queue, "long", kind="other")
    add(queue, "endless")
    enough = threading.Event()

    def handler(job: Job) -> None:
        burn(enough, 0.8 if job.subject == "long" else 10)
        if job.subject == "long":
            done(queue, job)

    ran(queue, handler, threads=2)
    assert found(queue)["long"] == (JobState.DONE, "")
    enough.set()


def test_what_the_stopped_thread_still_makes_is_dropped(queue):
    """A document that was failed cannot come back as a published one."""
    add(queue, "endless")
    enough, ended = threading.Event(), threading.Event()
    raised: list[Exception] = []

    def handler(job: Job) -> None:
        burn(enough)
        try:
            done(queue, job)
        except Exception as error:
            raised.append(error)
            raise
        finally:
            ended.set()

    ran(queue, handler)
    enough.set()
    assert ended.wait(5)
    assert [type(error).__name__ for error in raised] == ["LeaseLost"]
    assert found(queue)["endless"][0] is JobState.FAILED


def test_a_bound_that_cannot_be_recorded_leaves_the_job_to_its_lease(queue, monkeypatch):
    """The database is away: the lease runs out, and another worker takes the job alone."""
    add(queue, "endless")
    enough = threading.Event()

    def away(*arguments: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(queue, "fail", away)
    ran(queue, lambda job: burn(enough))
    enough.set()
    assert found(queue)["endless"][0] is JobState.RUNNING
    time.sleep(0.5)  # the lease is 0.3 s
    (job,) = queue.claim("seal", "next", 5, 60)
    assert job.isolated


def test_memory_of_a_document_is_bounded_first_in_company_then_alone(queue):
    """The neighbour that happened to ask last is innocent: whoever fails alone is not."""
    add(queue, "greedy", "innocent")
    tries: dict[str, list[bool]] = {"greedy": [], "innocent": []}
    stop = threading.Event()

    def handler(job: Job) -> None:
        tries[job.subject].append(job.isolated)
        if job.subject == "greedy" or not job.isolated:
            raise MemoryError
        done(queue, job)

    worker = Worker(queue, "seal", {"document": handler}, threads=2, bounds=BOUNDS)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 20
    while queue.waiting("seal") and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert found(queue) == {
        "greedy": (JobState.FAILED, "JobTooDemanding"),
        "innocent": (JobState.DONE, ""),
    }
    assert tries == {"greedy": [False, True], "innocent": [False, True]}


def test_a_shortage_alone_is_final_and_says_so():
    assert outcome_of(MemoryError(), 1).suspect
    verdict = outcome_of(MemoryError(), 2, alone=True)
    assert verdict.outcome is Outcome.FAIL
    assert "more memory than is allowed" in verdict.error["message"]
    assert "bộ nhớ" in verdict.error["message"]


def test_effort_is_that_of_the_thread_that_began_it():
    efforts: list[Effort] = []
    begun, enough = threading.Event(), threading.Event()

    def waits() -> None:
        efforts.append(Effort.of_this_thread())
        begun.set()
        enough.wait(10)

    thread = threading.Thread(target=waits)
    thread.start()
    assert begun.wait(5)
    burn(enough, 0.3)  # here, not there
    assert efforts[0].spent < 0.1
    enough.set()
    thread.join()


def child(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_memory_of_the_process_is_bounded_and_no_core_is_left():
    told = child(
        "import resource\n"
        "from dossier.queue.bounds import bound_memory\n"
        "bound_memory(200 << 20)\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
        "bytearray(100 << 20)\n"
        "try:\n    bytearray(300 << 20)\nexcept MemoryError:\n    print('refused')\n"
    )
    assert told.stdout.split() == ["0", "refused"], told.stderr


def test_a_limit_of_the_machine_is_never_raised():
    hard = 600 << 20
    told = child(
        "import resource\n"
        "from dossier.queue.bounds import bound_memory\n"
        f"resource.setrlimit(resource.RLIMIT_DATA, ({hard}, {hard}))\n"
        f"bound_memory({4 << 30})\n"
        "print(*resource.getrlimit(resource.RLIMIT_DATA))\n"
    )
    assert told.stdout.split() == [str(hard), str(hard)], told.stderr
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != hard


@pytest.mark.parametrize(("call", "kept"), [("give_back_memory()", False), ("None", True)])
def test_what_large_files_took_goes_back_to_the_machine(call: str, kept: bool) -> None:
    ended = child(f"""
from pathlib import Path
from dossier.queue.bounds import give_back_memory

def held():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) // 1024

{call}
once = bytearray(12 << 20)
del once  # a large block that was freed once makes glibc keep later ones
before = held()
files, notes = [], []
for _ in range(60):
    files.append(bytearray(b"x") * (2 << 20))
    notes.append(bytearray(2_000))  # outlives the file beside it
del files
print(held() - before)
""")
    assert ended.returncode == 0, ended.stderr
    assert (int(ended.stdout) > 60) is kept


def test_when_the_machine_runs_out_of_memory_this_process_goes_first():
    told = child(
        "from pathlib import Path\n"
        "from dossier.queue.bounds import bound_memory\n"
        "own = Path('/proc/self/oom_score_adj')\n"
        "bound_memory(300 << 20)\n"
        "print(own.read_text())\n"
        "own.write_text('700')\n"
        "bound_memory(300 << 20)\n"
        "print(own.read_text())\n"
    )
    assert told.stdout.split() == ["500", "700"], told.stderr


STANDSTILL = """
import ctypes, threading, time
from dossier.queue.bounds import standstill_switch
with standstill_switch(0.5):
    time.sleep(1.2)  # nobody stands still who lets others run
    print("calm", flush=True)
    {last}
print("over", flush=True)
"""


def test_a_library_that_lets_nobody_run_ends_the_process():
    """It keeps the interpreter's lock: neither signals nor threads of Python are served."""
    told = child(STANDSTILL.format(last="ctypes.PyDLL(None).sleep(30)"))
    assert told.stdout.split() == ["calm"]
    assert told.returncode == 1
    assert "most recent call first" in told.stderr


def test_the_switch_is_off_behind_its_block():
    told = child(STANDSTILL.format(last="") + "ctypes.PyDLL(None).sleep(2)\n")
    assert told.stdout.split() == ["calm", "over"]
    assert told.returncode == 0
