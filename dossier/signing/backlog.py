"""How much waits to be signed, and the point above which nothing new is accepted."""

from __future__ import annotations

import threading
import time

from dossier.errors import Overloaded
from dossier.queue.jobs import JobQueue

_GOOD_S = 0.5  # how long a count is good


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
