"""What a job may cost, and the end of a process that does not get its turn any more.

Documents come from strangers. One that keeps a processor busy without end is recognised by the
processor time of the thread that works on it, so it alone fails; the process is replaced, for no
thread can be stopped. Where a library loops without ever letting Python run, nobody in the
process can act: then the `Standstill` switch ends it, and its jobs are tried one by one.

A process that worked on large files is to be no larger for it afterwards: `give_back_memory`.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dossier.errors import JobTooDemanding

if sys.platform != "win32":
    import resource

_EXPENDABLE = 500  # of 1000
_OWN_SCORE = Path("/proc/self/oom_score_adj")

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of mallopt(3)
_MAPPED_BYTES = 1 << 20
_ARENAS = 2


@dataclass(frozen=True, slots=True)
class JobBounds:
    """Bounds of jobs that read strangers' files: `cpu_s` seconds of processor time a try."""

    cpu_s: float
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Effort:
    """Processor time of the thread that made it, from then on; asked from another thread."""

    clock: int
    began: float

    @classmethod
    def of_this_thread(cls) -> Effort:
        """Begin to count. The thread has to outlive whoever asks for `spent`."""
        clock = time.pthread_getcpuclockid(threading.get_ident())
        return cls(clock, time.clock_gettime(clock))

    @property
    def spent(self) -> float:
        """Seconds."""
        return time.clock_gettime(self.clock) - self.began


def too_long(bounds: JobBounds) -> JobTooDemanding:
    """What the record of a job says that worked longer than it may."""
    return JobTooDemanding(
        f"Xử lý văn bản này cần hơn {bounds.cpu_s:g} giây bộ xử lý nên đã dừng; hãy xuất lại tệp "
        f"từ nguồn rồi gửi lại. / The document needs more than {bounds.cpu_s:g} s of processor "
        "time and was given up; re-create the file from its source and send it again."
    )


def too_large() -> JobTooDemanding:
    """What the record of a job says that needs more memory than there is, even alone."""
    return JobTooDemanding(
        "Xử lý văn bản này cần nhiều bộ nhớ hơn mức cho phép nên đã dừng; hãy xuất lại tệp từ "
        "nguồn rồi gửi lại. / The document needs more memory than is allowed and was given up; "
        "re-create the file from its source and send it again."
    )


def bound_memory(size: int) -> None:
    """Let this process write to `size` bytes of its own at most, and leave no core file.

    More is `MemoryError`, or the end of the process where a library cannot raise it. Where the
    machine itself runs out before, Linux is asked to end this process and not the key agent, the
    web process or the database.
    """
    for which, value in ((resource.RLIMIT_DATA, size), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, hard))
    with contextlib.suppress(OSError, ValueError):  # no /proc, or not ours to write
        if int(_OWN_SCORE.read_text()) < _EXPENDABLE:
            _OWN_SCORE.write_text(str(_EXPENDABLE))


def give_back_memory() -> None:
    """Let this process return what its jobs free. To be called before its threads begin.

    glibc gives threads up to eight arenas a processor, each of which stays as large as the
    largest file that passed through it, and no longer maps large blocks once one was freed. With
    few arenas and a fixed threshold a block of 1 MiB goes back when it is freed. Other C libraries
    do not know the call, and are left as they are.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


@contextlib.contextmanager
def standstill_switch(seconds: float) -> Iterator[None]:
    """End the process (exit code 1) when no Python thread has run for `seconds`.

    The switch is a thread of the interpreter that needs no turn; it first writes to standard
    error where every thread stands (functions and lines, never values).
    """
    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            faulthandler.dump_traceback_later(seconds, exit=True, file=2)
            over.wait(seconds / 5)
        faulthandler.cancel_dump_traceback_later()

    thread = threading.Thread(target=beat, name="standstill", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
