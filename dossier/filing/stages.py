"""The jobs between a finished check and a filed paper, and how their faults are shown on it.

draft-paper (ocr) > mark-paper (seal) > a signature record (seal) > index-paper (ocr)
"""

from __future__ import annotations

import sqlalchemy as sa

from dossier.model import JSON
from dossier.queue.jobs import Follower, Job
from dossier.storage.station_tables import papers

MARK_PAPER = "mark-paper"
INDEX_PAPER = "index-paper"
SEAL_QUEUE = "seal"


class PaperErrors(Follower):
    """Shows on the paper why its job waits, or failed for good. It can be ordered again."""

    def waiting(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        if error is not None:
            self.failed(connection, job, error)

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == job.subject)
            .values(error=error, version=papers.c.version + 1)
        )
