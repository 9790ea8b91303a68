"""Stacks: opened, filled with scans, closed, arranged by people. Each step is durable on return.

    stack, _ = stacks.open(caller, Way.HTTP, StackOrder("quầy 1", "Nguyễn Thị Mẫu"))
    stacks.add_scan(caller, stack.id, sha256, "trang-001.jpg")      # read as soon as it is here
    stacks.close(caller, stack.id)                                   # then split into papers

What the workers do with a stack stands in `dossier.stacks.page_work` and `split_work`; what people
check in its papers in `dossier.checking`. How people arrange its pages: `dossier.stacks.arranging`.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound, StateConflict
from dossier.intake.observations import Side
from dossier.model import JSON, Caller, new_id
from dossier.queue.jobs import JobQueue
from dossier.queue.urgency import hurry
from dossier.signing.recordtable import claim_key
from dossier.stacks.edits import Insert, Replace
from dossier.stacks.history import QUEUE, in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.stackrows import (
    OPERATORS,
    counts_of,
    one_stack,
    pages_of,
    require_state,
    split_when_complete,
    tell,
)
from dossier.stacks.values import (
    Counts,
    PaperState,
    Scan,
    Stack,
    StackPage,
    StackState,
    Way,
    page_of,
    scan_of,
    stack_of,
)
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import papers, stack_pages, stack_scans, stacks

LOOK = "look-at-scan"
MAX_SCANS = 5000
URGENT = -10
PAGE_ROOM_BYTES = 128 << 10
"""Asked of the agency's quota before paper is taken in: a page's reading and picture, roughly."""


class Stacks:
    """The stacks of one database. Safe for threads."""

    def __init__(
        self, database: Database, holdings: Holdings, audit: AuditLog, jobs: JobQueue
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs

    # --- paper comes in ------------------------------------------------------------------

    def open(
        self,
        caller: Caller,
        way: Way,
        order: StackOrder,
        idempotency_key: str | None = None,
        *,
        urgent: bool = False,
    ) -> tuple[Stack, bool]:
        """A new stack, and whether it is new: the same key and order give the same stack.

        Raises `AccessRefused`, `QuotaExceeded`, `IdempotencyConflict`, `StoreError`,
        `AuditUnavailable`.
        """
        caller.require(*OPERATORS)
        self._holdings.require_room(caller.agency_id, PAGE_ROOM_BYTES)

        def work(connection: sa.Connection) -> tuple[Stack, bool]:
            now = self._database.now(connection)
            new = new_id("stk")
            earlier = claim_key(
                connection, caller.principal_id, idempotency_key, order.digest(), new, now
            )
            if earlier is not None:
                return one_stack(connection, caller.agency_id, earlier), False
            connection.execute(
                sa.insert(stacks).values(
                    id=new,
                    agency_id=caller.agency_id,
                    principal_id=caller.principal_id,
                    way=way,
                    order=order.to_json(),
                    state=StackState.OPEN,
                    priority=URGENT if urgent else 0,
                    alarms=[],
                    created_at=now,
                )
            )
            details: dict[str, JSON] = {"way": way.value, "station": order.station}
            self._tell(connection, "opened", caller, new, details)
            return one_stack(connection, caller.agency_id, new), True

        return self._database.together(work)

    def add_scan(
        self,
        caller: Caller,
        stack_id: str,
        sha256: str,
        name: str,
        *,
        side: Side = Side.SINGLE,
        position: int | None = None,
        purpose: Insert | Replace | None = None,
    ) -> tuple[Scan, bool]:
        """Add a file that the agency holds, and whether it is new; it is read at once.

        `position` counts from 0; the same file at the same position is added once, so a client
        may repeat itself. A `purpose` scans again what is arranged already: the pages take the
        place of another page, or are inserted (what it names as the new page is ignored).

        With a used-up quota the file is refused, here; one that was added is read whatever its
        pages need, so that no stack is ever read by halves.
        Raises `AccessRefused`, `NotFound`, `StateConflict`, `InvalidOrder`, `QuotaExceeded`,
        `StoreError`.
        """
        caller.require(*OPERATORS)

        def work(connection: sa.Connection) -> tuple[Scan, bool]:
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            known = connection.execute(
                sa.select(stack_scans).where(
                    stack_scans.c.stack_id == stack_id, stack_scans.c.position == position
                )
            ).first()
            if known is not None:
                if known.sha256 != sha256:
                    raise StateConflict(
                        f"Vị trí {position} đã có tệp khác; hãy dùng vị trí mới. / There is "
                        "another file at this position; use a new one."
                    )
                return scan_of(known), False
            require_state(stack, StackState.OPEN if purpose is None else StackState.ARRANGED)
            self._holdings.require(connection, caller.agency_id, sha256)
            self._holdings.require_room(caller.agency_id, PAGE_ROOM_BYTES, connection)
            last = connection.execute(
                sa.select(sa.func.max(stack_scans.c.position)).where(
                    stack_scans.c.stack_id == stack_id
                )
            ).scalar_one()
            place = position if position is not None else (-1 if last is None else last) + 1
            if not 0 <= place < MAX_SCANS:
                raise InvalidOrder(
                    f"Một tập có nhiều nhất {MAX_SCANS} tệp; hãy mở tập mới. / A stack has at most "
                    f"{MAX_SCANS} files; open another one.",
                    field="position",
                )
            if purpose is not None:
                _require_place(connection, stack, purpose)
            scan = new_id("scn")
            connection.execute(
                sa.insert(stack_scans).values(
                    id=scan,
                    stack_id=stack_id,
                    position=place,
                    sha256=sha256,
                    name=name,
                    side=side,
                    purpose=None
                    if purpose is None
                    else {**purpose.to_json(), "by": caller.name, "principal": caller.principal_id},
                    created_at=self._database.now(connection),
                )
            )
            self._jobs.enqueue(
                connection,
                queue=QUEUE,
                kind=LOOK,
                subject=scan,
                agency_id=caller.agency_id,
                priority=stack.priority,
            )
            row = connection.execute(sa.select(stack_scans).where(stack_scans.c.id == scan)).one()
            return scan_of(row), True

        return self._database.together(work)

    def close(self, caller: Caller, stack_id: str) -> Stack:
        """No more paper comes; the stack is split once all is read. May be repeated.

        Raises `AccessRefused`, `NotFound`, `StateConflict` (cancelled, or nothing in it).
        """
        caller.require(*OPERATORS)

        def work(connection: sa.Connection) -> Stack:
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            if stack.state in (StackState.READING, StackState.ARRANGED, StackState.DONE):
                return stack
            require_state(stack, StackState.OPEN)
            counts = counts_of(connection, stack_id)
            if not counts.scans:
                raise StateConflict(
                    "Tập giấy chưa có trang nào; hãy quét rồi mới đóng, hoặc hủy tập. / There is "
                    "nothing in the stack; scan before you close it, or cancel it."
                )
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack_id)
                .values(
                    state=StackState.READING,
                    closed_at=self._database.now(connection),
                    version=stacks.c.version + 1,
                )
            )
            closed = one_stack(connection, caller.agency_id, stack_id)
            split_when_complete(connection, self._jobs, closed, counts)
            self._tell(connection, "closed", caller, stack_id, {"scans": counts.scans})
            return closed

        return self._database.together(work)

    def cancel(self, caller: Caller, stack_id: str) -> Stack:
        """Give a stack up; what was scanned stays stored. Raises `StateConflict` once a paper of
        it is checked, `AccessRefused`, `NotFound`."""
        caller.require(*OPERATORS)

        def work(connection: sa.Connection) -> Stack:
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            if stack.state is StackState.CANCELLED:
                return stack
            rows = connection.execute(
                sa.select(papers.c.state).where(papers.c.stack_id == stack_id).with_for_update()
            ).scalars()
            free = {PaperState.GONE, PaperState.PROPOSING, PaperState.TO_CHECK, PaperState.HELD}
            if stack.state is StackState.DONE or any(PaperState(row) not in free for row in rows):
                raise StateConflict(
                    "Tập giấy đã có giấy tờ được kiểm tra nên không hủy được. / Papers of this "
                    "stack were checked already; it cannot be cancelled."
                )
            now = self._database.now(connection)
            connection.execute(
                sa.update(papers)
                .where(papers.c.stack_id == stack_id)
                .values(state=PaperState.GONE, version=papers.c.version + 1)
            )
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack_id)
                .values(state=StackState.CANCELLED, finished_at=now, version=stacks.c.version + 1)
            )
            self._tell(connection, "cancelled", caller, stack_id, {})
            return one_stack(connection, caller.agency_id, stack_id)

        return self._database.together(work)

    def prioritise(self, caller: Caller, stack_id: str, *, urgent: bool) -> Stack:
        """Put a stack, its pages and papers before (or back among) the others."""
        caller.require(*OPERATORS)
        priority = URGENT if urgent else 0

        def work(connection: sa.Connection) -> Stack:
            one_stack(connection, caller.agency_id, stack_id)
            subjects = [stack_id]
            for table in (stack_scans, stack_pages, papers):
                ids = sa.select(table.c.id).where(table.c.stack_id == stack_id)
                subjects += connection.execute(ids).scalars()
            hurry(connection, subjects, priority)
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            if stack.priority != priority:
                connection.execute(
                    sa.update(stacks)
                    .where(stacks.c.id == stack_id)
                    .values(priority=priority, version=stacks.c.version + 1)
                )
                connection.execute(
                    sa.update(papers).where(papers.c.stack_id == stack_id).values(priority=priority)
                )
                self._tell(connection, "prioritised", caller, stack_id, {"urgent": urgent})
            return one_stack(connection, caller.agency_id, stack_id)

        return self._database.together(work)

    # --- looking -------------------------------------------------------------------------

    def get(self, caller: Caller, stack_id: str) -> tuple[Stack, Counts]:
        """One stack and how far it is. Raises `NotFound`, also for another agency's."""
        with self._database.read() as connection:
            return one_stack(connection, caller.agency_id, stack_id), counts_of(
                connection, stack_id
            )

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        state: StackState | None = None,
    ) -> list[Stack]:
        """Those of the caller's agency, newest first; `after` is the last page's last id."""
        wanted = sa.select(stacks).where(stacks.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(stacks.c.id < after)
        if state is not None:
            wanted = wanted.where(stacks.c.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(stacks.c.id.desc()).limit(limit))
            return [stack_of(row) for row in rows]

    def scans(self, caller: Caller, stack_id: str) -> tuple[Scan, ...]:
        """The files of a stack in their order. Raises `NotFound`."""
        with self._database.read() as connection:
            one_stack(connection, caller.agency_id, stack_id)
            return tuple(
                scan_of(row)
                for row in connection.execute(
                    sa.select(stack_scans)
                    .where(stack_scans.c.stack_id == stack_id)
                    .order_by(stack_scans.c.position)
                )
            )

    def pages(self, caller: Caller, stack_id: str) -> tuple[StackPage, ...]:
        """The pages of a stack in the order in which they were scanned. Raises `NotFound`."""
        with self._database.read() as connection:
            one_stack(connection, caller.agency_id, stack_id)
            return pages_of(connection, stack_id)

    def page(self, caller: Caller, stack_id: str, page_id: str) -> StackPage:
        """One page. Raises `NotFound`."""
        with self._database.read() as connection:
            one_stack(connection, caller.agency_id, stack_id)
            row = connection.execute(
                sa.select(stack_pages).where(
                    stack_pages.c.id == page_id, stack_pages.c.stack_id == stack_id
                )
            ).first()
        if row is None:
            raise NotFound("Không có trang này. / There is no such page in the stack.")
        return page_of(row)

    def _tell(
        self,
        connection: sa.Connection,
        what: str,
        caller: Caller,
        subject: str,
        details: dict[str, JSON],
    ) -> None:
        tell(connection, self._audit, what, caller, subject, details)


def _require_place(connection: sa.Connection, stack: Stack, purpose: Insert | Replace) -> None:
    """Refuse a rescan that could not be put in its place, before anything is read."""
    present = in_force(connection, stack.id, stack.seq)
    if present is not None:
        probe = "?"  # no page is called so
        trial = (
            replace(purpose, by=probe)
            if isinstance(purpose, Replace)
            else replace(purpose, new=probe)
        )
        trial.apply(present.arrangement)
