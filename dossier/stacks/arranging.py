"""People arrange the pages of a stack, and take back what they did.

arranging.edit(caller, stack_id, Rotate(page, 1), version)
arranging.undo(caller, stack_id)
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound, StateConflict, VersionConflict
from dossier.model import JSON, Caller, new_id
from dossier.queue.jobs import JobQueue
from dossier.stacks.edits import Edit, Insert, Replace, Split
from dossier.stacks.history import (
    Doing,
    InForce,
    after_undo,
    go_to,
    in_force,
    in_force_of,
    put_in_force,
)
from dossier.stacks.stackrows import OPERATORS, one_stack, require_state, tell
from dossier.stacks.values import Stack, StackState
from dossier.storage.database import Database
from dossier.storage.station_tables import stack_history


class Arranging:
    """The arrangements of one database's stacks. Safe for threads."""

    def __init__(self, database: Database, audit: AuditLog, jobs: JobQueue) -> None:
        self._database = database
        self._audit = audit
        self._jobs = jobs

    def edit(self, caller: Caller, stack_id: str, edit: Edit, version: int | None = None) -> Stack:
        """Do an edit; it can be undone. `version` is the one that the caller read.

        A `Split` whose new paper is not named gets an id. Raises `InvalidOrder` for what cannot
        be done, `StateConflict` when the paper is checked already or in other hands,
        `VersionConflict`, `AccessRefused`, `NotFound`.
        """
        if isinstance(edit, Insert | Replace):
            raise InvalidOrder(
                "Trang mới đến cùng tệp quét; hãy thêm tệp. / New pages come with their scan; add "
                "the file.",
                field="kind",
            )
        if isinstance(edit, Split) and not edit.new_paper:
            edit = Split(edit.page, new_id("ppr"))

        def change(
            connection: sa.Connection, stack: Stack, present: InForce, doing: Doing
        ) -> dict[str, JSON]:
            after = edit.apply(present.arrangement)
            put_in_force(connection, self._jobs, stack, after, edit.to_json(), doing)
            return edit.to_json()

        return self._change(caller, stack_id, version, change)

    def undo(self, caller: Caller, stack_id: str, version: int | None = None) -> Stack:
        """Go back to the arrangement before. Raises `StateConflict` when there is none."""

        def change(
            connection: sa.Connection, stack: Stack, present: InForce, doing: Doing
        ) -> dict[str, JSON]:
            wanted = in_force(connection, stack_id, present.before)
            return self._go(connection, stack, wanted, doing, "undo")

        return self._change(caller, stack_id, version, change)

    def redo(self, caller: Caller, stack_id: str, version: int | None = None) -> Stack:
        """Do again what was undone last. Raises `StateConflict` when nothing was."""

        def change(
            connection: sa.Connection, stack: Stack, present: InForce, doing: Doing
        ) -> dict[str, JSON]:
            seq = after_undo(connection, stack_id, present.seq)
            wanted = None if seq is None else in_force(connection, stack_id, seq)
            return self._go(connection, stack, wanted, doing, "redo")

        return self._change(caller, stack_id, version, change)

    def _go(
        self,
        connection: sa.Connection,
        stack: Stack,
        wanted: InForce | None,
        doing: Doing,
        what: str,
    ) -> dict[str, JSON]:
        if wanted is None:
            raise StateConflict(
                "Không còn thao tác nào để hoàn tác hoặc làm lại. / There is nothing to undo or "
                "to do again."
            )
        go_to(connection, self._jobs, stack, wanted, doing)
        return {"kind": what, "seq": wanted.seq}

    def _change(
        self,
        caller: Caller,
        stack_id: str,
        version: int | None,
        change: Callable[[sa.Connection, Stack, InForce, Doing], dict[str, JSON]],
    ) -> Stack:
        caller.require(*OPERATORS)

        def work(connection: sa.Connection) -> Stack:
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            if version is not None and stack.version != version:
                raise VersionConflict(
                    "Người khác vừa sửa tập giấy này; hãy tải lại màn hình rồi làm lại. / Somebody "
                    "changed the stack meanwhile; load the screen again."
                )
            require_state(stack, StackState.ARRANGED)
            present = in_force(connection, stack_id, stack.seq)
            if present is None:
                raise NotFound("Tập giấy chưa được chia. / The stack is not split yet.")
            now = self._database.now(connection)
            done = change(connection, stack, present, Doing(caller.name, now, caller.principal_id))
            tell(connection, self._audit, "edited", caller, stack_id, done)
            return one_stack(connection, caller.agency_id, stack_id)

        return self._database.together(work)

    def arrangement(self, caller: Caller, stack_id: str) -> InForce | None:
        """How the stack is arranged; None until it is split. Raises `NotFound`."""
        with self._database.read() as connection:
            stack = one_stack(connection, caller.agency_id, stack_id)
            return in_force(connection, stack_id, stack.seq)

    def history(self, caller: Caller, stack_id: str) -> list[InForce]:
        """All that was ever in force, oldest first. Raises `NotFound`."""
        with self._database.read() as connection:
            one_stack(connection, caller.agency_id, stack_id)
            rows = connection.execute(
                sa.select(stack_history)
                .where(stack_history.c.stack_id == stack_id)
                .order_by(stack_history.c.seq)
            )
            return [in_force_of(row) for row in rows]
