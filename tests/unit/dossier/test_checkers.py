"""Processes that verify: what a file may cost, what becomes of it, and of the others."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dossier.errors import Overloaded, VerificationStopped
from dossier.trust.snapshot import Snapshot
from dossier.verifying import checkers as checking
from dossier.verifying.checkers import Bounds, Checkers
from dossier.verifying.known import KnownDigests
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.hostile_documents import assemble, object_stream_bomb, one_page
from tests.hostile_pages import hardest_rows
from tests.trust_parties import Party

FORGETFUL = KnownDigests(0)  # these tests are about the processes: each file is read each time
TIGHT = Bounds(wall_s=20, cpu_s=2, memory_bytes=300 << 20)


@pytest.fixture(scope="module")
def checkers() -> Iterator[Checkers]:
    with Checkers(TrustStore(), processes=1, bounds=TIGHT, known=FORGETFUL) as made:
        made.warm()
        yield made


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    path = tmp_path / "calm.pdf"
    path.write_bytes(assemble(one_page()))
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    path = tmp_path / "endless.pdf"
    path.write_bytes(hardest_rows())
    return path


def pid_of(checkers: Checkers) -> int:
    process = checkers._all[0]._process
    assert process is not None
    assert process.pid is not None
    return process.pid


def test_the_report_is_the_verifiers_own(checkers: Checkers, calm: Path) -> None:
    told = json.loads(checkers.verify(calm))
    own = json.loads(json.dumps(Verifier(TrustStore()).verify(calm).to_json()))
    assert {**told, "verified_at": None} == {**own, "verified_at": None}


def test_the_moment_of_judgement_crosses_over(checkers: Checkers, calm: Path) -> None:
    moment = dt.datetime(2026, 3, 2, 12, tzinfo=dt.timezone(dt.timedelta(hours=7)))
    assert json.loads(checkers.verify(calm, moment))["verified_at"] == moment.isoformat()
    with pytest.raises(ValueError, match="time zone"):
        checkers.verify(calm, dt.datetime(2026, 3, 2, 12))  # noqa: DTZ001 - what is refused


def test_a_process_serves_many_files(checkers: Checkers, calm: Path) -> None:
    checkers.verify(calm)
    before = pid_of(checkers)
    for _ in range(5):
        checkers.verify(calm)
    assert pid_of(checkers) == before


def test_work_without_end_is_stopped_by_the_kernel(
    checkers: Checkers, calm: Path, endless: Path
) -> None:
    checkers.verify(calm)
    before = pid_of(checkers)
    with pytest.raises(VerificationStopped, match="took too long"):
        checkers.verify(endless)
    checkers.verify(calm)
    assert pid_of(checkers) != before


def test_time_is_counted_for_each_file_anew(checkers: Checkers, calm: Path) -> None:
    """Thousands of small files never add up to the bound of one."""
    checkers.verify(calm)
    before, began = pid_of(checkers), time.monotonic()
    while time.monotonic() - began < 2.5 * TIGHT.cpu_s:
        checkers.verify(calm)
    assert pid_of(checkers) == before


def test_memory_without_end_is_refused(checkers: Checkers, calm: Path, tmp_path: Path) -> None:
    (tmp_path / "bomb.pdf").write_bytes(b"%PDF-1.7\n" + bytes(400 << 20))
    with pytest.raises(VerificationStopped, match="too much memory"):
        checkers.verify(tmp_path / "bomb.pdf")
    checkers.verify(calm)


def test_the_length_of_a_report_is_bounded(
    checkers: Checkers, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million changes to tell of would come into the memory of the web process."""
    monkeypatch.setattr(checking, "_MOST_ANSWER", 100)
    with pytest.raises(VerificationStopped, match="too much memory"):
        checkers.verify(calm)
    monkeypatch.undo()
    checkers.verify(calm)


def test_a_crash_costs_its_file_alone(checkers: Checkers, calm: Path, endless: Path) -> None:
    checkers.verify(calm)
    killer = threading.Timer(0.5, lambda: os.kill(pid_of(checkers), signal.SIGSEGV))
    killer.start()
    with pytest.raises(VerificationStopped, match="crash"):
        checkers.verify(endless)
    killer.join()
    checkers.verify(calm)


def test_what_stands_still_is_stopped(calm: Path) -> None:
    with Checkers(TrustStore(), processes=1, bounds=Bounds(wall_s=0.5), known=FORGETFUL) as made:
        made.verify(calm)
        os.kill(pid_of(made), signal.SIGSTOP)
        with pytest.raises(VerificationStopped, match="took too long"):
            made.verify(calm)
        made.verify(calm)


def test_a_process_that_was_killed_meanwhile_is_replaced(checkers: Checkers, calm: Path) -> None:
    checkers.verify(calm)
    os.kill(pid_of(checkers), signal.SIGKILL)
    checkers._all[0]._process.join(5)
    checkers.verify(calm)


def test_processes_that_cannot_start_are_said_so(
    calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Snapshot, "pack", lambda self: b"no snapshot")
    with Checkers(TrustStore(), processes=1) as made:
        with pytest.raises(Overloaded, match="try again later"):
            made.verify(calm)
        monkeypatch.undo()
        made.verify(calm)


class Changing:
    """A source of trust that changes from file to file."""

    def __init__(self, *stores: TrustStore) -> None:
        self.snapshots = [Snapshot(store) for store in stores]
        self.asked: list[dt.datetime | None] = []

    def snapshot(self, at: dt.datetime | None = None) -> Snapshot:
        self.asked.append(at)
        return self.snapshots[(len(self.asked) - 1) % len(self.snapshots)]


def test_trust_is_asked_for_each_file_and_taught_once(calm: Path) -> None:
    roots = [Party.root(f"Gốc Thử {n}").certificate for n in range(6)]
    source = Changing(*(TrustStore.of([root]) for root in roots))
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    with Checkers(source, processes=1) as made:
        made.verify(calm, moment)
        pid = pid_of(made)
        said = [json.loads(made.verify(calm, moment))["trust"]["sha256"] for _ in range(12)]
        assert pid_of(made) == pid  # nothing was started anew
    expected = [source.snapshots[n % 6].store.fingerprint for n in range(1, 13)]
    assert said == expected
    assert set(source.asked) == {moment}


def test_files_that_are_gone_are_a_fault_of_ours(checkers: Checkers, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkers.verify(tmp_path / "gone.pdf")


def test_checkers_hold_no_keys_and_no_database(checkers: Checkers, calm: Path) -> None:
    checkers.verify(calm)
    maps = Path(f"/proc/{pid_of(checkers)}/maps").read_text()
    assert "softhsm" not in maps
    assert "sqlalchemy" not in maps  # its compiled parts; measuring coverage brings sqlite3 itself
    assert "psycopg" not in maps
    limits = Path(f"/proc/{pid_of(checkers)}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4] == "0"
    assert Path(f"/proc/{pid_of(checkers)}/oom_score_adj").read_text().strip() == "500"


def test_what_unpacks_to_gigabytes_is_malformed_or_never_unpacked(
    checkers: Checkers, tmp_path: Path
) -> None:
    (tmp_path / "bomb.pdf").write_bytes(object_stream_bomb())
    try:
        told = json.loads(checkers.verify(tmp_path / "bomb.pdf"))
    except VerificationStopped:
        return
    assert told["indication"] != "TOTAL-PASSED"
