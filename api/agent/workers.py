"""Threads that may hang in the token without hanging anybody else.

A call into a PKCS#11 module cannot be interrupted. So it runs in a thread of its own, and who
wants its result waits a bounded time. What comes too late is still finished, and recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
_IDLE_S: Final = 30.0
_COMMIT_S: Final = 30.0  # for an outcome to reach the disk, once the token has answered


class TooLate(Exception):
    """The work did not end in time. `started`: it goes on."""

    def __init__(self, *, started: bool) -> None:
        super().__init__("too late")
        self.started = started


class TooMany(Exception):
    """All threads are busy and enough is waiting already."""


class Call(Generic[T]):
    """One piece of work on its way; handed to the work itself."""

    def __init__(self, work: Callable[[Call[T]], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.is_late = False  # counted as late; guarded by the workers' lock
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._abandoned = False
        self._kept = False

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits any more."""
        return self._abandoned

    def keep(self) -> bool:
        """Called by the work when it has its result: True if it is still waited for, to the end."""
        with self._lock:
            self._kept = not self._abandoned
            return self._kept

    def abandon(self) -> bool:
        """Called by who waits no longer; False when the result is being recorded right now."""
        with self._lock:
            self._abandoned = not self._kept
            return self._abandoned

    def run(self) -> None:
        """Do the work."""
        try:
            self.result = self.work(self)
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits
            self.error = error
        finally:
            self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it is done within `timeout_s`."""
        return self._done.wait(timeout_s)


class Workers:
    """At most `most` threads, made when needed; safe for threads."""

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Call[Any]] = deque()
        self._threads = 0
        self._idle = 0
        self._late = 0
        self._draining = False

    @property
    def late(self) -> int:
        """Calls that hang in the token after their clients were answered."""
        return self._late

    def do(self, work: Callable[[Call[T]], T], timeout_s: float) -> T:
        """Run `work` in a thread and wait. Raises what it raises, `TooLate`, `TooMany`."""
        call = Call(work)
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise TooMany
            self._waiting.append(call)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name="token-call", daemon=True).start()
        if not call.wait(timeout_s):
            self._give_up(call)
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value]  # set where no error is

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing runs any more; False when something still does."""
        with self._changed:
            self._draining = True
            return self._changed.wait_for(
                lambda: self._threads == self._idle and not self._waiting, timeout_s
            )

    def _give_up(self, call: Call[Any]) -> None:
        with self._changed:
            if call in self._waiting:
                self._waiting.remove(call)
                raise TooLate(started=False)
            if call.abandon():
                call.is_late = not call.wait(0)
                self._late += call.is_late
                raise TooLate(started=True)
        if not call.wait(_COMMIT_S):
            raise TooLate(started=True)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                if self._draining:
                    self._changed.notify_all()
                found = self._changed.wait_for(lambda: bool(self._waiting), _IDLE_S)
                self._idle -= 1
                if not found:
                    self._threads -= 1
                    return
                call = self._waiting.popleft()
            call.run()
            with self._changed:
                self._late -= call.is_late
            del call
