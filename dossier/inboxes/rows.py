"""The manifest of watched folders in the database: which drop is which stack, file by file.

A drop's row is written once its files are in the blob store, and is the plan: whoever goes on
after a crash does what it says. It is not kept beside the files, where whoever drops them could
name bytes that are not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from dossier.inboxes.wholeness import MEDIA_TYPES, Kind
from dossier.stacks.order import StackOrder
from dossier.stacks.values import StackState
from dossier.storage.database import Database, insert_if_new
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import inbox_drops, inbox_files, stacks
from dossier.storage.store import BlobInfo

_INSERT = insert_if_new(inbox_drops, inbox_drops.c.id)


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A file that is taken; its bytes are in the blob store."""

    name: str
    kind: Kind
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PlannedDrop:
    """What is done with a drop. `refused`: names with their reasons.

    `stack_id` None: the stack is not made yet. `repeats`: the earlier drop of the same files that
    it was made of.
    """

    id: str
    inbox: str
    agency_id: str
    name: str
    order: StackOrder
    files: tuple[DroppedFile, ...]
    refused: tuple[tuple[str, str], ...]
    stack_id: str | None = None
    repeats: str | None = None


class InboxRows:
    """The manifest of one database. Safe for threads."""

    def __init__(self, database: Database, holdings: Holdings) -> None:
        self._database = database
        self._holdings = holdings

    def planned(self, drop_id: str, inbox: str) -> PlannedDrop | None:
        """The plan of a drop; None when there is none yet."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(inbox_drops).where(
                    inbox_drops.c.id == drop_id, inbox_drops.c.inbox == inbox
                )
            ).first()
            if row is None:
                return None
            files = connection.execute(
                sa.select(inbox_files)
                .where(inbox_files.c.drop_id == drop_id)
                .order_by(inbox_files.c.position)
            )
            return _planned(row, files)

    def plan(self, new: PlannedDrop) -> PlannedDrop:
        """Keep a plan, and that the agency holds its files; of two watchers the first one's.

        A drop of the files of an earlier one, under the same names, is told to repeat it, unless
        the stack of that one was cancelled: dropping again is how it is scanned again.
        """

        def work(connection: sa.Connection) -> None:
            before = self._same_before(connection, new)
            made = connection.execute(
                _INSERT[connection.dialect.name],
                {
                    "id": new.id,
                    "inbox": new.inbox,
                    "agency_id": new.agency_id,
                    "name": new.name,
                    "order": new.order.to_json(),
                    "refused": [list(one) for one in new.refused],
                    "stack_id": before[1] if before is not None else None,
                    "repeats": before[0] if before is not None else None,
                    "planned_at": self._database.now(connection),
                },
            ).first()
            if made is not None and new.files:
                connection.execute(
                    sa.insert(inbox_files),
                    [
                        {"drop_id": new.id, "position": position, **asdict(one)}
                        for position, one in enumerate(new.files)
                    ],
                )
                infos = [(BlobInfo(f.sha256, f.size_bytes), MEDIA_TYPES[f.kind]) for f in new.files]
                self._holdings.register_all(connection, new.agency_id, infos)

        self._database.together(work)
        kept = self.planned(new.id, new.inbox)
        assert kept is not None  # noqa: S101 - it was committed above
        return kept

    def made(self, drop_id: str, stack_id: str) -> None:
        """Note the stack that a drop became."""
        self._database.together(
            lambda connection: connection.execute(
                sa.update(inbox_drops).where(inbox_drops.c.id == drop_id).values(stack_id=stack_id)
            )
        )

    def moved(self, drop_ids: Sequence[str]) -> None:
        """Note that drops were moved out of the way."""
        self._database.together(
            lambda connection: connection.execute(
                sa.update(inbox_drops)
                .where(inbox_drops.c.id.in_(drop_ids), inbox_drops.c.moved_at.is_(None))
                .values(moved_at=self._database.now(connection))
            )
        )

    def unmoved(self, inbox: str) -> list[str]:
        """Drops of which it is not known that they were moved."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(inbox_drops.c.id).where(
                    inbox_drops.c.inbox == inbox, inbox_drops.c.moved_at.is_(None)
                )
            )
            return list(rows.scalars())

    @staticmethod
    def _same_before(connection: sa.Connection, new: PlannedDrop) -> tuple[str, str] | None:
        """An earlier drop of the same files: its id, and that of its stack."""
        if not new.files:
            return None
        mine = [(one.name, one.sha256) for one in new.files]
        found = connection.execute(
            sa.select(inbox_drops.c.id, inbox_drops.c.stack_id)
            .join(inbox_files, inbox_files.c.drop_id == inbox_drops.c.id)
            .join(stacks, stacks.c.id == inbox_drops.c.stack_id)
            .where(
                inbox_drops.c.inbox == new.inbox,
                inbox_drops.c.id != new.id,
                inbox_drops.c.repeats.is_(None),
                stacks.c.state != StackState.CANCELLED,
                inbox_files.c.position == 0,
                inbox_files.c.sha256 == new.files[0].sha256,
            )
        ).all()
        for row in found:
            files = connection.execute(
                sa.select(inbox_files.c.name, inbox_files.c.sha256)
                .where(inbox_files.c.drop_id == row.id)
                .order_by(inbox_files.c.position)
            )
            if [(one.name, one.sha256) for one in files] == mine:
                return row.id, row.stack_id
        return None


def _planned(row: sa.Row[Any], files: sa.CursorResult[Any]) -> PlannedDrop:
    return PlannedDrop(
        row.id,
        row.inbox,
        row.agency_id,
        row.name,
        StackOrder.from_json(row.order),
        tuple(DroppedFile(f.name, f.kind, f.size_bytes, f.sha256) for f in files),
        tuple((name, why) for name, why in row.refused),
        row.stack_id,
        row.repeats,
    )
