"""One question to a scanner and its answer, bounded in size and in time as a whole.

On `http.client` with one deadline for everything, as `signer.fetch` and `dossier.webhooks` do:
a client that times out between two reads is held for hours by a device that sends a byte a
second. No redirect is followed, no proxy asked, no connection kept.
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import time
from dataclasses import dataclass

from dossier.errors import InvalidOrder, ScannerMisanswered, ScannerUnreachable
from dossier.scanners.address import ScannerAddress
from signer.deadline import DeadlineSocket, remaining

_CHUNK = 1 << 16
_MOST_RETRY_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the scanner said. `body` is read of 2xx answers only."""

    status: int
    content_type: str
    body: bytes
    location: str = ""
    retry_after_s: float | None = None


def ask(
    address: ScannerAddress,
    verb: str,
    path: str,
    body: bytes | None = None,
    *,
    seconds: float,
    max_bytes: int,
) -> Answer:
    """The answer to one request, whole, within `seconds` and `max_bytes`.

    Raises `ScannerUnreachable` when none came, or only a part of one; `ScannerMisanswered` when
    it is too large or no HTTP. Safe for threads.
    """
    deadline = time.monotonic() + seconds
    try:
        raw = _connect(address, deadline)
        try:
            return _exchange(address, raw, deadline, verb, path, body, max_bytes)
        finally:
            raw.close()
    except TimeoutError as error:
        raise _unreachable(address, f"{seconds:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise ScannerUnreachable(
            f"Chứng thư của máy quét {address.url} không được tin ({error.verify_message}); ghi "
            f"tệp PEM của nó vào [scanners.{address.name}] certificate. / The certificate of "
            f"{address.url} is not trusted ({error.verify_message}); name its PEM file in "
            f"[scanners.{address.name}] certificate."
        ) from error
    except http.client.IncompleteRead as error:
        raise _unreachable(address, "mất giữa chừng / cut off") from error
    except (http.client.HTTPException, UnicodeError) as error:
        if isinstance(error, http.client.RemoteDisconnected):
            raise _unreachable(address, "ngắt kết nối / disconnected") from error
        raise ScannerMisanswered(
            f"{address.url} không nói HTTP ({type(error).__name__}); hãy kiểm tra địa chỉ máy "
            f"quét. / {address.url} does not speak HTTP ({type(error).__name__}); check the "
            "scanner's address."
        ) from error
    except OSError as error:
        raise _unreachable(address, error.strerror or type(error).__name__) from error


def _exchange(
    address: ScannerAddress,
    raw: socket.socket,
    deadline: float,
    verb: str,
    path: str,
    body: bytes | None,
    max_bytes: int,
) -> Answer:
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.auto_open = 0  # never a second connection, which nobody would have judged
    connection.sock = DeadlineSocket(raw)
    connection.sock.deadline = deadline
    headers = {"Connection": "close", "User-Agent": "sohoa-escl/1"}
    if body is not None:
        headers["Content-Type"] = "text/xml"
    try:
        connection.request(verb, path, body, headers)
        response = connection.getresponse()
        with response:
            is_good = 200 <= response.status < 300
            return Answer(
                response.status,
                response.headers.get_content_type(),
                _read(response, max_bytes) if is_good else b"",
                response.getheader("Location", ""),
                _seconds(response.getheader("Retry-After", "")),
            )
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise ScannerMisanswered(
                f"Máy quét gửi nhiều hơn {max_bytes} byte cho một trang; hãy giảm độ phân giải. / "
                f"The scanner sends more than {max_bytes} bytes at once; lower the resolution."
            )
        chunks.append(chunk)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(chunks)


def _connect(address: ScannerAddress, deadline: float) -> socket.socket:
    """A connection to the first address that answers."""
    addresses = address.connectable(deadline)
    for n, numeric in enumerate(addresses):
        try:
            raw = socket.create_connection((numeric, address.port), remaining(deadline))
        except TimeoutError:
            raise
        except OSError:
            if n == len(addresses) - 1:
                raise
            continue
        if address.scheme == "http":
            return raw
        try:
            raw.settimeout(remaining(deadline))
            tls = _tls_context(address)
            return tls.wrap_socket(raw, server_hostname=address.host)
        except BaseException:
            raw.close()
            raise
    raise OSError(f"{address.host} has no address")


def _tls_context(address: ScannerAddress) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=address.certificate)
    except OSError as error:
        entry = f"[scanners.{address.name}] certificate"
        raise InvalidOrder(
            f"{entry}: không đọc được tệp PEM {address.certificate}; hãy kiểm tra đường dẫn. / "
            f"{entry}: the PEM file {address.certificate} cannot be read; check its path.",
            field="certificate",
        ) from error


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds, at most a minute; a date is as good as none (RFC 9110 10.2.3)."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return None
    return min(seconds, _MOST_RETRY_AFTER_S) if math.isfinite(seconds) and seconds >= 0 else None


def _unreachable(address: ScannerAddress, why: str) -> ScannerUnreachable:
    return ScannerUnreachable(
        f"Máy quét {address.url} không trả lời ({why}): kiểm tra máy có bật, có cùng mạng, đúng "
        f"địa chỉ. / The scanner {address.url} does not answer ({why}): is it switched on, on "
        "this network, at this address?"
    )
