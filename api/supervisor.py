"""Starts the processes of one machine, starts them again when they crash, and drains them.

    stage 0  what everything needs          started first, stopped last
    stage 1  …                              a stage starts when the one before it is ready
    stage n  what clients talk to           started last, stopped first

One thread and one loop: signals, the children's words and their ends all arrive at one
selector, so nothing here races with anything. A child is a fresh process of our own command
line (never a fork), in a process group of its own: Ctrl-C on a terminal reaches the supervisor
alone, and whatever a child leaves behind is swept with its group. `api.lifeline` is the other
end of each child's tie.
"""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from api import lifeline

Tell = Callable[[str, str], None]
"""Says a sentence to the operator: in Vietnamese, in English."""

Command = Callable[["Part", int], Sequence[str]]
"""The command line of a part whose end of the lifeline has this file descriptor."""

_TAIL_LINES = 12
_STEADY_S = 5.0  # who was ready for so long was well; its crash is not part of a loop
_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # before the 1st, 2nd, … start after a crash
_LOOP = 3  # crashes in a row that are worth the child's last lines
_HOPELESS = 6  # crashes in a row of a part that has never been ready
_SLOW_START_S = 30.0
_REFUSALS = frozenset({2, 4, 5, 6, 9})
"""Exit codes (api.problems) by which a part says itself why it cannot run: usage, input, token
or PIN, policy, settings. Starting it again changes nothing, and tries a wrong PIN twice."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running.

    `once` marks a step that has to end well before its stage is ready. `drain_s` is the time
    that it gets after SIGTERM. `reloads`: SIGHUP ends it gently and starts it anew. `sockets`
    are file descriptors that it inherits under the same numbers.
    """

    name: str
    arguments: tuple[str, ...]
    stage: int
    once: bool = False
    drain_s: float = 5.0
    reloads: bool = False
    sockets: tuple[int, ...] = ()


