"""The statements of the job table, made once a queue, so that each is compiled a single time."""

from __future__ import annotations

import sqlalchemy as sa

from dossier.model import JobState
from dossier.storage.database import Database
from dossier.storage.tables import Instant, jobs


class JobStatements:
    """Statements over `jobs` with named parameters; times by the database's own clock."""

    def __init__(self, database: Database) -> None:
        # microseconds since 1970, by the database's own clock
        text = (
            "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
            if database.is_sqlite
            else "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
        )
        now: sa.ColumnElement[int] = sa.literal_column(text, sa.BigInteger)
        run_at = sa.type_coerce(jobs.c.run_at, sa.BigInteger)
        lease_until = sa.type_coerce(jobs.c.lease_until, sa.BigInteger)
        finished_at = sa.type_coerce(jobs.c.finished_at, sa.BigInteger)
        lease = now + sa.bindparam("lease_us", type_=sa.BigInteger)
        columns = [
            jobs.c[name]
            for name in (
                "id", "queue", "kind", "subject", "agency_id", "payload", "priority", "attempts",
                "crashes", "stumbles", "worker",
            )
        ]  # fmt: skip
        in_queue = jobs.c.queue == sa.bindparam("queue")
        ready = jobs.c.state == sa.literal_column("'ready'")  # as the partial index says it
        running = jobs.c.state == sa.literal_column("'running'")
        order = (jobs.c.priority, jobs.c.run_at, jobs.c.id)
        limit = sa.bindparam("limit_", type_=sa.Integer)
        mine = sa.and_(
            jobs.c.id == sa.bindparam("id_"),
            running,
            jobs.c.worker == sa.bindparam("worker_"),
            jobs.c.attempts == sa.bindparam("attempt_"),
        )
        this = jobs.c.id == sa.bindparam("id_")
        ids = jobs.c.id.in_(sa.bindparam("ids", expanding=True))
        error = sa.bindparam("error_", type_=sa.JSON(none_as_null=True))
        free = {"worker": None, "lease_until": None}

        self.insert = sa.insert(jobs).values(
            # those of one statement are a microsecond apart, so that they keep their order
            run_at=sa.func.coalesce(
                sa.bindparam("run_at_", type_=Instant),
                now + sa.bindparam("nth", type_=sa.BigInteger),
            ),
            state=JobState.READY,
        )
        self.ready = (
            sa.select(*columns)
            .where(in_queue, ready, run_at <= now)
            .order_by(*order)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        self.expired = (
            sa.select(*columns)
            .where(in_queue, running, lease_until < now)
            .order_by(jobs.c.lease_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        self.chosen = sa.select(*columns).where(ids).order_by(*order)
        self.take = (
            sa.update(jobs)
            .where(this)
            .values(
                state=JobState.RUNNING,
                attempts=jobs.c.attempts + 1,
                worker=sa.bindparam("worker_"),
                lease_until=lease,
            )
        )
        self.crash = (
            sa.update(jobs)
            .where(this)
            .values(state=JobState.READY, crashes=jobs.c.crashes + 1, run_at=now, **free)
        )
        self.poison = (
            sa.update(jobs)
            .where(this)
            .values(state=JobState.FAILED, error=error, finished_at=now, **free)
        )
        held = (running, jobs.c.worker == sa.bindparam("worker_"))
        # locked by id, as those are who finish several jobs at once
        theirs = sa.select(jobs.c.id).where(*held).order_by(jobs.c.id).with_for_update()
        renew = sa.update(jobs).values(lease_until=lease).returning(jobs.c.id)
        self.keep = renew.where(jobs.c.id.in_(theirs), *held)
        self.keep_some = renew.where(jobs.c.id.in_(theirs.where(ids)), *held)
        self.finish = (
            sa.update(jobs)
            .where(mine)
            .values(state=sa.bindparam("state_"), error=error, finished_at=now, lease_until=None)
        )
        self.retry = (
            sa.update(jobs)
            .where(mine)
            .values(
                state=JobState.READY,
                error=error,
                crashes=jobs.c.crashes + sa.bindparam("suspect_", type_=sa.Integer),
                stumbles=jobs.c.stumbles + sa.bindparam("stumbled_", type_=sa.Integer),
                run_at=now + sa.bindparam("delay_us", type_=sa.BigInteger),
                **free,
            )
        )
        self.give_back = (
            sa.update(jobs)
            .where(mine)
            .values(state=JobState.READY, attempts=jobs.c.attempts - 1, **free)
        )
        self.cancel = (
            sa.update(jobs)
            .where(jobs.c.subject == sa.bindparam("subject_"), ready)
            .values(state=JobState.CANCELLED, finished_at=now)
        )
        self.waiting = sa.select(sa.func.count()).where(in_queue, sa.or_(ready, running))
        old = (
            sa.select(jobs.c.id)
            .where(
                jobs.c.finished_at.is_not(None),
                finished_at < now - sa.bindparam("age_us", type_=sa.BigInteger),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        self.sweep = sa.delete(jobs).where(jobs.c.id.in_(old))
