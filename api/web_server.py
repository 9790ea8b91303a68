"""Serves the HTTP application with uvicorn: uvloop, httptools, one process, graceful end.

The access log is off: `api.telemetry` writes one structured line a request.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from api.auth.mutual_tls import server_context
from api.bounded_protocol import BoundedProtocol
from api.errors import SettingsError

if TYPE_CHECKING:
    from api.settings import WebSettings

BACKLOG = 512
_KEEP_ALIVE_S = 75
_MAX_CONNECTIONS = 2000
_TAKE_OVER_S = 2.0  # the processes of a killed predecessor need a moment to end
GRACE_S = 8
"""Requests under way get so long at the end; streams of events end with it."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, to be inherited by the processes that serve it.

    Raises `SettingsError` when the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _TAKE_OVER_S
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise SettingsError(
                f"Không mở được {host}:{port}; cổng đang bị dùng hoặc địa chỉ sai, hãy chọn cổng "
                f"khác (--port). / Cannot listen on {host}:{port} ({error.strerror}): choose "
                "another port (--port) or stop the program that has it."
            ) from error


def serve_app(
    app: Any,  # noqa: ANN401 - an ASGI application
    settings: WebSettings,
    listening: socket.socket,
    on_started: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT; returns when what was being answered is answered."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="auto",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=_MAX_CONNECTIONS,
        backlog=BACKLOG,
        ssl_context_factory=server_context(settings),
    )
    with _signals_are_uvicorns():
        _Server(config, on_started).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        if self.started:
            self._on_started()


@contextlib.contextmanager
def _signals_are_uvicorns() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more: that one must not kill us."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
