"""Who has which paper before them: leases, by the database's clock.

A lease is renewed by whatever its holder does; one that ran out is taken over, with what was typed
still there. Of two people who ask at once each gets another paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.rows import CHECKERS, change, name_of, one_paper, require_lease, tell
from dossier.checking.values import Check, Paper, paper_of
from dossier.errors import AccessRefused, LeaseLost, StateConflict
from dossier.model import Caller, Role
from dossier.queue.jobs import JobQueue
from dossier.stacks.values import PaperState
from dossier.storage.database import Database
from dossier.storage.station_tables import papers, stacks

LEASE_S = 120.0
_AT_ONCE = 50  # candidates looked at in one query
_CANDIDATE = (papers.c.id, papers.c.priority, papers.c.checks)
_LOOKS = 2  # others may have taken all that were seen


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which papers a person wants to be given; not those of `passing`."""

    station: str | None = None
    dossier_code: str | None = None
    stack_id: str | None = None
    passing: frozenset[str] = frozenset()

    def where(self) -> list[sa.ColumnElement[bool]]:
        """The conditions, over `papers` joined with `stacks`."""
        found: list[sa.ColumnElement[bool]] = []
        if self.station is not None:
            found.append(stacks.c.order["station"].as_string() == self.station)
        if self.dossier_code is not None:
            found.append(papers.c.dossier_code == self.dossier_code)
        if self.stack_id is not None:
            found.append(papers.c.stack_id == self.stack_id)
        if self.passing:
            found.append(papers.c.id.not_in(self.passing))
        return found


