"""What people check, as values: papers, what is typed for them, what was corrected, and targets.

A target names the thing that a value is for:

    field:doc_number        the first value of a field          field:recipients:2    the second
    word:pg_1…:17           the 17th word of a page in reading order
    word:pg_1…:g2           the second place of a page with ink and no word
    finding:page-3f9a…      a finding or an alarm; what is said to it is no text of the paper

Words follow their page when it moves into another paper; all numbers count from 1.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from dossier.errors import InvalidOrder
from dossier.model import JSON
from dossier.stacks.values import PaperState

DRAFT_PAPER = "draft-paper"
"""The kind of the job, on the queue ``ocr``, that makes the record of a checked paper."""


class About(enum.StrEnum):
    """What kind of thing a target is."""

    FIELD = "field"
    WORD = "word"
    FINDING = "finding"


_FIELD = re.compile(r"field:([a-z][a-z_]{0,39})(?::([1-9][0-9]{0,2}))?")
_WORD = re.compile(r"word:([a-z]{2,4}_[0-9a-z]{26}):(g?)([1-9][0-9]{0,5})")
_FINDING = re.compile(r"finding:([a-z0-9-]{1,80})")


@dataclass(frozen=True, slots=True)
class Target:
    """Whose value is meant. `name` is a field, a page's id or a finding; `is_gap`: no word yet."""

    about: About
    name: str
    number: int = 1
    is_gap: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a target. Raises `InvalidOrder`."""
        if found := _FIELD.fullmatch(text):
            return cls(About.FIELD, found[1], int(found[2] or 1))
        if found := _WORD.fullmatch(text):
            return cls(About.WORD, found[1], int(found[3]), bool(found[2]))
        if found := _FINDING.fullmatch(text):
            return cls(About.FINDING, found[1])
        raise InvalidOrder(
            "Không hiểu mục cần sửa; viết field:TÊN[:n], word:TRANG:n hoặc finding:MÃ. / The "
            "target is not understood; write field:NAME[:n], word:PAGE:n or finding:KEY.",
            field="target",
        )

    def __str__(self) -> str:
        """As it is stored: one form for one thing."""
        if self.about is About.FINDING:
            return f"finding:{self.name}"
        if self.about is About.WORD:
            return f"word:{self.name}:{'g' if self.is_gap else ''}{self.number}"
        return f"field:{self.name}" + (f":{self.number}" if self.number > 1 else "")


class EntryState(enum.StrEnum):
    """How far a person is with a value."""

    DRAFT = "draft"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person typed for a target. `version` is the client's running number, from 1.

    `machine` is what was read when it was confirmed; None: nothing was, or it is a draft.
    """

    paper_id: str
    target: Target
    value: str
    state: EntryState
    machine: str | None
    reason: str | None
    by: str
    at: datetime
    version: int

    @property
    def is_confirmed(self) -> bool:
        """Whether a named person stands for it."""
        return self.state is EntryState.CONFIRMED


@dataclass(frozen=True, slots=True)
class Correction:
    """One confirmation that says something: the machine's reading, before, after, who and why.

    `name` is the person's as it stands in the manifest.
    """

    id: str
    paper_id: str
    agency_id: str
    target: Target
    machine: str | None
    before: str | None
    after: str
    reason: str | None
    station: str
    by: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """That a person went through a paper. `values`: what they confirmed, by target.

    `disputed`: targets for which somebody before them had confirmed another value.
    """

    by: str
    name: str
    at: datetime
    changed: int
    values: Mapping[str, str]
    disputed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """As `papers.checks` has it."""
        return {
            "by": self.by,
            "name": self.name,
            "at": self.at.isoformat(),
            "changed": self.changed,
            "values": dict(self.values),
            "disputed": list(self.disputed),
        }

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            entries["by"],
            entries["name"],
            datetime.fromisoformat(entries["at"]),
            entries["changed"],
            entries["values"],
            tuple(entries["disputed"]),
        )


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper at one moment; the columns of the table `papers`. `version` is its entity tag."""

    id: str
    agency_id: str
    stack_id: str
    dossier_code: str
    component_code: str
    sheet_serial: str | None
    state: PaperState
    priority: int
    pages: int
    arrangement_seq: int
    proposals_sha256: str | None
    summary: JSON
    checks_required: int
    checks: tuple[Check, ...]
    hold: JSON
    lease_by: str | None
    lease_until: datetime | None
    doc_number: str | None
    doc_symbol: str | None
    doc_agency: str | None
    reuses: str | None
    digitization_code: str | None
    original_sha256: str | None
    draft_sha256: str | None
    marked_sha256: str | None
    mark: JSON
    accepted: JSON
    record_id: str | None
    sealed_sha256: str | None
    link_sha256: str | None
    error: JSON
    created_at: datetime
    filed_at: datetime | None
    version: int

    def is_held(self, now: datetime) -> bool:
        """Whether a person has it before them."""
        return self.lease_by is not None and self.lease_until is not None and self.lease_until > now

    @property
    def disputed(self) -> tuple[str, ...]:
        """Targets for which the people who checked it do not agree."""
        return self.checks[-1].disputed if self.checks else ()

    @property
    def is_reused(self) -> bool:
        """`DuocTaiSuDung` of the sync message: an earlier record serves."""
        return self.state is PaperState.REUSED


def paper_of(row: Any) -> Paper:  # noqa: ANN401 - a row
    """A row of the table `papers`."""
    values = dict(row._mapping)
    values["state"] = PaperState(values["state"])
    values["checks"] = tuple(Check.from_json(check) for check in values["checks"])
    return Paper(**values)


def entry_of(row: Any) -> Entry:  # noqa: ANN401 - a row
    """A row of the table `paper_entries`."""
    values = dict(row._mapping)
    values["target"] = Target.parse(values["target"])
    values["state"] = EntryState(values["state"])
    return Entry(**values)


def correction_of(row: Any) -> Correction:  # noqa: ANN401 - a row
    """A row of the table `paper_corrections`."""
    values = dict(row._mapping)
    values["target"] = Target.parse(values["target"])
    return Correction(**values)
