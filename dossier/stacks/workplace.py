"""Where the pages of stacks are read: worker processes and a folder, shared by a whole worker.

with Workplace(folder, DigitiseSettings()) as workplace:
    with workplace.folder(job) as work:
        workplace.run(read_page, source, 1, settings, work)
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from dossier.errors import StoreError
from dossier.queue.jobs import Job
from dossier.stacks.values import Stack
from dossier.storage.blobs import translated
from ocr.errors import EngineCrashed, EngineMissing, OutputError, RecognitionError
from ocr.quality.profiles import QualityBook
from ocr.settings import DigitiseSettings
from ocr.workers import Workers
from signer.clock import VIETNAM

_ABANDONED_S = 2 * 24 * 3600.0
_TRIES = 3
"""A process may die of its neighbours' hunger, or by an operator's hand; not three times."""

P = ParamSpec("P")
T = TypeVar("T")


class Workplace:
    """Safe for threads. Processes are started when the first page comes; close it to end them."""

    def __init__(self, folder: Path, settings: DigitiseSettings) -> None:
        """Work in `folder`, on a local disk; what died there two days ago is removed."""
        self.settings = settings
        self._folder = folder
        self._lock = threading.Lock()  # guards _workers
        self._workers: Workers | None = None
        self._closed = False
        with translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.iterdir():
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(left, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes; whoever still waits for one is told so."""
        with self._lock:
            workers, self._workers, self._closed = self._workers, None, True
        if workers is not None:
            workers.__exit__(kind, error, trace)

    def run(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a task in a process, again when the process dies; blocks until one is free.

        Raises what the task raises, `EngineCrashed` when its process died each time,
        `EngineTimedOut`, and `StoreError` when nothing can be read here at present.
        """
        try:
            for _ in range(_TRIES - 1):
                try:
                    return self._pool().submit(task, *args, **kwargs).result()
                except EngineCrashed:
                    continue
            return self._pool().submit(task, *args, **kwargs).result()
        except (OutputError, EngineMissing) as error:
            raise _not_now(error) from error
        except RecognitionError as error:
            if self._closed:
                raise _not_now(error) from error
            raise

    def settings_of(self, stack: Stack) -> DigitiseSettings:
        """How the pages of a stack are read: held to its profile as it stood when it came."""
        day = stack.created_at.astimezone(VIETNAM).date()
        return replace(self.settings, quality=QualityBook.default().at(stack.order.profile, day))

    @contextmanager
    def folder(self, job: Job) -> Iterator[Path]:
        """A folder for this try of a job; those of earlier tries, whose workers died, go."""
        with translated(self._folder):
            for left in self._folder.glob(f"{job.id}.*"):
                shutil.rmtree(left, ignore_errors=True)
            folder = self._folder / f"{job.id}.{job.attempt}"
            folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _pool(self) -> Workers:
        with self._lock:
            if self._closed:
                raise RecognitionError("the workers were stopped")
            if self._workers is None:
                wanted = self.settings
                self._workers = Workers(
                    wanted.workers, wanted.page_seconds, wanted.page_memory_bytes
                )
            return self._workers


def _not_now(error: Exception) -> StoreError:
    return StoreError(
        f"Chưa đọc được trang: {error}; sẽ thử lại. / The page cannot be read yet: {error}; it "
        "will be tried again."
    )
