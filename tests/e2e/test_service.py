"""`sohoa serve` from outside: signed through the Python client, judged by others, ended in time."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook as SecondOpinion

from sohoa.client import Client, Conflict, Invalid, Missing, NotAllowed
from tests.fixtures_installation import run_sohoa
from tests.receiver import Receiver
from tests.running_service import ROOT, RunningService
from tests.storm import decision


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A whole service of this module; a test may stop it and start it again."""
    data = tmp_path_factory.mktemp("service") / "data"
    environ = {"SOHOA_WEBHOOKS__PRIVATE_NETWORKS": "true"}  # receivers on loopback
    with RunningService(data, environ) as running:
        yield running
    assert running.pids() == []


@pytest.fixture(scope="module")
def keys(service: RunningService) -> dict[str, str]:
    """API keys of one agency, by what their clients may do."""
    return {
        "officer": service.new_client(roles=("officer",)),
        "leader": service.new_client(roles=("leader",)),
        "clerk": service.new_client(roles=("clerk",)),
        "auditor": service.new_client(roles=("auditor",), keys=()),
        "admin": service.new_client(roles=("admin",), keys=()),
    }


@pytest.fixture
def officer(service: RunningService, keys: dict[str, str]) -> Iterator[Client]:
    with Client(service.url, keys["officer"], language="en") as client:
        yield client


def test_decision_is_signed_downloaded_and_verified_by_others(
    service: RunningService, officer: Client, tmp_path: Path
) -> None:
    (tmp_path / "decision.pdf").write_bytes(decision(1))
    record = officer.sign(
        tmp_path / "decision.pdf",
        key="test-leader",
        level="B-LTA",
        reason="Ban hành quyết định (mẫu)",
        idempotency_key="decision-1",
        wait_s=50,
    )
    assert record.state == "published"
    signed = officer.download(record, tmp_path / "signed.pdf")

    told = subprocess.run(
        ["pdfsig", "-nocert", str(signed)], capture_output=True, text=True, check=True
    ).stdout
    assert "Signature Validation: Signature is Valid." in told
    assert "ETSI.CAdES.detached" in told

    anchor = service.data / "pki" / "root.pem"
    verdict = run_sohoa("verify", signed, "--trust", anchor, "--json", "--data", service.data)
    assert verdict.code == 0, verdict.told
    assert verdict.json["indication"] == "TOTAL-PASSED"
    assert officer.verify(signed).has_passed

    again = officer.sign(
        tmp_path / "decision.pdf",
        key="test-leader",
        level="B-LTA",
        reason="Ban hành quyết định (mẫu)",
        idempotency_key="decision-1",
        wait_s=50,
    )
    assert again.id == record.id
    assert officer.read(again) == signed.read_bytes()
    assert officer.read(record, file="report").startswith(b"{")

    with pytest.raises(Conflict) as other:
        officer.sign(decision(2), key="test-leader", idempotency_key="decision-1")
    assert other.value.code == "idempotency-conflict"
    assert other.value.request_id


