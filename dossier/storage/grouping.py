"""Work of many threads done together: whoever finds nobody at it does it for all who wait.

    group = Group(run)                 # run([item, item, …]) -> [result, result, …], or raises
    result = group.do(item)

While one thread is at it (a commit waits for the disk), the items of the others gather, and the
next one takes them along. Where it is known how many more are on their way, the group may wait a
moment for them: a commit for eight costs little more than one for one. Alone, an item waits for
nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")


class Group(Generic[I, R]):
    """Groups items for `run`, which does all of them or none. Safe for threads."""

    def __init__(
        self,
        run: Callable[[Sequence[I]], Sequence[R]],
        most: int = 64,
        *,
        expected: Callable[[], int] = lambda: 1,
        linger_s: float = 0.0,
    ) -> None:
        """`most` is the largest group.

        A group waits up to `linger_s` for as many items as are `expected`, those that came
        included.
        """
        self._run = run
        self._most = most
        self._expected = expected
        self._linger_s = linger_s
        self._lock = threading.Lock()  # guards _waiting
        self._came = threading.Condition(self._lock)
        self._turn = threading.Lock()  # held by the thread that is at it
        self._waiting: list[tuple[I, Future[R]]] = []

    def do(self, item: I) -> R:
        """The result for `item`. Raises what `run` raises for `item` alone.

        When a group fails, each of its items is done again by itself, so that nobody suffers
        for a neighbour; `run` therefore must leave nothing behind when it raises.
        """
        mine: Future[R] = Future()
        with self._came:
            self._waiting.append((item, mine))
            self._came.notify()
        with self._turn:
            while not mine.done():  # else somebody took it along
                self._take()
        return mine.result()

    def _take(self) -> None:
        with self._came:
            if self._linger_s:
                self._came.wait_for(
                    lambda: len(self._waiting) >= min(self._expected(), self._most),
                    self._linger_s,
                )
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            results = self._run([item for item, _ in group])
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever brought the item
            if len(group) == 1:
                group[0][1].set_exception(error)
                return
            for item, done in group:
                try:
                    (result,) = self._run([item])
                except BaseException as own:  # noqa: BLE001 - as above
                    done.set_exception(own)
                else:
                    done.set_result(result)
            return
        for (_, done), result in zip(group, results, strict=True):
            done.set_result(result)
