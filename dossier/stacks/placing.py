"""Pages that were scanned again, or later, go to their places in a stack that is arranged.

When all pages of such a file are read, edits put them where its order said: in place of a page,
or behind one. If the place is gone by then, the pages are set aside and an alarm says so: what was
scanned is never lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from dossier.errors import InvalidOrder, StateConflict
from dossier.model import JSON
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import Arrangement, AsidePage, PlacedPage, Why
from dossier.stacks.edits import Edit, Insert, Replace
from dossier.stacks.history import Doing, in_force, put_in_force
from dossier.stacks.reports import StackAlarm, StationAlarm
from dossier.stacks.values import PageState, Scan, Stack, StackState
from dossier.storage.station_tables import stack_pages, stacks


def put_in_place(
    connection: sa.Connection, jobs: JobQueue, stack: Stack, scan: Scan, now: datetime
) -> None:
    """Do what `scan` is for, once its last page is read. The stack's row is locked."""
    row = stack_pages.c
    rows = connection.execute(
        sa.select(row.id, row.state, row.picture_sha256)
        .where(row.scan_id == scan.id)
        .order_by(row.index)
    ).all()
    if any(found.state == PageState.WAITING for found in rows):
        return
    pages = [str(found.id) for found in rows]
    present = in_force(connection, stack.id, stack.seq)
    if present is None:
        return  # cancelled before it was split
    doing = Doing(scan.purpose["by"], now, scan.purpose["principal"])
    kind = StationAlarm.PLACE_GONE
    if any(found.picture_sha256 is None for found in rows):
        kind = StationAlarm.FAULTY_PAGE  # nothing to be seen: what it should replace stays
    elif stack.state is StackState.ARRANGED:
        try:
            after, edit = _placed(present.arrangement, scan.purpose, pages)
            with connection.begin_nested():  # undone when a paper is in other hands
                put_in_force(connection, jobs, stack, after, edit, doing)
        except (InvalidOrder, StateConflict):
            pass
        else:
            return
    after = _aside(present.arrangement, scan.purpose, pages)
    put_in_force(connection, jobs, stack, after, {"kind": "unplaced", "pages": pages}, doing)
    alarm = StackAlarm.at_station(kind, pages, _home(after, pages))
    connection.execute(
        sa.update(stacks)
        .where(stacks.c.id == stack.id)
        .values(alarms=[*stack.alarms, alarm.to_json()])
    )


def _placed(
    arrangement: Arrangement, purpose: JSON, pages: Sequence[str]
) -> tuple[Arrangement, JSON]:
    """The arrangement with the pages at their place, and what was done. Raises `InvalidOrder`."""
    first, *more = pages
    edits: list[Edit] = []
    if purpose["kind"] == Replace.kind:
        paper, _ = arrangement.home(purpose["page"])
        edits.append(Replace(purpose["page"], first))
        behind = first
    else:
        paper = arrangement.paper(purpose["paper"])
        edits.append(Insert(paper.id, purpose["after"], first))
        behind = first
    for page in more:
        edits.append(Insert(paper.id, behind, page))
        behind = page
    for edit in edits:
        arrangement = edit.apply(arrangement)
    if len(edits) == 1:
        return arrangement, edits[0].to_json()
    return arrangement, {"kind": "several", "edits": [edit.to_json() for edit in edits]}


def _aside(arrangement: Arrangement, purpose: JSON, pages: Sequence[str]) -> Arrangement:
    """The arrangement with the pages set aside, with the paper that they were for if it exists."""
    wanted = purpose.get("paper", "")
    old = purpose.get("page", "")
    for one in arrangement.aside:
        if one.placed.page == old:
            wanted = one.paper
    for paper in arrangement.papers:
        if old in paper.page_ids:
            wanted = paper.id
    names = [paper.id for paper in arrangement.papers]
    home = wanted if wanted in names else names[-1] if names else ""
    new = (AsidePage(PlacedPage(page), home, Why.UNPLACED) for page in pages)
    return replace(
        arrangement,
        aside=(*arrangement.aside, *new),
        order=(*arrangement.order, *pages),
    )


def _home(arrangement: Arrangement, pages: Sequence[str]) -> str | None:
    return next((one.paper or None for one in arrangement.aside if one.placed.page in pages), None)
