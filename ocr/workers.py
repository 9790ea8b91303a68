"""Worker processes: as many as cores, each page under limits, each crash one page's.

Workers are spawned, never forked, and hold no keys. A worker that dies or overruns its time
is replaced; the others never notice.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

import pebble

from ocr.errors import EngineCrashed, EngineTimedOut, RecognitionError

if os.name == "posix":
    import resource

_BROKEN_POOLS = 3  # pools tried for one task

P = ParamSpec("P")
T = TypeVar("T")


class Pending(Generic[T]):
    """A task under way."""

    def __init__(self, start: Callable[[], pebble.ProcessFuture[T]], seconds: float) -> None:
        self._start = start
        self._future = start()
        self._seconds = seconds

    def result(self) -> T:
        """Wait for the answer.

        Raises what the task raised, `EngineCrashed` when its worker died, `EngineTimedOut`
        when it was stopped at its limit.
        """
        for _ in range(_BROKEN_POOLS):
            try:
                answer: T = self._future.result()
            except BrokenProcessPool:
                self._future = self._start()  # a worker died between tasks: none was at fault
            except pebble.ProcessExpired as error:
                cause = _cause(error.exitcode)
                raise EngineCrashed(f"the worker process died ({cause})") from error
            except FutureTimeoutError as error:
                raise EngineTimedOut(f"stopped after {self._seconds:g} s") from error
            except CancelledError as error:
                raise RecognitionError("the workers were stopped") from error
            except MemoryError as error:
                raise EngineCrashed("more memory was needed than allowed for a page") from error
            else:
                return answer
        raise EngineCrashed(
            "worker processes die before they start: allow them more memory, "
            "or look into the system's log"
        )


class Workers:
    """A pool of processes. `submit` is safe from any thread; use it as a context manager."""

    def __init__(self, count: int | None, seconds: float, memory_bytes: int) -> None:
        """`count` None: one a core. `seconds` and `memory_bytes` bound each task."""
        self.count = count or os.cpu_count() or 1
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._changing = threading.Lock()  # guards _pool
        self._under_way: weakref.WeakSet[pebble.ProcessFuture[Any]] = weakref.WeakSet()
        self._pool = self._new_pool()

    def submit(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Start a task: a module-level function with arguments that pickle."""

        def start() -> pebble.ProcessFuture[T]:
            with self._changing:
                if not self._pool.active:
                    # pebble gives a pool up when a worker dies while none is at work
                    self._pool.join()
                    self._pool = self._new_pool()
                future = self._pool.schedule(task, args=args, kwargs=kwargs, timeout=self._seconds)
            self._under_way.add(future)
            return future

        return Pending(start, self._seconds)

    def _new_pool(self) -> pebble.ProcessPool:
        return pebble.ProcessPool(
            max_workers=self.count,
            initializer=_start_worker,
            initargs=(self._memory_bytes,),
            context=multiprocessing.get_context("spawn"),
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop at once: what is still running is not wanted any more."""
        for future in list(self._under_way):
            # the pool forgets them, and whoever waits would wait for ever
            future.cancel()  # type: ignore[no-untyped-call]  # pebble types only part of itself
        self._pool.stop()  # type: ignore[no-untyped-call]  # the same
        self._pool.join()


def _cause(status: int | None) -> str:
    if status is not None and status < 0:
        return f"signal {-status}"
    return f"exit status {status}"


def _start_worker(memory_bytes: int) -> None:
    """Prepare a fresh worker, before any library of the engine is loaded."""
    # Written, never read: OpenMP takes its limit from the environment of the process that
    # loads it, and four threads a worker on busy cores make Tesseract four times slower.
    os.environ["OMP_THREAD_LIMIT"] = "1"  # noqa: TID251 - see above
    # NumPy's BLAS starts a thread a core when it is loaded, and nothing here multiplies matrices
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # noqa: TID251 - the same
    if os.name == "posix":
        _lower(resource.RLIMIT_AS, memory_bytes)
        _lower(resource.RLIMIT_CORE, 0)  # a core file would hold people's data
    import cv2

    cv2.setNumThreads(1)  # the pool already uses every core
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, hard))


def _die_with_parent() -> None:
    """End this worker when the process that owns the pool is gone, however it went."""
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
