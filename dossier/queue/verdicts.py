"""Writes down what becomes of jobs whose handlers raised; again later when the database is away.

A handler often raises *because* the database is away, so the verdict cannot be written either.
Left alone, the job would come back when its lease ran out, and look as if it had killed its
worker: a suspect, handed out by itself. So the verdict is owed, its lease kept, and written as
soon as the database answers.
"""

from __future__ import annotations

import logging
import threading

from dossier.errors import AuditUnavailable, LeaseLost, StoreError
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.retrying import Outcome, Verdict

_LOG = logging.getLogger(__name__)
_AWAY = (StoreError, AuditUnavailable)


class Verdicts:
    """The verdicts of one worker. Safe for threads."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._owed: dict[str, tuple[Job, Verdict]] = {}

    @property
    def owed(self) -> list[str]:
        """Ids of the jobs whose verdict is still to be written; keep their leases."""
        with self._lock:
            return list(self._owed)

    def give(self, job: Job, verdict: Verdict) -> Outcome:
        """Put `job` back or fail it, now or, when the database is away, later. Raises nothing."""
        try:
            self._write(job, verdict)
        except LeaseLost:
            return Outcome.LOST
        except _AWAY as error:
            _LOG.warning("job %s cannot be put back yet: %s", job.id, error)
            with self._lock:
                self._owed[job.id] = (job, verdict)
        except Exception:  # noqa: BLE001 - a worker outlives whatever its queue says
            _LOG.exception("job %s could not be put back; its lease will run out", job.id)
        return verdict.outcome

    def settle(self) -> None:
        """Write what is owed. Raises `StoreError`, `AuditUnavailable`: the rest stays owed."""
        with self._lock:
            owed = list(self._owed.values())
        for job, verdict in owed:
            try:
                self._write(job, verdict)
            except LeaseLost:
                pass  # done after all, for its commit had arrived; or another worker's by now
            except _AWAY:
                raise
            except Exception:  # noqa: BLE001 - kept for ever, the job would never be tried again
                _LOG.exception("job %s could not be put back; its lease will run out", job.id)
            with self._lock:
                self._owed.pop(job.id, None)

    def _write(self, job: Job, verdict: Verdict) -> None:
        with self._jobs.database.begin() as connection:
            if verdict.outcome is Outcome.FAIL:
                self._jobs.fail(connection, job, verdict.error)
            else:
                self._jobs.retry(
                    connection,
                    job,
                    verdict.error,
                    verdict.delay_s,
                    suspect=verdict.suspect,
                    stumbled=verdict.stumbled,
                )
