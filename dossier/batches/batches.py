"""Batches: a frozen list, approved and released, whose documents become signature records.

    create ──> LISTED ──approve, release──> RELEASED ──list signed──> RUNNING ──> DONE
                                                          pause │ ^ resume
                                                              PAUSED

Documents become records two hundred at a time (`CHUNK`), so that a batch of fifty thousand costs
no more memory than one of ten, and pausing bites soon. The counters are kept in the transaction
that publishes a record; the one that finds little left in flight enqueues the next chunk, the
last one the result sheet (`batch_work`).
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.batches import batchtable
from dossier.batches.accounts import KIND, BatchAccounts, BatchMoves, enqueue, stop
from dossier.batches.order import Batch, BatchItem, BatchOrder, ListedItem, Policy
from dossier.errors import (
    AccessRefused,
    InvalidOrder,
    QuotaExceeded,
    StateConflict,
    VersionConflict,
)
from dossier.model import (
    JSON,
    AuditEvent,
    BatchState,
    Caller,
    ItemState,
    Role,
    new_id,
    require_move,
)
from dossier.signing import recordtable
from dossier.storage.tables import batches, blobs

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.clerical.order import Claim
    from dossier.identity.values import AgencyPolicy
    from dossier.queue.jobs import JobQueue
    from dossier.signing.records import Records
    from dossier.storage.database import Database

_SIGNERS = (Role.OFFICER, Role.LEADER, Role.CLERK)
_READERS = (*_SIGNERS, Role.AUDITOR, Role.SCANNER, Role.ADMIN)
_ROWS = 500  # rows in one statement

MOST_TOGETHER = 10_000
"""Documents of a batch that is released whole: its one commit has to end well within a lease."""


class Batches:
    """The batches of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jobs: JobQueue,
        records: Records,
        policy: Callable[[str], AgencyPolicy],
    ) -> None:
        """`policy` gives an agency's policy (`Identity.policy`)."""
        self.accounts = BatchAccounts(jobs)
        records.watch(self.accounts)
        jobs.follow(KIND, BatchMoves(audit))
        self._database = database
        self._audit = audit
        self._jobs = jobs
        self._policy = policy

    def most_documents(self, caller: Caller) -> int:
        """How many documents the caller's agency may put into one batch."""
        return self._policy(caller.agency_id).batch_documents

    def create(
        self,
        caller: Caller,
        order: BatchOrder,
        items: Sequence[ListedItem],
        list_sha256: str,
        claim: Claim,
    ) -> tuple[Batch, bool]:
        """Freeze a list (`batch_order.checked_items`); the batch, and whether it is new.

        Every document has to be uploaded already. Raises `AccessRefused`, `InvalidOrder`,
        `QuotaExceeded` (open batches), `IdempotencyConflict`, `StoreError`, `AuditUnavailable`.
        """
        caller.require(*_SIGNERS)
        caller.require_key(order.order.key)
        if order.policy is Policy.ALL and len(items) > MOST_TOGETHER:
            raise InvalidOrder(
                f"Lô phát hành cùng lúc (policy all) có tối đa {MOST_TOGETHER} văn bản; hãy chia "
                "ra, hoặc dùng policy each. / A batch that is released together (policy all) has "
                f"at most {MOST_TOGETHER} documents: split it, or use the policy each."
            )
        policy = self._policy(caller.agency_id)

        def work(connection: sa.Connection) -> tuple[Batch, bool]:
            now = self._database.now(connection)
            batch_id = new_id("bat")
            earlier = recordtable.claim_key(
                connection, caller.principal_id, claim.key, claim.request_sha256, batch_id, now
            )
            if earlier is not None:
                return self._find(connection, caller, earlier), False
            is_open = connection.execute(batchtable.OPEN, {"agency": caller.agency_id})
            if is_open.scalar_one() >= policy.open_batches:
                raise QuotaExceeded(
                    f"Đã có {policy.open_batches} lô chưa xong; hãy hoàn thành hoặc hủy bớt. / As "
                    "many batches as allowed are open; finish or cancel some."
                )
            _require_held(connection, caller.agency_id, items)
            connection.execute(
                batchtable.INSERT,
                {
                    "id": batch_id,
                    "agency_id": caller.agency_id,
                    "state": BatchState.LISTED,
                    "order": order.to_json(),
                    "created_by": caller.principal_id,
                    "total": len(items),
                    "list_sha256": list_sha256,
                    "created_at": now,
                },
            )
            _insert_items(connection, batch_id, items)
            details = {
                "list_sha256": list_sha256,
                "total": len(items),
                "key": order.order.key,
                "policy": order.policy.value,
                "request_id": caller.request_id,
            }
            event = AuditEvent(
                "batch.created", caller.principal_id, caller.agency_id, batch_id, details
            )
            self._audit.append(connection, [event])
            return self._find(connection, caller, batch_id), True

        with self._database.begin() as connection:  # long: it shares no commit with small writes
            return work(connection)

    def approve(self, caller: Caller, batch_id: str, version: int | None = None) -> Batch:
        """Approve the list as it is frozen; repeating it changes nothing.

        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `StateConflict`.
        """
        caller.require(*_SIGNERS)

        def work(connection: sa.Connection) -> Batch:
            batch = self._locked(connection, caller, batch_id, version)
            if batch.approved_by == caller.principal_id:
                return batch
            if batch.state is not BatchState.LISTED or batch.approved_by is not None:
                raise StateConflict(
                    "Danh sách đã được duyệt hoặc đã phát lệnh. / The list is approved or released "
                    "already."
                )
            connection.execute(batchtable.APPROVE, {"id_": batch.id, "by": caller.principal_id})
            return self._told(connection, caller, batch, "batch.approved")

        return self._database.together(work)

    def release(self, caller: Caller, batch_id: str, version: int | None = None) -> Batch:
        """Let the signing begin; repeating it changes nothing.

        Where the agency asks for two persons the list has to be approved, by somebody else.
        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `StateConflict`.
        """
        caller.require(*_SIGNERS)
        two_persons = self._policy(caller.agency_id).two_person_batches

        def work(connection: sa.Connection) -> Batch:
            batch = self._locked(connection, caller, batch_id, version)
            caller.require_key(batch.order.order.key)
            if batch.released_by == caller.principal_id:
                return batch
            if batch.state is not BatchState.LISTED:
                require_move(batch.state, BatchState.RELEASED)
            if two_persons:
                _require_second_person(batch, caller)
            connection.execute(batchtable.RELEASE, {"id_": batch.id, "by": caller.principal_id})
            enqueue(connection, self._jobs, batch.id, batch.agency_id)
            return self._told(connection, caller, batch, "batch.released")

        return self._database.together(work)

    def pause(self, caller: Caller, batch_id: str, version: int | None = None) -> Batch:
        """Hand out no more documents; what became a record already is finished.

        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `StateConflict`.
        """
        return self._move(caller, batch_id, version, BatchState.PAUSED, "batch.paused")

    def resume(self, caller: Caller, batch_id: str, version: int | None = None) -> Batch:
        """Go on with a paused batch. Raises as `pause`."""
        return self._move(caller, batch_id, version, BatchState.RUNNING, "batch.resumed")

    def _move(
        self, caller: Caller, batch_id: str, version: int | None, to: BatchState, event: str
    ) -> Batch:
        caller.require(*_SIGNERS)

        def work(connection: sa.Connection) -> Batch:
            batch = self._locked(connection, caller, batch_id, version)
            if batch.state is to:
                return batch
            if batch.state is BatchState.RELEASED:
                raise StateConflict(
                    "Danh sách đang được ký; hãy thử lại sau giây lát. / The list is being signed; "
                    "try again in a moment."
                )
            require_move(batch.state, to)
            connection.execute(batchtable.MOVE, {"id_": batch.id, "to": to})
            if to is BatchState.RUNNING:
                enqueue(connection, self._jobs, batch.id, batch.agency_id)
            return self._told(connection, caller, batch, event)

        return self._database.together(work)

    def cancel(self, caller: Caller, batch_id: str, version: int | None = None) -> Batch:
        """Stop a batch: what became a record is finished, the rest is skipped.

        Results that are there stay, except under the policy ``all``, which releases none.
        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `StateConflict`.
        """
        caller.require(*_SIGNERS)

        def work(connection: sa.Connection) -> Batch:
            batch = self._locked(connection, caller, batch_id, version)
            if batch.state is BatchState.CANCELLED:
                return batch
            require_move(batch.state, BatchState.CANCELLED)
            stop(connection, self._jobs, batch, None)
            return self._told(connection, caller, batch, "batch.cancelled")

        return self._database.together(work)

    # --- looking -------------------------------------------------------------------------

    def get(self, caller: Caller, batch_id: str) -> Batch:
        """One batch. Raises `NotFound`, also for another agency's."""
        caller.require(*_READERS)
        with self._database.read() as connection:
            return self._find(connection, caller, batch_id)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        state: BatchState | None = None,
    ) -> builtins.list[Batch]:
        """Batches of the caller's agency, newest first; `after` is the last page's last id."""
        caller.require(*_READERS)
        wanted = sa.select(batches).where(batches.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(batches.c.id < after)
        if state is not None:
            wanted = wanted.where(batches.c.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(batches.c.id.desc()).limit(limit)).all()
        return [batchtable.batch_of(row) for row in rows]

    def items(
        self,
        caller: Caller,
        batch_id: str,
        after: int = 0,
        limit: int = 50,
        state: ItemState | None = None,
    ) -> builtins.list[BatchItem]:
        """The items behind position `after`, in the order of the list. Raises `NotFound`."""
        self.get(caller, batch_id)
        with self._database.read() as connection:
            rows = connection.execute(batchtable.items_page(batch_id, after, limit, state)).all()
        return [batchtable.item_of(row) for row in rows]

    # --- parts ---------------------------------------------------------------------------

    @staticmethod
    def _find(connection: sa.Connection, caller: Caller, batch_id: str) -> Batch:
        values = {"id_": batch_id, "agency": caller.agency_id}
        return batchtable.required(connection.execute(batchtable.ONE, values).first(), batch_id)

    @staticmethod
    def _locked(
        connection: sa.Connection, caller: Caller, batch_id: str, version: int | None
    ) -> Batch:
        row = connection.execute(batchtable.LOCKED, {"id_": batch_id}).first()
        is_own = row is not None and row.agency_id == caller.agency_id
        batch = batchtable.required(row if is_own else None, batch_id)
        if version is not None and batch.version != version:
            raise VersionConflict(
                "Lô đã thay đổi từ khi đọc; hãy đọc lại rồi gửi lại. / The batch was changed since "
                "it was read; read it again, then repeat the request."
            )
        return batch

    def _told(self, connection: sa.Connection, caller: Caller, batch: Batch, event: str) -> Batch:
        """Append the event, last of all, and read the batch as it is now."""
        changed = self._find(connection, caller, batch.id)
        details: dict[str, JSON] = {
            "list_sha256": batch.list_sha256,
            "from": batch.state.value,
            "request_id": caller.request_id,
        }
        self._audit.append(
            connection,
            [AuditEvent(event, caller.principal_id, batch.agency_id, batch.id, details)],
        )
        return changed


def _require_second_person(batch: Batch, caller: Caller) -> None:
    if batch.approved_by is None:
        raise AccessRefused(
            "Cơ quan quy định hai người: danh sách phải được một người duyệt trước (approve). / "
            "The agency asks for two persons: somebody has to approve the list first."
        )
    if batch.approved_by == caller.principal_id:
        raise AccessRefused(
            "Người đã duyệt danh sách không được phát lệnh ký; hãy để người thứ hai làm. / Whoever "
            "approved the list may not release it; let a second person do so."
        )


def _require_held(connection: sa.Connection, agency_id: str, items: Sequence[ListedItem]) -> None:
    """Raise `InvalidOrder` naming the first documents that the agency does not hold."""
    wanted = builtins.list(dict.fromkeys(item.source_sha256 for item in items))
    held: set[str] = set()
    for start in range(0, len(wanted), _ROWS):
        found = sa.select(blobs.c.sha256).where(
            blobs.c.agency_id == agency_id, blobs.c.sha256.in_(wanted[start : start + _ROWS])
        )
        held.update(connection.execute(found).scalars())
    lacking = [digest for digest in wanted if digest not in held]
    if lacking:
        raise InvalidOrder(
            f"Chưa có {len(lacking)} tệp, trước hết {', '.join(lacking[:3])}; hãy tải lên "
            f"(PUT /v1/blobs) rồi gửi lại. / {len(lacking)} documents are not here, first of all "
            f"{', '.join(lacking[:3])}; upload them, then send the list again.",
            field="items",
        )


def _insert_items(connection: sa.Connection, batch_id: str, items: Sequence[ListedItem]) -> None:
    rows = [
        {
            "batch_id": batch_id,
            "position": position,
            "source_sha256": item.source_sha256,
            "reference": item.reference,
            "overrides": dict(item.overrides),
            "state": ItemState.LISTED,
        }
        for position, item in enumerate(items, 1)
    ]
    for start in range(0, len(rows), _ROWS):
        connection.execute(batchtable.INSERT_ITEM, rows[start : start + _ROWS])
