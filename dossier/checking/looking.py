"""What people see before they take a paper: the queue, a dossier's checklist, how much waits."""

from __future__ import annotations

import builtins
import enum
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.checking.rows import READERS, one_paper
from dossier.checking.taking import Taking, Wanted
from dossier.checking.values import Paper, paper_of
from dossier.errors import InvalidOrder
from dossier.intake.catalogues import Catalogues, Exclusion, Procedure, name_key
from dossier.model import JSON, Caller
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import cover_sheets, papers, stack_history, stack_pages, stacks
from signer.clock import VIETNAM

WAITING = (PaperState.TO_CHECK, PaperState.HELD)
_CURSOR = re.compile(r"(-?[0-9]{1,9})\.([a-z]{2,4}_[0-9a-z]{26})")
_CANDIDATES = 20


class ItemState(enum.StrEnum):
    """How far a component of a dossier is: as far as the least advanced of its papers."""

    MISSING = "missing"
    SCANNED = "scanned"  # it is being read, or held
    TO_CHECK = "to-check"
    CHECKED = "checked"  # the record is being made, marked, sealed
    FILED = "filed"  # or an earlier record serves, or it is not to be digitized


_HOW_FAR = {
    PaperState.PROPOSING: ItemState.SCANNED,
    PaperState.HELD: ItemState.SCANNED,
    PaperState.TO_CHECK: ItemState.TO_CHECK,
    PaperState.CHECKED: ItemState.CHECKED,
    PaperState.MARKED: ItemState.CHECKED,
    PaperState.ACCEPTED: ItemState.CHECKED,
}


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A component (thành phần hồ sơ). `pages`: as the cover sheet announces; None: it does not."""

    code: str
    name: str
    required: bool
    pages: int | None
    exclusion: Exclusion | None
    papers: tuple[Paper, ...]

    @property
    def state(self) -> ItemState:
        """How far it is; what is only looked at is never missing."""
        if not self.papers:
            return ItemState.FILED if self.exclusion else ItemState.MISSING
        order = list(ItemState)
        return min((_HOW_FAR.get(p.state, ItemState.FILED) for p in self.papers), key=order.index)


@dataclass(frozen=True, slots=True)
class Checklist:
    """What a dossier needs and has. `others`: papers of no component that is asked for."""

    dossier_code: str
    procedure: Procedure | None
    items: tuple[ChecklistItem, ...]
    others: tuple[Paper, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Codes of the components that have to be there and are not."""
        return tuple(
            item.code for item in self.items if item.required and item.state is ItemState.MISSING
        )


@dataclass(frozen=True, slots=True)
class Health:
    """How the queue of an agency is. `oldest_s`: the age of the paper that waits longest."""

    waiting: int
    being_checked: int
    held: int
    failed: int
    oldest_s: float | None

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "waiting": self.waiting,
            "being_checked": self.being_checked,
            "held": self.held,
            "failed": self.failed,
            "oldest_s": None if self.oldest_s is None else round(self.oldest_s, 1),
        }


class ReuseGround(enum.StrEnum):
    """Why an earlier paper may serve."""

    BYTES = "bytes"  # the same images, octet for octet
    NUMBER = "number"  # the same number, symbol and agency


@dataclass(frozen=True, slots=True)
class ReuseCandidate:
    """A filed paper that may serve instead of a new record, and why it is thought of."""

    paper: Paper
    ground: ReuseGround


def cursor_of(paper: Paper) -> str:
    """Where a paper stands in the queue."""
    return f"{paper.priority}.{paper.id}"


