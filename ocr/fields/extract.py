"""Field extraction (bóc tách dữ liệu) from the recognised pages of a record.

Everything extracted is a *proposal*: it stays DRAFT until a named person confirms it. What
was written by hand is never filled in by machine; it is listed as unread, with its place, for
the operator to type. Type codes belong to the catalogue of NĐ 30/2020, Appendix III.

Field names: doc_number, doc_symbol, doc_type, agency, parent_agency, place, issued_date
(ISO 8601), abstract, signer_authority, signer_title, signer_name, citizen_number (one field
each), recipients (one field each), dossier_code. A paper copy has the form of copy too, and
what its copying agency wrote: copy_form (SY, TrS or SL), copy_number, copy_symbol, copy_agency,
copy_date, copy_signer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ocr.fields.abstract_cells import Title, find_letter_abstract, find_title
from ocr.fields.copy_block import find_copy
from ocr.fields.doctypes import Catalogue, bundled_catalogue, plain
from ocr.fields.handwriting import blue_words, looks_handwritten
from ocr.fields.header_cells import (
    IssueDate,
    find_head,
    find_number_line,
    read_date,
    split_agency,
)
from ocr.fields.mending import digits, mend_name, mend_terms
from ocr.fields.pieces import Piece, Span, bare, join, pieces_of, span_of
from ocr.fields.signature_cells import clean_title, find_recipients, find_signature
from ocr.page import Box, RecognisedPage

_CITIZEN = re.compile(r"(?<![\d.,/])0\d{11}(?![\d/])")
_DOSSIER = re.compile(r"(?<![\w.])(?:\d{3}\.\d{2}\.\d{2}\.)?[A-Z]\d{2}(?:\.\d{2})?-\d{6}-\d{4}\b")
_MENDED = 0.8  # factor on the confidence of a value that had to be mended
_DASHES = str.maketrans({"–": "-", "—": "-", "Ð": "Đ", " ": None})
_CASE_LABEL = re.compile(r"ma (?:so )?ho so")


@dataclass(frozen=True, slots=True)
class Field:
    """One proposed value: confidence 0-100, box in pixels of the upright page (from 1)."""

    name: str
    value: str
    confidence: float
    box: Box
    page: int


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A value that stands on the paper but is not for a machine to read."""

    name: str
    reason: str  # "handwritten" or "blank"
    box: Box
    page: int


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


def _corners(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.left, box.top, box.right, box.bottom)]


