"""A whole `sohoa serve` under test: started, asked over HTTP, killed without warning, stopped.

Everything is asked with `http.client` alone, so that a mistake of our own client hides nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

ROOT = Path(__file__).parent.parent
_KEY = re.compile(r"\bsohoa_[a-z0-9]+_[A-Za-z0-9_-]+")
_START_S = 60.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class RunningService:
    """One installation in `data` and the processes that serve it.

    `environ` holds settings (``SOHOA_DATABASE__URL`` and the like). `secret` is the bootstrap
    secret, read from what the first start printed.
    """

    data: Path
    environ: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    command: tuple[str, ...] = ("serve",)
    secret: str = ""
    process: subprocess.Popen[bytes] | None = None
    _idle: list[http.client.HTTPConnection] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    def start(self, *, ready: bool = True) -> Self:
        """Start and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "api", *self.command),
                    *("--data", str(self.data), "--port", str(self.port)),
                ],
                env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **self.environ},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, seconds: float = _START_S) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is None or self.process.poll() is None, self.told()[-4000:]
            try:
                if self.ask("GET", "/readyz", timeout=5, authorised=False).status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        else:
            raise AssertionError(f"not ready after {seconds} s: {self.told()[-4000:]}")
        if not self.secret:
            found = _KEY.search(self.told())
            assert found, f"no bootstrap secret was printed: {self.told()[-2000:]}"
            self.secret = found[0]

    def told(self) -> str:
        """All that its processes have printed."""
        return self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""

    def pids(self) -> list[int]:
        """Every process of the session that `start` opened, the supervisor first."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(after_name[3]) == self.process.pid and after_name[0] != "Z":
                    found.append(int(entry.name))
        return sorted(found)

    def pids_of(self, part: str) -> set[int]:
        """The processes that run `part` (agent, authority, web, worker seal)."""
        found = set()
        for pid in self.pids():
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if re.search(rf"--lifeline \d+ {part} ", command):
                    found.add(pid)
        return found

    def pid_of(self, part: str) -> int | None:
        """The process that runs `part`, of which there is one, if one does."""
        return next(iter(self.pids_of(part)), None)

    def kill(self) -> int:
        """kill -9 for every process at once; how many there were."""
        assert self.process is not None
        self.hang_up()
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 5
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(pids)

    def stop(self, seconds: float = 40.0) -> int:
        """SIGTERM; its exit code. Whatever does not drain in time is an error."""
        self.hang_up()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not drained in {seconds} s: {self.told()[-4000:]}") from None
        finally:
            if self.pids():
                self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            self.hang_up()  # also from what a test started by itself

    def new_client(
        self,
        agency: str = "H22.12",
        roles: Sequence[str] = ("leader", "clerk", "officer"),
        keys: Sequence[str] = ("test-leader", "test-seal", "test-officer"),
    ) -> str:
        """Make an agency, if it is new, and a client of it; its API key."""
        whole = {"id": agency, "name": f"UBND xã {agency}", "policy": {"keys": [*keys]}}
        made = self.ask("POST", "/v1/agencies", whole)
        assert made.status in (201, 409), made
        form = {"agency_id": agency, "name": "may khach", "roles": [*roles], "keys": [*keys]}
        client = self.ask("POST", "/v1/clients", form)
        assert client.status == 201, client
        issued = self.ask("POST", f"/v1/clients/{client.json['id']}/keys", {})
        assert issued.status == 201, issued
        return str(issued.json["text"])

    def _take(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        """A connection of its own for a request, and whether it was used before."""
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout), False
        kept.timeout = timeout
        if kept.sock is not None:
            kept.sock.settimeout(timeout)
        return kept, True

    def hang_up(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        authorised: bool | str = True,
        timeout: float = 60.0,
    ) -> Answer:
        """One request; a dict becomes a JSON body. Raises `OSError` when nobody answers."""
        sent = dict(headers or {})
        if authorised:
            secret = authorised if isinstance(authorised, str) else self.secret
            sent.setdefault("Authorization", f"Bearer {secret}")
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        target = f"{path}?{urlencode(query)}" if query else path
        while True:
            connection, was_kept = self._take(timeout)
            try:
                connection.request(method, target, body, sent)
                answer = connection.getresponse()
                content = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # a kept connection may have been closed meanwhile, which says nothing
                if not was_kept or isinstance(error, TimeoutError):
                    raise OSError(f"{method} {path}: {error!r}") from error
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)
