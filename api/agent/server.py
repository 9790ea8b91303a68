"""The agent's HTTP door: a Unix socket for this machine, or TLS with client certificates.

Everything is bounded: connections, bytes of a body, the time of a request as a whole. A client
that is slow is cut off; nobody else waits for it.
"""

from __future__ import annotations

import abc
import hashlib
import http.server
import io
import json
import logging
import os
import socket
import socketserver
import ssl
import struct
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from api.agent.policy import LOCAL, KeyPolicy
from api.agent.routes import Routes
from api.draining import DrainingServer
from api.errors import SettingsError
from signer.csc.sockets import reachable
from signer.csc.wire import HEAD_PATH
from signer.deadline import DeadlineSocket

_LOG = logging.getLogger(__name__)

MAX_BODY: Final = 128 * 1024  # bytes: 32 hashes with 2 KB of context each, and then some
MAX_CONNECTIONS: Final = 512  # most of them idle: workers keep theirs alive
IDLE_S: Final = 30.0  # longer than our clients keep a connection
REQUEST_S: Final = 10.0
"""For a request to arrive, head and body, and for its answer to be taken."""
_POLL_S: Final = 0.05
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


class AgentServer:
    """Serves `routes` in threads. `start`, then `drain`."""

    def __init__(
        self,
        address: str,
        routes: Routes,
        policy: KeyPolicy,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        client_ca: Path | None = None,
        request_s: float = REQUEST_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """`address` is ``unix:/path``, or ``https://host:port`` with the three TLS files.

        Raises `SettingsError` for an address that cannot be served.
        """
        self._socket: Path | None = None
        try:
            if address.startswith("unix:"):
                self._socket = Path(address.removeprefix("unix:"))
                self._server: _Server = _UnixServer(self._socket, policy)
            else:
                self._server = _TLSServer(address, _tls(certificate, key, client_ca))
        except (OSError, ValueError, ssl.SSLError) as error:
            raise SettingsError(
                f"Không mở được {address} cho `sohoa agent`: {error}. / The agent cannot listen "
                "there; check agent.address and agent.tls_*."
            ) from error
        self._server.routes = routes
        self._server.request_s = request_s
        self._server.max_connections = max_connections
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="agent-accept", daemon=True
        )

    @property
    def port(self) -> int:
        """The TCP port; 0 for a Unix socket."""
        address = self._server.server_address
        return int(address[1]) if isinstance(address, tuple) else 0

    def start(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    def drain(self, timeout_s: float) -> None:
        """Accept nothing more, answer what is under way, close."""
        self._server.drain_s = timeout_s
        self._server.shutdown()
        self._thread.join()
        if isinstance(self._server, _UnixServer):
            self._server.withdraw()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; one deadline a request; an answer leaves in one piece."""

    protocol_version = "HTTP/1.1"
    server_version = "sohoa-agent"
    sys_version = ""
    server: _Server
    rfile: io.BufferedReader
    wfile: io.BytesIO  # what is to leave
    caller = ""

    def setup(self) -> None:
        self.caller, self.connection = self.server.introduce(self.request)
        self._timed = DeadlineSocket(self.connection)
        self.rfile = self._timed.makefile("rb")
        self.wfile = io.BytesIO()

    def finish(self) -> None:
        self.rfile.close()
        self._timed.close()
        self.server.wrapped(self.connection, None)

    def handle_one_request(self) -> None:
        self.close_connection = True
        self._timed.deadline = time.monotonic() + IDLE_S
        try:
            if not self.rfile.peek(1):
                return
            with self.server.answering():
                self._timed.deadline = time.monotonic() + self.server.request_s
                super().handle_one_request()
                self._timed.deadline = time.monotonic() + self.server.request_s
                self._timed.sendall(self.wfile.getvalue())
        except (OSError, ValueError):
            self.close_connection = True
        self.wfile = io.BytesIO()

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(*self.server.routes.health())
        elif self.path == HEAD_PATH:
            self._answer(*self.server.routes.head())
        else:
            there = f"there are /healthz and {HEAD_PATH}, and POST to the CSC methods"
            self._complain(HTTPStatus.NOT_FOUND, there)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._complain(HTTPStatus.LENGTH_REQUIRED, "send Content-Length")
        elif int(length) > MAX_BODY:
            self.close_connection = True
            self._complain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY} bytes")
        else:
            content = self.rfile.read(int(length))
            if len(content) < int(length):
                raise ConnectionAbortedError
            self._answer(*self.server.routes.answer(self.path, self.caller, content))

    def _answer(self, status: int, body: dict[str, Any], retry_after_s: int) -> None:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if retry_after_s:
            self.send_header("Retry-After", str(retry_after_s))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _complain(self, status: HTTPStatus, description: str) -> None:
        self._answer(status, {"error": "invalid_request", "error_description": description}, 0)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: a line too long, a version or verb that is none."""
        del explain
        self.close_connection = True
        self.request_version = self.protocol_version  # a line that is none counts as HTTP/0.9
        self._complain(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: object) -> None:
        """The audit chain says what was asked; lines of a client do not go into logs."""

    def address_string(self) -> str:
        return self.caller


class _Server(DrainingServer, socketserver.BaseServer, abc.ABC):
    """What both kinds of server share."""

    routes: Routes
    request_s = REQUEST_S
    max_connections = MAX_CONNECTIONS

    @abc.abstractmethod
    def introduce(self, request: socket.socket) -> tuple[str, socket.socket]:
        """Who is at the other end, and what to talk through. Raises `OSError`."""

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002
        """Refuse at once when there are too many connections."""
        if self.connections < self.max_connections:
            return True
        _refuse(request, HTTPStatus.SERVICE_UNAVAILABLE)
        return False


class _UnixServer(_Server, socketserver.UnixStreamServer):
    """A socket that only its owner can open (mode 0600); the kernel says who calls."""

    def __init__(self, path: Path, policy: KeyPolicy) -> None:
        self._policy = policy
        self._path = path
        # made aside, closed to others, then put in place of a dead agent's socket
        self._aside = path.with_name(f".{path.name}.{os.getpid()}")
        self._aside.unlink(missing_ok=True)
        super().__init__(str(self._aside), _Handler)
        self._inode = self._path.stat().st_ino

    def server_bind(self) -> None:
        with reachable(self._aside) as name:
            self.socket.bind(name)
        self.server_address = str(self._path)

    def server_activate(self) -> None:
        self._aside.chmod(0o600)
        super().server_activate()
        self._aside.replace(self._path)

    def introduce(self, request: socket.socket) -> tuple[str, socket.socket]:
        _, uid, _ = _CREDENTIALS.unpack(
            request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if uid == os.geteuid():
            return LOCAL, request
        if self._policy.knows_uid(uid):
            return f"uid:{uid}", request
        _LOG.warning("user %d was refused: no key policy names it", uid)
        _refuse(request, HTTPStatus.FORBIDDEN)
        raise PermissionError(uid)

    def withdraw(self) -> None:
        """Remove the socket from the folder, unless it is another agent's by now."""
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass


class _TLSServer(_Server, socketserver.TCPServer):
    """TLS; only clients with a certificate of our CA get as far as a request."""

    allow_reuse_address = True

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        host, _, port = address.removeprefix("https://").rstrip("/").rpartition(":")
        if not address.startswith("https://") or not host or not port.isdigit():
            raise ValueError(f"{address!r} is neither unix:PATH nor https://host:port")
        host = host.strip("[]")
        self._context = context
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, int(port)), _Handler)

    def introduce(self, request: socket.socket) -> tuple[str, socket.socket]:
        request.settimeout(self.request_s)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = self._context.wrap_socket(request, server_side=True)
        self.wrapped(request, tls)
        certificate = tls.getpeercert(binary_form=True)
        if certificate is None:
            raise PermissionError
        return f"certificate:{hashlib.sha256(certificate).hexdigest()}", tls


def _refuse(request: socket.socket, status: HTTPStatus) -> None:
    """Say so in one segment; the connection is closed by the caller."""
    again = "Retry-After: 1\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{again}Content-Length: 0\r\n"
    request.settimeout(1.0)
    try:
        request.sendall(f"{head}Connection: close\r\n\r\n".encode())
    except OSError:
        _LOG.debug("a refused client went away")


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    if certificate is None or client_ca is None:
        raise ValueError("https needs agent.tls_certificate, agent.tls_key and agent.tls_client_ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