class Looking(Taking):
    """What is seen of one database's papers. Safe for threads."""

    _catalogues: Callable[[], Catalogues]

    def get(self, caller: Caller, paper_id: str) -> Paper:
        """One paper. Raises `NotFound`, also for another agency's."""
        caller.require(*READERS)
        with self._database.read() as connection:
            return one_paper(connection, caller.agency_id, paper_id)

    def queue(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        *,
        states: Collection[PaperState] = WAITING,
        wanted: Wanted | None = None,
    ) -> builtins.list[Paper]:
        """Papers in the order in which they are to be done; `after`: the last one's `cursor_of`.

        Raises `InvalidOrder` for a cursor that is none, `AccessRefused`.
        """
        caller.require(*READERS)
        query = (
            sa.select(papers)
            .join(stacks, stacks.c.id == papers.c.stack_id)
            .where(
                papers.c.agency_id == caller.agency_id,
                papers.c.state.in_(list(states)),
                *(wanted or Wanted()).where(),
            )
        )
        if after is not None:
            priority, paper_id = _place(after)
            query = query.where(
                sa.or_(
                    papers.c.priority > priority,
                    sa.and_(papers.c.priority == priority, papers.c.id > paper_id),
                )
            )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(papers.c.priority, papers.c.id).limit(limit))
            return [paper_of(row) for row in rows]

    def checklist(self, caller: Caller, dossier_code: str) -> Checklist:
        """What a dossier needs, by its cover sheets and its procedure, and how far each is.

        A procedure counts as it stood when the newest sheet that names it was printed.
        """
        caller.require(*READERS)
        with self._database.read() as connection:
            sheets = connection.execute(
                sa.select(
                    cover_sheets.c.components,
                    cover_sheets.c.procedure_code,
                    cover_sheets.c.issued_at,
                )
                .where(
                    cover_sheets.c.agency_id == caller.agency_id,
                    cover_sheets.c.dossier_code == dossier_code,
                )
                .order_by(cover_sheets.c.issued_at.desc(), cover_sheets.c.serial)
            ).all()
            rows = connection.execute(
                sa.select(papers)
                .where(
                    papers.c.agency_id == caller.agency_id,
                    papers.c.dossier_code == dossier_code,
                    papers.c.state != PaperState.GONE,
                )
                .order_by(papers.c.id)
            )
            here = [paper_of(row) for row in rows]
        procedure = self._procedure(sheets)
        announced: dict[str, tuple[str, int]] = {}
        for sheet in sheets:
            for one in sheet.components:
                announced.setdefault(one["code"], (one["name"], one["pages"]))
        items = []
        for component in procedure.components if procedure else ():
            _, pages = announced.pop(component.code, ("", None))
            items.append(
                ChecklistItem(
                    component.code,
                    component.name,
                    component.required and component.exclusion is None,
                    pages,
                    component.exclusion,
                    _of_component(here, component.code),
                )
            )
        for code, (name, pages) in announced.items():
            items.append(ChecklistItem(code, name, True, pages, None, _of_component(here, code)))
        known = {item.code for item in items}
        others = tuple(paper for paper in here if paper.component_code not in known)
        return Checklist(dossier_code, procedure, tuple(items), others)

    def health(self, caller: Caller) -> Health:
        """How many papers wait, are in hand, are held, failed; and since when."""
        caller.require(*READERS)
        with self._database.read() as connection:
            return health_of(connection, caller.agency_id, self._database.now(connection))

    def candidates_for_reuse(self, caller: Caller, paper_id: str) -> tuple[ReuseCandidate, ...]:
        """Filed papers of the agency with the same bytes, or number, symbol and agency (W9)."""
        caller.require(*READERS)
        with self._database.read() as connection:
            paper = one_paper(connection, caller.agency_id, paper_id)
            found = {
                one.id: ReuseCandidate(one, ReuseGround.BYTES)
                for one in _of_same_bytes(connection, paper)
            }
            for one in _of_same_number(connection, paper):
                found.setdefault(one.id, ReuseCandidate(one, ReuseGround.NUMBER))
        return tuple(found.values())[:_CANDIDATES]

    def _procedure(self, sheets: Sequence[Any]) -> Procedure | None:
        named = next((sheet for sheet in sheets if sheet.procedure_code), None)
        if named is None:
            return None
        day = named.issued_at.astimezone(VIETNAM).date()
        return self._catalogues().procedure(named.procedure_code, day)


