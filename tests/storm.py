"""The kill storm: decisions signed through HTTP while every process is killed again and again.

    run_storm(service, decisions=500, kills=50, seed=1) -> StormResult

The client behaves as a case-handling system should: it keeps one Idempotency-Key for each
decision and asks again until it has an answer. Nothing here knows how the service works inside;
what it signed is judged by its own verifier, by the audit export and by the counter inside the
PKCS#11 module.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pikepdf

from tests.running_service import Answer, RunningService

_PATIENCE_S = 240.0


def decision(number: int, seed: int = 0) -> bytes:
    """A one-page decision that differs from every other one."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        text = f"BT /F1 13 Tf 90 700 Td (Quyet dinh mau {seed}-{number}) Tj ET".encode()
        page = pdf.pages[0]
        page.Contents = pdf.make_stream(text + b"\n%" + b"x" * 20_000)
        page.Resources = pikepdf.Dictionary(
            Font=pikepdf.Dictionary(
                F1=pikepdf.Dictionary(
                    Type=pikepdf.Name.Font,
                    Subtype=pikepdf.Name.Type1,
                    BaseFont=pikepdf.Name.Helvetica,
                )
            )
        )
        stream = io.BytesIO()
        pdf.save(stream, deterministic_id=True)
    return stream.getvalue()


@dataclass
class StormResult:
    """What came of it. `records` by Idempotency-Key, as the service showed them at the end."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)  # of the downloaded bytes
    kills: int = 0
    processes_killed: int = 0
    asked: int = 0
    cut_off: int = 0  # requests that got no answer
    refused: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0


class _Storm:
    def __init__(
        self, service: RunningService, decisions: int, kills: int, seed: int, clients: int
    ) -> None:
        self.service, self.decisions, self.kills = service, decisions, kills
        self.seed, self.clients = seed, clients
        self.random = random.Random(seed)
        self.result = StormResult()
        self.lock = threading.Lock()
        self.published = threading.Semaphore(0)
        self.gate = threading.Condition()
        self.allowed = 0  # decisions that clients may have begun
        self.next = 0
        self.failure: BaseException | None = None

    def run(self) -> StormResult:
        began = time.monotonic()
        killer = threading.Thread(target=self._kill_again_and_again, daemon=True)
        killer.start()
        with ThreadPoolExecutor(self.clients) as pool:
            for done in [pool.submit(self._client) for _ in range(self.clients)]:
                done.result()
        killer.join()
        if self.failure is not None:
            raise self.failure
        self.result.seconds = time.monotonic() - began
        return self.result

    def _kill_again_and_again(self) -> None:
        """Let some decisions begin, wait a random moment, kill everything, start again."""
        try:
            for kill in range(self.kills):
                self._allow((kill + 1) * self.decisions // (self.kills + 1))
                time.sleep(self.random.uniform(0.0, 0.9))
                self.result.processes_killed += self.service.kill()
                self.result.kills += 1
                self.service.start(ready=False)
                if self.random.random() < 0.8:  # the others die while they are still starting
                    self.service.wait_ready()
                else:
                    time.sleep(self.random.uniform(0.1, 2.0))
            self.service.wait_ready()
        except BaseException as error:  # noqa: BLE001 - shown by `run`
            self.failure = error
        finally:
            self._allow(self.decisions)

    def _allow(self, count: int) -> None:
        with self.gate:
            self.allowed = max(self.allowed, count)
            self.gate.notify_all()

    def _client(self) -> None:
        while True:
            with self.gate:
                if self.next == self.decisions:
                    return
                self.gate.wait_for(lambda: self.next < self.allowed or self.next == self.decisions)
                if self.next == self.decisions:
                    return
                self.next += 1
                number = self.next
            self._sign(number)

    def _sign(self, number: int) -> None:
        key = f"storm-{self.seed}-{number}"
        body = decision(number, self.seed)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._once(lambda: submit(self.service, key, body))
            if answer is not None and answer.status in (200, 201, 202):
                record = answer.json
                if record["state"] == "published":
                    break
                assert record["state"] in ("accepted", "signing"), record
            assert time.monotonic() < deadline, f"{key}: {answer}\n{self.service.told()[-3000:]}"
            time.sleep(0.05 if answer is not None and answer.status == 202 else 0.3)
        with self.lock:
            self.result.records[key] = record

    def _once(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            answer = ask()
        except OSError:
            with self.lock:
                self.result.asked += 1
                self.result.cut_off += 1
            return None
        with self.lock:
            self.result.asked += 1
            if answer.status >= 400:
                self.result.refused[answer.status] = self.result.refused.get(answer.status, 0) + 1
        assert answer.status in (200, 201, 202, 429, 502, 503), answer
        return answer


def submit(service: RunningService, key: str, body: bytes, *, wait: int = 10) -> Answer:
    """Ask for one signature at B-LTA with the next number of the book."""
    return service.ask(
        "POST",
        "/v1/signatures",
        body,
        query={
            "key": "test-leader",
            "level": "B-LTA",
            "from_book": "true",
            "symbol": "QĐ-UBND",
            "decided_on": "2026-11-23",
            "reason": "Ban hành quyết định",
        },
        headers={
            "Content-Type": "application/pdf",
            "Idempotency-Key": key,
            "Prefer": f"wait={wait}",
        },
    )


def run_storm(
    service: RunningService, *, decisions: int, kills: int, seed: int = 1, clients: int = 8
) -> StormResult:
    """Run the storm on a service that is ready; it is ready again at the end."""
    return _Storm(service, decisions, kills, seed, clients).run()


def download(service: RunningService, record: dict[str, Any]) -> bytes:
    """The signed file of a record, checked against the digest that the record names."""
    answer = service.ask("GET", f"/v1/signatures/{record['id']}/result")
    assert answer.status == 200, answer
    assert hashlib.sha256(answer.body).hexdigest() == record["result_sha256"]
    return answer.body


def verdict(service: RunningService, pdf: bytes) -> str:
    """What the service's verifier says of the bytes: indication and integrity."""
    answer = service.ask("POST", "/v1/verifications", pdf, authorised=False)
    report = answer.json
    return f"{report['indication']} {report['integrity']}"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """A JSON-lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
