"""Works off a queue with some threads, under leases that a thread of its own renews.

    worker = Worker(jobs, "seal", {"signature": signing_work}, threads=4, lease_s=5)
    worker.run(stop)          # until `stop` is set; then it drains

The worker claims little more than it can begin at once, so that other machines find work and a
drain has little to give back. A handler finishes its job itself, in the transaction that records
the result; when it raises, the worker puts the job back or fails it (`dossier.queue.retrying`).

A handler that hangs keeps its thread, but not its job: beyond `hang_s` the lease is no longer
renewed, somebody else gets the job, and `health` names it. With `bounds` the run ends then, and
also when a job used more processor time than it may, which fails it: the others are finished and
the process is to be replaced, for a thread cannot be stopped.

While the token is away nothing is claimed: thousands of jobs would only be begun and put back,
again and again, and wait the longer when it returns.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dossier.errors import AuditUnavailable, LeaseLost, StoreError
from dossier.queue.bounds import Effort, JobBounds, too_long
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.retrying import Outcome, error_json, outcome_of
from dossier.queue.verdicts import Verdicts

_LOG = logging.getLogger(__name__)
Handler = Callable[[Job], None]

_BUSY_S = 0.01  # between two looks at the queue while there is work
_IDLE_S = 0.25
_AWAY_S = 0.5  # between two questions whether the token is back
_SWEEP_S = 3600.0  # between two sweeps of what finished long ago
_AHEAD = 2  # jobs in hand beyond those that run, for each thread


@dataclass(frozen=True, slots=True)
class HungJob:
    """A job whose handler has run too long; its thread is lost until it returns."""

    job_id: str
    kind: str
    subject: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """How a worker is. `ok` is False when a handler hangs or the queue cannot be reached."""

    ok: bool
    worker: str
    queue: str
    in_hand: int
    running: int
    finished: int
    put_back: int
    failed: int
    hung: tuple[HungJob, ...]
    last_error: str | None  # of the queue itself, None when the last look at it succeeded
    answered_s_ago: float | None  # since the last look that succeeded


@dataclass(slots=True)
class _Held:
    """A job in hand; `began` is monotonic, None before its handler runs."""

    job: Job
    began: float | None = None
    hung: bool = False
    effort: Effort | None = None


class Worker:
    """One process's worker for one queue. `run` it once; `health` from any thread."""

    def __init__(
        self,
        jobs: JobQueue,
        queue_name: str,
        handlers: Mapping[str, Handler],
        *,
        threads: int = 4,
        lease_s: float = 5.0,
        hang_s: float = 600.0,
        drain_s: float = 30.0,
        bounds: JobBounds | None = None,
        token_is_there: Callable[[], bool] = lambda: True,
        name: str | None = None,
    ) -> None:
        """`drain_s` bounds how long `run` waits, once stopped, for handlers to return.

        `token_is_there` is asked after a job found the token away, until it says yes.
        """
        self.name = name or worker_name()
        self._jobs = jobs
        self._queue = queue_name
        self._handlers = dict(handlers)
        self._threads = threads
        self._lease_s = lease_s
        self._hang_s = hang_s
        self._drain_s = drain_s
        self._bounds = bounds
        self._token_is_there = token_is_there
        self._token_missed = threading.Event()
        self._worn = threading.Event()  # a thread is lost for good: to be replaced
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)  # a job left our hands
        self._held: dict[str, _Held] = {}
        self._ready: queue.SimpleQueue[_Held | None] = queue.SimpleQueue()
        self._verdicts = Verdicts(jobs)
        self._counts = dict.fromkeys(Outcome, 0)
        self._last_error: str | None = None
        self._answered: float | None = None
        self._ended = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then drain: finish what is begun, give the rest back.

        With `bounds` it also ends by itself once a job exceeded them or hangs.
        Returns after `drain_s` at the latest; what still runs by then is not renewed any more
        and will be another worker's. Raises nothing.
        """
        pool = [
            threading.Thread(target=self._work, name=f"{self._queue}-{n}", daemon=True)
            for n in range(self._threads)
        ]
        keeper = threading.Thread(target=self._keep, name=f"{self._queue}-leases", daemon=True)
        for thread in (*pool, keeper):
            thread.start()
        try:
            self._dispatch(stop)
        finally:
            self._drain()
            for _ in pool:
                self._ready.put(None)
            self._ended.set()
            keeper.join(1.0)

    def health(self) -> WorkerHealth:
        """A picture of this moment."""
        now = time.monotonic()
        with self._lock:
            held = list(self._held.values())
            hung = tuple(
                HungJob(h.job.id, h.job.kind, h.job.subject, now - h.began)
                for h in held
                if h.hung and h.began is not None
            )
            return WorkerHealth(
                ok=not hung and self._last_error is None,
                worker=self.name,
                queue=self._queue,
                in_hand=len(held),
                running=sum(h.began is not None for h in held),
                finished=self._counts[Outcome.DONE],
                put_back=self._counts[Outcome.RETRY],
                failed=self._counts[Outcome.FAIL],
                hung=hung,
                last_error=self._last_error,
                answered_s_ago=None if self._answered is None else now - self._answered,
            )

    # --- claiming ------------------------------------------------------------------------

    def _dispatch(self, stop: threading.Event) -> None:
        pause = _BUSY_S
        while not (stop.is_set() or self._worn.is_set()):
            with self._freed:
                usable, room = self._room()
                if room < max(usable, 1):  # take some at once: a claim costs a commit
                    self._freed.wait(_IDLE_S)
                    continue
            if not self._may_claim():
                stop.wait(_AWAY_S)
                continue
            taken = self._claim(room)
            if not taken:
                stop.wait(pause)
                pause = min(pause * 1.3, _IDLE_S)
                continue
            pause = _BUSY_S
            if taken[0].isolated:
                self._alone(taken[0], stop)
            else:
                self._begin(taken)
                if len(taken) < room:  # the queue is empty: look again a little later
                    stop.wait(_BUSY_S)

    def _may_claim(self) -> bool:
        """False while the token is away."""
        if self._token_missed.is_set() and self._token_is_there():
            self._token_missed.clear()
        return not self._token_missed.is_set()

    def _room(self) -> tuple[int, int]:
        """Usable threads (a hung job has taken its thread), and how many more jobs to take."""
        hung = sum(held.hung for held in self._held.values())
        usable = self._threads - hung
        return usable, usable * (1 + _AHEAD) - (len(self._held) - hung)

    def _claim(self, limit: int) -> list[Job]:
        try:
            taken = self._jobs.claim(self._queue, self.name, limit, self._lease_s)
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever its queue says
            if self._last_error is None:
                is_away = isinstance(error, StoreError | AuditUnavailable)
                _LOG.warning(
                    "the queue %s does not answer: %s", self._queue, error, exc_info=not is_away
                )
            with self._lock:
                self._last_error = str(error)
            return []
        with self._lock:
            self._last_error = None
            self._answered = time.monotonic()
        return taken

    def _begin(self, taken: list[Job]) -> None:
        held = [_Held(job) for job in taken]
        with self._lock:
            self._held.update((entry.job.id, entry) for entry in held)
        for entry in held:
            self._ready.put(entry)

    def _alone(self, job: Job, stop: threading.Event) -> None:
        """Run a suspect with nothing else in hand: if it kills us, nobody else is blamed."""
        suspect = _Held(job)
        with self._freed:
            self._held[job.id] = suspect  # so that its lease is kept meanwhile
            while any(not h.hung for h in self._held.values() if h is not suspect):
                self._freed.wait(_IDLE_S)
                if stop.is_set() or self._worn.is_set():
                    return  # not begun: the drain gives it back
        self._ready.put(suspect)
        with self._freed:
            while job.id in self._held and not suspect.hung:
                self._freed.wait(_IDLE_S)

    # --- working -------------------------------------------------------------------------

    def _work(self) -> None:
        while (held := self._ready.get()) is not None:
            with self._lock:
                if held.job.id not in self._held:
                    continue  # given back by the drain
                held.began = time.monotonic()
                held.effort = Effort.of_this_thread()
            outcome = self._handle(held.job)
            with self._freed:
                self._held.pop(held.job.id, None)
                self._counts[outcome] += 1
                self._freed.notify_all()

    def _handle(self, job: Job) -> Outcome:
        try:
            self._handlers.get(job.kind, _nobody)(job)
        except LeaseLost:
            _LOG.warning("job %s (%s) was lost to another worker", job.id, job.subject)
            return Outcome.LOST
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker lives on
            return self._after(job, error)
        return Outcome.DONE

    def _after(self, job: Job, error: Exception) -> Outcome:
        """Put the job back or fail it, as the error deserves."""
        verdict = outcome_of(error, job.attempt, job.stumbles, alone=job.isolated)
        if verdict.token_away:
            self._token_missed.set()
        if verdict.unexpected:
            _LOG.exception("job %s (%s, %s) stumbled", job.id, job.kind, job.subject)
        else:
            _LOG.info("job %s (%s): %s: %s", job.id, job.subject, verdict.outcome, error)
        return self._verdicts.give(job, verdict)

    # --- leases --------------------------------------------------------------------------

    def _keep(self) -> None:
        sweep_at = time.monotonic() + _SWEEP_S * random.random()  # noqa: S311 - no secret
        while not self._ended.wait(self._lease_s / 3):
            try:
                self._renew()
                self._verdicts.settle()
                if time.monotonic() > sweep_at:
                    sweep_at = time.monotonic() + _SWEEP_S
                    while self._jobs.sweep() and not self._ended.is_set():
                        self._renew()
            except (StoreError, AuditUnavailable):
                pass  # who finishes a job finds out whether it was lost
            except Exception:  # noqa: BLE001 - leases must be kept whatever happens
                _LOG.exception("the leases of %s could not be renewed", self.name)

    def _renew(self) -> None:
        """Renew the leases of what runs and does not hang."""
        self._end_what_exceeds()
        now = time.monotonic()
        with self._freed:
            for held in self._held.values():
                if held.began is not None and now - held.began > self._hang_s:
                    if not held.hung:
                        job = held.job
                        _LOG.error("job %s (%s, %s) hangs", job.id, job.kind, job.subject)
                    held.hung = True
                    if self._bounds is not None:
                        self._worn.set()
            wanted = [held.job.id for held in self._held.values() if not held.hung]
            self._freed.notify_all()
        wanted += self._verdicts.owed
        self._jobs.keep(self.name, self._lease_s, wanted)

    def _end_what_exceeds(self) -> None:
        """Fail the jobs that used more processor time than they may; their threads are lost."""
        bounds = self._bounds
        if bounds is None:
            return
        with self._freed:
            found = [
                held
                for held in self._held.values()
                if held.effort is not None
                and held.job.kind in bounds.kinds
                and not held.hung
                and held.effort.spent > bounds.cpu_s
            ]
            for held in found:
                held.hung = True
            self._freed.notify_all()
        for held in found:
            job = held.job
            _LOG.error("job %s (%s, %s) exceeds its bounds", job.id, job.kind, job.subject)
            try:
                with self._jobs.database.begin() as connection:
                    self._jobs.fail(connection, job, error_json(too_long(bounds)))
            except LeaseLost:
                pass
            except Exception:  # noqa: BLE001 - its lease runs out, and it is tried alone
                _LOG.exception("job %s could not be failed", job.id)
            self._worn.set()

    def _drain(self) -> None:
        with self._lock:
            idle = [held for held in self._held.values() if held.began is None]
            for held in idle:
                del self._held[held.job.id]
        try:
            self._jobs.give_back([held.job for held in idle])
        except StoreError:
            _LOG.warning("%d jobs could not be given back; their leases will run out", len(idle))
        until = time.monotonic() + self._drain_s
        with self._freed:
            while any(not held.hung for held in self._held.values()):
                left = until - time.monotonic()
                if left <= 0:
                    _LOG.warning("%d jobs still run; leaving them", len(self._held))
                    break
                self._freed.wait(min(left, _IDLE_S))
        try:
            self._verdicts.settle()
        except (StoreError, AuditUnavailable):
            _LOG.warning("%d jobs could not be put back", len(self._verdicts.owed))


def _nobody(job: Job) -> None:
    raise LookupError(f"nobody handles jobs of the kind {job.kind!r} on the queue {job.queue}")


def worker_name() -> str:
    """A name that no other process has, now or later: machine, process, random part."""
    return f"{socket.gethostname()[:48]}:{os.getpid()}:{secrets.token_hex(4)}"
