"""Two worker machines on one PostgreSQL and S3: one dies, the other goes on; both drain.

Beside that what several machines must agree on: one signature for one Idempotency-Key whichever
web machine is asked, uploads that change machines, who may use the key agent over TLS.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from hsm.errors import KeyNotFound, TokenUnavailable
from signer.errors import KeyUseRefused, SignerError
from signer.remote import CSCClient
from sohoa.client import Client
from tests.fixtures_databases import PostgresCluster
from tests.fixtures_s3 import S3Server
from tests.machine_work import House, judge_batches, release_batch, until
from tests.machines import Fleet, commands, documented
from tests.proof_kill_storm import counting
from tests.running_service import Answer, RunningService
from tests.storm import decision, submit

pytestmark = pytest.mark.no_cover  # killed processes take their counts along

DOCUMENTS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machines")


@pytest.fixture(scope="module")
def fleet(folder: Path, postgres: PostgresCluster, s3_server: S3Server) -> Iterator[Fleet]:
    """Key agent, two worker machines, two web machines; the database begins empty."""
    name = postgres.new_database()
    running = Fleet(
        folder / "fleet",
        postgres.url(name),
        s3_server,
        webs=("web-1", "web-2"),
        key_environ=counting(folder, folder / "c-sign"),
        worker_environ={"SOHOA_WORKER__THREADS": "4"},  # a small batch is enough for two
    )
    with running:
        yield running
    postgres.drop(name)


@pytest.fixture(scope="module")
def secret(fleet: Fleet) -> str:
    """The API key of a client that may sign, in the hands of both web machines' askers."""
    secret = fleet.webs[0].new_client()
    for web in fleet.webs:
        web.secret = secret
    return secret


@pytest.fixture(scope="module")
def house(fleet: Fleet) -> Iterator[House]:
    with House(fleet) as house:
        yield house


@pytest.fixture
def client(fleet: Fleet, secret: str) -> Iterator[Client]:
    with Client(fleet.webs[0].url, secret) as client:
        yield client


@contextlib.contextmanager
def slow_token(folder: Path, number: int) -> Iterator[None]:
    """A token that takes its time, so that a batch has a middle."""
    control = folder / "fault-control"
    control.write_text(f"id={number} stall=150")
    try:
        yield
    finally:
        control.unlink()


def test_batches_survive_a_dead_machine_and_two_drains(
    fleet: Fleet, client: Client, house: House, folder: Path
) -> None:
    a, b = fleet.workers
    with slow_token(folder, 1):
        first = release_batch(client, DOCUMENTS, 1)
        house.until_at_work(first, a, b)
        lost = house.kill(a)
        assert lost
        until("the other finishes", lambda: house.state(first) == "done")
    a.start()

    with slow_token(folder, 2):
        second = release_batch(client, DOCUMENTS, 2)
        house.until_at_work(second, a, b)
        house.drain(a, b)
    assert house.published(second) < DOCUMENTS
    a.start()
    b.start()
    until("the batch goes on", lambda: house.state(second) == "done")

    told = judge_batches(fleet, client, (first, second), folder / "c-sign", lost)
    assert told["retaken"] > 0
    assert house.deadlocks() == 0


def test_one_signature_for_duplicates_at_two_web_machines(
    fleet: Fleet, secret: str, house: House
) -> None:
    body = decision(7, 7)

    def send(number: int) -> tuple[str, str]:
        answer = submit(fleet.webs[number % 2], "twice", body, wait=30)
        while answer.status in (202, 429, 503):
            answer = submit(fleet.webs[number % 2], "twice", body, wait=30)
        assert answer.status in (200, 201), answer
        return answer.json["id"], answer.json["result_sha256"]

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(send, range(60)))
    assert len(answers) == 1
    ((count,),) = house.ask(
        "SELECT count(*) FROM audit_entries WHERE subject = %s AND entry LIKE %s",
        next(iter(answers))[0], '%"signature.published"%',
    )  # fmt: skip
    assert count == 1


