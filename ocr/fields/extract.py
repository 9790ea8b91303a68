"""Field extraction (bóc tách dữ liệu) from the recognised pages of a record.

Everything extracted is a *proposal*: it stays DRAFT until a named person confirms it. What
was written by hand is never filled in by machine; it is listed as unread, with its place, for
the operator to type. Each value says how likely it is right (`certainty`), and one below the
threshold is doubtful: a person has to look at it (`ocr.fields.certainty`). Type codes belong to
the catalogue of NĐ 30/2020, Appendix III.

Field names: doc_number, doc_symbol, doc_type, agency, parent_agency, place, issued_date
(ISO 8601), abstract, signer_authority, signer_title, signer_name, citizen_number (one field
each), recipients (one field each), dossier_code. A paper copy has the form of copy too, and
what its copying agency wrote: copy_form (SY, TrS or SL), copy_number, copy_symbol, copy_agency,
copy_date, copy_signer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr.fields.certainty import Scale, bundled_scale
from ocr.fields.copy_block import find_copy, names_copy
from ocr.fields.doctypes import Catalogue, bundled_catalogue
from ocr.fields.handwriting import blue_words
from ocr.fields.header_cells import find_country, find_head, find_number_line
from ocr.fields.paper_reader import PaperReader
from ocr.fields.pieces import Piece, Span, pieces_of
from ocr.fields.proposals import Proposal, UnreadField
from ocr.page import Box, RecognisedPage

_MENDED = 0.8  # factor on the confidence of a value that had to be mended


@dataclass(frozen=True, slots=True)
class Field:
    """One proposed value: confidence 0-100, box in pixels of the upright page (from 1).

    `confidence` is the engine's, less where the value was mended; `certainty` is the calibrated
    chance in percent that the value is right, and `doubtful` says that a person has to look at it
    (`ocr.fields.certainty.Scale.doubtful`).
    """

    name: str
    value: str
    confidence: float
    box: Box
    page: int
    certainty: float = 0.0
    doubtful: bool = True


@dataclass(frozen=True, slots=True)
class DocumentFields:
    """The proposals of a record. `state` is always DRAFT here; people confirm elsewhere.

    `first_pages` are the pages where its papers begin; a field belongs to the paper of its page.
    """

    fields: tuple[Field, ...]
    unread: tuple[UnreadField, ...]
    catalogue: str
    first_pages: tuple[int, ...] = ()

    state: str = "DRAFT"

    def get(self, name: str) -> Field | None:
        """The first field of a name."""
        return next((f for f in self.fields if f.name == name), None)

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a name, in reading order."""
        return tuple(f.value for f in self.fields if f.name == name)

    def to_json(self) -> str:
        """The proposals as JSON (UTF-8 text, stable order)."""
        data = {
            "state": self.state,
            "catalogue": self.catalogue,
            "first_pages": list(self.first_pages),
            "fields": [
                {
                    "name": f.name,
                    "value": f.value,
                    "confidence": round(f.confidence, 1),
                    "certainty": round(f.certainty, 1),
                    "doubtful": f.doubtful,
                    "page": f.page,
                    "box": _corners(f.box),
                }
                for f in self.fields
            ],
            "unread": [
                {"name": u.name, "reason": u.reason, "page": u.page, "box": _corners(u.box)}
                for u in self.unread
            ],
        }
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _weighed(proposal: Proposal, scale: Scale) -> Field:
    """A proposal with what its evidence makes of it."""
    name, span, seen = proposal.name, proposal.span, proposal.evidence
    confidence = span.confidence * (_MENDED if seen.mended else 1.0)
    certainty = scale.certainty(name, span.text, seen)
    doubtful = scale.doubtful(name, span.text, seen)
    return Field(name, span.text, confidence, span.box, span.page, certainty, doubtful)


def _corners(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.left, box.top, box.right, box.bottom)]


class FieldCollector:
    """Gathers a record's pages as they leave the pipeline, then reads their fields.

    A record may hold several papers: one begins with each source file whose first page bears
    the national header. Files without one continue the paper before (a page a file).
    `see` serves as the pipeline's `on_page`: it looks at the ink of number and date while the
    page's image files still exist, and keeps only words. Not thread-safe.
    """

    def __init__(self, catalogue: Catalogue | None = None, scale: Scale | None = None) -> None:
        self._catalogue = catalogue or bundled_catalogue()
        self._scale = scale or bundled_scale()
        self._papers: list[tuple[int, list[Piece]]] = []
        self._source: str | None = None
        self._pages = 0
        self._pen: set[Box] = set()

    def see(self, page: RecognisedPage, _total: int = 0) -> None:
        """Take the next page. Never raises on what the text says."""
        here = self.take(page)
        spans = self._numbers_and_dates(here)
        self._pen |= blue_words(page, [w.box for s in spans for w in s.words])

    def take(self, page: RecognisedPage, pen: frozenset[Box] = frozenset()) -> list[Piece]:
        """Take the next page without a look at its image; `pen`: boxes of words in blue ink."""
        self._pages += 1
        pieces = pieces_of(page, self._pages)
        begins = find_country(pieces) is not None and page.image.source != self._source
        if not self._papers or begins:
            self._papers.append((self._pages, []))
        self._source = page.image.source
        self._papers[-1][1].extend(pieces)
        self._pen |= pen
        return pieces

    @property
    def pen(self) -> frozenset[Box]:
        """Boxes of words in blue ink seen so far; whoever keeps a page's words keeps them too."""
        return frozenset(self._pen)

    def _numbers_and_dates(self, here: Sequence[Piece]) -> list[Span]:
        """What may be written by pen on a page: in its head, and in a copying agency's block."""
        found = find_head(here)
        heads = [found[0]] if found is not None else []
        if names_copy(here, self._catalogue):
            paper = self._papers[-1][1]
            copy = find_copy(paper, find_head(paper), self._catalogue)
            if copy is not None and copy.head is not None:
                heads.append(copy.head)
        spans = [s for head in heads for s in (head.number, head.date and head.date.span) if s]
        line = find_number_line(here) if found is not None else None
        return [*spans, line[0]] if line is not None and line[0] is not None else spans

    def proposals(self) -> tuple[list[Proposal], list[UnreadField]]:
        """What the cells give, unweighed, for the pages seen so far."""
        pen = self.pen
        found: list[Proposal] = []
        unread: list[UnreadField] = []
        for _, pieces in self._papers:
            reader = PaperReader(pieces, self._catalogue, pen)
            found += reader.read()
            unread += reader.unread
        return found, unread

    def fields(self) -> DocumentFields:
        """The proposals for the pages seen so far, each with its certainty."""
        proposals, unread = self.proposals()
        found = tuple(_weighed(proposal, self._scale) for proposal in proposals)
        book = self._catalogue
        basis = f"{book.legal_basis} ({book.valid_from.isoformat()})"
        starts = tuple(first for first, _ in self._papers)
        return DocumentFields(found, tuple(unread), basis, starts)


def extract_fields(
    pages: Iterable[RecognisedPage], catalogue: Catalogue | None = None
) -> DocumentFields:
    """The fields of a record from its pages in order. Never raises on what the text says.

    The kept image is opened only for a page with a number or a date in its head, to tell pen
    from print; an image that cannot be opened counts as no evidence.
    """
    collector = FieldCollector(catalogue)
    for page in pages:
        collector.see(page)
    return collector.fields()
