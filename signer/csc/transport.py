"""JSON over HTTP/1.1 to one server: a Unix socket, or TLS; kept-alive, one deadline a call.

httpx spends four times the CPU time on such a call; the key agent is asked for every signature.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from hsm.errors import AnswerLost, TokenUnavailable
from signer.csc.sockets import reachable
from signer.csc.wire import BASE
from signer.deadline import DeadlineSocket, remaining
from signer.errors import SignerError

_MAX_ANSWER: Final = 4 * 1024 * 1024  # bytes
_MAX_IDLE: Final = 8  # connections
_IDLE_S: Final = 20.0  # shorter than any server's own limit: none closes while we send
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the JSON object of the body, Retry-After."""

    status: int
    body: Mapping[str, Any]
    retry_after: str | None


class Transport:
    """Calls one server. Thread-safe; one kept-alive connection a thread in need.

    No redirects, no proxies, no cookies. A call is sent once: whether to ask again is for the
    caller to decide, because a signature may have been made.
    """

    def __init__(
        self,
        address: str,
        *,
        server_ca: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        """`address` is ``unix:/path`` or ``https://host[:port][/base]``; ``http`` on loopback.

        The base defaults to ``/csc/v2``. Raises `SignerError` for any other address and for
        certificates that cannot be read.
        """
        self.address = address
        self._path: str | None = None
        self._tls: ssl.SSLContext | None = None
        self._host, self._port, self.base = "localhost", 0, BASE
        if address.startswith("unix:"):
            self._path = address.removeprefix("unix:")
        else:
            self._read_url(address)
            if address.startswith("https:"):
                self._tls = _tls(server_ca, client_certificate, client_key)
        self._lock = threading.Lock()
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        # whoever forgets `close` leaks no sockets: they go when the transport does
        weakref.finalize(self, _close_all, self._idle)

    def call(
        self,
        path: str,
        body: Mapping[str, Any] | bytes | None,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST `body` (JSON; bytes as they are), or GET when it is None, within `timeout_s`.

        Raises `TokenUnavailable` when nobody is there, `AnswerLost` when no whole answer came: the
        call may have been carried out.
        """
        deadline = time.monotonic() + timeout_s
        content = body if isinstance(body, bytes) or body is None else _dump(body)
        sent = {"Content-Type": "application/json", **(headers or {})} if content else headers
        failed = TokenUnavailable
        try:
            connection = self._take() or self._connect(deadline)
            failed = AnswerLost
            try:
                answer = _exchange(connection, path, content, sent or {}, deadline)
            except BaseException:
                connection.close()
                raise
        except TimeoutError as error:
            raise failed(
                f"Dịch vụ khóa {self.address} không trả lời trong {timeout_s:g} giây; nhật ký của "
                "nó cho biết đã ký hay chưa. / The key service did not answer in time; its audit "
                "chain says whether it signed. Try again.",
                retry_after_s=1,
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise failed(
                f"Không gọi được dịch vụ khóa {self.address}; hãy kiểm tra `sohoa agent`. / The "
                f"key service cannot be reached ({type(error).__name__}: {error}); see that "
                "`sohoa agent` runs.",
                retry_after_s=1,
            ) from error
        self._give_back(connection)
        return answer

    def close(self) -> None:
        """Close the idle connections; the object stays usable."""
        with self._lock:
            _close_all(self._idle)

    def _read_url(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise _bad_address(address) from error
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or parts.username or not (plain or parts.scheme == "https"):
            raise _bad_address(address)
        self._host = parts.hostname
        self._port = port or (80 if plain else 443)
        self.base = parts.path.rstrip("/") or BASE

    def _take(self) -> http.client.HTTPConnection | None:
        """The connection used last, unless the server has closed it meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            fresh = time.monotonic() - since < _IDLE_S
            # readable while idle: closed, or something was sent that nobody asked for
            if fresh and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and len(self._idle) < _MAX_IDLE:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        if self._path is not None:
            raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            raw = socket.create_connection((self._host, self._port), remaining(deadline))
        try:
            raw.settimeout(remaining(deadline))
            if self._path is not None:
                with reachable(Path(self._path)) as name:
                    raw.connect(name)
            else:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                raw = self._tls.wrap_socket(raw, server_hostname=self._host)
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(self._host, self._port or None)
        connection.auto_open = 0
        connection.sock = DeadlineSocket(raw)
        return connection


def _exchange(
    connection: http.client.HTTPConnection,
    path: str,
    content: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
) -> Answer:
    cast(DeadlineSocket, connection.sock).deadline = deadline
    connection.request("GET" if content is None else "POST", path, content, dict(headers))
    response = connection.getresponse()
    received = response.read(_MAX_ANSWER + 1)
    if len(received) > _MAX_ANSWER:
        raise http.client.HTTPException("the answer is too large")
    if response.length:
        raise http.client.IncompleteRead(received, response.length)
    try:
        body = json.loads(received) if received else {}
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        if response.status < http.client.BAD_REQUEST:
            raise http.client.HTTPException("the answer is no JSON object")
        body = {}  # a proxy's page: the status says enough
    return Answer(response.status, body, response.headers.get("Retry-After"))


def _dump(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SignerError(
            "Không đọc được chứng thư TLS để gọi dịch vụ khóa; hãy kiểm tra các mục agent.* trong "
            f"cấu hình. / The TLS files for the key service cannot be read ({error}); check the "
            "entries agent.* of the settings."
        ) from error
    return context


def _bad_address(address: str) -> SignerError:
    return SignerError(
        f"{address!r} không phải địa chỉ dịch vụ khóa; hãy dùng unix:/đường-dẫn hoặc https://máy. "
        "/ This is no address of a key service; use unix:/path or https://host:port."
    )


def _close_all(idle: deque[tuple[float, http.client.HTTPConnection]]) -> None:
    while idle:
        idle.popleft()[1].close()
