"""Serves the HTTP application with uvicorn: uvloop, httptools, one process, graceful end.

The access log is off: `api.telemetry` writes one structured line a request.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from api.auth.mutual_tls import server_context
from api.web.bounded_protocol import BoundedProtocol
from api.web.listening import BACKLOG

if TYPE_CHECKING:
    from api.settings import WebSettings

_KEEP_ALIVE_S = 75
_MAX_CONNECTIONS = 2000
GRACE_S = 8
"""Requests under way get so long at the end; streams of events end with it."""


def serve_app(
    app: Any,  # noqa: ANN401 - an ASGI application
    settings: WebSettings,
    listening: socket.socket,
    *,
    on_started: Callable[[], None],
    on_drain: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT; returns when what was being answered is answered.

    `on_drain` is called in the event loop when no more connections are accepted.
    """
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
        _Server(config, on_started, on_drain).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it has started, and when it drains."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_started: Callable[[], None],
        on_drain: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_drain = on_drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self._on_drain()
        await super().shutdown(sockets)


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
