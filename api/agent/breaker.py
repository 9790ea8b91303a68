"""Fails fast while the token is gone, and looks whether it is back: one probe at a time.

CLOSED ──token lost──> OPEN ──probe answers──> TRIAL ──one call succeeds──> CLOSED
                         ^                       │
                         └───────call fails──────┘
"""

from __future__ import annotations

import enum
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from hsm.errors import DeviceError, HSMError, TokenUnavailable

_LOG = logging.getLogger(__name__)

STRIKES: Final = 5
"""Calls in a row that the token may answer with a fault of the device before it is left alone."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 4.0
TRIAL_S: Final = 5.0
"""A trial that has not ended after so long is given up, and another call may try."""


class State(enum.StrEnum):
    """States of the breaker."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


class Breaker:
    """Stands before the token. Safe for threads; `close` ends its thread."""

    def __init__(self, probe: Callable[[], None]) -> None:
        """`probe` raises `HSMError` while the token is gone; it makes no signature."""
        self._probe = probe
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._reason = ""
        self._strikes = 0
        self._trial_until = 0.0
        self._next_probe = 0.0
        self._stop = threading.Event()
        self.trips = 0

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is open; empty when closed."""
        return self._reason

    @property
    def retry_after_s(self) -> int:
        """When a refused caller should come back."""
        return max(1, math.ceil(self._next_probe - time.monotonic()))

    def admit(self) -> None:
        """Let a call pass. Raises `TokenUnavailable` at once while the token is gone."""
        with self._lock:
            now = time.monotonic()
            if self._state is State.CLOSED:
                return
            if self._state is State.TRIAL and now >= self._trial_until:
                self._trial_until = now + TRIAL_S
                return
            reason = self._reason
        raise TokenUnavailable(reason, retry_after_s=self.retry_after_s)

    def succeeded(self) -> None:
        """A call was answered by the token."""
        if self._state is State.CLOSED and not self._strikes:
            return
        with self._lock:
            if self._state is not State.CLOSED:
                _LOG.warning("the token answers again")
            self._state, self._reason, self._strikes = State.CLOSED, "", 0

    def failed(self, error: BaseException) -> None:
        """A call failed; opens when the token is gone, or keeps reporting faults.

        An error that says nothing about the token (the audit chain's, the policy's) lets
        another call try.
        """
        with self._lock:
            if isinstance(error, DeviceError):
                self._strikes += 1
                if self._strikes < STRIKES and self._state is State.CLOSED:
                    return
            elif not isinstance(error, TokenUnavailable):
                self._trial_until = 0.0
                return
            self._reason = str(error)
            if self._state is State.OPEN:
                return
            self._state = State.OPEN
            self.trips += 1
        _LOG.warning("the token is left alone: %s", error)
        threading.Thread(target=self._watch, name="token-probe", daemon=True).start()

    def close(self) -> None:
        """Stop probing."""
        self._stop.set()

    def _watch(self) -> None:
        """Probe until the token answers."""
        pause = FIRST_PAUSE_S
        while True:
            self._next_probe = time.monotonic() + pause
            if self._stop.wait(pause):
                return
            try:
                self._probe()
            except HSMError as error:
                self._reason = str(error)
                wait = error.retry_after_s if isinstance(error, TokenUnavailable) else 0.0
                pause = min(LONGEST_PAUSE_S, max(2 * pause, float(wait)))
                continue
            with self._lock:
                self._state, self._strikes, self._trial_until = State.TRIAL, 0, 0.0
            return
