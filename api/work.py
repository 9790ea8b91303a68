"""What a worker process does: one queue, and in the `house` worker the chores beside it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from api import lifeline

if TYPE_CHECKING:
    from api.house import House
    from api.settings import Settings

_HOUSE_THREADS = 8
"""Webhooks wait for strangers most of the time."""

_DRAIN_S = 12.0  # the supervisor's patience is thirteen seconds


def run_worker(settings: Settings, queue: str, threads: int | None, stop: threading.Event) -> None:
    """Work through `queue` until `stop`; then finish what is in hand and give back the rest."""
    from api.assembly import open_house, worker_handlers
    from dossier.queue.worker import Worker

    wanted = threads or (_HOUSE_THREADS if queue == "house" else settings.worker.threads)
    with open_house(settings, queue) as house, _chores(house, queue, stop):
        worker = Worker(
            house.jobs,
            queue,
            worker_handlers(house, queue),
            threads=wanted,
            lease_s=settings.worker.lease_s,
            drain_s=_DRAIN_S,
        )
        lifeline.ready()
        worker.run(stop)


@contextlib.contextmanager
def _chores(house: House, queue: str, stop: threading.Event) -> Iterator[None]:
    if queue != "house":
        yield
        return
    from api.chores import chores_of

    threads = [
        threading.Thread(target=chore.run, args=(stop,), name=chore.name)
        for chore in chores_of(house)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
