"""A threaded server that knows what it is answering, and ends without cutting an answer short."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

_log = logging.getLogger(__name__)


class DrainingServer(socketserver.ThreadingMixIn):
    """One daemon thread a connection. To be mixed into a TCP or Unix `socketserver` class."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    drain_s = 2.0
    """How long `server_close` waits for requests under way."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - those of the server class
        self._idle = threading.Condition()
        self._busy = 0
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer in a thread of its own."""
        with self._idle:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the base class
        """Close a connection."""
        with self._idle:
            self._open.discard(request)
        super().shutdown_request(request)  # type: ignore[misc]  # of the server class beside us

    def wrapped(self, request: socket.socket, by: socket.socket | None) -> None:
        """What was `request` is to be closed as `by` from now on; None: it is closed."""
        with self._idle:
            self._open.discard(request)
            if by is not None:
                self._open.add(by)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away; the base class would print a traceback to standard error."""
        _log.debug("%s from %s was cut short", request, client_address, exc_info=True)

    def server_close(self) -> None:
        """Accept nothing more, finish what is under way, close what is kept alive."""
        super().server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, self.drain_s)
            for request in self._open:
                with contextlib.suppress(OSError):  # its client has closed it
                    request.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """A request under way, which `server_close` waits for."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()
