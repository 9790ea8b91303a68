"""An HTTP server on loopback, in a thread, for test doubles that are real endpoints."""

from __future__ import annotations

import http.server
import ssl
import threading
from typing import Any


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Serves from `start` until `stop`. Clients that go away in the middle are no errors."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        handler: type[http.server.BaseHTTPRequestHandler],
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__((host, 0), handler)
        self._scheme = "http" if tls is None else "https"
        self._host = host
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def origin(self) -> str:
        return f"{self._scheme}://{self._host}:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass
