"""Sends one message to an address that somebody else chose.

The name is resolved once, each of its addresses is judged, and the connection goes to an address
that was judged. No redirect is followed, no proxy is asked, nothing of the answer is read but its
status, and everything together, resolving included, has one deadline.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from dossier.errors import DeliveryFailed, InvalidOrder
from signer.addresses import is_public, resolve
from signer.deadline import DeadlineSocket, remaining

MAX_URL = 2048
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where messages go: a parsed URL that is worth connecting to."""

    url: str
    scheme: str
    host: str
    port: int
    target: str
    authority: str  # as the Host header names it


def endpoint_of(url: str, *, private_networks: bool) -> Endpoint:
    """The endpoint that `url` names.

    Plain http, and addresses that are not public, are for `private_networks` alone. A name is
    resolved when something is sent, not here. Raises `InvalidOrder`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unusable(f"{error}") from error
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise _unusable(f"ASCII without spaces, at most {MAX_URL} characters")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _unusable("https://host/path")
    if parts.scheme == "http" and not private_networks:
        raise _unusable("https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _unusable("no user name, password or fragment")
    if not private_networks:
        _require_public_literal(parts)
    return Endpoint(
        url,
        parts.scheme,
        parts.hostname,
        port or _PORTS[parts.scheme],
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        parts.netloc,
    )


def post(
    endpoint: Endpoint,
    body: bytes,
    headers: Mapping[str, str],
    *,
    deadline_s: float,
    private_networks: bool,
    tls: ssl.SSLContext,
) -> int:
    """POST `body`; the status of the answer. Raises `DeliveryFailed` when none came in time."""
    deadline = time.monotonic() + deadline_s
    try:
        raw = _connect(endpoint, deadline, private_networks=private_networks)
        try:
            if endpoint.scheme == "https":
                raw.settimeout(remaining(deadline))
                raw = tls.wrap_socket(raw, server_hostname=endpoint.host)
            return _ask(endpoint, raw, deadline, body, headers)
        finally:
            raw.close()
    except TimeoutError as error:
        raise DeliveryFailed(f"no answer within {deadline_s:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise DeliveryFailed(f"its certificate is refused: {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}"[:200]) from error


def _ask(
    endpoint: Endpoint,
    raw: socket.socket,
    deadline: float,
    body: bytes,
    headers: Mapping[str, str],
) -> int:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.auto_open = 0  # never a second connection, which nobody would have judged
    connection.sock = DeadlineSocket(raw)
    connection.sock.deadline = deadline
    try:
        connection.request(
            "POST",
            endpoint.target,
            body,
            {**headers, "Host": endpoint.authority, "Connection": "close"},
        )
        response = connection.getresponse()
        response.close()
        return response.status
    finally:
        connection.close()


def _connect(endpoint: Endpoint, deadline: float, *, private_networks: bool) -> socket.socket:
    """A connection to the first address that answers; all of them are judged before."""
    addresses = resolve(endpoint.host, endpoint.port, deadline)
    if not private_networks:
        for address in addresses:
            if not is_public(address):
                raise DeliveryFailed(f"{endpoint.host} is not a public address ({address})")
    for n, address in enumerate(addresses):
        try:
            return socket.create_connection((address, endpoint.port), remaining(deadline))
        except TimeoutError:
            raise
        except OSError:
            if n == len(addresses) - 1:
                raise
    raise DeliveryFailed(f"{endpoint.host} has no address")


def _require_public_literal(parts: SplitResult) -> None:
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            raise _unusable(f"{host}: a public host") from None
        return
    if not is_public(host):
        raise _unusable(f"{host}: a public address")


def _unusable(wanted: str) -> InvalidOrder:
    return InvalidOrder(
        f"Địa chỉ nhận webhook không dùng được; cần: {wanted}. / The URL cannot be used for a "
        f"webhook; wanted: {wanted}.",
        field="url",
    )
