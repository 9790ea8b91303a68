"""A socket for `http.client` with one deadline for everything, not one for each read."""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 65536


def remaining(deadline: float) -> float:
    """Seconds until `deadline` (of `time.monotonic`). Raises `TimeoutError` when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit is over")
    return left


class DeadlineSocket:
    """What `http.client` needs of a socket, with one deadline for everything together.

    Like a real socket it stays open while a reader made from it is: `http.client` closes the
    connection of an answer without length before the body is read.
    """

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._readers = 0
        self._closing = False
        self.deadline = 0.0

    def fileno(self) -> int:
        """As of the socket."""
        return self._raw.fileno()

    def sendall(self, content: bytes) -> None:
        """Send all of `content`. Raises `TimeoutError`."""
        self._raw.settimeout(remaining(self.deadline))
        self._raw.sendall(content)

    def receive_into(self, buffer: WriteableBuffer) -> int:
        """What has come in, at least one byte unless the other side has closed."""
        self._raw.settimeout(remaining(self.deadline))
        return self._raw.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - http.client only reads
        """A reader of what comes in."""
        self._readers += 1
        return io.BufferedReader(_Incoming(self), _CHUNK)

    def reader_closed(self) -> None:
        """Called by a reader when it is closed."""
        self._readers -= 1
        if self._closing:
            self.close()

    def close(self) -> None:
        """Close the socket, once no reader is left."""
        self._closing = True
        if not self._readers:
            self._raw.close()


class _Incoming(io.RawIOBase):
    """The reading side; closing it leaves the connection open for the next request."""

    def __init__(self, connection: DeadlineSocket) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._connection.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._connection.reader_closed()
        super().close()
