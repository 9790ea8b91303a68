"""A service on several machines, as docs/deployment.md describes it, all of it on loopback.

    fleet = Fleet(folder, database_url, s3, workers=("may-a", "may-b"), webs=("web-1", "web-2"))
    with fleet:
        fleet.machine("may-a").kill()          # power cut: its whole process group
        fleet.machine("may-a").start()

Certificates, settings, key policy and commands are those of the document: only names of hosts,
paths and keys are put in. A machine is a process group with a data folder, settings, a revocation
cache and a place for temporary files of its own. The test authority runs on the key machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from tests.fixtures_s3 import S3Server
from tests.running_service import RunningService, free_port

DOCUMENT = Path(__file__).parent.parent / "docs" / "deployment.md"
SOHOA = Path(sys.executable).with_name("sohoa")
KEYS = "khoa"
LABELS = {
    "can-bo": "test-officer",
    "lanh-dao": "test-leader",
    "con-dau": "test-seal",
    "nhat-ky": "test-audit",
    "so-dang-ky": "test-register",
    "ma-in": "test-proof",
}
"""The document's keys, and what `sohoa init` calls them."""
_API_KEY = re.compile(r"^sohoa_\S+$", re.MULTILINE)
DRAIN_S = 15.0
"""What a worker promises, and a little for a busy machine."""


