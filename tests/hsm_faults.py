"""Faults of the HSM, of the key agent and of the authority under a service that is being used.

    figures = run_faults(service, switch, counter, trials_of_token(…) + trials_of_processes(…))

Sixteen clients sign decisions with numbers from the book, over HTTP and at B-LTA, while one
trial after the other spoils something: the token behind the key agent (through the
fault-injecting PKCS#11 module), the agent's process, the authority's process. Each trial ends
when all that was accepted meanwhile is published. What has to be true of it all at the end is
judged as after a kill storm (`tests.storm_judge`).
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsm import _cryptoki as ck
from tests.fixtures_fault_module import FaultSwitch
from tests.running_service import Answer, RunningService
from tests.storm import StormResult, decision, download, submit
from tests.storm_judge import judge

CLIENTS = 16
LOST = (0x05, 0x30, 0x32, 0x60, 0xB3, 0xE0, 0x101, 0x190)
DEVICE = (0x02, 0x06, 0x31, 0x54, 0x90, 0xB1)
CODES: tuple[tuple[str, int], ...] = (
    *(("C_Sign", code) for code in (*LOST, *DEVICE)),
    ("C_SignInit", 0x32),
    ("C_SignInit", 0x90),
    ("C_Sign,C_OpenSession", 0xB1),  # a failed C_Sign closes its session: a new one is opened
    ("any", 0xB3),
)
"""Functions and return codes met in practice, as in tests/integration/test_key_agent_faults.py."""

NOTICED_S = 3.0
"""So long after the token has gone, every new request must be refused."""
REFUSED_WITHIN_S = 2.0  # on a machine that is busy with sixteen clients
_PATIENCE_S = 120.0
_RESTARTED = "starting it again"
_HANGS_S = 30.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that goes wrong. `spoil` brings it about and ends it; returns figures."""

    name: str
    spoil: Callable[[Run], dict[str, Any]]
    restarts: bool = False  # of the process that the trial itself kills


@dataclass
class Run:
    """The service under test, the clients' answers, and how far they may go."""

    service: RunningService
    switch: FaultSwitch
    met: Path  # where the module notes what it has spoilt
    seed: int = 1
    clients: int = CLIENTS
    each: int = 1  # decisions a client and trial
    answers: collections.Counter[int] = field(default_factory=collections.Counter)
    slowest_refusal_s: float = 0.0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ids: dict[str, set[str]] = field(default_factory=lambda: collections.defaultdict(set))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def decisions(self) -> int:
        """How many are published."""
        return len(self.records)

    def count_met(self, fault: int) -> int:
        """How many calls the module has spoilt for the fault with this id."""
        lines = self.met.read_text().splitlines() if self.met.exists() else []
        return sum(line.startswith(f"{fault} ") for line in lines)

    def answered(self, answer: Answer, took_s: float) -> None:
        """Count an answer to POST /v1/signatures; whatever is not foreseen ends the run."""
        with self._lock:
            self.answers[answer.status] += 1
            if answer.status in (429, 503):
                self.slowest_refusal_s = max(self.slowest_refusal_s, took_s)
        assert answer.status in (200, 201, 202, 429, 503), answer
        if answer.status in (429, 503):
            assert 1 <= int(answer.headers["retry-after"]) <= 60, answer

    @contextlib.contextmanager
    def signing(self) -> Iterator[None]:
        """While the block runs, the clients sign; it ends when all they sent is published."""
        first = self.decisions + 1
        numbers = list(range(first, first + self.clients * self.each))
        with ThreadPoolExecutor(self.clients) as pool:
            under_way = [pool.submit(self._sign, number) for number in numbers]
            try:
                yield
            finally:
                for one in under_way:
                    one.result()

    def _sign(self, number: int) -> None:
        """As a case-handling system does: one Idempotency-Key, asked again until published."""
        key = f"fault-{self.seed}-{number}"
        body = decision(number, self.seed)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            began = time.monotonic()
            answer = submit(self.service, key, body, wait=5)
            self.answered(answer, time.monotonic() - began)
            if answer.status < 300:
                record = answer.json
                with self._lock:
                    self._ids[key].add(record["id"])
                    assert len(self._ids[key]) == 1, f"{key} became {self._ids[key]}"
                if record["state"] == "published":
                    break
                assert record["state"] in ("accepted", "signing"), record
            assert time.monotonic() < deadline, f"{key}: {answer}\n{self.service.told()[-4000:]}"
            time.sleep(random.uniform(0.1, 0.5))
        with self._lock:
            self.records[key] = record


