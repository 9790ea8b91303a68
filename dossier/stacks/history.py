"""Arrangements in force: each edit makes the next one, undo goes back, papers follow.

Whatever was in force stays readable. `seq` of the stack names what is in force; `before` of a row
is where undo goes; redo goes to the newest arrangement that was made of the present one. All of
it happens in the caller's transaction, with the stack's row locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.errors import StateConflict
from dossier.model import JSON
from dossier.queue.jobmodel import NewJob
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import ArrangedPaper, Arrangement
from dossier.stacks.values import PaperState, Stack
from dossier.storage.station_tables import paper_entries, papers, stack_history, stacks

QUEUE = "ocr"
PROPOSE = "propose"


@dataclass(frozen=True, slots=True)
class InForce:
    """The arrangement of a stack, its place in the history, and what made it."""

    seq: int
    before: int
    arrangement: Arrangement
    edit: JSON
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Doing:
    """Who changes a stack, and when. `principal_id` None: a machine."""

    by: str
    at: datetime
    principal_id: str | None = None


def in_force(connection: sa.Connection, stack_id: str, seq: int) -> InForce | None:
    """The arrangement `seq` of a stack; None when there is none yet."""
    row = connection.execute(
        sa.select(stack_history).where(
            stack_history.c.stack_id == stack_id, stack_history.c.seq == seq
        )
    ).first()
    return None if row is None else in_force_of(row)


def in_force_of(row: Any) -> InForce:  # noqa: ANN401 - a row
    """A row of the table `stack_history`."""
    arrangement = Arrangement.from_json(row.arrangement)
    return InForce(row.seq, row.before, arrangement, row.edit, row.by, row.at)


def after_undo(connection: sa.Connection, stack_id: str, seq: int) -> int | None:
    """Where redo goes from `seq`; None when nothing was undone."""
    newest = sa.select(sa.func.max(stack_history.c.seq)).where(
        stack_history.c.stack_id == stack_id, stack_history.c.before == seq
    )
    found: int | None = connection.execute(newest).scalar_one()
    return found


def put_in_force(
    connection: sa.Connection,
    jobs: JobQueue,
    stack: Stack,
    arrangement: Arrangement,
    edit: JSON,
    doing: Doing,
) -> int:
    """Make `arrangement` the one in force, after the present one; its seq.

    Raises `StateConflict` when a paper that it changes is checked already, or in other hands.
    """
    newest = sa.select(sa.func.coalesce(sa.func.max(stack_history.c.seq), 0)).where(
        stack_history.c.stack_id == stack.id
    )
    seq = int(connection.execute(newest).scalar_one()) + 1
    connection.execute(
        sa.insert(stack_history).values(
            stack_id=stack.id,
            seq=seq,
            edit=edit,
            before=stack.seq,
            arrangement=arrangement.to_json(),
            by=doing.by,
            at=doing.at,
        )
    )
    go_to(
        connection,
        jobs,
        stack,
        InForce(seq, stack.seq, arrangement, edit, doing.by, doing.at),
        doing,
    )
    return seq


def go_to(
    connection: sa.Connection, jobs: JobQueue, stack: Stack, wanted: InForce, doing: Doing
) -> None:
    """Put an arrangement of the history in force. Raises like `put_in_force`."""
    present = in_force(connection, stack.id, stack.seq)
    old = present.arrangement if present else None
    new = wanted.arrangement
    names = old.changed(new) if old else frozenset(paper.id for paper in new.papers)
    before = {paper.id: paper for paper in old.papers} if old else {}
    _require_free(connection, names, doing)
    to_propose = []
    for paper in new.papers:
        if paper.id in names and _follow(
            connection, stack, before.get(paper.id), paper, wanted.seq, doing
        ):
            to_propose.append(paper.id)
    gone = names - {paper.id for paper in new.papers}
    if gone:
        connection.execute(
            sa.update(papers)
            .where(papers.c.id.in_(gone))
            .values(state=PaperState.GONE, arrangement_seq=wanted.seq, version=papers.c.version + 1)
        )
    if old is not None:
        _entries_follow(connection, old, new, names)
    jobs.enqueue_many(
        connection,
        [
            NewJob(QUEUE, PROPOSE, paper_id, stack.agency_id, {}, stack.priority)
            for paper_id in to_propose
        ],
    )
    connection.execute(
        sa.update(stacks)
        .where(stacks.c.id == stack.id)
        .values(seq=wanted.seq, version=stacks.c.version + 1)
    )


def _require_free(connection: sa.Connection, names: frozenset[str], doing: Doing) -> None:
    rows = connection.execute(
        sa.select(papers.c.state, papers.c.lease_by, papers.c.lease_until)
        .where(papers.c.id.in_(names))
        .order_by(papers.c.id)
        .with_for_update()
    )
    for row in rows:
        state = PaperState(row.state)
        if not state.is_editable and state is not PaperState.GONE:
            raise StateConflict(
                f"Giấy tờ đang ở trạng thái “{state}”; hãy mở lại để kiểm tra rồi mới sửa trang. / "
                f"The paper is {state}; reopen it for checking before you change its pages."
            )
        held = row.lease_by is not None and row.lease_until > doing.at
        if held and row.lease_by != doing.principal_id:
            raise StateConflict(
                "Người khác đang kiểm tra giấy tờ này; hãy chờ hoặc chọn giấy tờ khác. / Somebody "
                "else is checking this paper; wait, or take another one."
            )


def _follow(
    connection: sa.Connection,
    stack: Stack,
    before: ArrangedPaper | None,
    paper: ArrangedPaper,
    seq: int,
    doing: Doing,
) -> bool:
    """Bring the paper's row after its arrangement; whether it has to be read anew."""
    values = {
        "dossier_code": paper.dossier_code,
        "component_code": paper.component_code,
        "sheet_serial": paper.sheet_serial,
        "pages": paper.page_count,
        "arrangement_seq": seq,
    }
    is_as_it_lay = before is not None and _images(before) == _images(paper)
    if before is not None and basis_of(before) == basis_of(paper):
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper.id)
            .values(**values, version=papers.c.version + 1)
        )
        return False
    anew: dict[str, JSON] = {**values, "state": PaperState.PROPOSING}
    if not is_as_it_lay:  # what people confirmed of these images stands; what is asked may change
        anew["checks"] = []
    changed = connection.execute(
        sa.update(papers)
        .where(papers.c.id == paper.id)
        .values(**anew, version=papers.c.version + 1)
    )
    if not changed.rowcount:
        connection.execute(
            sa.insert(papers).values(
                **anew,
                id=paper.id,
                agency_id=stack.agency_id,
                stack_id=stack.id,
                priority=stack.priority,
                created_at=doing.at,
            )
        )
    return True


def _images(paper: ArrangedPaper) -> list[tuple[str, int, str | None]]:
    """What a reading of the paper depends on."""
    return [(placed.page, placed.turns, placed.note_of) for placed in paper.pages]


def basis_of(paper: ArrangedPaper) -> tuple[Any, ...]:
    """What proposals depend on: its images, and what it is in which dossier.

    A component may need a red seal; a dossier has its procedure and its duplicates.
    """
    return paper.dossier_code, paper.component_code, paper.sheet_serial, _images(paper)


def _entries_follow(
    connection: sa.Connection, old: Arrangement, new: Arrangement, names: frozenset[str]
) -> None:
    """What people typed for a page goes with it into another paper."""
    home = {page: paper.id for paper in old.papers for page in paper.page_ids}
    for paper in new.papers:
        if paper.id not in names:
            continue
        for page in paper.page_ids:
            was = home.get(page, paper.id)
            if was != paper.id:
                connection.execute(
                    sa.update(paper_entries)
                    .where(
                        paper_entries.c.paper_id == was,
                        paper_entries.c.target.startswith(f"word:{page}:", autoescape=True),
                    )
                    .values(paper_id=paper.id)
                )