def health_of(connection: sa.Connection, agency_id: str, now: datetime) -> Health:
    """How the queue of an agency is."""
    to_check = papers.c.state == PaperState.TO_CHECK
    in_hand = sa.and_(to_check, papers.c.lease_until > now)
    unfinished = papers.c.state.not_in([s for s in PaperState if s.is_finished])
    error = sa.func.coalesce(sa.cast(papers.c.error, sa.Text), "null")  # none, or JSON's null
    waiting, being_checked, held, failed, oldest = connection.execute(
        sa.select(
            sa.func.count().filter(to_check),
            sa.func.count().filter(in_hand),
            sa.func.count().filter(papers.c.state == PaperState.HELD),
            sa.func.count().filter(sa.and_(unfinished, error != "null")),
            sa.func.min(papers.c.created_at).filter(to_check),
        ).where(papers.c.agency_id == agency_id)
    ).one()
    return Health(waiting - being_checked, being_checked, held, failed, _age_s(oldest, now))


def _of_component(here: Sequence[Paper], code: str) -> tuple[Paper, ...]:
    return tuple(paper for paper in here if paper.component_code == code)


def _age_s(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else (now - since).total_seconds()


def _place(after: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise InvalidOrder(
            "Con trỏ trang không đúng; hãy bắt đầu lại từ đầu danh sách. / The cursor is not one; "
            "begin at the start of the list.",
            field="after",
        )
    return int(found[1]), found[2]


def _of_same_number(connection: sa.Connection, paper: Paper) -> list[Paper]:
    if not (paper.doc_number and paper.doc_symbol and paper.doc_agency):
        return []
    rows = connection.execute(
        _filed(paper)
        .where(papers.c.doc_number == paper.doc_number, papers.c.doc_symbol == paper.doc_symbol)
        .limit(10 * _CANDIDATES)
    )
    agency = name_key(paper.doc_agency)
    return [one for one in map(paper_of, rows) if name_key(one.doc_agency or "") == agency]


def _of_same_bytes(connection: sa.Connection, paper: Paper) -> list[Paper]:
    """Papers of the same images, octet for octet."""
    mine = _digests(connection, paper)
    if not mine:
        return []
    elsewhere = (
        sa.select(stack_pages.c.stack_id)
        .where(stack_pages.c.sha256.in_({digest for digest, _ in mine}))
        .distinct()
    )
    rows = connection.execute(
        _filed(paper).where(papers.c.stack_id.in_(elsewhere)).limit(10 * _CANDIDATES)
    ).all()
    others = map(paper_of, rows)
    return [one for one in others if _digests(connection, one) == mine]


def _filed(paper: Paper) -> sa.Select[tuple[JSON, ...]]:
    return (
        sa.select(papers)
        .where(
            papers.c.agency_id == paper.agency_id,
            papers.c.state == PaperState.FILED,
            papers.c.id != paper.id,
        )
        .order_by(papers.c.id.desc())
    )


def _digests(connection: sa.Connection, paper: Paper) -> frozenset[tuple[str, int]]:
    """File and number in it of each image of a paper."""
    kept = connection.execute(
        sa.select(stack_history.c.arrangement).where(
            stack_history.c.stack_id == paper.stack_id,
            stack_history.c.seq == paper.arrangement_seq,
        )
    ).scalar()
    if kept is None:
        return frozenset()
    mine = [p for p in Arrangement.from_json(kept).papers if p.id == paper.id]
    ids = [page for one in mine for page in one.page_ids]
    rows = connection.execute(
        sa.select(stack_pages.c.sha256, stack_pages.c.index).where(stack_pages.c.id.in_(ids))
    )
    return frozenset((sha256, number) for sha256, number in rows)
