"""Hostile documents over HTTP: each costs itself, and ordinary requests go on being answered."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile_documents import HOSTILE, laughs, many_bombs
from tests.running_service import Answer, RunningService
from tests.storm import decision

_SERIES = itertools.count(1000, 1000)  # of ordinary documents
_FINAL = ("published", "failed")
_EXPENSIVE = ("forms that draw forms", "forty bombs")  # these have tests of their own


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    data = tmp_path_factory.mktemp("hostile") / "data"
    environ = {
        "SOHOA_WORKER__LEASE_S": "1",
        "SOHOA_WORKER__JOB_CPU_S": "2",
        "SOHOA_WORKER__MEMORY_BYTES": str(700 << 20),
        "SOHOA_WORKER__OCR_PROCESSES": "0",
    }
    with RunningService(data, environ) as running:
        running.secret = running.new_client()
        yield running


class Ordinary:
    """Somebody who goes on signing and verifying meanwhile; `failures` should stay empty."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.answered = 0
        self.slowest_s = 0.0
        self.failures: list[Any] = []
        self._stop = threading.Event()
        self._number = next(_SERIES)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._number += 1
            began = time.monotonic()
            try:
                health = self.service.ask("GET", "/healthz", authorised=False, timeout=20)
                listed = self.service.ask("GET", "/v1/signatures", query={"limit": "5"})
                found = sign(self.service, decision(self._number), f"calm-{self._number}", wait=0)
                if (health.status, listed.status, found.status) != (200, 200, 202):
                    self.failures.append((health, listed, found))
            except OSError as error:
                self.failures.append(error)
            self.answered += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self._stop.wait(0.2)

    def __enter__(self) -> Ordinary:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


def sign(service: RunningService, pdf: bytes, key: str, *, wait: int = 50, **query: str) -> Answer:
    return service.ask(
        "POST",
        "/v1/signatures",
        pdf,
        query={"key": "test-officer", "level": "B-B"} | query,
        headers={
            "Content-Type": "application/pdf",
            "Idempotency-Key": key,
            **({"Prefer": f"wait={wait}"} if wait else {}),
        },
        timeout=90,
    )


def ended(service: RunningService, record_id: str, within_s: float = 90) -> dict[str, Any]:
    deadline = time.monotonic() + within_s
    while True:
        record: dict[str, Any] = service.ask("GET", f"/v1/signatures/{record_id}").json
        if record["state"] in _FINAL:
            return record
        assert time.monotonic() < deadline, (record, service.told()[-3000:])
        time.sleep(0.1)


def parts(service: RunningService, name: str) -> set[int]:
    """Pids of the processes of this part."""
    found = set()
    for pid in service.pids():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if name.encode() in b" ".join(command):
                found.add(pid)
    return found


def test_verification_survives_every_hostile_file(service: RunningService) -> None:
    """Each gets a verdict or a problem that says why not; the web process stays the same."""
    web = parts(service, " web ")
    verdicts = {}
    with Ordinary(service) as ordinary:
        for name, make in HOSTILE.items():
            began = time.monotonic()
            answer = service.ask("POST", "/v1/verifications", make(), authorised=False, timeout=60)
            assert time.monotonic() - began < 45, name
            assert answer.status in (200, 422), (name, answer)
            if answer.status == 200:
                assert answer.json["indication"] != "TOTAL-PASSED", name
            else:
                assert answer.json["code"] == "verification-stopped", (name, answer)
            verdicts[name] = answer.status
    assert not ordinary.failures
    assert ordinary.answered > 10
    assert verdicts["forty bombs"] == verdicts["fields in a ring"] == 200
    assert parts(service, " web ") == web
    after = service.ask("POST", "/v1/verifications", decision(1), authorised=False)
    assert after.json["integrity"] == "NONE"


def test_sealing_survives_every_hostile_file(service: RunningService) -> None:
    """Each record is published or fails by itself with a reason; no worker dies."""
    workers = parts(service, "worker seal")
    with Ordinary(service) as ordinary:
        ids = {}
        for name, make in HOSTILE.items():
            if name not in _EXPENSIVE:
                answer = sign(service, make(), f"hostile {name}".replace(" ", "-"), wait=0)
                assert answer.status == 202, (name, answer)
                ids[name] = answer.json["id"]
        records = {name: ended(service, record_id) for name, record_id in ids.items()}
    assert not ordinary.failures
    for name, record in records.items():
        if record["state"] == "failed":
            assert record["error"]["kind"] in (
                "UnsuitableDocument", "SignatureNotValid", "PolicyRefused", "JobTooDemanding",
            ), (name, record)  # fmt: skip
            assert " / " in record["error"]["message"]
    assert records["section of a milliard"]["state"] == "failed"
    assert records["page tree in a ring"]["state"] == "failed"
    assert parts(service, "worker seal") == workers


def test_work_without_end_fails_that_record_alone(service: RunningService) -> None:
    """Forty bombs inflate for minutes: given up by processor time, the worker is replaced."""
    workers = parts(service, "worker seal")
    with Ordinary(service) as ordinary:
        answer = sign(service, many_bombs(), "forty-bombs", wait=0)
        record = ended(service, answer.json["id"])
    assert record["state"] == "failed"
    assert record["error"]["kind"] == "JobTooDemanding"
    assert "processor" in record["error"]["message"]
    assert not ordinary.failures
    assert sign(service, decision(2), "after-bombs").json["state"] == "published"
    assert parts(service, "worker seal").isdisjoint(workers)
    calm_ones_are_published(service)


def test_a_document_that_kills_its_worker_fails_alone(service: RunningService) -> None:
    """PDFium aborts where memory ends; the record is tried alone, then given up."""
    with Ordinary(service) as ordinary:
        answer = sign(service, laughs(), "laughs", wait=0, key="test-leader", profiles="P1")
        assert answer.status == 202, answer
        record = ended(service, answer.json["id"], 120)
    assert record["state"] == "failed"
    assert record["error"]["kind"] == "WorkerCrashed"
    assert not ordinary.failures
    calm_ones_are_published(service)


def calm_ones_are_published(service: RunningService) -> None:
    """Nobody else's record failed, however many workers died beside it."""
    deadline = time.monotonic() + 60
    while True:
        listed = service.ask("GET", "/v1/signatures", query={"limit": "200"}).json["items"]
        waiting = [r for r in listed if r["state"] not in _FINAL]
        if not waiting:
            break
        assert time.monotonic() < deadline, waiting
        time.sleep(0.2)
    guilty = {"JobTooDemanding", "WorkerCrashed", "UnsuitableDocument", "SignatureNotValid"}
    failed = [r for r in listed if r["state"] == "failed"]
    assert len(failed) <= len(HOSTILE) + 3
    assert all((r["error"] or {}).get("kind") in guilty for r in failed), failed
