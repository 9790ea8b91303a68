"""What people and rules add to the manifest of a record whose paper was checked.

    checked = CheckedPaper(dossier="H22.12-…", component="KQ.01", …)
    write_record(pages, target, meta, provenance, checked=checked)

The machine's reading stands beside the person's, with place, who, when and why. What concerns one
page stands in that page's entry, so that it is proved together with the page (`page_proof`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ocr.page import Box, RecognisedPage
from ocr.record.xmp import xmp_date

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
_DECIMALS = 1  # of pixels


@dataclass(frozen=True, slots=True)
class Person:
    """Who did something: identifier in the service, and the name that people know."""

    id: str
    name: str

    def to_json(self) -> dict[str, JSON]:
        """As the manifest has it."""
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class WordCorrection:
    """A word that a person changed, or (`is_gap`) put where the machine had seen ink alone.

    `word` counts the words (or such places) of the machine's reading from 1, in reading order.
    `machine` is what it read; None: nothing. `person` empty: there is no word.
    """

    word: int
    is_gap: bool
    box: Box
    machine: str | None
    person: str
    by: Person
    at: datetime
    reason: str | None
    station: str

    def to_json(self) -> dict[str, JSON]:
        """As the manifest has it."""
        return {
            "word": self.word,
            "gap": self.is_gap,
            "box": corners(self.box),
            "machine": self.machine,
            "person": self.person,
            "by": self.by.to_json(),
            "at": xmp_date(self.at),
            "reason": self.reason,
            "station": self.station,
        }


@dataclass(frozen=True, slots=True)
class Confirmation:
    """That a named person stands for a value, or for a finding that may stay."""

    by: Person
    at: datetime
    reason: str | None = None

    def to_json(self) -> dict[str, JSON]:
        """As the manifest has it."""
        return {"by": self.by.to_json(), "at": xmp_date(self.at), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CheckedField:
    """A field's value with where it came from.

    `machine` is what was read; None: nothing, a person typed all of it. `page` counts the record's
    pages. `confirmed` None: nobody was asked beyond the check as a whole.
    """

    name: str
    value: str
    machine: str | None
    page: int | None = None
    box: Box | None = None
    certainty: float | None = None
    confirmed: Confirmation | None = None

    def to_json(self) -> dict[str, JSON]:
        """As the manifest has it."""
        return {
            "name": self.name,
            "value": self.value,
            "machine": self.machine,
            "page": self.page,
            "box": None if self.box is None else corners(self.box),
            "certainty": self.certainty,
            "confirmed": None if self.confirmed is None else self.confirmed.to_json(),
        }


@dataclass(frozen=True, slots=True)
class AcceptedFinding:
    """A finding of image or stack that a person let stand, and why."""

    code: str
    confirmed: Confirmation


@dataclass(frozen=True, slots=True)
class PaperCheck:
    """That a person went through the whole paper; `changed` counts what they changed."""

    by: Person
    at: datetime
    changed: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """An image that belongs to the paper and is not in the record. Its file stays stored."""

    source: str
    source_page: int
    source_sha256: str
    why: str


@dataclass(frozen=True, slots=True)
class SignedOriginal:
    """A PDF that came signed and stays as it is; the record is its searchable derivative."""

    source: str
    sha256: str
    signatures: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose paper it is. Without an identifier, name and birth (or establishment) describe it."""

    id: str
    name: str
    born: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPaper:
    """All of it. `corrections`, `notes_of` (the page that a page is a second image of) by the
    record's page numbers, from 1.
    """

    dossier: str
    component: str
    digitization_code: str
    code_template: str
    owner: Owner
    checks: tuple[PaperCheck, ...]
    fields: tuple[CheckedField, ...] = ()
    findings: tuple[AcceptedFinding, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    originals: tuple[SignedOriginal, ...] = ()
    corrections: Mapping[int, tuple[WordCorrection, ...]] = field(default_factory=dict)
    notes_of: Mapping[int, int] = field(default_factory=dict)

    def page_members(self, page: RecognisedPage) -> dict[str, JSON]:
        """What the page's entry holds beside what every record says of a page."""
        number = page.image.number
        members: dict[str, JSON] = {
            "corrections": [one.to_json() for one in self.corrections.get(number, ())],
            "note_of": self.notes_of.get(number),
        }
        if page.quality is not None:
            members["quality"] = page.quality.to_json()
        return members

    def to_json(self) -> dict[str, JSON]:
        """The member ``checked`` of the manifest."""
        return {
            "dossier": self.dossier,
            "component": self.component,
            "digitization_code": self.digitization_code,
            "code_template": self.code_template,
            "owner": {"id": self.owner.id, "name": self.owner.name, "born": self.owner.born},
            "fields": [one.to_json() for one in self.fields],
            "accepted_findings": [
                {"code": one.code, **one.confirmed.to_json()} for one in self.findings
            ],
            "checks": [
                {"by": one.by.to_json(), "at": xmp_date(one.at), "changed": one.changed}
                for one in self.checks
            ],
            "set_aside": [
                {
                    "source": one.source,
                    "source_page": one.source_page,
                    "source_sha256": one.source_sha256,
                    "why": one.why,
                }
                for one in self.set_aside
            ],
            "originals": [
                {"source": one.source, "sha256": one.sha256, "signatures": one.signatures}
                for one in self.originals
            ],
        }


def corners(box: Box) -> list[JSON]:
    """Left, top, right, bottom in pixels of the upright page."""
    return [round(edge, _DECIMALS) for edge in (box.left, box.top, box.right, box.bottom)]
