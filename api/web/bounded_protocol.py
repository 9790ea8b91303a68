"""HTTP/1.1 for strangers: uvicorn's protocol with bounds on heads and slow clients.

uvicorn bounds neither the size of a head nor the time a client takes over anything but an idle
connection, so a few hundred connections that send a byte a minute would occupy a service that
has no proxy before it. Each bound costs a timer, not a task. Bodies are bounded by `api.web.body`.

    head       `MAX_HEAD_BYTES` and `HEAD_S` seconds                       431, 408
    answer     what waits in the socket is taken within `ANSWER_S`         connection cut
    unread     a body that was refused is not read for long                connection closed
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
HEAD_S = 10.0
ANSWER_S = 60.0
LINGER_S = 2.0

PEER_CERTIFICATE = "sohoa.peer_certificate_sha256"
"""Entry of the ASGI scope: SHA-256 (hex) of the client's verified TLS certificate."""

_NO_HTTP = json.dumps(
    {
        "type": "/problems/malformed-request",
        "title": "Yêu cầu không đúng HTTP / not an HTTP request",
        "status": 400,
        "detail": "Địa chỉ và tiêu đề chỉ gồm ký tự ASCII; hãy mã hóa phần trăm (UTF-8), ví dụ "
        "“QĐ” thành “Q%C4%90”. / An address and headers are ASCII: percent-encode other letters "
        "(UTF-8), “QĐ” as “Q%C4%90”.",
        "code": "malformed-request",
    },
    ensure_ascii=False,
).encode()
"""In both languages: what the client prefers could not be read."""


class _HeadTooLarge(Exception):
    """Raised inside the parser, which then stops."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Used by the event loop alone."""

    _peer: str | None = None
    _asked = False  # a whole head has come on this connection
    _head_is_open = True  # from the first byte of a request to the end of its head
    _head_bytes = 0  # of data that came while it was open
    _parsed_bytes = 0  # of its parts: a head may come together with its body
    _body_is_open = False
    _head_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None

    # --- connection ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A client came; it has `HEAD_S` to say what it wants."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate is not None:
            self._peer = hashlib.sha256(certificate).hexdigest()
        self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went; nothing may fire for it any more."""
        for timer in (self._head_timer, self._answer_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a head or a body, or of several requests."""
        if self._head_is_open:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_is_open and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")

    # --- parser --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_is_open = True
        self._head_bytes = self._parsed_bytes = 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)
        if self._peer is not None:
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # a TypedDict with more
            scope[PEER_CERTIFICATE] = self._peer

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_open = False
        self._asked = True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._body_is_open = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_is_open = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is on its way; what is left of a refused body is not worth reading."""
        super().on_response_complete()
        if self._body_is_open and self._answer_timer is None:
            self._answer_timer = self.loop.call_later(LINGER_S, self._stop_lingering)

    def send_400_response(self, msg: str) -> None:
        """What was sent is no HTTP, or its head is too large."""
        if self._head_is_open and self._parsed_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        else:
            del msg
            self._refuse(b"400 Bad Request", _NO_HTTP)

    # --- bounds --------------------------------------------------------------------------

    def _count(self, size_bytes: int) -> None:
        self._parsed_bytes += size_bytes
        if self._parsed_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLarge

    def _too_slow(self) -> None:
        self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes, problem: bytes = b"") -> None:
        """Answer in one breath, unless an answer has begun, and close."""
        if self.transport.is_closing():
            return
        if not self._asked or self.cycle.response_complete:
            kind = b"content-type: application/problem+json\r\n" if problem else b""
            length = b"content-length: %d\r\n" % len(problem)
            head = b"HTTP/1.1 " + status + b"\r\nconnection: close\r\n" + kind + length
            self.transport.write(head + b"\r\n" + problem)
        self.transport.close()

    def _stop_lingering(self) -> None:
        self._answer_timer = None
        if self._body_is_open and not self.transport.is_closing():
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        super().pause_writing()
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(ANSWER_S, self._give_up)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _give_up(self) -> None:
        self.transport.abort()
