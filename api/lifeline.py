"""The tie between a supervised process and its supervisor: one socket, inherited.

While the supervisor lives its end is open. When it dies, even by kill -9, the kernel closes
that end, the child reads end-of-file and ends at once with everything that it started: no
orphan keeps a port, a lease or the token. In the other direction the child says once that it
is ready. A process that was started by hand has no lifeline, and all of this does nothing.

The kernel's own PR_SET_PDEATHSIG would not do: it follows the *thread* that started the child.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import NoReturn

READY = b"R"
DRAIN_S = 30.0
"""A process that was told to stop and has not ended after so long is killed."""

_supervisors: list[socket.socket] = []  # none or one
_signals: list[socket.socket] = []  # kept: the kernel's signals are told through them


def hold(fd: int) -> None:
    """Tie this process to the supervisor at the other end of the socket `fd`.

    Called once, by the command line, before anything else is started.
    """
    supervisor = socket.socket(fileno=fd)
    supervisor.set_inheritable(False)
    _supervisors.append(supervisor)
    threading.Thread(target=_watch, args=(supervisor,), name="lifeline", daemon=True).start()


def ready() -> None:
    """Tell the supervisor, if there is one, that this process now does its work."""
    for supervisor in _supervisors:
        with contextlib.suppress(OSError):  # it is gone: `_watch` is about to end this process
            supervisor.send(READY)


def stop_on_signals(*, within_s: float = DRAIN_S) -> threading.Event:
    """An event that the first SIGTERM or SIGINT sets. Call it in the main thread.

    The second signal, or `within_s` seconds after the first, ends the process at once. A thread
    sets the event: a signal handler would run inside the main thread's own `Event.wait` and
    could meet the lock that it holds.
    """
    stop = threading.Event()
    told, tell = socket.socketpair()
    tell.setblocking(False)  # what a wake-up descriptor has to be
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)

    _signals.append(tell)

    def listen() -> None:
        _next_stop(told)
        stop.set()
        told.settimeout(within_s)
        with contextlib.suppress(TimeoutError):
            _next_stop(told)
        _end_at_once()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return stop


def _next_stop(told: socket.socket) -> None:
    while told.recv(1)[0] not in (signal.SIGTERM, signal.SIGINT):
        pass


def _watch(supervisor: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while supervisor.recv(1):
            pass
    _end_at_once()


def _end_at_once() -> NoReturn:
    if os.getpgrp() == os.getpid():  # what this process started is in its group
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit(1)  # never reached: SIGKILL cannot be refused
