"""One paper's pass over its cells, from the head to the foot, with a check for each value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ocr.fields.abstract_cells import Title, find_letter_abstract, find_title
from ocr.fields.consensus import Spellings, names_agency, place_tail
from ocr.fields.copy_block import find_copy
from ocr.fields.doctypes import Catalogue, likeness, plain
from ocr.fields.handwriting import looks_handwritten
from ocr.fields.header_cells import (
    IssueDate,
    find_head,
    find_number_line,
    read_date,
    split_agency,
)
from ocr.fields.mending import (
    all_terms,
    digits,
    is_family_name,
    mend_agency,
    mend_recipient,
    mend_terms,
    without_specks,
)
from ocr.fields.pieces import Piece, Span, join, span_of, tidy
from ocr.fields.proposals import (
    Proposal,
    UnreadField,
    propose,
    propose_formula,
    propose_person,
)
from ocr.fields.signature_cells import clean_title, find_recipients, find_signature
from ocr.page import Box

_CITIZEN = re.compile(r"(?<![\d.,/])0\d{11}(?![\d/])")
_DOSSIER = re.compile(r"(?<![\w.])(?:\d{3}\.\d{2}\.\d{2}\.)?[A-Z]\d{2}(?:\.\d{2})?-\d{6}-\d{4}\b")
_DASHES = str.maketrans({"–": "-", "—": "-", "Ð": "Đ", " ": None})
_CASE_LABEL = re.compile(r"ma (?:so )?ho so")
_BARE = frozenset({"GUQ", "GM", "GGT", "GNP", "PG", "PC", "PB"})  # slips, forms 1.7-1.10
_NEAR = 0.6  # a code of two or three letters with one misread
# NĐ 30 writes 05 and tháng 01, 02: a lone digit there is what is left of two
_LOST_DIGIT = re.compile(r"y[ .,]+\d[ .,]+t|g[ .,]+[12][ .,]+n")


class PaperReader:
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
        self._letter = find_letter_abstract(self._head) if self._head is not None else None
        self._title = self._find_title() if self._letter is None else None
        self._spellings = Spellings(pieces)

    def read(self) -> Iterator[Proposal]:
        """All fields, head first."""
        yield from self._numbering()
        yield from self._issuer()
        yield from self._issue_date()
        yield from self._subject()
        yield from self._signer()
        yield from self._numbers()
        for entry in find_recipients(self._main):
            text = mend_recipient(entry.text)
            yield propose("recipients", replace(entry, text=text), mended=text != entry.text)
        yield from self._copying()

    # -- cell 3 -----------------------------------------------------------------------------

    def _numbering(self) -> Iterator[Proposal]:
        head = self._head
        named = self._title.kind if self._title is not None else None
        code = named.code if named is not None and self._letter is None else None
        agency = _name_of(split_agency(head.agency_lines)[1]) if head is not None else ""
        if head is not None and head.symbol is not None:
            yield from self._number_cell(
                head.number, head.symbol, head.number_gap, "doc", code, agency
            )
        elif self._line is not None:
            yield from self._number_cell(*self._line, "doc", code, agency)

    def _number_cell(
        self, number: Span | None, read: Span, gap: Span | None, whose: str, named: str | None,
        agency: str,
    ) -> Iterator[Proposal]:  # fmt: skip
        """Number and symbol of the paper (`whose` is doc) or of the copying agency (copy).

        `named` is the code of the type or form that the heading names.
        """
        if number is not None:
            if looks_handwritten(number, read, self._pen):
                self._mark(f"{whose}_number", "handwritten", number)
            else:
                text = digits(number.text)
                mended = text != re.sub(r"\s", "", number.text)
                # NĐ 30: a number below 10 has a zero before it, so one digit alone lost another
                yield propose(
                    f"{whose}_number", replace(number, text=text), mended=mended,
                    contradicted=len(text) < 2 or mended or _without_stroke(number, read),
                )  # fmt: skip
        elif gap is not None:
            written = any(c.isalnum() for c in _between(gap.text))
            self._mark(f"{whose}_number", "handwritten" if written else "blank", gap)
        symbol = _symbol(read.text)
        year, code, rest = _parts(symbol)
        match = self._catalogue.by_code(code)
        if match is not None and not match.exact:
            symbol = f"{year}{match.code}{rest}"
        elif named is not None and code != named and rest and likeness(code, named) >= _NEAR:
            symbol = f"{year}{named}{rest}"
        _, code, rest = _parts(symbol)
        issuer = rest[1:] if code == named or match is not None else code
        fits = names_agency(issuer, agency)
        yield propose(
            f"{whose}_symbol",
            replace(read, text=symbol),
            mended=symbol != read.text.replace(" ", ""),
            confirmed=fits and (named is None or code == named),
            contradicted=(bool(agency) and not fits) or (named is not None and code != named),
        )

    # -- cells 2 and 4 ----------------------------------------------------------------------

    def _issuer(self) -> Iterator[Proposal]:
        if self._head is None:
            return
        parent, agency = split_agency(self._head.agency_lines)
        if agency:
            yield self._agency("agency", agency)
        if parent:
            yield self._agency("parent_agency", parent)

    def _agency(self, name: str, lines: Sequence[Piece]) -> Proposal:
        """An agency's name: its fixed words mended, its place spelled as the paper does."""
        span = _stacked(lines)
        text = mend_agency(span.text)
        start = place_tail(text)
        if start is None:
            known = all_terms(text)
            return propose(
                name, replace(span, text=text), mended=text != span.text, confirmed=known,
                known=known,
            )  # fmt: skip
        words = text.split()
        place = self._spellings.of(" ".join(words[start:]))
        whole = " ".join([*words[:start], place.text])
        known = all_terms(" ".join(words[:start]))
        return propose(
            name, replace(span, text=whole), mended=whole != span.text,
            confirmed=place.repeated and not place.disputed and known,
            contradicted=place.disputed, known=known,
        )  # fmt: skip

    def _issue_date(self) -> Iterator[Proposal]:
        head = self._head
        if head is not None and head.date is None and head.date_gap is not None:
            self._mark("issued_date", "handwritten", head.date_gap)
            place, comma, _ = head.date_gap.text.partition(",")
            if comma:
                words = head.date_gap.words[: len(place.split())]
                yield self._place(Span(place, words, head.date_gap.page))
            return
        date = head.date if head is not None and head.date is not None else self._date_elsewhere()
        if date is None:
            return
        yield from self._date_cell(date, "issued_date")
        if date.place is not None:
            yield self._place(date.place)

    def _place(self, read: Span) -> Proposal:
        span = tidy(read)
        found = self._spellings.of(span.text)
        return propose(
            "place", replace(span, text=found.text), mended=found.text != span.text,
            confirmed=found.repeated and not found.disputed, contradicted=found.disputed,
        )  # fmt: skip

    def _date_cell(self, date: IssueDate, name: str) -> Iterator[Proposal]:
        if any(w.box in self._pen for w in date.span.words):
            self._mark(name, "handwritten", date.span)
        else:
            value = replace(date.span, text=date.value.isoformat())
            lost = _LOST_DIGIT.search(plain(date.span.text)) is not None
            yield propose(name, value, mended=date.mended, contradicted=lost or date.mended)

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

    def _find_title(self) -> Title | None:
        head = self._head
        if head is None:
            return find_title([p for p in self._main if p.page == 1], 0.0, self._catalogue)
        here = [p for p in self._main if p.page == head.page]
        return find_title(here, head.bottom - 1, self._catalogue)

    def _subject(self) -> Iterator[Proposal]:
        if self._letter is not None:  # a letter has no type: TTr-VP is its agency's and unit's
            text = without_specks(self._letter.text)
            yield propose(
                "abstract", replace(self._letter, text=text), mended=text != self._letter.text
            )
            return
        yield from self._kind()
        if self._title is not None:
            span = self._title.abstract or self._title.span
            clean = replace(span, text=without_specks(span.text))
            yield propose_formula(
                "abstract", clean, contradicted=self._title.abstract is None and not self._bare()
            )

    def _bare(self) -> bool:
        """Whether the paper is of a type that may stand without an abstract, or a form."""
        kind = self._title.kind if self._title is not None else None
        return kind is None or kind.code in _BARE

    def _kind(self) -> Iterator[Proposal]:
        """The type code, from the symbol first; the heading confirms it or stands in."""
        title = self._title
        named = title.kind if title is not None else None
        read = self._head.symbol if self._head is not None else None
        if read is None and self._line is not None:
            read = self._line[1]
        if read is not None:
            _, code, rest = _parts(_symbol(read.text))
            match = self._catalogue.by_code(code) if rest else None
            if match is not None and match.code in self._catalogue.types:
                agrees = named is not None and named.code == match.code
                yield propose(
                    "doc_type",
                    replace(read, text=match.code),
                    mended=not agrees and not match.exact,
                    confirmed=agrees,
                    contradicted=named is not None and not agrees,
                )
                return
        if title is not None and named is not None:
            yield propose(
                "doc_type", replace(title.span, text=named.code), mended=not named.exact,
                confirmed=read is None and named.exact,
            )  # fmt: skip

    # -- cells 7 and below --------------------------------------------------------------------

    def _signer(self) -> Iterator[Proposal]:
        block = find_signature(self._main)
        if block is None:
            return
        title = join([block.title])
        title = replace(title, text=clean_title(title.text))
        if block.authority:
            whole = join(block.authority)
            whole = replace(whole, text=clean_title(whole.text))
            yield _formula("signer_authority", whole)
        yield _formula("signer_title", title)
        if block.name is not None:
            yield _person("signer_name", block.name)

    def _numbers(self) -> Iterator[Proposal]:
        for piece in self._main:
            for match in _CITIZEN.finditer(piece.text):
                yield propose("citizen_number", span_of(piece, match))
            if not _CASE_LABEL.search(plain(piece.text)):
                continue
            for match in _DOSSIER.finditer(piece.text):
                yield propose("dossier_code", span_of(piece, match))

    def _copying(self) -> Iterator[Proposal]:
        """The form of copy and the copying agency's own cells."""
        copy = self._copy
        if copy is None:
            return
        form = replace(join([copy.heading]), text=copy.form.code)
        yield propose("copy_form", form, mended=not copy.form.exact, confirmed=copy.form.exact)
        head = copy.head
        if head is None:
            return
        _, agency = split_agency(head.agency_lines)
        if head.symbol is not None:
            yield from self._number_cell(
                head.number, head.symbol, head.number_gap, "copy", copy.form.code, _name_of(agency)
            )
        if agency:
            yield self._agency("copy_agency", agency)
        if head.date is not None:
            yield from self._date_cell(head.date, "copy_date")
        elif head.date_gap is not None:
            self._mark("copy_date", "handwritten", head.date_gap)
        block = find_signature(copy.block)
        if block is not None and block.name is not None:
            yield _person("copy_signer", block.name)

    def _mark(self, name: str, reason: str, span: Span) -> None:
        self.unread.append(UnreadField(name, reason, span.box, span.page))


def _without_stroke(number: Span, symbol: Span) -> bool:
    """Whether number and symbol are one word without the stroke that parts them."""
    shared = {id(w) for w in number.words} & {id(w) for w in symbol.words}
    return any(id(w) in shared and not re.search(r"[/⁄\\]", w.text) for w in number.words)


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


def _stacked(lines: Sequence[Piece]) -> Span:
    """Lines of one name, each without the marks at its ends (the rule under it reads as a dash)."""
    whole = join(lines)
    return replace(whole, text=" ".join(tidy(join([line])).text for line in lines))


def _name_of(lines: Sequence[Piece]) -> str:
    return " ".join(line.text for line in lines)


def _formula(name: str, span: Span) -> Proposal:
    known = all_terms(mend_terms(span.text))
    return propose_formula(name, span, confirmed=known, known=known)


def _person(name: str, span: Span) -> Proposal:
    return propose_person(name, span, confirmed=is_family_name(span.text.split()[0]))
