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

_BOUNDED = frozenset({"signature", "sequence-step", "renewal"})
"""Jobs that read strangers' files in this very process. Scans are read in processes of theirs."""

_STANDSTILL_S = 10.0
"""No library may keep all threads from running for so long."""

_DRAIN_S = 12.0  # the supervisor's patience is thirteen seconds


def run_worker(settings: Settings, queue: str, threads: int | None, stop: threading.Event) -> None:
    """Work through `queue` until `stop`; then finish what is in hand and give back the rest.

    Returns without `stop` when a document exceeded its bounds: the process is to be replaced.
    """
    from api.assembly import open_house, worker_handlers
    from dossier.queue.bounds import JobBounds, bound_memory, standstill_switch
    from dossier.queue.worker import Worker

    wanted = threads or (_HOUSE_THREADS if queue == "house" else settings.worker.threads)
    bounds = None
    with contextlib.ExitStack() as stack:
        if queue == "seal":
            bound_memory(settings.worker.memory_bytes)
            bounds = JobBounds(settings.worker.job_cpu_s, _BOUNDED)
            stack.enter_context(standstill_switch(_STANDSTILL_S))
        house = stack.enter_context(open_house(settings, queue))
        stack.enter_context(_chores(house, queue, stop))
        worker = Worker(
            house.jobs,
            queue,
            worker_handlers(house, queue),
            threads=wanted,
            lease_s=settings.worker.lease_s,
            drain_s=_DRAIN_S,
            bounds=bounds,
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
