"""What becomes of a paper: its check ends, it is held, refused, reused, or opened again.

Each step is one transaction with its line in the audit log. A check that ends the last one that is
needed makes the paper CHECKED and orders its record (`DRAFT_PAPER`, for `dossier.filing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.checking.completeness import (
    Missing,
    Subject,
    disputed_of,
    missing_of,
    said_by,
)
from dossier.checking.corrected import Said, checked_fields
from dossier.checking.grounds import GROUNDS
from dossier.checking.material import Material
from dossier.checking.owners import ProposedOwner, proposed_owner
from dossier.checking.rows import (
    CHECKERS,
    change,
    entries_of,
    findings_of,
    one_paper,
    proposals_beside,
    require_lease,
    require_version,
    scanned_at,
    tell,
)
from dossier.checking.texts import required_reason
from dossier.checking.typing import Typing
from dossier.checking.values import DRAFT_PAPER, Check, Entry, Paper
from dossier.errors import StateConflict, VersionConflict
from dossier.filing.codes import CodeTemplates
from dossier.intake.catalogues import Exclusion
from dossier.model import JSON, Caller, require_move
from dossier.stacks.history import PROPOSE, QUEUE
from dossier.stacks.stackrows import end_if_done, one_stack
from dossier.stacks.values import PAPER_MOVES, PaperState, StackState
from dossier.storage.station_tables import cover_sheets, papers, stacks
from signer.clock import VIETNAM

_TOLD = 5  # of what is missing, in one message
_NUMBERS = {"doc_number": "doc_number", "doc_symbol": "doc_symbol", "doc_agency": "agency"}
_Work = Callable[[sa.Connection, Paper, datetime], Paper]
_NOTHING_MADE: Mapping[str, JSON] = {
    "draft_sha256": None,
    "marked_sha256": None,
    "mark": sa.null(),
    "accepted": sa.null(),
    "error": sa.null(),
    "hold": sa.null(),
    "reuses": None,
}


class Deciding(Typing):
    """The ends of checks of one database's papers. Safe for threads."""

    _templates: CodeTemplates

    def missing(self, caller: Caller, paper_id: str) -> tuple[Missing, ...]:
        """What the caller has to do before their check may end. Raises `NotFound`,
        `StateConflict` before the paper was read."""
        paper, material = self._looked_up(caller, paper_id)
        with self._database.read() as connection:
            entries = entries_of(connection, paper_id)
            return missing_of(self._subject(connection, caller, paper, material, entries))

    def owner(self, caller: Caller, paper_id: str) -> ProposedOwner | None:
        """Whose paper it is as known now; None: the rules do not demand it. Raises `NotFound`."""
        paper, material = self._looked_up(caller, paper_id)
        with self._database.read() as connection:
            return self._owner(connection, paper, material, entries_of(connection, paper_id))

    def finish(self, caller: Caller, paper_id: str) -> Paper:
        """End the caller's check of a paper that they have before them.

        Raises `StateConflict` that lists what `missing` gives, `LeaseLost`, `VersionConflict`,
        `AccessRefused`, `NotFound`, `StoreError`.
        """
        caller.require(*CHECKERS)
        seen, material = self._looked_up(caller, paper_id)

        self.owner(caller, paper_id)  # the dossier's cards are fetched before anything is locked

        def work(connection: sa.Connection) -> Paper:
            now = self._database.now(connection)
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            require_lease(connection, caller, paper, now)
            if paper.proposals_sha256 != seen.proposals_sha256:
                raise VersionConflict(
                    "Giấy tờ vừa được đọc lại; hãy tải lại. / The paper was read anew; load it "
                    "again."
                )
            entries = entries_of(connection, paper_id)
            missing = missing_of(self._subject(connection, caller, paper, material, entries))
            if missing:
                raise _incomplete(missing)
            said = said_by(entries, caller.principal_id)
            disputed = disputed_of(paper.checks, said) if len(paper.checks) == 1 else ()
            required = paper.checks_required + bool(disputed)
            changed = sum(entry.value != entry.machine for entry in entries.values())
            check = Check(caller.principal_id, caller.name, now, changed, said, disputed)
            checks = (*paper.checks, check)
            is_last = len(checks) >= required
            if is_last:
                self._order_record(connection, paper)
            after = change(
                connection,
                paper,
                state=PaperState.CHECKED if is_last else PaperState.TO_CHECK,
                checks=[one.to_json() for one in checks],
                checks_required=required,
                lease_by=None,
                lease_until=None,
                **_numbers(material, entries),
            )
            details: dict[str, JSON] = {
                "check": len(checks),
                "of": required,
                "changed": changed,
                "disputed": list(disputed),
            }
            tell(connection, self._audit, "checked", caller, paper_id, details)
            return after

        return self._database.together(work)

    def hold(self, caller: Caller, paper_id: str, reason: str, version: int | None = None) -> Paper:
        """Let a paper wait; why. Raises `LeaseLost`, `StateConflict`, `InvalidOrder`."""
        why = required_reason(reason)

        def work(connection: sa.Connection, paper: Paper, now: datetime) -> Paper:
            if paper.state is not PaperState.PROPOSING:
                require_lease(connection, caller, paper, now)
            held = {**_who(caller, why, now), "from": paper.state.value}
            return self._move(connection, caller, paper, PaperState.HELD, "held", held, hold=held)

        return self._decide(caller, paper_id, version, work)

    def resume(self, caller: Caller, paper_id: str, version: int | None = None) -> Paper:
        """Put a held paper back among those that wait. Raises `StateConflict`."""

        def work(connection: sa.Connection, paper: Paper, now: datetime) -> Paper:
            del now
            _require(paper, PaperState.HELD)
            came_from = (paper.hold or {}).get("from")
            was_read = came_from != PaperState.PROPOSING
            seen = {"error": sa.null()} if came_from == PaperState.CHECKED else {}
            if not was_read:
                self._jobs.enqueue(
                    connection,
                    queue=QUEUE,
                    kind=PROPOSE,
                    subject=paper.id,
                    agency_id=paper.agency_id,
                    priority=paper.priority,
                )
            state = PaperState.TO_CHECK if was_read else PaperState.PROPOSING
            return self._move(
                connection, caller, paper, state, "resumed", {}, hold=sa.null(), **seen
            )

        return self._decide(caller, paper_id, version, work)

    def refuse(
        self,
        caller: Caller,
        paper_id: str,
        ground: Exclusion,
        reason: str,
        version: int | None = None,
    ) -> Paper:
        """Say that a paper is not to be digitized (D7). Ground, reason and person are recorded.

        Raises `LeaseLost`, `StateConflict`, `InvalidOrder` without a reason.
        """
        why = required_reason(reason)

        def work(connection: sa.Connection, paper: Paper, now: datetime) -> Paper:
            require_lease(connection, caller, paper, now)
            basis = {"ground": ground.value, "legal_basis": GROUNDS[ground].legal_basis}
            told = {**_who(caller, why, now), **basis}
            after = self._move(
                connection, caller, paper, PaperState.REFUSED, "refused", told, hold=told
            )
            end_if_done(connection, paper.stack_id, now)
            return after

        return self._decide(caller, paper_id, version, work)

    def reuse(
        self, caller: Caller, paper_id: str, earlier: str, version: int | None = None
    ) -> Paper:
        """Let the record of an earlier paper serve (`DuocTaiSuDung`); it has to be filed.

        Raises `LeaseLost`, `StateConflict`, `NotFound` (also for another agency's).
        """

        def work(connection: sa.Connection, paper: Paper, now: datetime) -> Paper:
            require_lease(connection, caller, paper, now)
            other = one_paper(connection, caller.agency_id, earlier)
            if other.state is not PaperState.FILED:
                raise StateConflict(
                    f"Chỉ dùng lại được giấy tờ đã lưu; giấy tờ kia đang “{other.state}”. / Only a "
                    f"filed paper can serve again; the other one is {other.state}."
                )
            told: dict[str, JSON] = {
                "reuses": other.id,
                "sealed_sha256": other.sealed_sha256,
                "digitization_code": other.digitization_code,
            }
            after = self._move(
                connection, caller, paper, PaperState.REUSED, "reused", told, reuses=other.id
            )
            end_if_done(connection, paper.stack_id, now)
            return after

        return self._decide(caller, paper_id, version, work)

    def reopen(
        self, caller: Caller, paper_id: str, reason: str, version: int | None = None
    ) -> Paper:
        """Put a paper that was checked, marked, reused or refused back among those that wait.

        What was made of it is discarded; its digitization code stays its own; what people
        confirmed stands until they say otherwise. Raises `StateConflict`, `InvalidOrder`.
        """
        why = required_reason(reason)

        def work(connection: sa.Connection, paper: Paper, now: datetime) -> Paper:
            if paper.state in (PaperState.TO_CHECK, PaperState.HELD, PaperState.PROPOSING):
                _require(paper, PaperState.CHECKED)
            told = _who(caller, why, now) | {"from": paper.state.value}
            after = self._move(
                connection,
                caller,
                paper,
                PaperState.TO_CHECK,
                "reopened",
                told,
                **_NOTHING_MADE,
                checks=[],
                checks_required=min(paper.checks_required, 2),  # the third was for a dispute
            )
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == paper.stack_id, stacks.c.state == StackState.DONE)
                .values(state=StackState.ARRANGED, finished_at=None, version=stacks.c.version + 1)
            )
            return after

        return self._decide(caller, paper_id, version, work)

    # --- parts ---------------------------------------------------------------------------

    def _decide(self, caller: Caller, paper_id: str, version: int | None, work: _Work) -> Paper:
        caller.require(*CHECKERS)

        def whole(connection: sa.Connection) -> Paper:
            stack_id = one_paper(connection, caller.agency_id, paper_id).stack_id
            self._jobs.cancel(connection, paper_id)  # jobs, then stacks, then papers
            one_stack(connection, caller.agency_id, stack_id, lock=True)
            paper = one_paper(connection, caller.agency_id, paper_id, lock=True)
            require_version(paper, version)
            return work(connection, paper, self._database.now(connection))

        return self._database.together(whole)

    def _move(
        self,
        connection: sa.Connection,
        caller: Caller,
        paper: Paper,
        state: PaperState,
        what: str,
        told: Mapping[str, JSON],
        **values: Any,  # noqa: ANN401 - columns
    ) -> Paper:
        require_move(paper.state, state, PAPER_MOVES)
        lease = {"lease_by": None, "lease_until": None}
        after = change(connection, paper, state=state, **lease, **values)
        tell(connection, self._audit, what, caller, paper.id, dict(told))
        return after

    def _order_record(self, connection: sa.Connection, paper: Paper) -> None:
        self._jobs.enqueue(
            connection,
            queue=QUEUE,
            kind=DRAFT_PAPER,
            subject=paper.id,
            agency_id=paper.agency_id,
            priority=paper.priority,
        )

    def _subject(
        self,
        connection: sa.Connection,
        caller: Caller,
        paper: Paper,
        material: Material,
        entries: Mapping[str, Entry],
    ) -> Subject:
        findings = findings_of(connection, paper, material)
        announced, present = _pages_of(connection, paper)
        owner = self._owner(connection, paper, material, entries)
        return Subject(
            paper, material, entries, findings, caller.principal_id, announced, present, owner
        )

    def _owner(
        self,
        connection: sa.Connection,
        paper: Paper,
        material: Material,
        entries: Mapping[str, Entry],
    ) -> ProposedOwner | None:
        day = scanned_at(connection, paper, material.pages).astimezone(VIETNAM).date()
        if not self._templates.on(day).demands_owner:
            return None
        cards = [self._shelf.card(digest) for digest in proposals_beside(connection, paper)]
        said = Said.of(paper, entries, ())
        proposals = material.proposals
        card = proposals.card.reading if proposals is not None and proposals.card else None
        return proposed_owner(checked_fields(proposals, said), card, cards)


