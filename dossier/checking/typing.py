"""What people type, kept at every keystroke, and what they confirm, kept for good.

A keystroke is durable when `type` returns. Each client counts its own for a target (`version`): a
late repeat never overwrites what came after it. A draft is nobody's word; a confirmation is, and
stands in `paper_corrections` beside the machine's reading when it says more than the machine.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.material import Material, MaterialShelf
from dossier.checking.owners import as_confirmed
from dossier.checking.rows import (
    CHECKERS,
    entries_of,
    findings_of,
    one_entry,
    one_paper,
    pages_of,
    require_lease,
    tell,
)
from dossier.checking.taking import LEASE_S, Taking
from dossier.checking.texts import reason_of, required_reason, typed
from dossier.checking.values import (
    About,
    Correction,
    Entry,
    EntryState,
    Paper,
    Target,
    correction_of,
)
from dossier.errors import InvalidOrder, NotFound, QuotaExceeded, VersionConflict
from dossier.model import Caller, new_id
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database
from dossier.storage.station_tables import paper_corrections, paper_entries, stacks
from dossier.storage.store import BlobStore
from signer.clock import VIETNAM

MAX_ENTRIES = 20_000
MAX_VERSION = 2**31 - 1


class Typing(Taking):
    """What is typed for one database's papers. Safe for threads."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jobs: JobQueue,
        blobs: BlobStore,
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        super().__init__(database, audit, jobs, lease_s=lease_s)
        self._shelf = MaterialShelf(blobs)

    def type(
        self, caller: Caller, paper_id: str, target: Target, value: str, version: int | None = None
    ) -> Entry:
        """Keep a draft; what is kept. `version`: the client's running number for the target.

        One that is not newer than what is kept changes nothing (None: the next one). Renews the
        lease. Raises `LeaseLost`, `InvalidOrder`, `StateConflict`, `QuotaExceeded`, `NotFound`,
        `AccessRefused`, `StoreError`.
        """
        text = typed(target, value)
        if version is not None and not 1 <= version <= MAX_VERSION:
            raise InvalidOrder(
                f"Số thứ tự từ 1 đến {MAX_VERSION}. / The version is 1 to {MAX_VERSION}.",
                field="version",
            )
        self._material_for(caller, paper_id, target)

        def work(connection: sa.Connection) -> Entry:
            now, _, kept = self._begin(connection, caller, paper_id, target)
            if kept is not None and version is not None and version <= kept.version:
                return kept
            new = Entry(
                paper_id,
                target,
                text,
                EntryState.DRAFT,
                None,
                None,
                caller.principal_id,
                now,
                version or (kept.version + 1 if kept else 1),
            )
            self._put(connection, new, kept)
            return new

        return self._database.together(work)

    def confirm(
        self,
        caller: Caller,
        paper_id: str,
        target: Target,
        value: str,
        reason: str | None = None,
        version: int | None = None,
    ) -> Entry:
        """Stand for a value; an empty one says that nothing is there. Renews the lease.

        Another value than the machine's, or than before, and any value of what was doubtful is
        kept as a correction. `version` as for `type`: a late repeat raises `VersionConflict`.
        Raises what `type` raises.
        """
        plain = typed(target, value)
        why = reason_of(reason)
        material = self._material_for(caller, paper_id, target)
        read = material.machine(target)
        machine = read.text if read else None

        def work(connection: sa.Connection) -> Entry:
            now, paper, kept = self._begin(connection, caller, paper_id, target)
            text = as_confirmed(target, plain, now.astimezone(VIETNAM).date())
            if kept is not None and version is not None and version < kept.version:
                raise VersionConflict(
                    "Giá trị đã được gõ lại sau đó; hãy xem rồi xác nhận lại. / The value was "
                    "typed anew meanwhile; look at it, then confirm again."
                )
            count = max(version or 0, kept.version + 1 if kept else 1)
            new = Entry(
                paper_id,
                target,
                text,
                EntryState.CONFIRMED,
                machine,
                why,
                caller.principal_id,
                now,
                count,
            )
            self._put(connection, new, kept)
            before = self._before(connection, paper_id, target, machine)
            says_more = read is None or read.doubtful or text != machine or text != before
            if says_more:
                self._note(connection, caller, paper, new, before)
            return new

        return self._database.together(work)

    def take_back(self, caller: Caller, paper_id: str, target: Target) -> Entry | None:
        """Make a confirmation a draft again; None where nothing was typed. Renews the lease.

        What was confirmed stays in the corrections. Raises what `type` raises.
        """
        self._material_for(caller, paper_id, target)

        def work(connection: sa.Connection) -> Entry | None:
            now, _, kept = self._begin(connection, caller, paper_id, target)
            if kept is None or not kept.is_confirmed:
                return kept
            draft = replace(
                kept, state=EntryState.DRAFT, by=caller.principal_id, at=now, reason=None
            )
            new = replace(draft, version=kept.version + 1)
            self._put(connection, new, kept)
            return new

        return self._database.together(work)

    def resolve(self, caller: Caller, paper_id: str, key: str, reason: str) -> Entry:
        """Say why a finding or an alarm may stay as it is; kept with who and when, audited.

        Raises `NotFound` for a finding that the paper does not have, `InvalidOrder` without a
        reason, and what `type` raises.
        """
        target = Target.parse(f"finding:{key}")
        why = required_reason(reason)
        _, material = self._looked_up(caller, paper_id)

        def work(connection: sa.Connection) -> Entry:
            now = self._database.now(connection)
            here = one_paper(connection, caller.agency_id, paper_id, lock=True)
            require_lease(connection, caller, here, now)
            known = findings_of(connection, here, material)
            about = next((finding for finding in known if finding.key == key), None)
            if about is None:
                raise NotFound(
                    "Giấy tờ không có cảnh báo này; hãy tải lại. / The paper has no such finding; "
                    "load it again."
                )
            self._renew(connection, here, now)
            kept = one_entry(connection, paper_id, target)
            new = Entry(
                paper_id,
                target,
                "accepted",
                EntryState.CONFIRMED,
                about.code,
                why,
                caller.principal_id,
                now,
                kept.version + 1 if kept else 1,
            )
            self._put(connection, new, kept)
            self._note(connection, caller, here, new, None)
            details = {"finding": about.code, "page": about.page, "reason": why}
            tell(connection, self._audit, "finding-resolved", caller, paper_id, details)
            return new

        return self._database.together(work)

    def entries(self, caller: Caller, paper_id: str) -> dict[str, Entry]:
        """All that was typed, by target. Raises `NotFound`."""
        with self._database.read() as connection:
            one_paper(connection, caller.agency_id, paper_id)
            return entries_of(connection, paper_id)

    def corrections(self, caller: Caller, paper_id: str) -> list[Correction]:
        """All that was confirmed beyond the machine's word, oldest first. Raises `NotFound`."""
        with self._database.read() as connection:
            one_paper(connection, caller.agency_id, paper_id)
            rows = connection.execute(
                sa.select(paper_corrections)
                .where(paper_corrections.c.paper_id == paper_id)
                .order_by(paper_corrections.c.at, paper_corrections.c.id)
            )
            return [correction_of(row) for row in rows]

    # --- parts ---------------------------------------------------------------------------

    def _looked_up(self, caller: Caller, paper_id: str) -> tuple[Paper, Material]:
        """The paper and what was read of it, outside of any transaction that writes."""
        with self._database.read() as connection:
            paper = one_paper(connection, caller.agency_id, paper_id)
            pages = pages_of(connection, paper) if paper.proposals_sha256 is None else ()
        return paper, self._shelf.of(paper, pages)

    def _material_for(self, caller: Caller, paper_id: str, target: Target) -> Material:
        """What was read. Raises `InvalidOrder` for a target that the paper does not have."""
        caller.require(*CHECKERS)
        _, material = self._looked_up(caller, paper_id)
        if target.about is About.FINDING or not material.may_hold(target):
            raise InvalidOrder(
                f"Giấy tờ không có mục “{target}”; hãy tải lại. / The paper has no “{target}”; "
                "load it again.",
                field="target",
            )
        return material

    def _begin(
        self,
        connection: sa.Connection,
        caller: Caller,
        paper_id: str,
        target: Target,
    ) -> tuple[datetime, Paper, Entry | None]:
        """Lock the paper, renew the caller's lease; now, the paper, and what is kept."""
        now = self._database.now(connection)
        paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
        require_lease(connection, caller, paper, now)
        self._renew(connection, paper, now)
        kept = one_entry(connection, paper_id, target)
        if kept is None:
            count = connection.execute(
                sa.select(sa.func.count()).where(paper_entries.c.paper_id == paper_id)
            ).scalar_one()
            if count >= MAX_ENTRIES:
                raise QuotaExceeded(
                    f"Một giấy tờ có nhiều nhất {MAX_ENTRIES} mục sửa. / A paper takes at most "
                    f"{MAX_ENTRIES} entries; split it."
                )
        return now, paper, kept

    @staticmethod
    def _put(connection: sa.Connection, new: Entry, kept: Entry | None) -> None:
        values = {
            "value": new.value,
            "state": new.state,
            "machine": new.machine,
            "reason": new.reason,
            "by": new.by,
            "at": new.at,
            "version": new.version,
        }
        if kept is None:
            connection.execute(
                sa.insert(paper_entries).values(
                    paper_id=new.paper_id, target=str(new.target), **values
                )
            )
        else:
            connection.execute(
                sa.update(paper_entries)
                .where(
                    paper_entries.c.paper_id == new.paper_id,
                    paper_entries.c.target == str(new.target),
                )
                .values(**values)
            )

    @staticmethod
    def _before(
        connection: sa.Connection, paper_id: str, target: Target, machine: str | None
    ) -> str | None:
        """What stood before: the last confirmed value, else what was read."""
        last = connection.execute(
            sa.select(paper_corrections.c.after)
            .where(
                paper_corrections.c.paper_id == paper_id,
                paper_corrections.c.target == str(target),
            )
            .order_by(paper_corrections.c.at.desc(), paper_corrections.c.id.desc())
            .limit(1)
        ).scalar()
        return machine if last is None else last

    @staticmethod
    def _note(
        connection: sa.Connection, caller: Caller, paper: Paper, new: Entry, before: str | None
    ) -> None:
        order = connection.execute(
            sa.select(stacks.c.order).where(stacks.c.id == paper.stack_id)
        ).scalar_one()
        connection.execute(
            sa.insert(paper_corrections).values(
                id=new_id("cor"),
                paper_id=paper.id,
                agency_id=paper.agency_id,
                target=str(new.target),
                machine=new.machine,
                before=before,
                after=new.value,
                reason=new.reason,
                station=order["station"],
                by=caller.principal_id,
                name=caller.name,
                at=new.at,
            )
        )
