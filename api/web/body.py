"""The body of a request on its way in: bounded in size and time, and held to its Content-Digest.

`Body` stands between the server and the application (ASGI `receive`), so no route can forget it.
The last piece is handed on only after the digest was found right; whatever a route does with a
body, it does after its end, so a wrong digest never takes effect (RFC 9530; security.md 23).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, Any

from api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest

if TYPE_CHECKING:
    from starlette.types import Message, Receive

IDLE_S = 20.0
"""How long a client may send nothing while more is awaited."""
GRACE_S = 30.0
"""After this time a body has to have come at `SLOWEST` on average."""
SLOWEST = 4096  # bytes a second
_DIGEST = re.compile(r"\s*([a-z0-9-]+)=:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?")
_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}


class Body:
    """The ASGI `receive` of one request, bounded. Used by one task at a time.

    `limit` is in bytes and may be narrowed until the first piece is awaited. Errors: see `next`.
    """

    __slots__ = ("_began", "_digests", "_receive", "_whole", "limit", "received")

    def __init__(self, receive: Receive, *, limit: int, content_digest: str | None) -> None:
        """Raises `MalformedRequest` for a Content-Digest that cannot be read."""
        self._receive = receive
        self._digests = [
            (hashlib.new(name), expected) for name, expected in parse_digest(content_digest)
        ]
        self.limit = limit
        self.received = 0
        self._whole = False
        self._began = time.monotonic()

    async def next(self) -> Message:
        """The next ASGI message.

        Raises `BodyTooLarge`, `BodyTooSlow`, and `MalformedRequest` when the body has another
        digest than the client said.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(IDLE_S):
                message = await self._receive()
        except TimeoutError as error:
            raise _too_slow() from error
        if message["type"] == "http.request":
            self._take(message)
        return message

    def _take(self, message: Any) -> None:  # noqa: ANN401 - ASGI's message
        piece: bytes = message.get("body", b"")
        self.received += len(piece)
        if self.received > self.limit:
            raise too_large(self.limit)
        for digest, _ in self._digests:
            digest.update(piece)
        if not message.get("more_body", False):
            self._whole = True
            for digest, expected in self._digests:
                if not hmac.compare_digest(digest.digest(), expected):
                    raise MalformedRequest(
                        "Nội dung nhận được không khớp Content-Digest; hãy gửi lại. / The body "
                        "received is not the one that Content-Digest names; send it again.",
                        field="header.Content-Digest",
                    )
        else:
            spent_s = time.monotonic() - self._began
            if spent_s > GRACE_S and self.received < spent_s * SLOWEST:
                raise _too_slow()


def parse_digest(content_digest: str | None) -> list[tuple[str, bytes]]:
    """(hash name, digest) for each algorithm that we know; unknown ones are passed over.

    Raises `MalformedRequest` for what is no Content-Digest (RFC 9530 clause 2).
    """
    if content_digest is None:
        return []
    found = []
    for entry in content_digest.split(","):
        match = _DIGEST.fullmatch(entry)
        if match is None:
            raise _unreadable()
        name = _ALGORITHMS.get(match[1])
        if name is not None:
            try:
                value = base64.b64decode(match[2], validate=True)
            except binascii.Error as error:
                raise _unreadable() from error
            found.append((name, value))
    return found


def too_large(limit: int) -> BodyTooLarge:
    """The error for a body above `limit` bytes."""
    return BodyTooLarge(
        f"Nội dung lớn hơn {limit} byte; hãy tải tệp lớn lên /v1/blobs. / The body is larger than "
        f"{limit} bytes; upload large files to /v1/blobs."
    )


def _too_slow() -> BodyTooSlow:
    return BodyTooSlow(
        "Nội dung đến quá chậm; hãy thử lại, tệp lớn thì tải từng phần lên /v1/blobs. / The body "
        "came too slowly; try again, and send large files in pieces to /v1/blobs."
    )


def _unreadable() -> MalformedRequest:
    return MalformedRequest(
        "Content-Digest phải có dạng sha-256=:…: (RFC 9530). / Content-Digest has the form "
        "sha-256=:…: (RFC 9530).",
        field="header.Content-Digest",
    )
