"""Stacks as values, and the states of a stack, of its pages, and of the papers made of it.

    stack   OPEN ──close──> READING ──> ARRANGED ──> DONE
              └──────────────┴─────────────┴──> CANCELLED

    page    WAITING ──> READ, FAULTY (kept as an image without text; never in the way of others)

    paper   PROPOSING ──> TO_CHECK ──> CHECKED ──> MARKED ──> ACCEPTED ──> FILED
               ^  ^          │  ^         │           │
               │  └──edit────┤  └──reopen─┴───────────┘
               │             ├──> HELD ──> TO_CHECK      (CHECKED, too: its record cannot be made)
               │             └──> REUSED (an earlier record serves), REFUSED (not to be digitised)
               └──undo── GONE (merged into another paper, or undone)

The data of a paper are a draft until a named person confirms them (D10), and are accepted only
after the officer's mark stands on the record (TT 01/2023/TT-VPCP Điều 8, D6).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dossier.intake.observations import Side
from dossier.model import JSON
from dossier.stacks.order import StackOrder


class Way(enum.StrEnum):
    """How the paper came in."""

    FOLDER = "folder"
    HTTP = "http"
    CONSOLE = "console"
    ESCL = "escl"


class StackState(enum.StrEnum):
    """States of a stack."""

    OPEN = "open"  # pages come in, and are read as they come
    READING = "reading"  # no more paper comes; the last pages are being read
    ARRANGED = "arranged"  # it is split, people work on its papers
    DONE = "done"  # each of its papers is filed, reused, refused or gone
    CANCELLED = "cancelled"  # what was scanned stays stored


class PageState(enum.StrEnum):
    """States of a page."""

    WAITING = "waiting"
    READ = "read"
    FAULTY = "faulty"  # it cannot be read by machine; its image is kept where there is one


class PaperState(enum.StrEnum):
    """States of a paper."""

    PROPOSING = "proposing"  # its fields are being read
    TO_CHECK = "to-check"
    CHECKED = "checked"  # as many people as needed confirmed it; the record is being made
    MARKED = "marked"  # the officer's mark (P7) stands on the record
    ACCEPTED = "accepted"  # a named person accepted the data; the seal is being made
    FILED = "filed"  # sealed, verified, published
    HELD = "held"
    REUSED = "reused"
    REFUSED = "refused"
    GONE = "gone"

    @property
    def is_editable(self) -> bool:
        """Whether its pages may still change."""
        return self in _EDITABLE

    @property
    def is_finished(self) -> bool:
        """Whether nobody has to do anything about it any more."""
        return self in _FINISHED


_EDITABLE = frozenset({PaperState.PROPOSING, PaperState.TO_CHECK, PaperState.HELD})
_FINISHED = frozenset({PaperState.FILED, PaperState.REUSED, PaperState.REFUSED, PaperState.GONE})

PAPER_MOVES: Mapping[enum.StrEnum, frozenset[enum.StrEnum]] = {
    PaperState.PROPOSING: frozenset({PaperState.TO_CHECK, PaperState.HELD, PaperState.GONE}),
    PaperState.TO_CHECK: frozenset(
        {
            PaperState.PROPOSING,
            PaperState.CHECKED,
            PaperState.HELD,
            PaperState.REUSED,
            PaperState.REFUSED,
            PaperState.GONE,
        }
    ),
    PaperState.HELD: frozenset(
        {PaperState.PROPOSING, PaperState.TO_CHECK, PaperState.CHECKED, PaperState.GONE}
    ),
    PaperState.CHECKED: frozenset({PaperState.MARKED, PaperState.TO_CHECK, PaperState.HELD}),
    PaperState.MARKED: frozenset({PaperState.ACCEPTED, PaperState.TO_CHECK}),
    PaperState.ACCEPTED: frozenset({PaperState.FILED}),
    PaperState.REUSED: frozenset({PaperState.TO_CHECK}),
    PaperState.REFUSED: frozenset({PaperState.TO_CHECK}),
    PaperState.GONE: frozenset({PaperState.PROPOSING}),
}
"""For `dossier.model.require_move`."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as its agency sees it. `alarms` are `dossier.stacks.reports` in JSON."""

    id: str
    agency_id: str
    principal_id: str
    way: Way
    order: StackOrder
    state: StackState
    priority: int
    alarms: tuple[JSON, ...]
    seq: int
    error: JSON
    created_at: datetime
    closed_at: datetime | None
    arranged_at: datetime | None
    finished_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the reading of a stack is; `pages` counts those of files that were looked at."""

    scans: int
    scans_waiting: int
    pages: int
    pages_read: int
    pages_faulty: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be read."""
        return not self.scans_waiting and self.pages == self.pages_read + self.pages_faulty


@dataclass(frozen=True, slots=True)
class Scan:
    """A file of a stack. `purpose` None: more of the stack; else an insert or a rescan."""

    id: str
    stack_id: str
    position: int
    sha256: str
    name: str
    side: Side
    purpose: JSON
    pages: int | None
    error: JSON


@dataclass(frozen=True, slots=True)
class StackPage:
    """A page of a stack, where it came from and what was read. `index` counts from 1.

    `sha256` is that of its file; the reading and the picture are blobs.
    """

    id: str
    stack_id: str
    scan_id: str
    scan_position: int
    index: int
    sha256: str
    state: PageState
    reading_sha256: str | None
    picture_sha256: str | None
    summary: JSON
    error: JSON


def stack_of(row: Any) -> Stack:  # noqa: ANN401 - a row
    """A row of the table `stacks`."""
    values = dict(row._mapping)
    values["way"] = Way(values["way"])
    values["state"] = StackState(values["state"])
    values["order"] = StackOrder.from_json(values["order"])
    values["alarms"] = tuple(values["alarms"])
    return Stack(**values)


def scan_of(row: Any) -> Scan:  # noqa: ANN401 - a row
    """A row of the table `stack_scans`."""
    values = dict(row._mapping)
    del values["created_at"]
    values["side"] = Side(values["side"])
    return Scan(**values)


def page_of(row: Any) -> StackPage:  # noqa: ANN401 - a row
    """A row of the table `stack_pages`."""
    values = dict(row._mapping)
    del values["read_at"]
    values["state"] = PageState(values["state"])
    return StackPage(**values)
