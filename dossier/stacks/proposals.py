"""What the machine proposes for one paper: drafts, until a named person confirms them (D10).

    data = proposals.to_bytes()
    proposals = PaperProposals.from_bytes(data)
    proposals.fields.get("doc_number")       # page 1 is `proposals.pages[0]`

They are made of the paper's pages as they lay at `arrangement_seq`; another arrangement of its
images makes new ones. What people typed is not in here (`paper_entries`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Self

from dossier.errors import StoreError
from dossier.intake.duplicates import DuplicateGround
from dossier.intake.field_checks import FieldFinding
from dossier.intake.review_depth import ReviewDepth
from dossier.model import JSON
from dossier.stacks.plainvalues import packed, unpacked
from ocr.fields.card_reading import CardReading
from ocr.fields.extract import DocumentFields
from ocr.quality.findings import Finding

VERSION = 1
"""Of the form, like that of `dossier.stacks.reading`."""


@dataclass(frozen=True, slots=True)
class ProposedPage:
    """An image of the paper in its order; `page` of a field counts these, from 1.

    `reading_sha256` None: the page is faulty and has no text. Boxes are in pixels of the upright
    page, as its reading has it.
    """

    page: str
    reading_sha256: str | None


@dataclass(frozen=True, slots=True)
class PaperCard:
    """An identity card on the paper. `page` counts from 1."""

    page: int
    reading: CardReading


@dataclass(frozen=True, slots=True)
class ComponentProposal:
    """A component of the dossier that the paper may be; certainty 0-1, reasons vi, en."""

    code: str
    name: str
    certainty: float
    reasons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ComponentChoice:
    """What classification says. `chosen` is a code, or empty; then `why_none` says why (vi, en).

    `asked` is False where nobody asked it: the component was known, or the dossier's procedure
    was not.
    """

    asked: bool = False
    proposals: tuple[ComponentProposal, ...] = ()
    chosen: str = ""
    why_none: tuple[str, str] | None = None


class KnownAs(enum.StrEnum):
    """What kind of thing the earlier paper is."""

    PAPER = "paper"
    STACK = "stack"


@dataclass(frozen=True, slots=True)
class PossibleDuplicate:
    """One reason to look at another paper, or stack, of the agency (D15).

    `pages`: which of ours is alike which of its pages, ids.
    """

    ground: DuplicateGround
    known_as: KnownAs
    reference: str
    pages: tuple[tuple[str, str], ...]
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class PageFinding:
    """A finding of a paper's image, or of its card; `page` counts from 1."""

    page: int
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperProposals:
    """All that the machine says of one paper. `missing_seal`: its component asks for a red one."""

    paper: str
    arrangement_seq: int
    pages: tuple[ProposedPage, ...]
    fields: DocumentFields
    depth: ReviewDepth
    words: int = 0
    doubtful_words: int = 0
    card: PaperCard | None = None
    field_findings: tuple[FieldFinding, ...] = ()
    page_findings: tuple[PageFinding, ...] = ()
    missing_seal: Finding | None = None
    component: ComponentChoice = ComponentChoice()
    duplicates: tuple[PossibleDuplicate, ...] = ()
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """As they are stored."""
        return packed(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote. Raises `StoreError`."""
        found = unpacked(cls, data)
        if found.version > VERSION:
            raise StoreError(
                "Đề xuất của giấy tờ do phiên bản mới hơn ghi; hãy cập nhật chương trình. / The "
                "paper's proposals were written by a newer version; update the program."
            )
        return found

    @property
    def warnings(self) -> int:
        """Findings of severity `warn` of fields and card."""
        found = sum(f.severity == "warn" for f in self.field_findings)
        card = self.card.reading.findings if self.card is not None else ()
        return found + sum(f.severity == "warn" for f in card)

    def summary(self) -> dict[str, JSON]:
        """What lists show of the paper (`papers.summary`)."""
        kind, abstract = self.fields.get("doc_type"), self.fields.get("abstract")
        number, symbol = self.fields.get("doc_number"), self.fields.get("doc_symbol")
        return {
            "type": kind.value if kind else "",
            "title": abstract.value if abstract else "",
            "number": number.value if number else "",
            "symbol": symbol.value if symbol else "",
            "fields": len(self.fields.fields),
            "doubtful_fields": sorted({f.name for f in self.fields.fields if f.doubtful}),
            "unread_fields": sorted({u.name for u in self.fields.unread}),
            "words": self.words,
            "doubtful_words": self.doubtful_words,
            "warnings": self.warnings,
            "findings": sorted(
                {f.code for f in self.field_findings}
                | {f.finding.code.value for f in self.page_findings}
                | ({self.missing_seal.code.value} if self.missing_seal else set())
            ),
            "duplicates": len(self.duplicates),
            "card": self.card is not None,
            "component": self.component.chosen,
            "people": self.depth.people,
            "reasons": [list(reason) for reason in self.depth.reasons],
        }
