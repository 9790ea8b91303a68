"""The hashes of many threads in one signHash call."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from signer.csc.wire import Context, Failure, Result

PATIENCE_S: Final = 0.5
"""A call that takes longer (a token that stalls) no longer keeps the others waiting."""
MOST_FLIGHTS: Final = 4
LINGER_S: Final = 0.01
"""How long a call waits for company, and only after one that had some: a call costs the agent two
commits, whether it carries one hash or twenty."""


Send = Callable[[Sequence[bytes], Sequence[Context]], Sequence[Result]]


class _Handed:
    """What one thread has handed in, and the results so far."""

    __slots__ = ("missing", "results", "wake")

    def __init__(self, size: int) -> None:
        self.results: list[Result | None] = [None] * size
        self.missing = size
        self.wake = threading.Event()


class Lane:
    """One credential and scheme. While a call is in flight, hashes gather for the next one.

    Whoever hands in a hash when nothing is in flight carries what has gathered; the others
    sleep until theirs is back, or until it is their turn to carry. As long as calls carry several,
    the next one waits a moment for one more than the last; alone, a hash waits for nobody.
    Thread-safe.
    """

    def __init__(self, send: Send, most: int) -> None:
        """`send` signs up to `most` hashes in one call and answers for each of them."""
        self._send = send
        self._most = max(1, most)
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._last = 0  # how many the last call carried
        self._waiting: deque[tuple[_Handed, int, bytes, Context]] = deque()
        self._flights = 0
        self._started = 0.0  # when the last flight began

    def sign(self, digests: Sequence[bytes], context: Context) -> list[Result]:
        """A signature or a `Failure` for each digest. Blocking; raises nothing of its own."""
        mine = _Handed(len(digests))
        with self._lock:
            self._waiting.extend((mine, n, digest, context) for n, digest in enumerate(digests))
            self._came.notify()
        while mine.missing:
            group = self._take()
            if group:
                self._fly(group)
            elif mine.missing:
                mine.wake.wait(PATIENCE_S)
                mine.wake.clear()
        return [result for result in mine.results if result is not None]

    def _take(self) -> list[tuple[_Handed, int, bytes, Context]]:
        """The next call's load, or nothing while another call is in flight."""
        with self._lock:
            now = time.monotonic()
            late = now - self._started >= PATIENCE_S and self._flights < MOST_FLIGHTS
            if not self._waiting or (self._flights and not late):
                return []
            self._flights += 1
            self._started = now
            if self._last > 1:
                hoped = min(self._most, self._last + 1)
                self._came.wait_for(lambda: len(self._waiting) >= hoped, LINGER_S)
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._last = len(group)
            if not group:  # another call took them meanwhile: this thread slept too long
                self._flights -= 1
            return group

    def _fly(self, group: list[tuple[_Handed, int, bytes, Context]]) -> None:
        results: Sequence[Result] = [_CUT_SHORT] * len(group)
        try:
            results = self._send([entry[2] for entry in group], [entry[3] for entry in group])
        finally:  # whatever happens to the thread that carries, the others get an answer
            with self._lock:
                self._flights -= 1
                for (handed, n, _, _), result in zip(group, results, strict=True):
                    handed.results[n] = result
                    handed.missing -= 1
                if self._waiting:
                    self._waiting[0][0].wake.set()
            for handed in {id(entry[0]): entry[0] for entry in group}.values():
                if not handed.missing:
                    handed.wake.set()


_CUT_SHORT: Final = Failure(
    "AnswerLost",
    "Lệnh ký bị ngắt giữa chừng; hãy thử lại. / The call that carried this hash was cut short; "
    "try again.",
    retry_after_s=1,
)
