"""The embedded trust services: TSA, OCSP, CRLs and CA certificates on 127.0.0.1 (TEST ONLY).

One thread a kept-alive connection, bodies bounded, nothing but loopback. A one-shot command
starts them in its own process for as long as it runs; when another Sohoa process serves the
same test PKI on the port already, that one is used.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import http.server
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization

from api.draining import DrainingServer
from hsm.errors import HSMError
from signer.errors import TrustError
from signer.insecure_testpki import InsecureTestPKI, Role
from signer.tsa import TimestampAuthority

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_IDENTITY_PATH = "/sohoa-test-services"
_MAX_BODY = 16 * 1024
_IDLE_S = 60.0
_PROBE_S = 2.0
_TAKE_OVER_S = 0.02

_Answer = tuple[str, bytes]  # content type, body
_CRL = "application/pkix-crl"
_CER = "application/pkix-cert"


def choose_port() -> int:
    """A TCP port that is free on loopback now; `sohoa init` writes it into the certificates."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


class LoopbackServices:
    """Serves a test PKI. A context manager; `start` and `stop` may also be called."""

    def __init__(self, testpki: InsecureTestPKI, tsa: TimestampAuthority, port: int) -> None:
        """`port` is the one in `testpki.base_url`: the certificates name it."""
        ocsp = testpki.ocsp_responder()
        root = testpki.anchors[0]
        self._identity = root.fingerprint(hashes.SHA256()).hex().encode()
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._gets: dict[str, Callable[[], _Answer]] = {
            _IDENTITY_PATH: _constant("text/plain", self._identity)
        }
        for role in (Role.ROOT, Role.ISSUING):
            encoded = testpki.certificate(role).public_bytes(serialization.Encoding.DER)
            self._gets[f"/crl/{role}.crl"] = _publisher(_CRL, testpki, role)
            self._gets[f"/ca/{role}.cer"] = _constant(_CER, encoded)
        self._posts: dict[str, Callable[[bytes], _Answer]] = {
            "/tsa": lambda body: ("application/timestamp-reply", tsa.respond(body)),
            "/ocsp": lambda body: ("application/ocsp-response", ocsp.respond(body)),
        }
        self.requests: collections.Counter[str] = collections.Counter()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self._port}"

    @property
    def is_serving(self) -> bool:
        """True if this object serves; False if another process does, or nothing was started."""
        return self._server is not None

    def start(self) -> Self:
        """Serve in a thread, or use the process that serves this PKI on the port already.

        In the second case this process takes over as soon as the other one ends. Raises
        `signer.errors.TrustError` when something else has the port.
        """
        self._stopping.clear()
        try:
            self._server = self._bind()
        except OSError as error:
            if not self._is_served_elsewhere():
                raise TrustError(
                    f"Cổng {self._port} đang bị chương trình khác dùng; hãy dừng chương trình đó "
                    f"hoặc chạy `sohoa init` với cổng khác. / Port {self._port} is taken by "
                    "another program: stop it, or run `sohoa init` with another port."
                ) from error
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving; requests under way are answered, then connections are closed."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while self._server is None:
            if self._stopping.wait(_TAKE_OVER_S):
                return
            with contextlib.suppress(OSError):
                self._server = self._bind()
        serving = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        self._stopping.wait()
        self._server.shutdown()
        self._server.server_close()
        serving.join()
        self._server = None

    def _bind(self) -> _Server:
        return _Server(self._port, self._gets, self._posts, self.requests)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _is_served_elsewhere(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=_PROBE_S)
        try:
            connection.request("GET", _IDENTITY_PATH)
            return connection.getresponse().read(len(self._identity) + 1) == self._identity
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _constant(kind: str, body: bytes) -> Callable[[], _Answer]:
    return lambda: (kind, body)


def _publisher(kind: str, testpki: InsecureTestPKI, role: Role) -> Callable[[], _Answer]:
    return lambda: (kind, testpki.crl(role))


class _Server(DrainingServer, socketserver.TCPServer):
    """Accepts on loopback and answers in one daemon thread a connection."""

    allow_reuse_address = True

    def __init__(
        self,
        port: int,
        gets: dict[str, Callable[[], _Answer]],
        posts: dict[str, Callable[[bytes], _Answer]],
        requests: collections.Counter[str],
    ) -> None:
        self.gets = gets
        self.posts = posts
        self._requests = requests
        self._lock = threading.Lock()
        super().__init__((HOST, port), _Handler)

    def count(self, path: str) -> None:
        with self._lock:
            self._requests[path] += 1


class _Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; an answer leaves in one segment."""

    protocol_version = "HTTP/1.1"
    server_version = "sohoa-test-services"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _IDLE_S
    server: _Server

    def do_GET(self) -> None:
        with self.server.answering():
            self._get()

    def do_POST(self) -> None:
        with self.server.answering():
            self._post()

    def _get(self) -> None:
        answer = self.server.gets.get(self.path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            content = answer()
        except HSMError as error:
            _log.warning("%s cannot be signed at present: %s", self.path, error)
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._answer(*content)

    def _post(self) -> None:
        answer = self.server.posts.get(self.path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > _MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._answer(*answer(self.rfile.read(int(length))))

    def _answer(self, kind: str, body: bytes) -> None:
        self.server.count(self.path)
        self.send_response_only(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a command's standard error is for people."""