class FieldCollector:
    """Gathers a record's pages as they leave the pipeline, then reads their fields.

    A record may hold several papers: one begins with each source file whose first page bears
    the national header. Files without one continue the paper before (a page a file).
    `see` serves as the pipeline's `on_page`: it looks at the ink of number and date while the
    page's image files still exist, and keeps only words. Not thread-safe.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = catalogue or bundled_catalogue()
        self._papers: list[tuple[int, list[Piece]]] = []
        self._source: str | None = None
        self._pages = 0
        self._pen: set[Box] = set()

    def see(self, page: RecognisedPage, _total: int = 0) -> None:
        """Take the next page. Never raises on what the text says."""
        self._pages += 1
        pieces = pieces_of(page, self._pages)
        found = find_head(pieces)
        if not self._papers or (found is not None and page.image.source != self._source):
            self._papers.append((self._pages, []))
        self._source = page.image.source
        self._papers[-1][1].extend(pieces)
        if found is None:
            return
        heads = [found[0]]
        copy = find_copy(pieces, found, self._catalogue)
        if copy is not None and copy.head is not None:
            heads.append(copy.head)
        spans = [s for head in heads for s in (head.number, head.date and head.date.span) if s]
        line = find_number_line(pieces)
        if line is not None and line[0] is not None:
            spans.append(line[0])
        self._pen |= blue_words(page, [w.box for s in spans for w in s.words])

    def fields(self) -> DocumentFields:
        """The proposals for the pages seen so far."""
        pen = frozenset(self._pen)
        found: list[Field] = []
        unread: list[UnreadField] = []
        for _, pieces in self._papers:
            reader = _Reader(pieces, self._catalogue, pen)
            found += reader.read()
            unread += reader.unread
        book = self._catalogue
        basis = f"{book.legal_basis} ({book.valid_from.isoformat()})"
        starts = tuple(first for first, _ in self._papers)
        return DocumentFields(tuple(found), tuple(unread), basis, starts)


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


class _Reader:
    """One paper's pass over its cells, from the head to the foot."""

    def __init__(self, pieces: list[Piece], catalogue: Catalogue, pen: frozenset[Box]) -> None:
        self._catalogue = catalogue
        self._pen = pen
        self.unread: list[UnreadField] = []
        first = find_head(pieces)
        self._head = first[0] if first is not None else None
        self._copy = find_copy(pieces, first, catalogue)
        self._main = self._copy.original if self._copy is not None else pieces
        # an agreement without an agency carries its number in the middle, near its heading
        opening = [p for p in self._main if self._main and p.page == self._main[0].page][:14]
        self._line = find_number_line(opening)

    def read(self) -> Iterator[Field]:
        """All fields, head first."""
        yield from self._numbering()
        yield from self._issuer()
        yield from self._issue_date()
        yield from self._subject()
        yield from self._signer()
        yield from self._numbers()
        for entry in find_recipients(self._main):
            yield _field("recipients", entry)
        yield from self._copying()

    # -- cell 3 -----------------------------------------------------------------------------

    def _numbering(self) -> Iterator[Field]:
        head = self._head
        if head is not None and head.symbol is not None:
            yield from self._number_cell(head.number, head.symbol, head.number_gap, "doc")
        elif self._line is not None:
            yield from self._number_cell(*self._line, "doc")

    def _number_cell(
        self, number: Span | None, read: Span, gap: Span | None, whose: str
    ) -> Iterator[Field]:
        """Number and symbol of the paper (`whose` is doc) or of the copying agency (copy)."""
        symbol = _symbol(read.text)
        mended = symbol != read.text.replace(" ", "")
        year, code, rest = _parts(symbol)
        match = self._catalogue.by_code(code)
        if match is not None and not match.exact:
            symbol, mended = f"{year}{match.code}{rest}", True
        if number is not None:
            if looks_handwritten(number, read, self._pen):
                self._mark(f"{whose}_number", "handwritten", number)
            else:
                yield _field(f"{whose}_number", replace(number, text=digits(number.text)))
        elif gap is not None:
            written = any(c.isalnum() for c in _between(gap.text))
            self._mark(f"{whose}_number", "handwritten" if written else "blank", gap)
        yield _field(f"{whose}_symbol", replace(read, text=symbol), mended=mended)

    # -- cells 2 and 4 ----------------------------------------------------------------------

    def _issuer(self) -> Iterator[Field]:
        if self._head is None:
            return
        parent, agency = split_agency(self._head.agency_lines)
        if agency:
            yield _formula("agency", _stacked(agency))
        if parent:
            yield _formula("parent_agency", _stacked(parent))

    def _issue_date(self) -> Iterator[Field]:
        head = self._head
        if head is not None and head.date is None and head.date_gap is not None:
            self._mark("issued_date", "handwritten", head.date_gap)
            place, comma, _ = head.date_gap.text.partition(",")
            if comma:
                words = head.date_gap.words[: len(place.split())]
                yield _field("place", _tidy(Span(place, words, head.date_gap.page)))
            return
        date = head.date if head is not None and head.date is not None else self._date_elsewhere()
        if date is None:
            return
        yield from self._date_cell(date, "issued_date")
        if date.place is not None:
            yield _field("place", _tidy(date.place))

    def _date_cell(self, date: IssueDate, name: str) -> Iterator[Field]:
        if any(w.box in self._pen for w in date.span.words):
            self._mark(name, "handwritten", date.span)
        else:
            value = replace(date.span, text=date.value.isoformat())
            yield _field(name, value, mended=date.mended)

    def _date_elsewhere(self) -> IssueDate | None:
        """Forms carry place and date above the signature; agreements in the first sentence."""
        opening: IssueDate | None = None
        closing: IssueDate | None = None
        for date in filter(None, map(read_date, self._main)):
            place = date.place.text.casefold() if date.place is not None else ""
            if place == "hôm nay":
                opening = opening or replace(date, place=None)
            elif place and len(place.split()) <= 6:
                closing = date
        return closing or opening

    # -- cell 5 -----------------------------------------------------------------------------

    def _subject(self) -> Iterator[Field]:
        head = self._head
        letter = find_letter_abstract(head) if head is not None else None
        if head is not None:
            here = [p for p in self._main if p.page == head.page]
            below = head.bottom - 1
        else:
            here = [p for p in self._main if p.page == 1]
            below = 0.0
        title = find_title(here, below, self._catalogue) if letter is None else None
        if letter is None:  # a letter has no type: TTr-VP is its agency's and unit's
            yield from self._kind(title)
        if letter is not None:
            yield _field("abstract", letter)
        elif title is not None:
            yield _formula("abstract", title.abstract or title.span)

    def _kind(self, title: Title | None) -> Iterator[Field]:
        """The type code, from the symbol first; the heading confirms it or stands in."""
        named = title.kind if title is not None else None
        head = self._head
        read = head.symbol if head is not None and head.symbol is not None else None
        if read is None and self._line is not None:
            read = self._line[1]
        if read is not None:
            _, code, rest = _parts(_symbol(read.text))
            match = self._catalogue.by_code(code) if rest else None
            if match is not None and match.code in self._catalogue.types:
                agrees = named is not None and named.code == match.code
                yield _field(
                    "doc_type",
                    replace(read, text=match.code),
                    mended=not agrees and not match.exact,
                )
                return
        if title is not None and named is not None:
            yield _field("doc_type", replace(title.span, text=named.code), mended=not named.exact)

    # -- cells 7 and below --------------------------------------------------------------------

    def _signer(self) -> Iterator[Field]:
        block = find_signature(self._main)
        if block is None:
            return
        if block.authority:
            whole = join(block.authority)
            yield _formula("signer_authority", replace(whole, text=clean_title(whole.text)))
        title = join([block.title])
        yield _formula("signer_title", replace(title, text=clean_title(title.text)))
        if block.name is not None:
            yield _name("signer_name", block.name)

    def _numbers(self) -> Iterator[Field]:
        for piece in self._main:
            for match in _CITIZEN.finditer(piece.text):
                yield _field("citizen_number", span_of(piece, match))
            if not _CASE_LABEL.search(plain(piece.text)):
                continue
            for match in _DOSSIER.finditer(piece.text):
                yield _field("dossier_code", span_of(piece, match))

    def _copying(self) -> Iterator[Field]:
        """The form of copy and the copying agency's own cells."""
        copy = self._copy
        if copy is None:
            return
        form = replace(join([copy.heading]), text=copy.form.code)
        yield _field("copy_form", form, mended=not copy.form.exact)
        head = copy.head
        if head is None:
            return
        if head.symbol is not None:
            yield from self._number_cell(head.number, head.symbol, head.number_gap, "copy")
        _, agency = split_agency(head.agency_lines)
        if agency:
            yield _formula("copy_agency", _stacked(agency))
        if head.date is not None:
            yield from self._date_cell(head.date, "copy_date")
        elif head.date_gap is not None:
            self._mark("copy_date", "handwritten", head.date_gap)
        block = find_signature(copy.block)
        if block is not None and block.name is not None:
            yield _name("copy_signer", block.name)

    def _mark(self, name: str, reason: str, span: Span) -> None:
        self.unread.append(UnreadField(name, reason, span.box, span.page))