def test_large_document_is_uploaded_in_parts(officer: Client) -> None:
    large = decision(3) + b"\n%" + os.urandom(9_000_000).hex().encode()[:9_000_000] + b"\n"
    told: list[tuple[int, int]] = []
    blob = officer.upload(large, progress=lambda done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert told[-1] == (len(large), len(large))
    assert len(told) > 3
    told.clear()
    assert officer.upload(large, progress=lambda done, total: told.append((done, total))) == blob
    assert told == [(len(large), len(large))]  # what is there is not sent again


def test_signed_requests(service: RunningService, keys: dict[str, str]) -> None:
    """RFC 9421: the key itself never travels, and the service accepts what we sign."""
    with Client(service.url, keys["officer"], signed=True) as client:
        record = client.sign(decision(4), key="test-officer", level="B-B", wait_s=50)
        assert client.record(record.id) == record
        assert next(one.id for one in client.records()) == record.id


def test_errors_are_typed_and_bilingual(service: RunningService, officer: Client) -> None:
    with pytest.raises(Missing):
        officer.record("sig_" + "0" * 26)
    with pytest.raises(Invalid) as invalid:
        officer.sign(decision(5), key="test-officer", profiles=["P99"])
    assert "P99" in invalid.value.detail or "profile" in invalid.value.detail
    with Client(service.url, "sohoa_nobody") as nobody, pytest.raises(NotAllowed) as refused:
        next(nobody.records())
    assert refused.value.status == 401
    assert "xác thực" in refused.value.detail


def test_webhook_tells_of_a_published_signature(
    service: RunningService, officer: Client, keys: dict[str, str]
) -> None:
    with Receiver(answers=[500]) as receiver:  # the first try fails; the second comes in seconds
        made = service.ask(
            "POST",
            "/v1/webhooks",
            {"url": receiver.url, "events": ["signature.published"]},
            authorised=keys["admin"],
        )
        assert made.status == 201, made.body
        record = officer.sign(decision(70), key="test-officer", level="B-B", wait_s=50)
        deadline = time.monotonic() + 30
        while len(receiver.received) < 2:
            assert time.monotonic() < deadline, receiver.received
            time.sleep(0.05)
        first, second = receiver.received
    for request in (first, second):
        told = SecondOpinion(made.json["secret"]).verify(request.body, request.headers)
        assert told["type"] == "signature.published"
        assert told["data"]["id"] == record.id
        assert told["data"]["result_sha256"] == record.result_sha256
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    path = f"/v1/webhooks/{made.json['id']}/deliveries"
    (delivery,) = service.ask("GET", path, authorised=keys["admin"]).json["items"]
    assert [one["status"] for one in delivery["tries"]] == [500, 204]
    refused = service.ask("GET", path, authorised=keys["officer"])
    assert refused.status == 403


def test_audit_export_holds_together(
    service: RunningService, keys: dict[str, str], tmp_path: Path
) -> None:
    with Client(service.url, keys["auditor"]) as auditor:
        events = {entry["event"] for entry in auditor.audit()}
        assert "signature.published" in events
        export = auditor.export_audit(tmp_path / "audit.jsonl")
    assert export.stat().st_size > 1000


def test_processes_hold_what_belongs_to_them(service: RunningService) -> None:
    """Only agent and authority have the PKCS#11 module in memory."""
    holders = set()
    for pid in service.pids():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if "libsofthsm2" in Path(f"/proc/{pid}/maps").read_text():
            found = re.search(r"--lifeline \d+ (\w+)", command)
            holders.add(found[1] if found else command)
    assert holders == {"agent", "authority"}


def test_part_that_crashes_comes_back(service: RunningService, officer: Client) -> None:
    for part in ("agent", "worker seal"):
        before = service.pids_of(part)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        _replaced(service, part, before)
    assert officer.sign(decision(6), key="test-leader", wait_s=50).is_published


def test_sigterm_drains_in_time_and_leaves_nobody(service: RunningService, officer: Client) -> None:
    accepted = [
        officer.sign(decision(n), key="test-leader", idempotency_key=f"drain-{n}", wait_s=0)
        for n in range(10, 30)
    ]
    began = time.monotonic()
    assert service.stop(35) == 0
    assert time.monotonic() - began < 32
    assert service.pids() == []
    service.start()  # and nothing was lost
    for record in accepted:
        assert officer.wait(record, timeout_s=60).is_published


def test_drain_answers_whoever_waits_and_ends_streams(
    service: RunningService, officer: Client
) -> None:
    """A client that waits is told where to ask again; a stream of events ends with the service."""
    batch = officer.batches.create([officer.upload(decision(50))], key="test-leader")
    for pid in service.pids_of("worker seal"):
        os.kill(pid, signal.SIGSTOP)  # nothing is signed meanwhile
    ended: dict[str, float] = {}
    answers: list[int] = []

    def wait() -> None:
        answer = service.ask(
            "POST",
            "/v1/signatures?key=test-leader",
            decision(51),
            headers={
                "Content-Type": "application/pdf",
                "Idempotency-Key": "drained",
                "Prefer": "wait=60",
            },
            authorised=service.new_client(),
            timeout=80,
        )
        answers.append(answer.status)

    def follow() -> None:
        path = f"/v1/signature-batches/{batch.id}/events"
        with contextlib.suppress(httpx.TransportError), officer._transport.stream(path) as stream:
            for _ in stream.iter_lines():
                pass
        ended["stream"] = time.monotonic()

    threads = [threading.Thread(target=work) for work in (wait, follow)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    for thread in threads:
        thread.join(15)
    assert answers == [202]
    assert ended["stream"] - began < 8
    assert service.stop(35) == 0  # the worker that does not answer was killed in time
    assert service.pids() == []
    service.start()
    officer.batches.cancel(batch)


def test_hangup_reloads_the_door_and_refuses_nobody(service: RunningService) -> None:
    assert service.process is not None
    before = service.pids_of("web")
    service.process.send_signal(signal.SIGHUP)
    _replaced(service, "web", before)
    assert service.ask("GET", "/healthz", authorised=False).status == 200


def test_kill_of_the_supervisor_leaves_nobody(service: RunningService, officer: Client) -> None:
    record = officer.sign(decision(40), key="test-leader", wait_s=0)
    assert service.process is not None
    assert len(service.pids()) >= 6
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    deadline = time.monotonic() + 5
    while service.pids():
        assert time.monotonic() < deadline, service.pids()
        time.sleep(0.02)
    service.start()  # the socket and the port of the dead are taken over
    assert officer.wait(record, timeout_s=60).is_published


def test_second_supervisor_of_the_same_folder_is_refused(service: RunningService) -> None:
    done = run_sohoa("serve", "--data", service.data, "--port", str(service.port))
    assert done.code == 9
    assert "đang chạy" in done.told


def test_parts_run_alone(service: RunningService, officer: Client) -> None:
    """Each part by its own command, as on many machines; SIGTERM ends each well."""
    service.stop()
    parts: list[subprocess.Popen[bytes]] = []
    try:
        for part in (("authority",), ("agent",), ("worker", "seal")):
            parts.append(_alone(service, *part))
        parts.append(_alone(service, "web", "--port", str(service.port)))
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if service.ask("GET", "/readyz", authorised=False).status == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert officer.sign(decision(60), key="test-leader", wait_s=50).is_published
    finally:
        for process in reversed(parts):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in parts]
    assert codes == [0, 0, 0, 0]


def test_bootstrap_secret_was_printed_once(service: RunningService) -> None:
    assert service.told().count(service.secret) == 1


def _alone(service: RunningService, *arguments: str) -> subprocess.Popen[bytes]:
    with service.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "api", *arguments, "--data", str(service.data)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _replaced(service: RunningService, part: str, before: set[int]) -> None:
    """Wait until as many other processes run `part`."""
    assert before, service.told()[-2000:]
    deadline = time.monotonic() + 30
    while len(service.pids_of(part) - before) < len(before) or service.pids_of(part) & before:
        assert service.ask("GET", "/healthz", authorised=False).status == 200
        assert time.monotonic() < deadline, service.told()[-2000:]
        time.sleep(0.02)
