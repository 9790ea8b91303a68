"""The PIN in a whole service that works and fails: in no log, answer, file, process or core.

The agent by itself, and each return code: tests/integration/test_pin_nowhere.py.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures_fault_module import FaultSwitch
from tests.fixtures_installation import run_sohoa
from tests.proof_kill_storm import counting
from tests.running_service import ROOT, RunningService
from tests.storm import decision

PIN_FILES = ("token-pin", "authority-pin")
HOLDERS = {"agent", "authority"}
_LOUD = {"SOHOA_TELEMETRY__LOG_LEVEL": "debug", "PYTHONFAULTHANDLER": "1"}


@contextmanager
def cores_allowed() -> Iterator[None]:
    """Processes that are started within may leave cores as large as they like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def cores() -> set[Path]:
    return {*ROOT.glob("core*")}


def has_dumped(pid: int) -> bool:
    """Wait for the end of a child and say whether the kernel wrote its memory away."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_code == os.CLD_DUMPED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pin-nowhere")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    """Of both tests; the last one ends it and looks through all that it left."""
    environ = {**counting(folder, folder / "c-sign"), **_LOUD}
    running = RunningService(folder / "data", environ)
    with cores_allowed():
        running.start()
    yield running
    if running.process is not None and running.process.poll() is None:
        running.stop()


def pins_of(data: Path) -> list[bytes]:
    found = [(data / name).read_bytes().strip() for name in PIN_FILES]
    assert all(re.fullmatch(rb"[0-9]{8,}", pin) for pin in found)
    assert len({*found}) == 2
    return found


def part_of(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    found = re.search(r"--lifeline \d+ (\w+(?: seal| ocr| house)?)", command)
    return found[1] if found else "other"


def writable_memory(pid: int) -> Iterator[bytes]:
    """What a core dump would hold of a process: all that it can write to."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(text, 16) for text in place.split("-"))
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except OSError:  # a mapping of a device, or gone since
                    continue


def work_and_fail(service: RunningService, switch: FaultSwitch) -> list[bytes]:
    """Sign, then make token, login and orders fail; everything that was answered."""
    key = service.new_client()
    answers = []

    def sign(number: int, label: str, wait: int) -> int:
        answer = service.ask(
            "POST",
            "/v1/signatures",
            decision(number, 5),
            query={"key": label, "level": "B-B"},
            headers={
                "Content-Type": "application/pdf",
                "Idempotency-Key": f"pin-{number}",
                "Prefer": f"wait={wait}",
            },
            authorised=key,
        )
        answers.append(answer.body)
        return answer.status

    assert sign(1, "test-leader", 30) == 201
    assert sign(2, "no-such-key", 1) in (403, 404)
    switch.fault(fn="C_Sign,C_Login", rv="0x30", n=6)
    sign(3, "test-seal", 2)
    switch.fault(fn="any", rv="0x101", n=20)  # CKR_USER_NOT_LOGGED_IN, whatever is asked
    sign(4, "test-seal", 2)
    switch.heal()
    for path in ("/readyz", "/metrics", "/openapi.json", "/v1/audit", "/v1/keys", "/v1/jobs"):
        answers.append(service.ask("GET", path).body)
    return answers


def test_a_crash_of_what_holds_a_pin_leaves_no_core(service: RunningService) -> None:
    """Killed as by a fault of its own (SIGABRT), where others do leave a core."""
    before = cores()
    pins = pins_of(service.data)
    with cores_allowed():
        lone = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"], cwd=ROOT)
        can_dump = has_dumped(lone.pid)
        lone.wait()
    for path in cores() - before:
        path.unlink()
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert can_dump or pattern.startswith(("|", "/")) or hard == 0

    for part in sorted(HOLDERS):
        pid = service.pid_of(part)
        assert pid is not None
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)
        os.kill(pid, signal.SIGABRT)
        deadline = time.monotonic() + 30
        while service.pid_of(part) in (None, pid):  # until it is started again
            assert time.monotonic() < deadline, service.told()[-2000:]
            time.sleep(0.05)
    service.wait_ready()
    assert cores() == before
    assert not [path for path in service.data.rglob("core*") if path.is_file()]
    told = service.told()
    assert "Fatal Python error: Aborted" in told  # the stacks were written, and hold no PIN
    assert not any(pin.decode() in told for pin in pins)


def test_the_pin_is_in_nothing_that_a_service_writes_answers_or_holds(
    service: RunningService, folder: Path
) -> None:
    pins = pins_of(service.data)
    answers = work_and_fail(service, FaultSwitch(folder / "fault-control", only="agent"))

    parts = {pid: part_of(pid) for pid in service.pids()}
    assert {*parts.values()} >= {*HOLDERS, "web", "worker seal"}
    for pid, part in parts.items():
        for name in ("environ", "cmdline"):
            try:
                content = Path(f"/proc/{pid}/{name}").read_bytes()
            except PermissionError:  # without privilege, of agent and authority
                assert part in HOLDERS
                continue
            assert not any(pin in content for pin in pins), (part, name)
        if part not in HOLDERS:
            memory = b"".join(writable_memory(pid))
            assert len(memory) > 5_000_000
            assert b"PYTHONFAULTHANDLER=1" in memory  # what is there can be found
            if part != "other":
                assert str(service.data).encode() in memory
            assert not any(pin in memory for pin in pins), part

    export = service.ask("GET", "/v1/audit/export")
    assert export.status == 200
    answers.append(export.body)
    backup = folder / "backup.tar"
    done = run_sohoa("backup", backup, "--data", service.data)
    assert done.code == 0, done.told
    answers.append((done.out + done.told).encode())
    with tarfile.open(backup) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            answers.append(stream.read() if stream else b"")

    assert service.stop() == 0
    written = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in PIN_FILES
    }
    assert {service.log, backup} <= {*written}
    assert len(written) > 10
    for path, content in written.items():
        assert not any(pin in content for pin in pins), path
    assert not any(pin in answer for pin in pins for answer in answers)
    told = service.told()
    assert "CKR_" in told or "0x30" in told, "nothing failed, so nothing was proved"