def run_faults(
    service: RunningService,
    switch: FaultSwitch,
    counter: Path,
    trials: Sequence[Trial],
    *,
    each: int = 1,
    seed: int = 1,
    opinions: int = 1_000_000,
) -> dict[str, Any]:
    """Run the trials on a service that is ready; raises AssertionError, returns figures.

    `each`: decisions a client and trial. `opinions`: files that a stranger verifies too.
    Trials without restarts come first: after each of them the processes are still those of the
    beginning and the supervisor has started none again.
    """
    trials = sorted(trials, key=lambda trial: trial.restarts)
    run = Run(service, switch, counter.with_name("fault-met"), seed=seed, each=each)
    parts = _processes(service)
    told: dict[str, Any] = {}
    for trial in trials:
        log_size = len(service.told())
        with run.signing():
            began = time.monotonic()
            figures = trial.spoil(run)
            ended = time.monotonic()
        settled = time.monotonic()
        _ready_within(service, 30.0 if trial.restarts else 5.0, restarts=trial.restarts)
        if not trial.restarts:
            assert _processes(service) == parts, service.told()[log_size:]
            assert _RESTARTED not in service.told()[log_size:]
        told[trial.name] = {
            **figures,
            "lasted_s": round(ended - began, 1),
            "all_published_after_s": round(settled - ended, 1),
        }
    for state in ("accepted", "signing", "failed", "cancelled"):
        left = service.ask("GET", "/v1/signatures", query={"state": state}).json["items"]
        assert left == [], f"{len(left)} records are {state}"
    result = StormResult(records=run.records, asked=run.answers.total())
    judged = judge(service, result, counter, decisions=run.decisions, seed=seed)
    return {
        "trials": told,
        "answers": dict(run.answers),
        "slowest_refusal_s": round(run.slowest_refusal_s, 2),
        **{name: judged[name] for name in ("decisions", "c_sign_calls", "intents", "reasons")},
        "same_bytes_on_repeat": judged["same_bytes_on_repeat"],
        "second_opinions": _second_opinions(service, list(run.records.values())[:opinions]),
    }