def documented(language: str, name: str) -> str:
    """The block of the document that is marked so."""
    text = DOCUMENT.read_text("utf-8")
    found = re.findall(rf"^```{language} {name}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, (language, name, len(found))
    return str(found[0])


def commands(name: str) -> list[list[str]]:
    """The arguments of the `sohoa` commands that the document gives for a machine."""
    lines = re.findall(r"^\$ sohoa (.*)$", documented("console", name), re.MULTILINE)
    return [shlex.split(line) for line in lines]


class Machine:
    """One machine. `data` is its /srv/sohoa."""

    def __init__(self, name: str, folder: Path, services: Sequence[Sequence[str]]) -> None:
        """`services` are the arguments of what runs on it until it is stopped."""
        self.name = name
        self.folder = folder
        self.data = folder / "data"
        self.environ: dict[str, str] = {}
        self._services = [self._own(arguments) for arguments in services]
        self._leader: subprocess.Popen[bytes] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        for each in (self.data, folder / "tmp"):
            each.mkdir(parents=True, mode=0o700)

    @property
    def pids(self) -> list[int]:
        """Of its services."""
        return [process.pid for process in self._processes]

    @property
    def group(self) -> int:
        """The process group of them all."""
        assert self._leader is not None
        return self._leader.pid

    @property
    def is_running(self) -> bool:
        """Whether none of its services has ended."""
        return bool(self._processes) and all(p.poll() is None for p in self._processes)

    def run(self, arguments: Sequence[str]) -> str:
        """Run one command to its end; what it printed to standard output."""
        done = subprocess.run(
            [SOHOA, *self._own(arguments)],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (self.name, arguments, done.stdout, done.stderr)
        return done.stdout

    def start(self) -> None:
        """Start its services, all in one process group."""
        assert not self._processes
        self._leader = subprocess.Popen(["sleep", "infinity"], process_group=0)
        with (self.folder / "log").open("ab") as log:
            for arguments in self._services:
                self._processes.append(
                    subprocess.Popen(
                        [SOHOA, *arguments],
                        env=self._environment(),
                        cwd=self.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        process_group=self._leader.pid,
                    )
                )

    def kill(self) -> None:
        """kill -9 for the whole group, at one moment, as when the power fails."""
        if self._leader is None:
            return
        os.killpg(self._leader.pid, signal.SIGKILL)
        self._bury()

    def stop(self) -> float:
        """SIGTERM for each service; the seconds until the last had ended, with code 0."""
        began = time.monotonic()
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        codes = []
        try:
            for process in self._processes:
                codes.append(process.wait(max(began + 60 - time.monotonic(), 0.1)))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not drain: {self.told()[-3000:]}") from None
        finally:
            seconds = time.monotonic() - began
            self.kill()
        assert not any(codes), (self.name, codes, self.told()[-3000:])
        return seconds

    def told(self) -> str:
        """What its services have printed."""
        path = self.folder / "log"
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def _bury(self) -> None:
        assert self._leader is not None
        for process in (*self._processes, self._leader):
            process.wait(10)
        self._leader, self._processes = None, []

    def _own(self, arguments: Sequence[str]) -> list[str]:
        return [word.replace("/srv/sohoa", str(self.data)) for word in arguments]

    def _environment(self) -> dict[str, str]:
        own = {"TMPDIR": str(self.folder / "tmp"), "COLUMNS": "200", "NO_COLOR": "1"}
        return {**os.environ, **own, **self.environ}


class Fleet:
    """The machines. A context manager: started, then killed whatever happens."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        s3: S3Server,
        *,
        workers: Sequence[str] = ("may-a", "may-b"),
        webs: Sequence[str] = ("web-1",),
        endpoints: Mapping[str, str] | None = None,
        key_environ: Mapping[str, str] | None = None,
        worker_environ: Mapping[str, str] | None = None,
    ) -> None:
        """`endpoints`: machines that reach S3 by another line. `key_environ`: the agent's."""
        self.folder = folder
        self.database_url = database_url
        self.tls = folder / "tls"
        self._s3, self._bucket = s3, s3.new_url()
        self._endpoints = dict(endpoints or {})
        agent_port = free_port()
        self.agent_address = f"https://127.0.0.1:{agent_port}"
        self._fingerprints = self._make_certificates()
        self.keys = Machine(KEYS, folder / KEYS, [["authority", "--data", "/srv/sohoa"]])
        self.agent = Machine("agent", folder / "agent", commands(KEYS))
        self.agent.environ = dict(key_environ or {})
        self._make_key_machine()
        self.workers = [self._machine(name, "may-a") for name in workers]
        for machine in self.workers:
            machine.environ = dict(worker_environ or {})
        self.web_machines = [self._machine(name, "web-1") for name in webs]
        self.webs: list[RunningService] = []
        for machine in self.web_machines:
            port = tomllib.loads((machine.data / "sohoa.toml").read_text("utf-8"))["web"]["port"]
            self.webs.append(RunningService(machine.data, port=port))

    @property
    def machines(self) -> list[Machine]:
        """Those that share the database: workers and web."""
        return [*self.workers, *self.web_machines]

    @property
    def key_chain(self) -> Path:
        """The agent's own database."""
        return self.agent.data / "agent" / "keys.db"

    def machine(self, name: str) -> Machine:
        """A machine by its name."""
        return next(machine for machine in self.machines if machine.name == name)

    def prepare(self) -> str:
        """`sohoa prepare` on two machines at one moment; the secret that one of them printed."""
        with ThreadPoolExecutor(2) as pool:
            told = list(
                pool.map(lambda one: one.run(_PREPARE), (self.machines[0], self.machines[-1]))
            )
        secrets = [found for text in told for found in _API_KEY.findall(text)]
        assert len(secrets) == 1, told
        for web in self.webs:
            web.secret = secrets[0]
        return str(secrets[0])

    def start(self) -> Self:
        """Everything, and wait until each web machine says that it is ready."""
        self.keys.start()
        self.agent.start()
        self.prepare()
        for machine in self.machines:
            machine.start()
        self.wait_ready()
        return self

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Until all parts of the service answer at every web machine."""
        deadline = time.monotonic() + seconds
        for web, machine in zip(self.webs, self.web_machines, strict=True):
            while True:
                told: object = None
                with contextlib.suppress(OSError):
                    answer = web.ask("GET", "/readyz", timeout=10, authorised=False)
                    if answer.status == 200:
                        break
                    told = answer.body
                assert machine.is_running, machine.told()[-3000:]
                assert time.monotonic() < deadline, (told, self.agent.told()[-2000:])
                time.sleep(0.1)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End whatever still runs."""
        for web in self.webs:
            web.hang_up()
        for machine in (*self.machines, self.agent, self.keys):
            machine.kill()

    # --- what the document says ----------------------------------------------------------

    def _make_certificates(self) -> dict[str, str]:
        """Run the document's script; ``certificate:<sha256>`` by the machine's name."""
        self.tls.mkdir(parents=True, mode=0o700)
        script = documented("bash", "tls").replace("DNS:khoa.example", "IP:127.0.0.1")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.tls,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(line.split(maxsplit=1) for line in done.stdout.splitlines())

    def _make_key_machine(self) -> None:
        """`sohoa init` for token and test PKI; the document's settings and policy over them."""
        self.keys.run(["init", "--data", "/srv/sohoa"])
        self._init = tomllib.loads((self.keys.data / "sohoa.toml").read_text("utf-8"))
        # the agent has a folder of its own and the token: /srv/sohoa of the key machine
        self.agent.data.rmdir()
        self.agent.data.symlink_to(self.keys.data)
        entries = self._settings(KEYS, KEYS)
        _write(self.keys.data / "sohoa.toml", toml_of({**self._init, **entries}))
        policy = documented("toml", "policy")
        for name, identity in self._fingerprints.items():
            policy = policy.replace(f"certificate:{name.upper()}", identity)
        for theirs, ours in LABELS.items():
            policy = policy.replace(f"[keys.{theirs}]", f"[keys.{ours}]")
        _write(self.keys.data / "key-policy.toml", policy)

    def _machine(self, name: str, like: str) -> Machine:
        services = [arguments for arguments in commands(like) if arguments != _PREPARE]
        machine = Machine(name, self.folder / name, services)
        entries = self._settings(name, like)
        if "web" in entries:
            entries["web"] = {"host": "127.0.0.1", "port": free_port()}
        _write(machine.data / "sohoa.toml", toml_of(entries))
        return machine

    def _settings(self, name: str, like: str) -> dict[str, Any]:
        """The document's settings with names and addresses of this fleet."""
        text = documented("toml", like)
        for theirs, ours in (
            ("https://khoa.example:8443", self.agent_address),
            ("postgresql://sohoa@csdl.example/sohoa", self.database_url),
            ("https://s3.example", self._endpoints.get(name, self._s3.endpoint)),
            ("s3://sohoa/kho", self._bucket),
            ("/etc/sohoa/s3.toml", str(self._s3.credentials_file)),
            (f"/etc/sohoa/tls/{like}.", f"{self.tls}/{name}."),
            ("/etc/sohoa/tls", str(self.tls)),
            ("/etc/sohoa/trust/root.pem", str(self.keys.data / self._init["trust"]["anchors"][0])),
            ("http://tsa.example/tsa", self._init["trust"]["tsa_url"]),
            *((f'"{theirs}"', f'"{ours}"') for theirs, ours in LABELS.items()),
        ):
            text = text.replace(theirs, ours)
        assert ".example:" not in text, text
        entries = tomllib.loads(text) | {"mode": "test"}
        if "token" in entries:
            entries["token"] = self._init["token"]
        return entries


_PREPARE = ["prepare", "--data", "/srv/sohoa"]


def toml_of(entries: Mapping[str, Any]) -> str:
    """Settings as TOML: entries, then sections of entries."""
    lines = [f"{n} = {json.dumps(v)}" for n, v in entries.items() if not isinstance(v, dict)]
    for name, section in entries.items():
        if isinstance(section, dict):
            lines.append(f"\n[{name}]")
            lines += [f"{n} = {json.dumps(v)}" for n, v in section.items()]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o600)
