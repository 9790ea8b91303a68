"""Hostile documents over HTTP: each costs itself, and ordinary requests go on being answered.

What each bound is, document by document, is in `tests/unit/signer/test_document_bounds.py`;
here the processes of a whole service meet them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dossier.queue.jobs import MAX_CRASHES
from tests.hostile_documents import HOSTILE
from tests.hostile_pages import HOSTILE_PAGES, contents_many_times, hardest_rows
from tests.running_service import Answer, RunningService
from tests.storm import decision

_SERIES = itertools.count(1000, 1000)  # of ordinary documents
_SIGNED: set[int] = set()
_FINAL = ("published", "failed")
_DEAR = frozenset({
    "forms that draw forms", "forty bombs", "a hundred thousand pages",
    "half a million annotations", "filters in a row", "contents many times", "hardest rows",
})  # fmt: skip
"""Near a bound of the worker's, on one side or the other: these have tests of their own."""

_REFUSALS = frozenset({
    "UnsuitableDocument", "ProfileError", "SignatureNotValid", "PolicyRefused", "JobTooDemanding",
})  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, str]]:
    """A service that asks as a client of its, and the key of an auditor."""
    data = tmp_path_factory.mktemp("hostile") / "data"
    environ = {
        "SOHOA_WORKER__LEASE_S": "1",
        "SOHOA_WORKER__JOB_CPU_S": "3",
        "SOHOA_WORKER__MEMORY_BYTES": str(700 << 20),
        "SOHOA_WORKER__SEAL_PROCESSES": "2",
        "SOHOA_WORKER__THREADS": "8",
        "SOHOA_WORKER__OCR_PROCESSES": "0",
        "COVERAGE_PROCESS_CONFIG": "",  # processor time is bounded here: none for measuring it
    }
    with RunningService(data, environ) as running:
        client, auditor = running.new_client(), running.new_client(roles=("auditor",), keys=())
        running.secret = client
        yield running, auditor


@pytest.fixture(scope="module")
def service(installed: tuple[RunningService, str]) -> RunningService:
    return installed[0]


@pytest.fixture(scope="module")
def auditor(installed: tuple[RunningService, str]) -> str:
    return installed[1]


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
                _SIGNED.add(self._number)
                found = sign(self.service, decision(self._number), f"calm-{self._number}", wait=0)
                if (health.status, listed.status, found.status) != (200, 200, 202):
                    self.failures.append((health, listed, found))
            except OSError as error:
                self.failures.append(error)
            self.answered += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self._stop.wait(0.4)

    def __enter__(self) -> Ordinary:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


