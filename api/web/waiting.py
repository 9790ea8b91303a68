"""Clients that wait for their records: one query for all of them, again and again.

However many wait, each process asks the database once an interval. The asking begins with the
first who waits and ends with the last, so an idle process asks nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from fastapi.concurrency import run_in_threadpool

from dossier.errors import DossierError
from dossier.model import RecordState

if TYPE_CHECKING:
    from fastapi import Request

INTERVAL_S = 0.025
_SETTLED = frozenset(
    {
        RecordState.PUBLISHED,
        RecordState.SUPERSEDED,
        RecordState.ANNULLED,
        RecordState.FAILED,
        RecordState.CANCELLED,
    }
)


def settled(states: Mapping[str, RecordState]) -> dict[str, bool]:
    """Which records are settled for good: published, failed, cancelled."""
    return {record_id: state in _SETTLED for record_id, state in states.items()}


class Waiting:
    """Whoever waits in this process. For one event loop; not for threads.

    `states(ids)` blocks, and says of each id whether it is settled.
    """

    def __init__(
        self,
        states: Callable[[Sequence[str]], Mapping[str, bool]],
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._states = states
        self._interval_s = interval_s
        self._futures: dict[str, set[asyncio.Future[None]]] = {}
        self._poller: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many are waiting."""
        return sum(map(len, self._futures.values()))

    async def settled(self, subject: str, seconds: float, request: Request) -> bool:
        """Wait until `subject` is settled; False when the time is up or the client went away."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(subject, set()).add(future)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        gone = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait((future, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return future.done()
        finally:
            future.cancel()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            mine = self._futures.get(subject)
            if mine is not None:
                mine.discard(future)
                if not mine:
                    del self._futures[subject]

    def release(self) -> None:
        """Let everybody go with what there is: this process is about to end."""
        for subject in list(self._futures):
            self._settle(subject)

    async def _poll(self) -> None:
        try:
            while self._futures:
                asked = list(self._futures)
                try:
                    states = await run_in_threadpool(self._states, asked)
                except DossierError:  # the database is away: whoever waits runs out of time
                    states = {}
                for subject, is_settled in states.items():
                    if is_settled:
                        self._settle(subject)
                if self._futures:
                    await asyncio.sleep(self._interval_s)
        finally:
            self._poller = None

    def _settle(self, subject: str) -> None:
        for future in self._futures.get(subject, ()):
            if not future.done():
                future.set_result(None)


async def _gone(request: Request) -> None:
    """Ends when the client does. The body has been read by then, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
