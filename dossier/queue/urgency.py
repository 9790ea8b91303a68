"""An urgent citizen's work goes before what waits."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from dossier.model import JobState
from dossier.storage.tables import jobs


def hurry(connection: sa.Connection, subjects: Sequence[str], priority: int) -> int:
    """Give the jobs of `subjects` that wait another priority (lower is sooner); how many."""
    waiting = (
        sa.select(jobs.c.id)
        .where(jobs.c.subject.in_(subjects), jobs.c.state == JobState.READY)
        .order_by(jobs.c.id)
        .with_for_update()
    )
    found = list(connection.execute(waiting).scalars())
    if found:
        connection.execute(sa.update(jobs).where(jobs.c.id.in_(found)).values(priority=priority))
    return len(found)
