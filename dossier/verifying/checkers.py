"""Verifies strangers' files in processes of their own, which may be killed.

    with Checkers(trust) as checkers:          # a TrustStore, a Snapshot, or a LiveTrust
        report = checkers.verify(path)         # JSON, as bytes

Whatever a file does to the process that reads it (crash, endless work, memory without end), it
costs that file alone: the process is killed and another takes its place. The process that asks
serves HTTP, works through a queue or is the command line, and parses no PDF. Checkers hold no
keys, get no connection to the database, and answer with bytes that are never unpickled.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from dossier.errors import DossierError, Overloaded, VerificationStopped
from dossier.verifying.known import KnownDigests, Question, digest_of
from signer.errors import SignerError

if os.name == "posix":
    import resource

if TYPE_CHECKING:
    from dossier.trust.snapshot import Snapshot
    from signer.trust import TrustStore
    from signer.verification.verify import Verifier

_LOG = logging.getLogger(__name__)
_START_S = 60.0
_MOST_ANSWER = 64 * 1024 * 1024  # bytes of a report: a thousand times what is usual
_READY, _REPORT, _NO_MEMORY, _STUMBLED = b"r", b"v", b"m", b"s"
_VERIFY, _PICTURE, _PHOTO, _LEARN = b"v", b"p", b"q", b"t"
_REMEMBERED = 4  # snapshots of trust that one process keeps at hand
_SPAWN = multiprocessing.get_context("spawn")  # never forked: nothing of ours is in their memory


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may cost. `cpu_s` is whole seconds; the kernel counts them."""

    wall_s: float = 30.0
    cpu_s: int = 15
    memory_bytes: int = 1 << 30


class TrustSource(Protocol):
    """Whom to believe, as of a time; `dossier.trust.live.LiveTrust` is one."""

    def snapshot(self, at: dt.datetime | None = None) -> Snapshot:
        """What is in force now, or was at `at` (aware)."""
        ...


class Checkers:
    """Processes that verify; safe for threads. They start with the first file, or by `warm`."""

    def __init__(
        self,
        trust: TrustStore | Snapshot | TrustSource,
        *,
        processes: int = 2,
        bounds: Bounds | None = None,
        known: KnownDigests | None = None,
    ) -> None:
        """`trust` is asked before each file: what has changed is taught to the processes then.

        `processes` is also how many files are read at once: whoever comes then waits. Answers
        given a moment ago are in `known`.
        """
        self._known = KnownDigests() if known is None else known
        self._trust = _source_of(trust)
        self._all = [_Checker(bounds or Bounds()) for _ in range(processes)]
        self._idle: queue.LifoQueue[_Checker] = queue.LifoQueue()
        for checker in self._all:
            self._idle.put(checker)

    def warm(self) -> None:
        """Start all processes now, in the background, so that the first file need not wait."""

        def start(checker: _Checker) -> None:
            with suppress(DossierError, SignerError):  # who asks for a verification hears of it
                checker.start(self._trust.snapshot())

        for checker in self._all:
            threading.Thread(target=start, args=(checker,), daemon=True).start()

    def verify(self, path: Path, at: dt.datetime | None = None) -> bytes:
        """The report on the file as of `at` (aware; default now), as UTF-8 JSON.

        Blocks until it is there; a file that was judged alike a moment ago is not read again, and
        the report says as of when it was. Raises `VerificationStopped` when the file exceeds the
        bounds or kills the process, `Overloaded` when no process can be started, `OSError` when
        the file cannot be read, `ValueError` for a naive `at`, and what asking for the trust of
        that time raises.
        """
        if at is not None and at.tzinfo is None:
            raise ValueError("at must carry a time zone")
        snapshot = self._trust.snapshot(at)
        question = Question(digest_of(path), snapshot.fingerprint, at)
        known = self._known.find(question, dt.datetime.now(dt.UTC))
        if known is not None:
            return known
        answer = self._ask(_VERIFY, at.isoformat() if at else "", path, snapshot)
        return self._known.keep(question, answer)

    def pages(self, path: Path, saves: Sequence[int] = ()) -> bytes:
        """The file's pages as pictures, what `saves` changed marked: `PagePictures.read` it.

        `saves` are 1-based revisions. Raises as `verify`.
        """
        return self._ask(_PICTURE, ",".join(map(str, saves)), path)

    def printout(self, photo: Path, certificates: Sequence[bytes], at: dt.datetime) -> bytes:
        """What the code in a photograph is worth, as UTF-8 JSON (`docs/printout.md`).

        `certificates` (DER) are of the keys whose codes are believed. Raises as `verify`; a file
        that is no picture gives ``{"unreadable": why}``.
        """
        keys = ",".join(base64.b64encode(der).decode() for der in certificates)
        return self._ask(_PHOTO, f"{at.isoformat()},{keys}", photo)

    def _ask(
        self, task: bytes, argument: str, path: Path, snapshot: Snapshot | None = None
    ) -> bytes:
        trust = snapshot.fingerprint if snapshot else ""
        words = (task + argument.encode(), trust.encode(), os.fsencode(path))
        checker = self._idle.get()
        try:
            return checker.ask(b"\0".join(words), snapshot)
        finally:
            self._idle.put(checker)

    def close(self) -> None:
        """End all processes at once."""
        for checker in self._all:
            checker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _source_of(trust: TrustStore | Snapshot | TrustSource) -> TrustSource:
    from dossier.trust.snapshot import Snapshot
    from signer.trust import TrustStore

    if isinstance(trust, TrustStore):
        return _Always(Snapshot(trust))
    return _Always(trust) if isinstance(trust, Snapshot) else trust


