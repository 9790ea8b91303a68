"""What a paper's record is made of, gathered from rows and blobs: pages, words, who said what.

    material = gather(database, blobs, agency_id, paper_id)
    material.corrected(1)                    # the page's reading with what people confirmed

Nothing of it changes while the paper is CHECKED; the record depends on nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from dossier.checking.corrected import (
    CorrectedPage,
    Said,
    accepted_findings,
    checked_fields,
    corrected_page,
    paper_checks,
)
from dossier.checking.owners import OwnerData, owner_of
from dossier.checking.rows import entries_of, one_paper, proposals_beside
from dossier.checking.values import Paper, correction_of
from dossier.errors import StateConflict
from dossier.filing.codes import CodeFacts
from dossier.intake.review_depth import ReviewDepth
from dossier.stacks.arrangement import ArrangedPaper, AsidePage
from dossier.stacks.history import in_force
from dossier.stacks.proposals import PaperProposals, ProposedPage
from dossier.stacks.reading import PageReading
from dossier.stacks.values import PaperState, Scan, Stack, StackPage, page_of, scan_of, stack_of
from dossier.storage.database import Database
from dossier.storage.station_tables import (
    paper_corrections,
    stack_pages,
    stack_scans,
    stacks,
)
from dossier.storage.store import BlobStore
from dossier.storage.tables import agencies
from ocr.fields.extract import DocumentFields
from ocr.page import RecognisedPage
from ocr.record.checked import CheckedField, CheckedPaper, Owner, SetAside, SignedOriginal

_UNKNOWN_TYPE = "GT"  # giấy tờ: neither a component nor a type of document is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All of one paper. `readings` by the record's pages; None: the page has no text.

    `scanned_at` is when the first of its files came.
    """

    paper: Paper
    stack: Stack
    agency: str
    arranged: ArrangedPaper
    aside: tuple[AsidePage, ...]
    pages: dict[str, StackPage]
    scans: dict[str, Scan]
    scanned_at: dt.datetime
    proposals: PaperProposals
    readings: tuple[PageReading | None, ...]
    said: Said
    owner: OwnerData

    @property
    def fields(self) -> tuple[CheckedField, ...]:
        """Every field as people left it."""
        return checked_fields(self.proposals, self.said)

    @property
    def title(self) -> str:
        """What the record is called: abstract, else type, else component."""
        values = {one.name: one.value for one in reversed(self.fields) if one.value}
        return (
            values.get("abstract")
            or values.get("doc_type")
            or self.paper.component_code
            or "Giấy tờ được số hóa"
        )

    @property
    def code_facts(self) -> CodeFacts:
        """What its digitization code is made of."""
        kinds = (one.value for one in self.fields if one.name == "doc_type" and one.value)
        kind = self.paper.component_code or next(kinds, _UNKNOWN_TYPE)
        paper = self.paper
        return CodeFacts(self.owner.id, kind, paper.dossier_code, paper.agency_id)

    def corrected(self, number: int) -> CorrectedPage | None:
        """The lines of a page of the record (from 1) as people left them."""
        reading = self.readings[number - 1]
        if reading is None:
            return None
        return corrected_page(reading.page, self.arranged.pages[number - 1].page, self.said)

    def words(self) -> list[RecognisedPage]:
        """The pages that have a text, with its corrections, numbered as the record numbers them.

        Their images have no files.
        """
        found = []
        for number, reading in enumerate(self.readings, 1):
            corrected = self.corrected(number)
            if reading is not None and corrected is not None:
                image = replace(reading.page.image, number=number)
                found.append(replace(reading.page, image=image, lines=corrected.lines))
        return found

    def checked(
        self, code: str, template: str, originals: Sequence[SignedOriginal]
    ) -> CheckedPaper:
        """What the manifest says of people and rules."""
        numbers = {placed.page: n for n, placed in enumerate(self.arranged.pages, 1)}
        corrected = {n: self.corrected(n) for n in numbers.values()}
        return CheckedPaper(
            dossier=self.paper.dossier_code,
            component=self.paper.component_code,
            digitization_code=code,
            code_template=template,
            owner=Owner(self.owner.id, self.owner.name, self.owner.born),
            checks=paper_checks(self.paper),
            fields=self.fields,
            findings=accepted_findings(self.said),
            set_aside=tuple(self._set_aside(one) for one in self.aside),
            originals=tuple(originals),
            corrections={n: c.corrections for n, c in corrected.items() if c and c.corrections},
            notes_of={
                n: numbers[placed.note_of]
                for n, placed in enumerate(self.arranged.pages, 1)
                if placed.note_of in numbers and placed.note_of is not None
            },
        )

    def _set_aside(self, one: AsidePage) -> SetAside:
        page = self.pages[one.placed.page]
        scan = self.scans[page.scan_id]
        return SetAside(scan.name, page.index, page.sha256, one.why.value)


