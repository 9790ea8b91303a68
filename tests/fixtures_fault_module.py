"""A PKCS#11 module that can be made to fail, and a key agent in a process of its own before it.

def test_something(faulty_agent):
    faulty_agent.fault(rv=0x30, n=2)                # the next two C_Sign answer CKR_DEVICE_ERROR
    faulty_agent.client().key("test-seal")…
    assert faulty_agent.account().is_even
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dossier.audit.chain import AuditEntry
from dossier.audit.log import AuditLog
from dossier.storage.database import Database
from hsm import softhsm
from signer.remote import CSCClient

ROOT = Path(__file__).parent.parent
SOURCE = Path(__file__).parent / "pkcs11_fault" / "fault.c"
START_S = 40.0


@pytest.fixture(scope="session")
def fault_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module, compiled."""
    return compile_module(tmp_path_factory.mktemp("pkcs11-fault") / "fault.so")


def compile_module(path: Path) -> Path:
    """Compile the module to `path`."""
    options = ["-Wall", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run(["gcc", *options, "-o", path, SOURCE, "-ldl", "-lpthread"], check=True)
    return path


@dataclass(frozen=True)
class Account:
    """What the chain says, and what the module counted."""

    calls: list[str]  # of C_Sign: key handle, label, CK_RV
    intents: dict[int, AuditEntry]
    outcomes: dict[int, AuditEntry]  # by intent
    unknown: set[int]  # intents closed by key.outcome_unknown
    doubled: list[int]  # intents with more than one outcome

    @property
    def called(self) -> int:
        """C_Sign calls that the chain tells of; intents of unknown outcome are not among them."""
        return sum(entry.details["called"] for entry in self.outcomes.values())

    @property
    def is_even(self) -> bool:
        """Whether each C_Sign has its intent and each intent one outcome."""
        settled = self.intents.keys() == self.outcomes.keys() | self.unknown
        return settled and not self.doubled and len(self.calls) == self.called + len(self.unknown)

    def story(self) -> str:
        """For messages of failed assertions."""
        return (
            f"{len(self.calls)} C_Sign, {len(self.intents)} intents, {len(self.outcomes)} "
            f"outcomes, {self.called} called, {len(self.unknown)} unknown, {self.doubled} doubled"
        )


class FaultSwitch:
    """Switches the module's faults on and off through its control file."""

    def __init__(self, control: Path, *, only: str = "") -> None:
        """`only`: spoil processes alone that have this word among their arguments."""
        self._control = control
        self._only = {"only": only} if only else {}
        self.number = 0

    def fault(self, **words: str | int) -> int:
        """Switch a fault on; the words are explained at the top of fault.c. Returns its id."""
        self.number += 1
        told = {"id": self.number, **self._only, **words}
        scratch = self._control.with_suffix(".new")
        scratch.write_text(" ".join(f"{name}={value}" for name, value in told.items()))
        scratch.replace(self._control)
        return self.number

    def fault_for(self, seconds: float, **words: str | int) -> int:
        """Switch a fault on that ends by itself."""
        return self.fault(until=int((time.time() + seconds) * 1000), **words)

    def heal(self) -> None:
        """Switch every fault off."""
        self._control.unlink(missing_ok=True)


class FaultyAgent(FaultSwitch):
    """A key agent on a copy of the installation, with the faulty module before its token."""

    def __init__(self, folder: Path, module: Path, **environ: str) -> None:
        self.folder = folder
        super().__init__(folder / "fault-control")
        self._count = folder / "fault-count"
        self.log_file = folder / "agent.log"
        self.environ = {
            **os.environ,
            "FAULT_PKCS11_REAL": str(softhsm.module_path()),
            "FAULT_PKCS11_CONTROL": str(self._control),
            "FAULT_PKCS11_COUNT": str(self._count),
            "SOHOA_TOKEN__MODULE": str(module),
            "SOHOA_AUDIT__EVERY_S": "3600",
            "SOHOA_AUDIT__EVERY_ENTRIES": "1000000",
            **environ,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[CSCClient] = []

    # --- the process ---

    def start(self, *, healthy: bool = True) -> None:
        """Start it and wait until it answers (and, if `healthy`, can sign)."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api", "agent", "--data", self.folder],
                cwd=ROOT,
                env=self.environ,
                stderr=log,
                stdout=log,
            )
        client = self.client(timeout_s=5)
        deadline = time.monotonic() + START_S
        while True:
            health = client.health()
            if health.ok or (not healthy and health.details):
                return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, (health, self.log())
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Let it drain; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        for client in self._clients:
            client.close()
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def client(self, timeout_s: float = 10) -> CSCClient:
        """A client of its own, with connections of its own."""
        client = CSCClient(f"unix:{self.folder / 'agent.sock'}", timeout_s=timeout_s)
        self._clients.append(client)
        return client

    def log(self) -> str:
        """What it wrote to its standard error and output."""
        return self.log_file.read_text("utf-8")

    # --- what happened ---

    def calls(self) -> list[str]:
        """A line for each C_Sign."""
        return self._count.read_text().splitlines() if self._count.exists() else []

    def entries(self) -> list[AuditEntry]:
        """The whole chain."""
        database = Database(f"sqlite:///{self.folder / 'agent' / 'keys.db'}")
        try:
            return AuditLog(database, "keys").entries(None, 0, 10_000_000)
        finally:
            database.close()

    def account(self, *, settle_s: float = 10.0) -> Account:
        """Compare chain and count, when what is under way has settled."""
        deadline = time.monotonic() + settle_s
        while True:
            account = self._account()
            if account.is_even or time.monotonic() > deadline:
                return account
            time.sleep(0.05)

    def _account(self) -> Account:
        intents, outcomes, unknown, doubled = {}, {}, set(), []
        for entry in self.entries():
            if entry.event == "key.intent":
                intents[entry.seq] = entry
            elif entry.event in ("key.outcome", "key.outcome_unknown"):
                intent = entry.details["intent"]
                if intent in outcomes or intent in unknown:
                    doubled.append(intent)
                if entry.event == "key.outcome":
                    outcomes[intent] = entry
                else:
                    unknown.add(intent)
        return Account(self.calls(), intents, outcomes, unknown, doubled)


MakeAgent = Callable[..., FaultyAgent]


@pytest.fixture(scope="module")
def make_agent(
    installed: Path, fault_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeAgent]:
    """Makes agents, each on a copy of the session's installation; ends them."""
    made: list[FaultyAgent] = []

    def make(**environ: str) -> FaultyAgent:
        folder = tmp_path_factory.mktemp("agent") / "data"
        shutil.copytree(installed, folder)
        configuration = folder / "token" / "softhsm2.conf"
        text = configuration.read_text("utf-8").replace(str(installed), str(folder))
        configuration.write_text(text, "utf-8")
        made.append(FaultyAgent(folder, fault_module, **environ))
        return made[-1]

    yield make
    for agent in made:
        agent.kill()


@pytest.fixture(scope="module")
def shared_agent(make_agent: MakeAgent) -> FaultyAgent:
    """One running agent for a module's tests; it answers within 2 s."""
    agent = make_agent(SOHOA_AGENT__TIMEOUT_S="4")
    agent.start()
    return agent


@pytest.fixture
def faulty_agent(shared_agent: FaultyAgent) -> Iterator[FaultyAgent]:
    """The module's agent, well at the beginning of each test."""
    shared_agent.heal()
    yield shared_agent
    shared_agent.heal()
