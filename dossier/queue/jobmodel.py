"""Jobs as values: handed out, to be put in, to be looked at; and who follows their moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from dossier.model import JSON, JobState


@dataclass(frozen=True, slots=True)
class Job:
    """A job in the hands of a worker. `attempt` counts from 1 and fences off earlier ones."""

    id: str
    queue: str
    kind: str
    subject: str
    agency_id: str | None
    payload: Mapping[str, JSON]
    priority: int
    attempt: int
    crashes: int
    worker: str
    stumbles: int = 0  # tries that failed by themselves, not because something was away

    @property
    def isolated(self) -> bool:
        """Whether it must run with nothing else in the process's hands."""
        return self.crashes > 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be enqueued. `run_at` None: now."""

    queue: str
    kind: str
    subject: str
    agency_id: str | None
    payload: Mapping[str, JSON] = field(default_factory=dict)
    priority: int = 0
    run_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its agency sees it."""

    id: str
    queue: str
    kind: str
    subject: str
    agency_id: str | None
    state: JobState
    priority: int
    attempts: int
    crashes: int
    error: JSON
    run_at: datetime
    created_at: datetime
    finished_at: datetime | None


class Follower:
    """What the moves of a kind of job mean to their subjects; runs in the move's transaction.

    Subclass and `JobQueue.follow`. Each method is given jobs of one kind.
    """

    def claimed(self, connection: sa.Connection, taken: Sequence[Job]) -> None:
        """A worker began (or begins again) with these."""

    def waiting(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """The job was put back: to be tried again after `error`, or (None) given back."""

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """The job failed for good."""


class OnFailure(Follower):
    """Does one thing when a job failed for good: what waits for its result must go on."""

    def __init__(self, then: Callable[[sa.Connection, Job, JSON], None]) -> None:
        self._then = then

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        self._then(connection, job, error)


class Subjects(Protocol):
    """Resources whose state is that of their job: digitizations, bulk verifications."""

    def taken(self, connection: sa.Connection, subjects: Sequence[str]) -> None:
        """A worker begins with them."""

    def put_back(self, connection: sa.Connection, subject: str, error: JSON) -> None:
        """The work waits for another try."""

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """The job failed for good."""


class SubjectMoves(Follower):
    """Moves subjects with their jobs."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects

    def claimed(self, connection: sa.Connection, taken: Sequence[Job]) -> None:
        self._subjects.taken(connection, [job.subject for job in taken])

    def waiting(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        self._subjects.put_back(connection, job.subject, error)

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        self._subjects.failed(connection, job, error)
