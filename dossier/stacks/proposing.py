"""From the readings of a paper's pages to what the machine proposes for it. Pure.

    proposals = propose(asked, readings, book, rules)

The pages count as one paper, whatever files they came in: that is what people, or a cover sheet,
said. The second image of a page (with a note laid over it) adds no text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dossier.intake.catalogues import Catalogues, PaperForm, RequiredComponent
from dossier.intake.classification import classify
from dossier.intake.field_checks import check_fields
from dossier.intake.review_depth import ReviewRule, review_depth
from dossier.stacks.arrangement import ArrangedPaper, PageKind
from dossier.stacks.proposals import (
    ComponentChoice,
    ComponentProposal,
    PageFinding,
    PaperCard,
    PaperProposals,
    PossibleDuplicate,
    ProposedPage,
)
from dossier.stacks.reading import NOWHERE, PageReading
from dossier.storage.store import BlobInfo
from ocr.fields.card_reading import check_card
from ocr.fields.extract import DocumentFields, FieldCollector
from ocr.page import ImageStream, PageImage, RecognisedPage
from ocr.quality.findings import Finding, PageQuality
from ocr.quality.inspect import missing_seal
from ocr.quality.profiles import Profile


@dataclass(frozen=True, slots=True)
class Asked:
    """A paper as it lay at `seq`, and what is known of its dossier on `day` (in Vietnam).

    `procedure` is a code, empty where nobody said which one it is.
    """

    paper: ArrangedPaper
    seq: int
    day: dt.date
    procedure: str
    profile: Profile
    rule: ReviewRule


@dataclass(frozen=True, slots=True)
class PaperPage:
    """An image of the paper: its reading, and the digest that names it; None: it is faulty.

    `stored` is the reading's blob where it was read again, the way up that a person said.
    """

    reading: PageReading | None
    sha256: str | None
    is_note: bool = False
    stored: BlobInfo | None = None


def propose(
    asked: Asked,
    pages: Sequence[PaperPage],
    book: Catalogues,
    duplicates: tuple[PossibleDuplicate, ...] = (),
) -> PaperProposals:
    """All proposals for one paper; `duplicates` are put in by whoever looked for them."""
    fields = fields_of(pages)
    shown = [page.reading for page in pages if page.reading is not None and not page.is_note]
    card = _card(pages)
    findings = check_fields(fields, book, asked.day, card.reading if card is not None else None)
    made = PaperProposals(
        paper=asked.paper.id,
        arrangement_seq=asked.seq,
        pages=tuple(
            ProposedPage(placed.page, page.sha256)
            for placed, page in zip(asked.paper.pages, pages, strict=True)
        ),
        fields=fields,
        depth=review_depth(fields, words=0, doubtful_words=0, warnings=0, rule=asked.rule),
        words=sum(reading.word_count for reading in shown),
        doubtful_words=sum(reading.doubtful_count for reading in shown),
        card=card,
        field_findings=findings,
        page_findings=tuple(_page_findings(asked, pages, card)),
        missing_seal=_missing_seal(asked, shown, book),
        component=_component(asked, fields, pages, card, book),
        duplicates=duplicates,
    )
    depth = review_depth(
        fields,
        words=made.words,
        doubtful_words=made.doubtful_words,
        warnings=made.warnings,
        rule=asked.rule,
    )
    return replace(made, depth=depth)


def fields_of(pages: Sequence[PaperPage]) -> DocumentFields:
    """The fields of one paper; each image counts, a faulty or second one without words."""
    collector = FieldCollector()
    for page in pages:
        reading = page.reading
        if reading is None:
            collector.take(_NO_TEXT)
        elif page.is_note:
            collector.take(replace(_as_one(reading.page), lines=()))
        else:
            collector.take(_as_one(reading.page), reading.pen)
    return collector.fields()


_SOURCE = "paper"  # one name for all: a collector begins a paper with each file
_NO_TEXT = RecognisedPage(
    PageImage(
        1, _SOURCE, 1, "", "", ImageStream(NOWHERE, "DCTDecode", 1, 1, 1, 8), True,
        (200.0, 200.0), True, 0,
    ), 0, 1, 1, (200.0, 200.0), 0.0, False, (),
)  # fmt: skip


def _as_one(page: RecognisedPage) -> RecognisedPage:
    return replace(page, image=replace(page.image, source=_SOURCE))


def _card(pages: Sequence[PaperPage]) -> PaperCard | None:
    for number, page in enumerate(pages, 1):
        if page.reading is not None and page.reading.card is not None:
            return PaperCard(number, page.reading.card)
    return None


def _page_findings(
    asked: Asked, pages: Sequence[PaperPage], card: PaperCard | None
) -> Sequence[PageFinding]:
    found = [
        PageFinding(number, finding)
        for number, page in enumerate(pages, 1)
        if page.reading is not None and page.reading.quality is not None
        for finding in page.reading.quality.findings
    ]
    if card is not None:
        reading = pages[card.page - 1].reading
        assert reading is not None  # noqa: S101 - the card is on it
        expired = check_card(card.reading, reading.page, asked.day, asked.profile)
        if expired is not None:
            found.append(PageFinding(card.page, expired))
    return found


def _required(asked: Asked, book: Catalogues) -> tuple[RequiredComponent, ...]:
    known = book.procedure(asked.procedure, asked.day) if asked.procedure else None
    return known.components if known is not None else ()


def _missing_seal(
    asked: Asked, readings: Sequence[PageReading], book: Catalogues
) -> Finding | None:
    """For an original whose component asks for a red seal; a copy's is its copier's affair."""
    code = asked.paper.component_code
    component = next((c for c in _required(asked, book) if c.code == code), None)
    if component is None or not component.needs_red_seal or component.form is PaperForm.COPY:
        return None
    if any(placed.kind is PageKind.COPY for placed in asked.paper.pages):
        return None
    qualities: list[PageQuality] = [r.quality for r in readings if r.quality is not None]
    return missing_seal(qualities, asked.profile)


def _component(
    asked: Asked,
    fields: DocumentFields,
    pages: Sequence[PaperPage],
    card: PaperCard | None,
    book: Catalogues,
) -> ComponentChoice:
    required = _required(asked, book)
    if asked.paper.component_code or not required or not pages:
        return ComponentChoice()
    first = pages[0].reading
    head = first.page.text if first is not None else ""
    on_first = card.reading if card is not None and card.page == 1 else None
    found = classify(fields, head, asked.paper.page_count, on_first, required)
    return ComponentChoice(
        asked=True,
        proposals=tuple(
            ComponentProposal(
                p.component.code, p.component.name, p.certainty,
                tuple((reason.vi, reason.en) for reason in p.reasons),
            )
            for p in found.proposals
        ),
        chosen=found.chosen.component.code if found.chosen is not None else "",
        why_none=(found.why_none.vi, found.why_none.en) if found.why_none is not None else None,
    )  # fmt: skip
