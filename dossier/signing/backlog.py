"""How much waits to be signed, and the point above which nothing new is accepted."""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa

from dossier.errors import Overloaded, TooManyOpen
from dossier.model import Caller, RecordState
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database
from dossier.storage.tables import records

_GOOD_S = 0.5  # how long a count is good
_KNOWN = 10_000  # principals whose counts are kept
_OPEN = sa.select(sa.func.count()).where(
    records.c.principal_id == sa.bindparam("principal"),
    # written out, so that both databases see that the partial index holds them
    sa.text(f"state IN ('{RecordState.ACCEPTED}','{RecordState.SIGNING}')"),
)


class Backlog:
    """Counts a queue, at most every half second; in between it adds what came in here."""

    def __init__(self, jobs: JobQueue, queue: str, most: int) -> None:
        """`most`: jobs waiting or running above which new ones are refused."""
        self._jobs = jobs
        self._queue = queue
        self._most = most
        self._lock = threading.Lock()
        self._count = 0
        self._counted_at = float("-inf")

    def require_room(self) -> None:
        """Raise `Overloaded` when too much waits."""
        now = time.monotonic()
        with self._lock:
            is_old = now - self._counted_at > _GOOD_S
            if is_old:
                self._counted_at = now  # one thread counts, the others go by the old figure
        if is_old:
            count = self._jobs.waiting(self._queue)
            with self._lock:
                self._count = count
        if self._count >= self._most:
            raise Overloaded(
                f"Đang có {self._count} văn bản chờ ký; hãy gửi lại sau ít giây. / Too many "
                "documents wait to be signed; try again in a few seconds. Nothing was accepted.",
                retry_after_s=2,
            )

    def added(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1


class OpenOrders:
    """Counts what each principal has under way, as `Backlog` counts the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[float, int]] = {}

    def require_room(self, caller: Caller) -> None:
        """Raise `TooManyOpen` when the caller has as many orders under way as it may."""
        if caller.open_jobs is None:
            return
        now = time.monotonic()
        with self._lock:
            counted_at, count = self._counts.get(caller.principal_id, (float("-inf"), 0))
        if now - counted_at > _GOOD_S:
            with self._database.read() as connection:
                count = connection.execute(_OPEN, {"principal": caller.principal_id}).scalar_one()
        if count >= caller.open_jobs:
            raise TooManyOpen(
                f"Bạn đang có {count} yêu cầu ký chưa xong, hạn mức là {caller.open_jobs}; hãy đợi "
                "rồi gửi lại. / As many of your orders are under way as you may have; wait for "
                "some to end. Nothing was accepted."
            )
        with self._lock:
            if len(self._counts) >= _KNOWN:
                self._counts.clear()
            self._counts[caller.principal_id] = (
                now if now - counted_at > _GOOD_S else counted_at,
                count + 1,
            )