def _pages_of(connection: sa.Connection, paper: Paper) -> tuple[int | None, int | None]:
    """Pages that the cover sheet announces for the paper's component, and those that are there."""
    if paper.sheet_serial is None:
        return None, None
    components = connection.execute(
        sa.select(cover_sheets.c.components).where(cover_sheets.c.serial == paper.sheet_serial)
    ).scalar()
    announced = [c["pages"] for c in components or () if c["code"] == paper.component_code]
    if not announced:
        return None, None
    present = connection.execute(
        sa.select(sa.func.sum(papers.c.pages)).where(
            papers.c.stack_id == paper.stack_id,
            papers.c.sheet_serial == paper.sheet_serial,
            papers.c.component_code == paper.component_code,
            papers.c.state != PaperState.GONE,
        )
    ).scalar_one()
    return sum(announced), int(present or 0)


def _numbers(material: Material, entries: Mapping[str, Entry]) -> dict[str, str | None]:
    """Number, symbol and agency as they stand now: later papers are compared with them."""
    found: dict[str, str | None] = {}
    for column, name in _NUMBERS.items():
        target = f"field:{name}"
        entry, read = entries.get(target), material.readings.get(target)
        if entry is not None and entry.is_confirmed:
            found[column] = entry.value or None
        else:
            found[column] = read.text if read else None
    return found


def _who(caller: Caller, why: str, now: datetime) -> dict[str, JSON]:
    return {"why": why, "by": caller.principal_id, "name": caller.name, "at": now.isoformat()}


def _require(paper: Paper, wanted: PaperState) -> None:
    if paper.state is not wanted:
        raise StateConflict(
            f"Giấy tờ đang ở trạng thái “{paper.state}”, việc này cần “{wanted}”. / The paper is "
            f"{paper.state}; this needs one that is {wanted}."
        )


def _incomplete(missing: tuple[Missing, ...]) -> StateConflict:
    told = missing[:_TOLD]
    more = len(missing) - len(told)
    vi = "; ".join(one.vi for one in told) + (f"; và {more} mục nữa" if more else "")
    en = "; ".join(one.en for one in told) + (f"; and {more} more" if more else "")
    return StateConflict(f"Chưa xong: {vi}. / Not finished yet: {en}.")