@dataclass(slots=True)
class _Child:
    """A part and the process that runs it at present, if one does."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    lifeline: socket.socket | None = None
    started_at: float = 0.0
    ready_at: float | None = None
    was_ready: bool = False  # some process of this part has been
    crashes: int = 0  # in a row
    due_at: float | None = None  # when to start it
    kill_at: float | None = None  # it was told to stop
    slow_told: bool = False
    finished: bool = False  # a `once` part that ended well
    unended: bytes = b""
    tail: collections.deque[str] = field(
        default_factory=lambda: collections.deque(maxlen=_TAIL_LINES)
    )

    @property
    def is_up(self) -> bool:
        return self.finished if self.part.once else self.ready_at is not None


class Supervisor:
    """Runs `parts` until SIGTERM or SIGINT. For the main thread of a process of its own."""

    def __init__(
        self,
        parts: Sequence[Part],
        tell: Tell,
        *,
        command: Command | None = None,
        on_ready: Callable[[], None] = lambda: None,
        on_drain: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_ready` is called once, when all are up; `on_drain` before the first is stopped."""
        self._children = [_Child(part) for part in parts]
        self._tell = tell
        self._command = command or _own_command
        self._on_ready = on_ready
        self._on_drain = on_drain
        self._selector = selectors.DefaultSelector()
        self._stages = sorted({part.stage for part in parts})
        self._reached = 0  # stages that may run: `_stages[:_reached]`
        self._announced = False
        self._draining = False
        self._exit_code = 0
        self.was_stopped = False
        """Whether a signal ended it: who has more to do after `run` asks this."""

    def run(self) -> int:
        """Start, supervise, drain; returns the exit code of the service (see `api.problems`).

        It returns by itself when all parts are steps that have ended well. When it returns, no
        process of its parts is left.
        """
        with self._signals() as told:
            try:
                self._loop(told)
            finally:
                self._kill_all()
                self._selector.close()
        return self._exit_code

    def _loop(self, told: socket.socket) -> None:
        while True:
            self._start_what_is_due()
            if self._draining and not self._drain():
                return
            if all(child.finished for child in self._children):
                return
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is told:
                    for number in told.recv(64):
                        self._signalled(number)
                else:
                    key.data(key.fileobj)
            self._bury_the_dead()

    # --- starting ------------------------------------------------------------------------

    def _start_what_is_due(self) -> None:
        if self._draining:
            return
        now = time.monotonic()
        while all(child.is_up for child in self._reached_children()):
            if self._reached == len(self._stages):
                if not self._announced:
                    self._announced = True
                    self._on_ready()
                break
            self._reached += 1
            for child in self._children:
                if child.part.stage == self._stages[self._reached - 1]:
                    child.due_at = now
        for child in self._children:
            if child.due_at is not None and child.due_at <= now:
                self._start(child)
            waits = child.process is not None and not child.is_up and not child.part.once
            if waits and not child.slow_told and now - child.started_at > _SLOW_START_S:
                child.slow_told = True
                self._tell(
                    f"“{child.part.name}” chưa sẵn sàng sau {_SLOW_START_S:g} s{_said(child)}",
                    f"not ready after {_SLOW_START_S:g} s; still waiting",
                )

    def _reached_children(self) -> list[_Child]:
        stages = self._stages[: self._reached]
        return [child for child in self._children if child.part.stage in stages]

    def _start(self, child: _Child) -> None:
        mine, its = socket.socketpair()
        mine.setblocking(False)
        child.tail.clear()
        child.unended = b""
        with its:
            child.process = subprocess.Popen(
                self._command(child.part, its.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(its.fileno(), *child.part.sockets),
                process_group=0,
            )
        child.lifeline, child.started_at = mine, time.monotonic()
        child.due_at = child.ready_at = child.kill_at = None
        child.slow_told = False
        output = child.process.stdout
        assert output is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(output.fileno(), False)
        self._selector.register(mine, selectors.EVENT_READ, lambda _: self._heard(child))
        self._selector.register(output, selectors.EVENT_READ, lambda o: self._forward(child, o))

    def _heard(self, child: _Child) -> None:
        """The child says that it is ready, or its end was closed."""
        if child.lifeline is None:
            return
        try:
            said = child.lifeline.recv(16)
        except OSError:
            said = b""
        if lifeline.READY in said:
            child.ready_at = time.monotonic()
            child.was_ready = True
        elif not said:
            self._selector.unregister(child.lifeline)
            child.lifeline.close()
            child.lifeline = None

    def _forward(self, child: _Child, output: IO[bytes]) -> None:
        """Pass whole lines on to our standard error and keep the last ones."""
        if output.closed:  # the child was buried by an earlier event of this round
            return
        try:
            content = os.read(output.fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not content:
            self._selector.unregister(output)
            output.close()
            if child.unended:
                child.unended += b"\n"
        lines = (child.unended + content).splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        child.unended = b"" if len(whole) == len(lines) else lines[-1][: 1 << 16]
        child.tail.extend(line.decode("utf-8", "replace").rstrip() for line in whole)
        with contextlib.suppress(OSError):  # nobody listens any more: no reason to stop serving
            sys.stderr.buffer.write(b"".join(whole))
            sys.stderr.buffer.flush()

    # --- ends ----------------------------------------------------------------------------

    def _bury_the_dead(self) -> None:
        for child in self._children:
            if child.process is not None and _has_ended(child.process):
                self._ended(child, _reap(child.process))

    def _ended(self, child: _Child, code: int) -> None:
        assert child.process is not None  # noqa: S101 - it has just been reaped
        output = child.process.stdout
        if output is not None and not output.closed:
            self._forward(child, output)  # its last words
        if output is not None and not output.closed:
            self._selector.unregister(output)
            output.close()
        if child.lifeline is not None:
            self._heard(child)
        if child.lifeline is not None:
            self._selector.unregister(child.lifeline)
            child.lifeline.close()
            child.lifeline = None
        told, ready_at = child.kill_at is not None, child.ready_at
        child.process = child.ready_at = child.kill_at = None
        if self._draining:
            return
        if told:  # SIGHUP
            child.due_at = time.monotonic()
        elif child.part.once and code == 0:
            child.finished = True
        elif ready_at is None and (code in _REFUSALS or child.part.once):
            self._give_up(child, code)
        else:
            self._crashed(child, code, ready_at)

    def _crashed(self, child: _Child, code: int, ready_at: float | None) -> None:
        now = time.monotonic()
        steady = ready_at is not None and now - ready_at >= _STEADY_S
        child.crashes = 1 if steady else child.crashes + 1
        if child.crashes >= _HOPELESS and not child.was_ready:
            self._give_up(child, code)
            return
        delay = _DELAYS_S[min(child.crashes, len(_DELAYS_S)) - 1]
        child.due_at = now + delay
        vi, en = _how(code)
        if child.crashes < _LOOP:
            self._tell(
                f"“{child.part.name}” dừng đột ngột ({vi}); chạy lại sau {delay:g} s",
                f"{child.part.name} {en}; starting it again in {delay:g} s",
            )
        else:
            self._tell(
                f"“{child.part.name}” dừng {child.crashes} lần liên tiếp ({vi}); chạy lại sau "
                f"{delay:g} s{_said(child)}",
                f"{child.part.name} crashed {child.crashes} times in a row ({en}); its last "
                f"lines are above; starting it again in {delay:g} s",
            )

    def _give_up(self, child: _Child, code: int) -> None:
        vi, en = _how(code)
        self._tell(
            f"“{child.part.name}” không chạy được ({vi}); dừng dịch vụ{_said(child)}",
            f"{child.part.name} cannot run ({en}); mend what it says and start again",
        )
        self._exit_code = code if code > 0 else 3
        self._begin_drain()

    # --- stopping ------------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._draining:
                self._tell("Dừng ngay", "killed at once")
                self._kill_all()
            else:
                self._tell("Đang dừng: làm nốt việc đang dở", "draining")
                self.was_stopped = True
                self._begin_drain()
        elif number == signal.SIGHUP and not self._draining:
            for child in self._children:
                if child.part.reloads and child.process is not None and child.kill_at is None:
                    self._tell(f"Nạp lại “{child.part.name}”", f"reloading {child.part.name}")
                    _stop(child)

    def _begin_drain(self) -> None:
        if not self._draining:
            self._draining = True
            self._on_drain()

    def _drain(self) -> bool:
        """Stop the highest stage that still runs. False when nothing runs any more."""
        running = [child for child in self._children if child.process is not None]
        highest = max((child.part.stage for child in running), default=None)
        now = time.monotonic()
        for child in running:
            child.due_at = None
            if child.kill_at is not None and child.kill_at <= now:
                _kill(child)
            elif child.part.stage == highest and child.kill_at is None:
                _stop(child)
        return bool(running)

    def _kill_all(self) -> None:
        for child in self._children:
            _kill(child)
        for child in self._children:
            if child.process is not None:
                self._ended(child, _reap(child.process))

    def _patience(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        now = time.monotonic()
        moments = [m for child in self._children for m in (child.due_at, child.kill_at) if m]
        moments += [
            child.started_at + _SLOW_START_S
            for child in self._children
            if child.process is not None and child.ready_at is None and not child.slow_told
        ]
        return max(0.01, min(moments) - now) if moments else None

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Signals become bytes on a socket that the selector watches."""
        told, tell = socket.socketpair()
        told.setblocking(False)
        tell.setblocking(False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        wakeup = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
        self._selector.register(told, selectors.EVENT_READ)
        try:
            yield told
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            told.close()
            tell.close()


def _own_command(part: Part, fd: int) -> Sequence[str]:
    return [sys.executable, "-m", "api", "--lifeline", str(fd), *part.arguments]


def _stop(child: _Child) -> None:
    """SIGTERM, and a moment at which patience ends."""
    child.kill_at = time.monotonic() + child.part.drain_s
    if child.process is not None:
        child.process.send_signal(signal.SIGTERM)


def _kill(child: _Child) -> None:
    """SIGKILL for the process and all that it started."""
    if child.process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT  # it stays a zombie: its id is not reused
    return os.waitid(os.P_PID, process.pid, flags) is not None


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end, sweep what it left in its group, and return its code."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _how(code: int) -> tuple[str, str]:
    """How a process ended, in both languages."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"tín hiệu {name}", f"was ended by {name}"
    return f"mã thoát {code}", f"ended with exit code {code}"


def _said(child: _Child) -> str:
    """The child's last lines, below the sentence that they explain."""
    return "".join(f"\n    {line}" for line in child.tail if line)