def gather(database: Database, blobs: BlobStore, agency_id: str | None, paper_id: str) -> Material:
    """Read all of a paper that was checked.

    Raises `NotFound`, `StoreError`, and `StateConflict` when what was read is not what lies in the
    arrangement (it is being read anew).
    """
    with database.read() as connection:
        paper = one_paper(connection, agency_id, paper_id)
        stack, agency = _stack_and_agency(connection, paper)
        present = in_force(connection, stack.id, paper.arrangement_seq)
        entries = entries_of(connection, paper_id)
        rows = connection.execute(
            sa.select(paper_corrections)
            .where(paper_corrections.c.paper_id == paper_id)
            .order_by(paper_corrections.c.id)
        )
        said = Said.of(paper, entries, [correction_of(row) for row in rows])
        pages, scans, times = _sources(connection, stack.id)
        others = proposals_beside(connection, paper)
    if present is None or paper.state is PaperState.PROPOSING:
        raise _being_read()
    arranged = present.arrangement.paper(paper_id)
    if paper.proposals_sha256 is None:
        proposals = _nothing_proposed(paper, arranged, pages)
    else:
        proposals = PaperProposals.from_bytes(blobs.get(paper.proposals_sha256))
    if tuple(page.page for page in proposals.pages) != arranged.page_ids:
        raise _being_read()
    readings = tuple(
        None if one.reading_sha256 is None
        else PageReading.from_bytes(blobs.get(one.reading_sha256))
        for one in proposals.pages
    )  # fmt: skip
    cards = [proposals.card] + [
        PaperProposals.from_bytes(blobs.get(digest)).card for digest in others
    ]
    own, *of_dossier = (card.reading if card else None for card in cards)
    mine = [pages[page].scan_id for page in arranged.page_ids]
    return Material(
        paper=paper,
        stack=stack,
        agency=agency,
        arranged=arranged,
        aside=tuple(one for one in present.arrangement.aside if one.paper == paper_id),
        pages=pages,
        scans=scans,
        scanned_at=min(times[scan] for scan in mine),
        proposals=proposals,
        readings=readings,
        said=said,
        owner=owner_of(checked_fields(proposals, said), own, of_dossier),
    )


def _stack_and_agency(connection: sa.Connection, paper: Paper) -> tuple[Stack, str]:
    row = connection.execute(sa.select(stacks).where(stacks.c.id == paper.stack_id)).one()
    name = sa.select(agencies.c.name).where(agencies.c.id == paper.agency_id)
    return stack_of(row), str(connection.execute(name).scalar_one())


def _sources(
    connection: sa.Connection, stack_id: str
) -> tuple[dict[str, StackPage], dict[str, Scan], dict[str, dt.datetime]]:
    """Pages and files of a stack, and when the files came, by id."""
    found = connection.execute(sa.select(stack_pages).where(stack_pages.c.stack_id == stack_id))
    pages = {row.id: page_of(row) for row in found}
    rows: Sequence[Any] = connection.execute(
        sa.select(stack_scans).where(stack_scans.c.stack_id == stack_id)
    ).all()
    return (
        pages,
        {row.id: scan_of(row) for row in rows},
        {row.id: row.created_at for row in rows},
    )


def _nothing_proposed(
    paper: Paper, arranged: ArrangedPaper, pages: Mapping[str, StackPage]
) -> PaperProposals:
    """For a paper that the machine failed on for good: its pages, and what people typed."""
    return PaperProposals(
        paper=paper.id,
        arrangement_seq=paper.arrangement_seq,
        pages=tuple(ProposedPage(page, pages[page].reading_sha256) for page in arranged.page_ids),
        fields=DocumentFields((), (), ""),
        depth=ReviewDepth(2, ()),
    )


def _being_read() -> StateConflict:
    return StateConflict(
        "Giấy tờ đang được đọc lại nên chưa lập được bản ghi; hãy kiểm tra lại khi đọc xong. / The "
        "paper is being read anew; check it again when that is done."
    )