@dataclass(frozen=True, slots=True)
class _Always:
    """One snapshot, whatever the time."""

    known: Snapshot

    def snapshot(self, at: dt.datetime | None = None) -> Snapshot:
        del at
        return self.known


class _Checker:
    """One process, started again when it was killed."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._taught: list[str] = []  # fingerprints, in the order that the child forgets them
        self._lock = threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self, snapshot: Snapshot) -> None:
        """Start the process unless it runs. Raises `Overloaded`."""
        with self._lock, suppress(OSError):  # a process that died is replaced at the first file
            self._teach(self._started(), snapshot)

    def ask(self, message: bytes, snapshot: Snapshot | None) -> bytes:
        with self._lock:
            pipe = self._started()
            try:
                if snapshot is not None:
                    self._teach(pipe, snapshot)
                pipe.send_bytes(message)
                if not pipe.poll(self._bounds.wall_s):
                    raise self._stopped("wall time", *_TOO_LONG)
                answer = pipe.recv_bytes(_MOST_ANSWER)
            except (EOFError, OSError) as error:
                if isinstance(error, OSError) and error.errno is None:  # a "bad message length"
                    raise self._stopped("length of the report", *_TOO_LARGE) from error
                process = self._process
                if process is not None:
                    process.join(5)
                code = process.exitcode if process else None
                if code == -signal.SIGXCPU:
                    raise self._stopped("processor time", *_TOO_LONG) from error
                raise self._stopped(f"died ({code})", *_CRASHED) from error
        kind, content = answer[:1], answer[1:]
        if kind == _NO_MEMORY:
            raise self._stopped("memory", *_TOO_LARGE)
        if kind != _REPORT:
            raise RuntimeError(f"a checker stumbled: {content.decode(errors='replace')}")
        return content

    def close(self) -> None:
        """Kill the process. A verification that is under way ends with it."""
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._end()

    def _teach(self, pipe: Connection, snapshot: Snapshot) -> None:
        """Hand over a snapshot that the process does not hold. Raises `Overloaded`."""
        if snapshot.fingerprint in self._taught:
            return
        pipe.send_bytes(_LEARN + snapshot.pack())
        if not self._is_ready(pipe):
            raise self._unstartable()
        self._taught = [*self._taught, snapshot.fingerprint][-_REMEMBERED:]

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._end()
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_serve, args=(theirs, self._bounds), name="checker", daemon=True
        )
        with theirs:
            process.start()
        self._process, self._pipe = process, ours
        if self._is_ready(ours):
            return ours
        raise self._unstartable()

    def _is_ready(self, pipe: Connection) -> bool:
        try:
            return pipe.poll(_START_S) and pipe.recv_bytes(1) == _READY
        except (EOFError, OSError):
            return False

    def _unstartable(self) -> Overloaded:
        self._end()
        return Overloaded(
            "Không khởi động được tiến trình kiểm tra; hãy thử lại sau. / No process can be "
            "started for the verification; try again later."
        )

    def _stopped(self, why: str, vietnamese: str, english: str) -> VerificationStopped:
        _LOG.warning("a verification was stopped: %s", why)
        self._end()
        return VerificationStopped(f"{vietnamese} / {english}")

    def _end(self) -> None:
        self._taught = []
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.join()


_ADVICE = (
    "hãy xuất lại văn bản từ nguồn, hoặc kiểm tra trên máy của mình bằng “sohoa verify”.",
    "re-create the document from its source, or verify it on a machine of your own with "
    "“sohoa verify”.",
)
_TOO_LONG = (
    f"Kiểm tra tệp này mất quá nhiều thời gian nên đã dừng; {_ADVICE[0]}",
    f"The verification of this file took too long and was stopped; {_ADVICE[1]}",
)
_TOO_LARGE = (
    f"Kiểm tra tệp này cần quá nhiều bộ nhớ nên đã dừng; {_ADVICE[0]}",
    f"The verification of this file needs too much memory and was stopped; {_ADVICE[1]}",
)
_CRASHED = (
    f"Tệp làm bộ kiểm tra dừng đột ngột nên không có kết luận; {_ADVICE[0]}",
    f"The file made the verifier crash, so there is no verdict; {_ADVICE[1]}",
)


# --- in the child ----------------------------------------------------------------------------


def _serve(pipe: Connection, bounds: Bounds) -> None:
    """The checker: answer file by file until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group
    from dossier.queue.bounds import bound_memory
    from dossier.trust.snapshot import Snapshot

    verifiers: OrderedDict[str, Verifier] = OrderedDict()
    bound_memory(bounds.memory_bytes)  # nor a core file: it would hold a stranger's document
    pipe.send_bytes(_READY)
    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:
            return
        # the kernel's own clock: it ends a loop that lets no Python run, and an orphan
        _bound_cpu(math.ceil(time.process_time()) + bounds.cpu_s)
        if message[:1] == _LEARN:
            snapshot = Snapshot.unpack(message[1:])
            verifiers[snapshot.fingerprint] = snapshot.verifier()
            if len(verifiers) > _REMEMBERED:
                verifiers.popitem(last=False)
            pipe.send_bytes(_READY)
            continue
        asked, trust, name = message.split(b"\0", 2)
        try:
            verifier = verifiers.get(trust.decode())
            answer = _done(verifier, asked[:1], asked[1:].decode(), Path(os.fsdecode(name)))
            pipe.send_bytes(_REPORT + answer)
        except MemoryError:
            pipe.send_bytes(_NO_MEMORY)
        except Exception as error:  # told to whoever asked
            logging.getLogger(__name__).exception("a verification stumbled")
            pipe.send_bytes(_STUMBLED + type(error).__name__.encode())


def _done(verifier: Verifier | None, task: bytes, argument: str, path: Path) -> bytes:
    if task == _PICTURE:
        from dossier.verifying.pages import picture_pages  # late: few are asked for pictures

        saves = [int(number) for number in argument.split(",") if number]
        return picture_pages(path.read_bytes(), saves).pack()
    if task == _PHOTO:
        from dossier.printout.check import photo_answer  # late: few hand in photographs

        moment, *keys = argument.split(",")
        certificates = [base64.b64decode(key) for key in keys if key]
        return photo_answer(path, certificates, dt.datetime.fromisoformat(moment))
    if verifier is None:
        raise RuntimeError("asked to verify by a trust that was not taught")
    at = dt.datetime.fromisoformat(argument) if argument else None
    report = verifier.verify(path, at).to_json()
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()


def _bound_cpu(seconds: int) -> None:
    """Let this process live for so long; the hard limit stays, for it cannot be raised again."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        seconds = min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
