"""Watched folders: what is dropped becomes a stack, once, and nothing of it is lost.

    inbox = Inbox(order, rows, blobs, holdings, stacks, identity)
    inbox.look()                       # again and again; takes what is settled, returns the stacks

    claimed by a rename > files into the blob store > the plan in the database > the stack, its
    scans, closed > refused/ for what is none, done/ for the rest > noted as moved

A process may be killed anywhere: the next look goes on with what lies claimed, by the plan. The
drop's id is the idempotency key of its stack, and a file's place in the plan its position, so
that a step which was done is done once, by however many watchers.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dossier.errors import DossierError, StateConflict
from dossier.identity import Identity, local_administrator
from dossier.inboxes.dropfolder import (
    Drop,
    DropFolder,
    Mark,
    Offered,
    mark_of,
    offered,
    opened,
    readable,
)
from dossier.inboxes.rows import DroppedFile, InboxRows, PlannedDrop
from dossier.intake.observations import Side
from dossier.model import Caller
from dossier.stacks.order import StackOrder
from dossier.stacks.stacks import MAX_SCANS, PAGE_ROOM_BYTES, Stacks
from dossier.stacks.values import StackState, Way
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobStore
from ocr.errors import OCRError
from ocr.wholefile import whole_file

_LOG = logging.getLogger(__name__)
MANIFEST = "MANIFEST.csv"


@dataclass(frozen=True, slots=True)
class InboxOrder:
    """One watched folder: whose it is, and how its stacks are read.

    `order` is what each stack is opened with; its `reference` becomes the drop's name. With
    `duplex` single-page files are fronts and backs in turn, others begin with a front.
    """

    name: str
    folder: Path
    principal_id: str
    agency_id: str
    order: StackOrder
    duplex: bool = False
    settle_s: float = 10.0
    patience_s: float = 600.0


class Inbox:
    """One watched folder. Not for several threads; several processes and machines may watch it."""

    def __init__(
        self,
        order: InboxOrder,
        rows: InboxRows,
        blobs: BlobStore,
        holdings: Holdings,
        stacks: Stacks,
        identity: Identity,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._order = order
        self._rows = rows
        self._blobs = blobs
        self._holdings = holdings
        self._stacks = stacks
        self._identity = identity
        self._folder = DropFolder(
            order.folder, settle_s=order.settle_s, patience_s=order.patience_s, clock=clock
        )
        self._marks: dict[tuple[str, str], Mark] = {}  # of files that this process took
        self._told: dict[str, str] = {}  # what was logged of a drop, so that it is said once
        self._is_first_look = True

    def look(self) -> list[str]:
        """Take what is settled, and go on with what was claimed; the stacks that were made.

        What cannot be done now (a full disk, a used-up quota, a principal without the right)
        is logged and tried again at the next look; other drops go on. Raises `StoreError` when
        the folder itself or the database is away.
        """
        made = []
        with self._folder.watched() as is_ours:
            if not is_ours:
                return []
            if self._is_first_look:
                self._note_moved()
                self._is_first_look = False
            drops = self._folder.claimed()
            for name in self._folder.settled():
                try:
                    claimed = self._folder.claim(name)
                except DossierError as error:
                    self._put_off(name, error)
                else:
                    drops += [claimed] if claimed is not None else []
            for drop in drops:
                try:
                    stack_id = self._take(drop)
                except (DossierError, OCRError, OSError) as error:
                    self._put_off(readable(drop.name), error)
                else:
                    self._told.pop(readable(drop.name), None)
                    made += [stack_id] if stack_id is not None else []
        return made

    def _take(self, drop: Drop) -> str | None:
        plan = self._rows.planned(drop.token, self._order.name)
        if plan is None:
            files = offered(drop.folder)
            if all(one.why for one in files):
                self._folder.refuse_all(drop, {one.name: one.why for one in files})
                return None
            plan = self._plan(drop, files)
        stack_id = plan.stack_id or self._commit(plan)
        self._finish(drop, plan, stack_id)
        return None if plan.repeats else stack_id

    def _plan(self, drop: Drop, files: Sequence[Offered]) -> PlannedDrop:
        """What is done with the drop, kept; its files are in the blob store."""
        caller = self._caller()
        scans = [one for one in files if not one.why]
        refused = [(readable(one.name), one.why) for one in files if one.why]
        refused += [(readable(one.name), _TOO_MANY) for one in scans[MAX_SCANS:]]
        del scans[MAX_SCANS:]
        room = sum(one.mark[1] + PAGE_ROOM_BYTES for one in scans)  # and each is read
        self._holdings.require_room(caller.agency_id, room)
        taken = tuple(self._stored(drop, one) for one in scans)
        order = replace(self._order.order, reference=_reference(drop.name))
        if refused:  # a page may be missing: so many were announced
            order = replace(order, pages=min(len(taken) + len(refused), MAX_SCANS))
        return self._rows.plan(
            PlannedDrop(
                drop.token,
                self._order.name,
                caller.agency_id,
                readable(drop.name),
                order,
                taken,
                tuple(refused),
            )
        )

    def _stored(self, drop: Drop, one: Offered) -> DroppedFile:
        assert one.kind is not None  # noqa: S101 - only scans are stored
        with opened(drop.folder, one.name) as handle:
            with os.fdopen(os.dup(handle), "rb") as stream:
                info = self._blobs.put(stream)
            after = mark_of(one.name, os.fstat(handle))
        if one.mark != after or info.size_bytes != after[1]:
            raise StateConflict(
                f"Tệp {readable(one.name)} còn đang được ghi; sẽ lấy khi ghi xong. / The file is "
                "still being written; it is taken when that ends."
            )
        self._marks[drop.token, one.name] = after
        return DroppedFile(readable(one.name), one.kind, info.size_bytes, info.sha256)

    def _commit(self, plan: PlannedDrop) -> str:
        """The stack with all scans of the plan, closed."""
        caller = self._caller()
        stack, _ = self._stacks.open(caller, Way.FOLDER, plan.order, plan.id)
        if stack.state is StackState.OPEN:
            for position, one in enumerate(plan.files):
                side = self._side(one, position)
                self._stacks.add_scan(
                    caller, stack.id, one.sha256, one.name, side=side, position=position
                )
            self._stacks.close(caller, stack.id)
        self._rows.made(plan.id, stack.id)
        return stack.id

    def _side(self, one: DroppedFile, position: int) -> Side:
        if not self._order.duplex:
            return Side.SINGLE
        is_page = one.kind in ("jpeg", "png")
        return Side.BACK if is_page and position % 2 else Side.FRONT

    # --- out of the way -------------------------------------------------------------------

    def _finish(self, drop: Drop, plan: PlannedDrop, stack_id: str) -> None:
        taken = {one.name: one for one in plan.files}
        reasons = dict(plan.refused)
        for one in offered(drop.folder):
            name = readable(one.name)
            if name == MANIFEST:
                continue
            if name not in taken:
                self._folder.refuse(drop, one.name, reasons.get(name, _LATE))
            elif not self._is_as_taken(drop, one, taken[name]):
                self._folder.refuse(drop, one.name, _CHANGED)
        with whole_file(drop.folder / MANIFEST) as stream:
            stream.write(_manifest(plan, stack_id))
        self._folder.finish(drop)
        self._rows.moved([drop.token])
        for key in [key for key in self._marks if key[0] == drop.token]:
            del self._marks[key]

    def _is_as_taken(self, drop: Drop, one: Offered, taken: DroppedFile) -> bool:
        """Whether a file is what is in the blob store; read again unless it was not touched."""
        if self._marks.get((drop.token, one.name)) == one.mark:
            return True
        with opened(drop.folder, one.name) as handle, os.fdopen(os.dup(handle), "rb") as stream:
            return self._blobs.put(stream).sha256 == taken.sha256

    def _note_moved(self) -> None:
        """What was moved by a process that could not note it any more."""
        waiting = self._rows.unmoved(self._order.name)
        here = {drop.token for drop in self._folder.claimed()}
        gone = [token for token in waiting if token not in here]
        if gone:
            self._rows.moved(gone)

    def _put_off(self, name: str, error: Exception) -> None:
        told = str(error)
        if self._told.get(name) != told:
            _LOG.warning("inbox %s: %s waits: %s", self._order.name, name, told)
        self._told[name] = told

    def _caller(self) -> Caller:
        """Whoever the folder stands for, as the directory has it now."""
        order = self._order
        found = self._identity.principals.get(local_administrator("inbox"), order.principal_id)
        now = datetime.now(UTC)
        is_over = found.expires_at is not None and found.expires_at <= now
        if found.agency_id != order.agency_id or found.disabled_at is not None or is_over:
            raise StateConflict(
                f"Tài khoản {order.principal_id} của thư mục “{order.name}” đã khóa, hết hạn hoặc "
                f"không thuộc {order.agency_id}; hãy sửa [inboxes.{order.name}]. / The principal "
                "of the watched folder is disabled, has expired or is another agency's; correct "
                "the settings."
            )
        return Caller(found.id, found.name, found.agency_id, found.roles, found.keys, "", "local")


def _reference(name: str) -> str:
    """The drop's name as a stack's order takes it."""
    return "".join(c for c in readable(name) if c.isprintable())[:200]


def _manifest(plan: PlannedDrop, stack_id: str) -> bytes:
    """What people open in a spreadsheet: name, size, SHA-256, stack."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(("Tệp / file", "Byte", "SHA-256", "Tập giấy / stack"))
    for one in plan.files:
        # a name that a spreadsheet would take for a formula is text
        shown = f"'{one.name}" if one.name[:1] in "=+-@" else one.name
        rows.writerow((shown, one.size_bytes, one.sha256, stack_id))
    return out.getvalue().encode("utf-8-sig")


_TOO_MANY = (
    f"Một tập có nhiều nhất {MAX_SCANS} tệp; hãy thả phần còn lại riêng. / A stack has at most "
    f"{MAX_SCANS} files; drop the others by themselves."
)
_CHANGED = (
    "Tệp bị thay đổi sau khi đã nhận; bản đã nhận còn nguyên trong kho, tệp này thì chưa: kiểm tra "
    "rồi thả lại. / The file was changed after it was taken; what was taken is kept, this is not: "
    "check it and drop it again."
)
_LATE = (
    "Tệp đến sau khi tập giấy đã được nhận; hãy thả lại riêng. / The file came after its stack was "
    "taken; drop it by itself."
)