def test_an_upload_that_changes_machines_begins_again_unharmed(fleet: Fleet, secret: str) -> None:
    here, there = fleet.webs
    content = b"%PDF-1.7\n" + b"x" * 300_000
    path = f"/v1/blobs/{hashlib.sha256(content).hexdigest()}"
    half = len(content) // 2

    def put(web: RunningService, start: int, end: int) -> Answer:
        sent = {
            "Content-Type": "application/pdf",
            "Content-Range": f"bytes {start}-{end - 1}/{len(content)}",
        }
        return web.ask("PUT", path, content[start:end], headers=sent)

    assert put(here, 0, half).json["offset"] == half
    assert there.ask("HEAD", path).status == 404
    refused = put(there, half, len(content))
    assert refused.status == 409, refused
    assert not put(there, 0, half + 10).json["complete"]
    assert put(there, half + 10, len(content)).json["complete"]
    for web in (here, there):
        assert web.ask("GET", path).body == content
    assert put(here, half, len(content)).json["complete"]  # the half that lay here does no harm


def test_the_key_agent_asks_for_a_certificate_and_a_right(fleet: Fleet, tmp_path: Path) -> None:
    """Another CA: no connection. Our CA without a right: no signature. A worker: its keys."""
    stranger = tmp_path / "tls"
    stranger.mkdir()
    script = documented("bash", "tls").replace("DNS:khoa.example", "IP:127.0.0.1")
    subprocess.run(["bash", "-euc", script], cwd=stranger, check=True, capture_output=True)

    def connect(folder: Path, name: str | None) -> CSCClient:
        certificate = None if name is None else folder / f"{name}.pem"
        key = None if name is None else folder / f"{name}.key"
        return CSCClient(
            fleet.agent_address,
            timeout_s=10,
            server_ca=fleet.tls / "ca.pem",
            client_certificate=certificate,
            client_key=key,
        )

    worker = connect(fleet.tls, "may-b")
    key = worker.key("test-leader").bound(agency="H22.12", purpose="remote")
    with pytest.raises(KeyUseRefused):  # a worker, too, only for what the policy says
        key.sign_digests([bytes(32)])
    web = connect(fleet.tls, "web-1")
    assert web.health().ok
    assert [one.id for one in web.credentials()] == ["test-register"]
    with pytest.raises((KeyNotFound, KeyUseRefused, SignerError)):
        web.key("test-leader").bound(agency="H22.12", purpose="document").sign_digests([bytes(32)])
    for stranger_name in ("may-a", None):
        with pytest.raises(TokenUnavailable):
            connect(stranger, stranger_name).info()
    with pytest.raises(TokenUnavailable):  # and the client trusts no other server
        CSCClient(fleet.agent_address, timeout_s=5, server_ca=stranger / "ca.pem").info()
    for each in (worker, web):
        each.close()


def test_machines_keep_to_themselves(fleet: Fleet, secret: str, folder: Path) -> None:
    """Own group, folder, settings and revocation cache; the token is the key machine's alone."""

    def have_sealed() -> bool:
        with slow_token(folder, 3), ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda n: submit(fleet.webs[0], uuid4().hex, decision(n, 8)), range(24)))
        return all((machine.data / "revocation-cache").is_dir() for machine in fleet.workers)

    until("both have sealed", have_sealed)
    machines = [fleet.agent, *fleet.machines]
    module = str(folder / "fault.so")
    assert all(module in mapped(pid) for pid in fleet.agent.pids)
    for machine in fleet.machines:
        others = {one.folder for one in machines} | {fleet.keys.folder}
        others.remove(machine.folder)
        for pid in machine.pids:
            assert os.getpgid(pid) == machine.group
            assert "pkcs11" not in mapped(pid)
            assert module not in mapped(pid)
            touched = opened(pid)
            assert [path for path in touched if others & set(path.parents)] == []
    assert len({machine.group for machine in machines}) == len(machines)
    for machine in fleet.workers:
        names = {path.name for path in machine.data.iterdir()}
        assert {"sohoa.toml", "revocation-cache"} <= names
        assert names.isdisjoint({"token", "token-pin", "house.db", "key-policy.toml", "pki"})


def mapped(pid: int) -> str:
    """The files that a process has in its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


def opened(pid: int) -> list[Path]:
    """The files that a process holds open, and where it stands."""
    found = [Path(f"/proc/{pid}/cwd").readlink()]
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(one.readlink())
    return found


def test_backup_on_the_key_machine_and_on_a_worker(fleet: Fleet) -> None:
    (command,) = commands("backup")
    for machine in (fleet.workers[0], fleet.agent):
        target = machine.folder / "backup.tar"
        machine.run([str(target) if word.startswith("/backup/") else word for word in command])
        assert target.stat().st_size > 10_000
