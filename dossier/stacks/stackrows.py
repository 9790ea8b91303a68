"""The rows of stacks: found, locked, counted; and what follows when the last one is done."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import NotFound, StateConflict
from dossier.model import JSON, AuditEvent, Caller, Role
from dossier.queue.jobs import JobQueue
from dossier.stacks.history import QUEUE
from dossier.stacks.values import (
    Counts,
    PageState,
    PaperState,
    Stack,
    StackPage,
    StackState,
    page_of,
    stack_of,
)
from dossier.storage.station_tables import papers, stack_pages, stack_scans, stacks

SPLIT = "split-stack"
OPERATORS = (Role.SCANNER, Role.OFFICER)
"""Who works at a scanning station."""


def one_stack(
    connection: sa.Connection, agency_id: str | None, stack_id: str, *, lock: bool = False
) -> Stack:
    """A stack of the agency. Raises `NotFound`."""
    query = sa.select(stacks).where(stacks.c.id == stack_id, stacks.c.agency_id == agency_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(
            f"Không có tập giấy {stack_id}. / There is no stack {stack_id}; look it up in the list."
        )
    return stack_of(row)


def require_state(stack: Stack, wanted: StackState) -> None:
    """Raise `StateConflict` unless the stack is in the state `wanted`."""
    if stack.state is not wanted:
        raise StateConflict(
            f"Tập giấy đang ở trạng thái “{stack.state}”, việc này cần “{wanted}”. / The stack is "
            f"{stack.state}; this needs one that is {wanted}."
        )


def counts_of(connection: sa.Connection, stack_id: str) -> Counts:
    """How far the reading of a stack is."""
    scans = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(stack_scans.c.pages.is_(None)),
        ).where(stack_scans.c.stack_id == stack_id)
    ).one()
    rows = connection.execute(
        sa.select(stack_pages.c.state, sa.func.count())
        .where(stack_pages.c.stack_id == stack_id)
        .group_by(stack_pages.c.state)
    )
    states: dict[str, int] = {state: count for state, count in rows}  # noqa: C416 - rows are no pairs
    return Counts(
        scans[0],
        scans[1],
        sum(states.values()),
        states.get(PageState.READ, 0),
        states.get(PageState.FAULTY, 0),
    )


def pages_of(connection: sa.Connection, stack_id: str) -> tuple[StackPage, ...]:
    """The pages of a stack in the order in which they were scanned."""
    rows = connection.execute(
        sa.select(stack_pages)
        .where(stack_pages.c.stack_id == stack_id)
        .order_by(stack_pages.c.scan_position, stack_pages.c.index)
    )
    return tuple(page_of(row) for row in rows)


def split_when_complete(
    connection: sa.Connection, jobs: JobQueue, stack: Stack, counts: Counts
) -> None:
    """Order the splitting of a closed stack once nothing is left to be read.

    The caller has the stack's row locked, so that the last page and the closing do not miss
    each other.
    """
    if stack.state is StackState.READING and counts.is_complete:
        jobs.enqueue(
            connection,
            queue=QUEUE,
            kind=SPLIT,
            subject=stack.id,
            agency_id=stack.agency_id,
            priority=stack.priority,
        )


def end_if_done(connection: sa.Connection, stack_id: str, now: datetime) -> None:
    """End a stack whose papers are all finished; asked whenever one of them is."""
    states = connection.execute(
        sa.select(papers.c.state).where(papers.c.stack_id == stack_id).distinct()
    ).scalars()
    if all(PaperState(state).is_finished for state in states):
        connection.execute(
            sa.update(stacks)
            .where(stacks.c.id == stack_id, stacks.c.state == StackState.ARRANGED)
            .values(state=StackState.DONE, finished_at=now, version=stacks.c.version + 1)
        )


def tell(
    connection: sa.Connection,
    audit: AuditLog,
    what: str,
    caller: Caller,
    stack_id: str,
    details: dict[str, JSON],
) -> None:
    """Note in the audit log what `caller` did to a stack."""
    told = {**details, "request_id": caller.request_id}
    event = AuditEvent(f"stack.{what}", caller.principal_id, caller.agency_id, stack_id, told)
    audit.append(connection, [event])
