"""Rows of papers: found, locked, held under a lease; and who said what about them.

On PostgreSQL a stack's row is locked before those of its papers (`dossier.stacks.history`), jobs
before both, the audit log last.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.material import Material, OpenFinding, alarms_about
from dossier.checking.values import Entry, Paper, Target, entry_of, paper_of
from dossier.errors import LeaseLost, NotFound, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, Role
from dossier.stacks.history import in_force
from dossier.stacks.stackrows import one_stack
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import paper_entries, papers, stack_pages, stack_scans
from dossier.storage.tables import principals

CHECKERS = (Role.SCANNER, Role.OFFICER)
"""Who checks papers."""
READERS = (*CHECKERS, Role.CLERK, Role.LEADER, Role.AUDITOR, Role.ADMIN)


def one_paper(
    connection: sa.Connection, agency_id: str | None, paper_id: str, *, lock: bool = False
) -> Paper:
    """A paper of the agency. Raises `NotFound`."""
    query = sa.select(papers).where(papers.c.id == paper_id, papers.c.agency_id == agency_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(
            f"Không có giấy tờ {paper_id}. / There is no paper {paper_id}; look it up in the queue."
        )
    return paper_of(row)


def require_lease(connection: sa.Connection, caller: Caller, paper: Paper, now: datetime) -> None:
    """Raise `LeaseLost` unless the caller has the paper before them."""
    if paper.state is not PaperState.TO_CHECK:
        raise StateConflict(
            f"Giấy tờ đang ở trạng thái “{paper.state}” nên không sửa được; hãy mở lại để kiểm "
            f"tra. / The paper is {paper.state}; reopen it for checking first."
        )
    if paper.lease_by == caller.principal_id and paper.is_held(now):
        return
    if paper.is_held(now):
        who = name_of(connection, paper.lease_by)
        raise LeaseLost(
            f"{who} đang kiểm tra giấy tờ này; hãy chọn giấy tờ khác, hoặc nhờ người đó trả lại. / "
            f"{who} is checking this paper; take another one, or ask for it to be given back."
        )
    raise LeaseLost(
        "Giấy tờ không còn trong tay bạn vì đã quá lâu không thao tác; hãy mở lại rồi tiếp tục, "
        "những gì đã gõ vẫn còn. / Your lease of the paper ran out; take it again and go on, what "
        "was typed is still there."
    )


def require_version(paper: Paper, version: int | None) -> None:
    """Raise `VersionConflict` unless `version` is None or the paper's."""
    if version is not None and paper.version != version:
        raise VersionConflict(
            "Giấy tờ đã thay đổi từ khi đọc; hãy tải lại rồi làm lại. / The paper was changed "
            "since it was read; load it again."
        )


def change(connection: sa.Connection, paper: Paper, **values: Any) -> Paper:  # noqa: ANN401 - columns
    """Change a paper whose row is locked, by compare-and-swap on its version; the new one."""
    changed = connection.execute(
        sa.update(papers)
        .where(papers.c.id == paper.id, papers.c.version == paper.version)
        .values(**values, version=paper.version + 1)
    )
    if changed.rowcount != 1:
        require_version(paper, paper.version - 1)
    return one_paper(connection, paper.agency_id, paper.id)


def entries_of(connection: sa.Connection, paper_id: str) -> dict[str, Entry]:
    """What people typed for a paper, by target."""
    rows = connection.execute(
        sa.select(paper_entries)
        .where(paper_entries.c.paper_id == paper_id)
        .order_by(paper_entries.c.target)
    )
    return {row.target: entry_of(row) for row in rows}


def one_entry(connection: sa.Connection, paper_id: str, target: Target) -> Entry | None:
    """What was typed for one target."""
    row = connection.execute(
        sa.select(paper_entries).where(
            paper_entries.c.paper_id == paper_id, paper_entries.c.target == str(target)
        )
    ).first()
    return None if row is None else entry_of(row)


def findings_of(
    connection: sa.Connection, paper: Paper, material: Material
) -> tuple[OpenFinding, ...]:
    """What stands in the way of a paper: its own findings, and alarms of its stack."""
    stack = one_stack(connection, paper.agency_id, paper.stack_id)
    present = in_force(connection, stack.id, stack.seq)
    if present is None:
        return material.findings
    return (*material.findings, *alarms_about(stack.alarms, material, present.arrangement))


def pages_of(connection: sa.Connection, paper: Paper) -> tuple[str, ...]:
    """Ids of a paper's images as they lie; none of what was never arranged."""
    present = in_force(connection, paper.stack_id, paper.arrangement_seq)
    kept = present.arrangement.papers if present is not None else ()
    return next((one.page_ids for one in kept if one.id == paper.id), ())


def proposals_beside(connection: sa.Connection, paper: Paper) -> list[str]:
    """The proposals of the other papers of the dossier: its applicant's card may be one."""
    if not paper.dossier_code:
        return []
    rows = connection.execute(
        sa.select(papers.c.proposals_sha256)
        .where(
            papers.c.agency_id == paper.agency_id,
            papers.c.dossier_code == paper.dossier_code,
            papers.c.id != paper.id,
            papers.c.state != PaperState.GONE,
            papers.c.proposals_sha256.is_not(None),
        )
        .order_by(papers.c.id)
    )
    return [str(row.proposals_sha256) for row in rows]


def scanned_at(connection: sa.Connection, paper: Paper, pages: Collection[str]) -> datetime:
    """When the first file of the paper's images came: the day of its rules."""
    found: datetime | None = connection.execute(
        sa.select(sa.func.min(stack_scans.c.created_at))
        .join(stack_pages, stack_pages.c.scan_id == stack_scans.c.id)
        .where(stack_pages.c.id.in_(pages))
    ).scalar()
    return found or paper.created_at


def name_of(connection: sa.Connection, principal_id: str | None) -> str:
    """What a person is called; the identifier of one who is not in the directory."""
    found = connection.execute(
        sa.select(principals.c.name).where(principals.c.id == principal_id)
    ).scalar()
    return found or principal_id or "?"


def tell(
    connection: sa.Connection,
    audit: AuditLog,
    what: str,
    caller: Caller,
    paper_id: str,
    details: dict[str, JSON],
) -> None:
    """Note in the audit log what `caller` did to a paper."""
    told = {**details, "request_id": caller.request_id}
    event = AuditEvent(f"paper.{what}", caller.principal_id, caller.agency_id, paper_id, told)
    audit.append(connection, [event])