def _second_opinions(service: RunningService, records: Sequence[dict[str, Any]]) -> int:
    """Let poppler check the bytes of the signature in each file; how many."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signed.pdf"
        for record in records:
            path.write_bytes(download(service, record))
            told = subprocess.run(
                ["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=True
            ).stdout
            assert "Signature Validation: Signature is Valid." in told, told
    return len(records)


# --- what goes wrong ---------------------------------------------------------------------


def return_code(function: str, code: int, calls: int = 4) -> Trial:
    """The next `calls` calls of `function` (in the key agent) answer `code`."""

    def spoil(run: Run) -> dict[str, Any]:
        fault = run.switch.fault(fn=function, rv=hex(code), n=calls)
        return {"met": _wait_met(run, fault, calls)}

    return Trial(f"{function} {ck.name_of(code)}", spoil)


def wrong_signature(calls: int = 3) -> Trial:
    """One bit of the next signatures is turned over."""

    def spoil(run: Run) -> dict[str, Any]:
        return {"met": _wait_met(run, run.switch.fault(flip=1, n=calls), calls)}

    return Trial("wrong signature", spoil)


def stall(seconds: float, calls: int = 2) -> Trial:
    """The next calls of C_Sign take so long."""

    def spoil(run: Run) -> dict[str, Any]:
        fault = run.switch.fault(stall=int(seconds * 1000), n=calls)
        return {"met": _wait_met(run, fault, calls)}

    return Trial(f"stall of {seconds:g} s", spoil)


def token_gone(seconds: float) -> Trial:
    """The token is pulled out and put back; new requests are refused meanwhile."""

    def spoil(run: Run) -> dict[str, Any]:
        until = time.monotonic() + seconds
        run.switch.fault(gone=1)
        try:
            noticed_s = _refused_from(run, until)
            figures = _refusals(run, until)
            time.sleep(max(0.0, until - time.monotonic()))
        finally:
            run.switch.heal()
        back = time.monotonic()
        _accepted_from(run)
        return {
            **figures,
            "first_refusal_after_s": round(noticed_s, 2),
            "accepted_again_after_s": round(time.monotonic() - back, 2),
        }

    return Trial(f"token gone for {seconds:g} s", spoil)


def agent_killed(times: int, every_s: float = 1.5) -> Trial:
    """kill -9 for the key agent, again and again; the supervisor starts it anew."""

    def spoil(run: Run) -> dict[str, Any]:
        return {"kills": _kill_again(run, "agent", times, every_s)}

    return Trial(f"agent killed {times} times", spoil, restarts=True)


def authority_killed(times: int, every_s: float = 1.5) -> Trial:
    """kill -9 for the authority (TSA, OCSP), again and again: it is away for a while."""

    def spoil(run: Run) -> dict[str, Any]:
        return {"kills": _kill_again(run, "authority", times, every_s)}

    return Trial(f"authority killed {times} times", spoil, restarts=True)


def process_hangs(part: str, seconds: float) -> Trial:
    """A process (authority, agent) takes connections and answers nobody."""

    def spoil(run: Run) -> dict[str, Any]:
        pid = run.service.pid_of(part)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
        return {}

    return Trial(f"{part} hangs for {seconds:g} s", spoil)


def _wait_met(run: Run, fault: int, calls: int) -> int:
    """Wait until the fault has been met as often as it may; how often."""
    deadline = time.monotonic() + _HANGS_S
    while (met := run.count_met(fault)) < calls:
        assert time.monotonic() < deadline, f"met {met} times of {calls}"
        time.sleep(0.02)
    return met


def _kill_again(run: Run, part: str, times: int, every_s: float) -> int:
    """Kill `part` whenever it runs; its supervisor waits longer from time to time."""
    kills = 0
    deadline = time.monotonic() + _PATIENCE_S
    while kills < times:
        assert time.monotonic() < deadline, run.service.told()[-2000:]
        pid = run.service.pid_of(part)
        if pid is not None:
            time.sleep(random.uniform(0.2, 1.0) * every_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
            while run.service.pid_of(part) == pid:
                time.sleep(0.02)
        time.sleep(0.05)
    return kills


# --- while the token is gone -------------------------------------------------------------


def _refused_from(run: Run, until: float) -> float:
    """Seconds until the first new request is refused."""
    began = time.monotonic()
    while _head_only(run).status != 503:
        assert time.monotonic() - began < NOTICED_S < until - began, "the token is not missed"
        time.sleep(0.1)
    return time.monotonic() - began


def _refusals(run: Run, until: float) -> dict[str, Any]:
    """While the token is gone, every new request gets 503 at once, its body unread."""
    took = []
    while time.monotonic() < until - 0.5:
        began = time.monotonic()
        answer = _head_only(run)
        took.append(time.monotonic() - began)
        assert answer.status == 503, answer
        assert 1 <= int(answer.headers["retry-after"]) <= 60, answer
        assert answer.json["code"] == "token-unavailable", answer
        time.sleep(0.05)
    took.sort()
    assert len(took) >= 3
    assert took[-1] < REFUSED_WITHIN_S, took[-5:]
    return {
        "refused": len(took),
        "median_s": round(took[len(took) // 2], 3),
        "slowest_s": round(took[-1], 3),
    }


def _accepted_from(run: Run) -> None:
    """Wait until requests are let in again."""
    deadline = time.monotonic() + 15
    while _head_only(run).status == 503:
        assert time.monotonic() < deadline, "still refused"
        time.sleep(0.05)


def _head_only(run: Run) -> Answer:
    """The answer to a request whose body of 100 MB is promised and never sent.

    100 stands for the invitation to send it: the service had no reason to refuse.
    """
    head = (
        "POST /v1/signatures?key=test-leader&level=B-LTA HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {run.service.secret}\r\nContent-Type: application/pdf\r\n"
        f"Idempotency-Key: never-sent-{time.monotonic_ns()}\r\n"
        "Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", run.service.port), 10) as connection:
        connection.sendall(head.encode())
        said = b""
        while b"\r\n\r\n" not in said:
            more = connection.recv(65536)
            assert more, said
            said += more
        top, _, body = said.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): text for name, _, text in (n.partition(": ") for n in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
    return Answer(int(lines[0].split()[1]), headers, body)


# --- the service -------------------------------------------------------------------------


def _processes(service: RunningService) -> dict[str, set[int]]:
    parts = ("agent", "authority", "worker seal", "worker ocr", "worker house", "web")
    return {part: service.pids_of(part) for part in parts}


def _ready_within(service: RunningService, seconds: float, *, restarts: bool) -> None:
    """Wait until it says so; after a kill, until it says so of the new process."""
    deadline = time.monotonic() + seconds
    while set() in _processes(service).values():
        assert time.monotonic() < deadline, service.told()[-2000:]
        time.sleep(0.05)
    if restarts:
        time.sleep(1.1)  # a good answer is believed for a second
    service.wait_ready(max(1.0, deadline - time.monotonic()))
