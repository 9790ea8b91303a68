"""Where the blob stores of the tests are, and what happens to them behind their backs."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

from dossier.storage.blobs import open_blobs
from dossier.storage.store import BlobStore
from tests.fixtures_s3 import ACCESS_KEY, SECRET_KEY


@dataclass(frozen=True)
class Place:
    """Where a store is; opened anew by each process."""

    url: str
    folder: Path
    endpoint: str | None = None
    credentials_file: Path | None = None

    def open(self) -> BlobStore:
        return open_blobs(
            self.url,
            self.folder,
            endpoint=self.endpoint,
            region="us-east-1",
            credentials_file=self.credentials_file,
        )

    def bucket(self) -> tuple[S3Store, str]:
        """The bucket itself, and the prefix of the store in it."""
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        store = S3Store(
            bucket,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            client_options={"allow_http": True},
        )
        return store, prefix

    def damage(self, sha256: str, data: bytes) -> None:
        """Put other bytes where the blob is, behind the store's back."""
        if self.url:
            store, prefix = self.bucket()
            obstore.put(store, f"{prefix}/{sha256[:2]}/{sha256}", data)
        else:
            path = self.folder / sha256[:2] / sha256
            path.chmod(0o600)
            path.write_bytes(data)

    def names(self) -> list[str]:
        """Every file or object of the store, whatever it is."""
        if self.url:
            store, prefix = self.bucket()
            return [entry["path"] for page in obstore.list(store, prefix) for entry in page]
        return [str(path) for path in self.folder.rglob("*") if path.is_file()]


class Line:
    """A line to the server on a port of its own; it can be cut and mended."""

    def __init__(self, endpoint: str) -> None:
        self._server = endpoint.removeprefix("http://").split(":")
        self._ends: list[socket.socket] = []
        self._port = 0
        self.mend()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listener,))
        self._thread.start()

    def cut(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((self._server[0], int(self._server[1])))
            self._ends += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=pair).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for end in self._ends:
            end.close()