class Taking:
    """The leases of one database's papers. Safe for threads and for several processes."""

    def __init__(
        self, database: Database, audit: AuditLog, jobs: JobQueue, *, lease_s: float = LEASE_S
    ) -> None:
        self._database = database
        self._audit = audit
        self._jobs = jobs
        self._lease = timedelta(seconds=lease_s)

    @property
    def lease_s(self) -> float:
        """How long a paper stays with a person who does nothing."""
        return self._lease.total_seconds()

    def next(self, caller: Caller, wanted: Wanted | None = None) -> Paper | None:
        """The most urgent paper that waits, now before the caller; None when none does.

        What the caller has already comes first. Nobody is given a paper that they went through
        before (two people have to), and one about which two people do not agree goes to an
        officer. Raises `AccessRefused`, `StoreError`.
        """
        caller.require(*CHECKERS)
        wanted = wanted or Wanted()

        def work(connection: sa.Connection) -> Paper | None:
            now = self._database.now(connection)
            mine = self._mine(connection, caller, wanted, now)
            if mine is not None:
                return self._lend(connection, caller, mine, now)
            for _ in range(_LOOKS):
                lost = False
                for paper_id in self._free(connection, caller, wanted, now):
                    paper = self._grab(connection, paper_id, now)
                    if paper is not None and _refusal(caller, paper.checks) is None:
                        return self._lend(connection, caller, paper, now)
                    lost = True
                if not lost:
                    break
            return None

        return self._database.together(work)

    def take(self, caller: Caller, paper_id: str) -> Paper:
        """This very paper, now before the caller. May be repeated; renews the lease.

        Raises `LeaseLost` when somebody else has it, `StateConflict` when it is not to be checked,
        `AccessRefused` for who checked it before, `NotFound`.
        """
        caller.require(*CHECKERS)

        def work(connection: sa.Connection) -> Paper:
            now = self._database.now(connection)
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            if paper.state is not PaperState.TO_CHECK:
                raise StateConflict(
                    f"Giấy tờ đang ở trạng thái “{paper.state}”, không chờ kiểm tra. / The paper "
                    f"is {paper.state}; it does not wait to be checked."
                )
            if paper.is_held(now) and paper.lease_by != caller.principal_id:
                require_lease(connection, caller, paper, now)
            refusal = _refusal(caller, paper.checks)
            if refusal is not None:
                raise AccessRefused(refusal)
            return self._lend(connection, caller, paper, now)

        return self._database.together(work)

    def keep(self, caller: Caller, paper_id: str) -> datetime:
        """Renew the lease; until when. Raises `LeaseLost`, `StateConflict`, `NotFound`."""
        caller.require(*CHECKERS)

        def work(connection: sa.Connection) -> datetime:
            now = self._database.now(connection)
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            require_lease(connection, caller, paper, now)
            return self._renew(connection, paper, now)

        return self._database.together(work)

    def release(self, caller: Caller, paper_id: str) -> Paper:
        """Give a paper back to the queue; what was typed stays. Of another's lease: nothing."""
        caller.require(*CHECKERS)

        def work(connection: sa.Connection) -> Paper:
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            if paper.lease_by != caller.principal_id:
                return paper
            return change(connection, paper, lease_by=None, lease_until=None)

        return self._database.together(work)

    def holder(self, caller: Caller, paper_id: str) -> str | None:
        """The name of the person who has the paper before them. Raises `NotFound`."""
        with self._database.read() as connection:
            paper = one_paper(connection, caller.agency_id, paper_id)
            held = paper.is_held(self._database.now(connection))
            return name_of(connection, paper.lease_by) if held else None

    # --- parts ---------------------------------------------------------------------------

    def _mine(
        self, connection: sa.Connection, caller: Caller, wanted: Wanted, now: datetime
    ) -> Paper | None:
        row = connection.execute(
            _of(caller)
            .where(
                *wanted.where(),
                papers.c.lease_by == caller.principal_id,
                papers.c.lease_until > now,
            )
            .order_by(papers.c.priority, papers.c.id)
            .limit(1)
            .with_for_update(of=papers)
        ).first()
        return None if row is None else paper_of(row)

    def _free(
        self, connection: sa.Connection, caller: Caller, wanted: Wanted, now: datetime
    ) -> Iterator[str]:
        """Ids of papers that nobody has and the caller may check, the most urgent first."""
        place: tuple[int, str] | None = None
        while True:
            query = _of(caller, *_CANDIDATE).where(*wanted.where(), _is_free(now))
            if place is not None:
                query = query.where(
                    sa.or_(
                        papers.c.priority > place[0],
                        sa.and_(papers.c.priority == place[0], papers.c.id > place[1]),
                    )
                )
            rows = connection.execute(
                query.order_by(papers.c.priority, papers.c.id).limit(_AT_ONCE)
            ).all()
            for row in rows:
                if _refusal(caller, [Check.from_json(check) for check in row.checks]) is None:
                    yield row.id
            if len(rows) < _AT_ONCE:
                return
            place = (rows[-1].priority, rows[-1].id)

    @staticmethod
    def _grab(connection: sa.Connection, paper_id: str, now: datetime) -> Paper | None:
        """The paper with its row locked, or None when somebody else is about to have it."""
        row = connection.execute(
            sa.select(papers)
            .where(papers.c.id == paper_id, papers.c.state == PaperState.TO_CHECK, _is_free(now))
            .with_for_update(skip_locked=True)
        ).first()
        return None if row is None else paper_of(row)

    def _lend(
        self, connection: sa.Connection, caller: Caller, paper: Paper, now: datetime
    ) -> Paper:
        is_new = paper.lease_by != caller.principal_id or not paper.is_held(now)
        if is_new:
            details = {"taken_over_from": paper.lease_by}
            tell(connection, self._audit, "taken", caller, paper.id, details)
        return change(
            connection, paper, lease_by=caller.principal_id, lease_until=now + self._lease
        )

    def _renew(self, connection: sa.Connection, paper: Paper, now: datetime) -> datetime:
        """The lease goes on; nothing that a client may have read changes with it."""
        until = now + self._lease
        renewed = connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper.id, papers.c.lease_by == paper.lease_by)
            .values(lease_until=until)
        )
        if renewed.rowcount != 1:
            raise LeaseLost("Giấy tờ không còn trong tay bạn. / The paper is not yours any more.")
        return until


def _of(caller: Caller, *columns: sa.Column[Any]) -> sa.Select[Any]:
    return (
        sa.select(*columns or (papers,))
        .join(stacks, stacks.c.id == papers.c.stack_id)
        .where(papers.c.agency_id == caller.agency_id, papers.c.state == PaperState.TO_CHECK)
    )


def _is_free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(papers.c.lease_until.is_(None), papers.c.lease_until <= now)


def _refusal(caller: Caller, checks: Sequence[Check]) -> str | None:
    """Why this person may not check a paper that was checked like this before."""
    if any(check.by == caller.principal_id for check in checks):
        return (
            "Bạn đã kiểm tra giấy tờ này; lần này cần người khác. / You checked this paper "
            "already; now another person has to."
        )
    if checks and checks[-1].disputed and Role.OFFICER not in caller.roles:
        return (
            "Hai người đã kiểm tra không thống nhất; cần chuyên viên xem lại. / Two people do not "
            "agree about this paper; an officer has to look at it."
        )
    return None
