"""Who may come in now: at most so many requests at once, the others are told to come back.

Shedding has to be almost free, for it is busy people who shed: nothing is parsed, no body is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dossier.errors import Overloaded

if TYPE_CHECKING:
    from starlette.types import Scope

SHUT_S = 0.5
_ALWAYS_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})


class Admission:
    """Counts the requests inside. For one event loop; not for threads.

    `limit` bounds ordinary requests; streams of events wait most of the time, so they have a
    bound of their own, `streams`.
    """

    def __init__(self, limit: int, *, streams: int = 256) -> None:
        self.limit = limit
        self.streams = streams
        self.inside = 0
        self.streaming = 0
        self.shed = 0

    @contextmanager
    def entered(self, scope: Scope) -> Iterator[None]:
        """Hold a place for one request. Raises `Overloaded` when there is none."""
        if scope["path"] in _ALWAYS_OPEN:
            yield
        elif _is_stream(scope):
            if self.streaming >= self.streams:
                self._refuse()
            self.streaming += 1
            try:
                yield
            finally:
                self.streaming -= 1
        else:
            if self.inside >= self.limit:
                self._refuse()
            self.inside += 1
            try:
                yield
            finally:
                self.inside -= 1

    def _refuse(self) -> None:
        self.shed += 1
        raise Overloaded(
            "Hệ thống đang quá tải; hãy thử lại sau. / The service is busy; try again later."
        )


class Shutter:
    """Stays shut for a moment after somebody got in and found it too full. For one event loop.

    What is too full is found out deep inside, after a body was read and stored. While this is
    shut the others are told at once, so that shedding costs next to nothing; then one more tries.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = 0.0
        self._found: tuple[str, int] = ("", 1)

    def require_open(self) -> None:
        """Raise `Overloaded` while it is shut."""
        if self._monotonic() < self._until:
            message, retry_after_s = self._found
            raise Overloaded(message, retry_after_s=retry_after_s)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Shut when `Overloaded` comes out of the block."""
        try:
            yield
        except Overloaded as error:
            self._until = self._monotonic() + SHUT_S
            self._found = (str(error), error.retry_after_s)
            raise


def _is_stream(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith("/events") and scope["method"] == "GET"