def sign(
    service: RunningService, pdf: bytes, idempotency: str, *, wait: int = 50, **query: str
) -> Answer:
    return service.ask(
        "POST",
        "/v1/signatures",
        pdf,
        query={"key": "test-officer", "level": "B-B"} | query,
        headers={
            "Content-Type": "application/pdf",
            "Idempotency-Key": idempotency,
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


def story(service: RunningService, auditor: str, record_id: str) -> list[str]:
    """What the audit log says of a record, in order."""
    told, after = [], 0
    headers = {"Authorization": f"Bearer {auditor}"}
    while True:
        query = {"after": str(after), "limit": "200"}
        answer = service.ask("GET", "/v1/audit", query=query, headers=headers, authorised=False)
        if not (items := answer.json["items"]):
            return told
        told += [entry["event"] for entry in items if entry["subject"] == record_id]
        after = items[-1]["seq"]


def test_verification_survives_every_hostile_file(service: RunningService) -> None:
    """Each gets a verdict or a problem that says why not; the web process stays the same."""
    web = parts(service, " web ")
    verdicts = {}
    with Ordinary(service) as ordinary:
        for name, make in {**HOSTILE, **HOSTILE_PAGES}.items():
            if make is hardest_rows:  # the fifteen seconds of a checker: `test_verifying`
                continue
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
    assert ordinary.answered > 5
    assert verdicts["forty bombs"] == verdicts["fields in a ring"] == verdicts["encrypted"] == 200
    assert parts(service, " web ") == web
    after = service.ask("POST", "/v1/verifications", decision(1), authorised=False)
    assert after.json["integrity"] == "NONE"


def test_sealing_survives_every_hostile_file(service: RunningService) -> None:
    """Each record is published or fails by itself with a reason; no worker dies."""
    workers = parts(service, "worker seal")
    stamped = {"key": "test-leader", "profiles": "P1"}  # looks for its place in the text
    with Ordinary(service) as ordinary:
        ids = {}
        for name, make in {**HOSTILE, **HOSTILE_PAGES}.items():
            if name not in _DEAR:
                key = f"hostile {name}".replace(" ", "-")
                query = stamped if name in HOSTILE_PAGES else {}
                answer = sign(service, make(), key, wait=0, **query)
                assert answer.status == 202, (name, answer)
                ids[name] = answer.json["id"]
        records = {name: ended(service, record_id) for name, record_id in ids.items()}
    assert not ordinary.failures
    for name, record in records.items():
        if record["state"] == "failed":
            assert record["error"]["kind"] in _REFUSALS, (name, record)
            assert record["error"]["kind"] == "ProfileError" or (
                " / " in record["error"]["message"]
            ), (name, record)
    worn = {name: r for name, r in records.items() if "processor" in str(r["error"])}
    assert not worn  # they belong to the dear ones
    refused = {name for name, record in records.items() if record["state"] == "failed"}
    assert refused >= {
        "section of a milliard", "page tree in a ring", "deep page tree", "ten thousand revisions",
        "a thousand signatures", "thirty thousand fields", "encrypted",
    }  # fmt: skip
    assert "is encrypted" in records["encrypted"]["error"]["message"]
    assert parts(service, "worker seal") == workers


def test_work_without_end_fails_that_record_alone(service: RunningService, auditor: str) -> None:
    """Given up by processor time, also when its first worker was killed; workers are replaced."""
    with Ordinary(service) as ordinary:
        answer = sign(service, hardest_rows(), "hardest-rows", wait=0)
        assert answer.status == 202, answer
        url = f"/v1/signatures/{answer.json['id']}"
        deadline = time.monotonic() + 30
        while service.ask("GET", url).json["state"] != "signing":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        killed = parts(service, "worker seal")
        assert killed, service.told()[-3000:]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        record = ended(service, answer.json["id"])
    assert record["state"] == "failed", record
    assert record["error"]["kind"] == "JobTooDemanding", record
    assert "3 s of processor time" in record["error"]["message"]
    assert record["attempts"] >= 2
    told = story(service, auditor, record["id"])
    assert told.count("signature.retaken") == record["attempts"] - 1
    assert told[-1] == "signature.failed"
    assert not ordinary.failures
    assert sign(service, decision(2), "after-the-rows").json["state"] == "published"
    assert parts(service, "worker seal").isdisjoint(killed)
    calm_ones_are_published(service)


def test_a_document_that_kills_its_worker_fails_alone(
    service: RunningService, auditor: str
) -> None:
    """PDFium aborts where memory ends; the record is tried alone, then given up."""
    with Ordinary(service) as ordinary:
        answer = sign(
            service, contents_many_times(), "abort", wait=0, key="test-leader", profiles="P1"
        )
        assert answer.status == 202, answer
        record = ended(service, answer.json["id"], 120)
    assert record["state"] == "failed"
    assert record["error"]["kind"] == "WorkerCrashed", record
    assert "crashes the worker" in record["error"]["message"]
    assert record["attempts"] == MAX_CRASHES
    told = story(service, auditor, record["id"])
    assert told.count("signature.retaken") == MAX_CRASHES - 1
    assert told.count("signature.given-up") == told.count("signature.failed") == 1
    assert "signature.published" not in told
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
    calm = {hashlib.sha256(decision(number)).hexdigest() for number in _SIGNED}
    found = [record for record in listed if record["source_sha256"] in calm]
    assert len(found) > 10
    assert {record["state"] for record in found} == {"published"}, found
