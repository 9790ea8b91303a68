"""HTTP for trust services: one kept-alive connection a server, hard limits on time and size.

RFC 3161, OCSP and CRL need two verbs and no redirects, but need a *total* time limit: an
ordinary client times out between two reads, and a server that sends a byte every few seconds
holds it for hours. Built on `http.client`, whose request costs a quarter of httpx's CPU time
and whose start-up costs nothing (httpx reads the CA bundle even for plain HTTP).
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from typing import cast
from urllib.parse import SplitResult, urlsplit

from signer.addresses import is_public
from signer.deadline import DeadlineSocket, remaining

_Server = tuple[str, str, int]  # scheme, host, port

_PORTS = {"http": 80, "https": 443}
_IDLE_PER_SERVER = 4
_CHUNK = 65536
_OK = 200


class FetchError(Exception):
    """Root of what fetching raises; callers turn it into their own typed error."""


class TransportFault(FetchError):
    """No answer, or only a part of one, within the time: trying again may help."""


class UnusableAnswer(FetchError):
    """The address is not allowed, or the answer is no 200, or too large: do not try again."""


class Fetcher:
    """Fetches over http and https. Thread-safe; one kept-alive connection a thread in need.

    No redirects, no proxies, no cookies, no credentials. With `public_only`, names are
    resolved once, every address must be a public one, and the connection goes to the address
    that was checked (security requirement 20).
    """

    def __init__(self, *, public_only: bool = False, tls: ssl.SSLContext | None = None) -> None:
        """`tls` defaults to the system's trust store, read when https is first used."""
        self._public_only = public_only
        self._tls = tls
        self._lock = threading.Lock()
        self._idle: dict[_Server, list[http.client.HTTPConnection]] = {}
        self._requests = 0
        # Whoever forgets `close` leaks no sockets: they go when the fetcher does.
        weakref.finalize(self, _close_all, self._idle)

    @property
    def requests(self) -> int:
        """How many requests were sent, failed ones included."""
        return self._requests

    def get(self, url: str, *, timeout_s: float, max_bytes: int) -> bytes:
        """The body of a 200 answer to GET. Raises `FetchError`."""
        return self._exchange("GET", url, None, {}, timeout_s, max_bytes)

    def post(
        self, url: str, body: bytes, content_type: str, *, timeout_s: float, max_bytes: int
    ) -> bytes:
        """The body of a 200 answer to POST. Raises `FetchError`."""
        headers = {"Content-Type": content_type}
        return self._exchange("POST", url, body, headers, timeout_s, max_bytes)

    def close(self) -> None:
        """Close the idle connections; the object stays usable."""
        with self._lock:
            _close_all(self._idle)

    def _exchange(
        self,
        verb: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
        max_bytes: int,
    ) -> bytes:
        deadline = time.monotonic() + timeout_s
        parts, server = _address(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection = self._take(server) or self._connect(server, deadline)
            try:
                content = self._ask(connection, verb, path, body, headers, deadline, max_bytes)
            except BaseException:
                connection.close()
                raise
        except http.client.InvalidURL as error:
            raise UnusableAnswer(f"{url!r} is not a usable address: {error}") from error
        except TimeoutError as error:
            raise TransportFault(f"{url} did not answer within {timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise TransportFault(f"{url} cannot be reached ({reason})") from error
        self._give_back(server, connection)
        return content

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        verb: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
        max_bytes: int,
    ) -> bytes:
        cast(DeadlineSocket, connection.sock).deadline = deadline
        with self._lock:
            self._requests += 1
        connection.request(verb, path, body, dict(headers))
        response = connection.getresponse()
        if response.status != _OK:
            raise UnusableAnswer(f"the server answered {response.status} {response.reason}")
        chunks: list[bytes] = []
        size = 0
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise UnusableAnswer(f"the answer is larger than {max_bytes} bytes")
            chunks.append(chunk)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(chunks)

    def _take(self, server: _Server) -> http.client.HTTPConnection | None:
        """An idle connection that the server has not closed meanwhile."""
        while True:
            with self._lock:
                idle = self._idle.get(server)
                if not idle:
                    return None
                connection = idle.pop()
            # Readable while idle: closed, or something was sent that nobody asked for.
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _give_back(self, server: _Server, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(server, [])
            if connection.sock is not None and len(idle) < _IDLE_PER_SERVER:
                idle.append(connection)
                return
        connection.close()

    def _connect(self, server: _Server, deadline: float) -> http.client.HTTPConnection:
        scheme, host, port = server
        address = self._resolve(host, port) if self._public_only else host
        raw = socket.create_connection((address, port), timeout=remaining(deadline))
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "https":
                raw.settimeout(remaining(deadline))
                raw = self._tls_context().wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(host, port)
        connection.auto_open = 0  # a new connection goes through the checks above
        connection.sock = DeadlineSocket(raw)
        return connection

    def _resolve(self, host: str, port: int) -> str:
        """An address of `host`; all its addresses must be public."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not is_public(address):
                raise UnusableAnswer(f"{host} is not a public address ({address})")
        return addresses[0]

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


def _close_all(idle: dict[_Server, list[http.client.HTTPConnection]]) -> None:
    while idle:
        _, connections = idle.popitem()
        for connection in connections:
            connection.close()


def _address(url: str) -> tuple[SplitResult, _Server]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnusableAnswer(f"{url!r} is not a usable address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise UnusableAnswer(f"{url!r} is not a plain http or https address")
    return parts, (parts.scheme, parts.hostname, port or _PORTS[parts.scheme])
