"""The listening socket of the HTTP door; light, for the supervisor opens it and serves nothing."""

from __future__ import annotations

import errno
import socket
import time

from api.errors import SettingsError

BACKLOG = 512
_TAKE_OVER_S = 2.0  # the processes of a killed predecessor need a moment to end


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