def _parts(symbol: str) -> tuple[str, str, str]:
    """A symbol as year part, type code, and the rest with its hyphen: 2024/, NQ, -HĐND."""
    year = re.match(r"^\d{4}/", symbol)
    start = year.end() if year else 0
    code, hyphen, rest = symbol[start:].partition("-")
    return symbol[:start], code, hyphen + rest


def _between(gap: str) -> str:
    """What was read between `Số:` and the stroke."""
    return gap.partition("/")[0].strip()[2:]


def _symbol(read: str) -> str:
    """A symbol without blanks; one Đ where the engine gave the letter twice (ĐÐ)."""
    return re.sub("ĐĐ+", "Đ", read.translate(_DASHES))


def _tidy(span: Span) -> Span:
    """Without stray marks at the ends and between words."""
    words = [bare(w) for w in span.text.split()]
    kept = [w for w in words if any(c.isalnum() for c in w) or w in ("-", "–")]
    return replace(span, text=" ".join(kept).strip(" .,:;|_-–'\"*"))


def _stacked(lines: Sequence[Piece]) -> Span:
    """Lines of one name, each without the marks at its ends (the rule under it reads as a dash)."""
    whole = join(lines)
    return replace(whole, text=" ".join(_tidy(join([line])).text for line in lines))


def _formula(name: str, span: Span) -> Field:
    """A field that holds fixed upper-case phrases: their marks are mended."""
    tidy = _tidy(span)
    text = mend_terms(tidy.text)
    return _field(name, replace(tidy, text=text), mended=text != tidy.text)


def _name(name: str, span: Span) -> Field:
    """A field that holds a person's full name."""
    text = mend_name(span.text)
    return _field(name, replace(span, text=text), mended=text != span.text)


def _field(name: str, span: Span, *, mended: bool = False) -> Field:
    confidence = span.confidence * (_MENDED if mended else 1.0)
    return Field(name, span.text, confidence, span.box, span.page)
