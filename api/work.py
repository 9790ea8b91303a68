"""What a worker process does: one queue, and in the `house` worker the chores beside it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from api import lifeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.house import Foundation
    from api.settings import Settings
    from dossier.queue.worker import Handler

    _Place = tuple[Foundation, Mapping[str, Handler]]

_HOUSE_THREADS = 8
"""Webhooks wait for strangers most of the time."""

_BESIDE_PAGES = 2
"""Threads that split and propose while all processors read pages."""

_BOUNDED = frozenset({"signature", "sequence-step", "renewal", "mark-paper"})
"""Jobs that read strangers' files in this very process. Scans are read in processes of theirs."""

_STANDSTILL_S = 10.0
"""No library may keep all threads from running for so long."""

_DRAIN_S = 12.0  # the supervisor's patience is thirteen seconds


def run_worker(settings: Settings, queue: str, threads: int | None, stop: threading.Event) -> None:
    """Work through `queue` until `stop`; then finish what is in hand and give back the rest.

    Returns without `stop` when a document exceeded its bounds: the process is to be replaced.
    """
    from dossier.queue.bounds import (
        JobBounds,
        bound_memory,
        give_back_memory,
        standstill_switch,
    )
    from dossier.queue.worker import Worker

    give_back_memory()
    wanted = threads or _threads_of(queue, settings)
    bounds = None
    with contextlib.ExitStack() as stack:
        if queue == "seal":
            bound_memory(settings.worker.memory_bytes)
            bounds = JobBounds(settings.worker.job_cpu_s, _BOUNDED)
            stack.enter_context(standstill_switch(_STANDSTILL_S))
        house, handlers = _PLACES[queue](settings, stack)
        if queue == "house":
            stack.enter_context(_chores(house, stop))
        worker = Worker(
            house.jobs,
            queue,
            house.telemetry.observed(handlers) if house.telemetry else handlers,
            threads=wanted,
            lease_s=settings.worker.lease_s,
            drain_s=_DRAIN_S,
            bounds=bounds,
            token_is_there=lambda: house.agent.health().ok,
        )
        lifeline.ready()
        worker.run(stop)


def _threads_of(queue: str, settings: Settings) -> int:
    """Pages are read in processes, one a processor: more in hand would only wait there, and be
    tried one by one if this process were killed."""
    if queue == "house":
        return _HOUSE_THREADS
    wanted = settings.worker.threads
    return min(wanted, (os.cpu_count() or 1) + _BESIDE_PAGES) if queue == "ocr" else wanted


# --- what a queue is worked through with: each imports what it needs and no more ------------------


def _seal(settings: Settings, stack: contextlib.ExitStack) -> _Place:
    from api.assembly import open_house, sealing

    house = stack.enter_context(open_house(settings, "seal"))
    return house, sealing(house)


def _ocr(settings: Settings, stack: contextlib.ExitStack) -> _Place:
    from api.filing import drafting
    from api.foundation import open_foundation
    from api.pinned import cover_sheet_keys
    from api.trusting import live_trust
    from dossier.digitizing.digitizations import Digitizations
    from dossier.digitizing.work import DigitizingWork
    from dossier.intake.catalogue_files import load_catalogues
    from dossier.intake.sheets import CoverSheets
    from dossier.search.index import SearchIndex
    from dossier.stacks.page_work import PageWork
    from dossier.stacks.propose_work import ProposeWork
    from dossier.stacks.split_work import SplitWork
    from dossier.stacks.workplace import Workplace
    from dossier.verifying.bulk import BulkVerifications
    from dossier.verifying.bulk_work import BulkWork
    from dossier.verifying.checkers import Checkers
    from ocr.settings import DigitiseSettings

    house = stack.enter_context(open_foundation(settings, "ocr"))
    search = SearchIndex(house.database)
    digitizations = Digitizations(
        house.database,
        house.blobs,
        house.holdings,
        house.audit,
        house.jobs,
        search,
    )
    folder = settings.data_dir / "digitizing"
    work = DigitizingWork(digitizations, house.blobs, folder, DigitiseSettings())
    bulk = BulkVerifications(house.database, house.holdings, house.audit, house.jobs)
    live = live_trust(settings, house.database, house.blobs)
    checkers = stack.enter_context(Checkers(live))
    reading = (house.database, house.blobs, house.jobs)
    place = stack.enter_context(Workplace(settings.data_dir / "reading", DigitiseSettings()))
    label = settings.sheet_label
    sheets = CoverSheets(
        house.database, house.audit, lambda context: house.agent.key(label).bound(**context)
    )
    return house, {
        "digitize": work,
        "verify": BulkWork(bulk, house.blobs, checkers),
        **PageWork(house.database, house.blobs, house.holdings, house.jobs, place).handlers(),
        **SplitWork(*reading, lambda: cover_sheet_keys(settings), sheets.mark_used).handlers(),
        **ProposeWork(
            house.database, house.blobs, house.holdings, house.jobs, place, load_catalogues()
        ).handlers(),
        **drafting(house, place, search),
    }


def _house(settings: Settings, stack: contextlib.ExitStack) -> _Place:
    from api.foundation import open_foundation
    from dossier.webhooks.delivery import WebhookSender

    house = stack.enter_context(open_foundation(settings, "house"))
    private = settings.webhooks.private_networks
    sender = WebhookSender(house.database, house.jobs, house.audit, private_networks=private)
    return house, {"webhook": sender}


_PLACES = {"seal": _seal, "ocr": _ocr, "house": _house}


@contextlib.contextmanager
def _chores(house: Foundation, stop: threading.Event) -> Iterator[None]:
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
