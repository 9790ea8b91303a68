"""A stack of pages becomes documents, blanks set aside, and alarms. Rules only: no image, no clock.

    split = split_stack(pages, rules, alike)

What splits, and nothing else does:

1. a cover sheet whose signature is genuine, of this agency and this station, between its issue
   and its expiry;
2. where the rules ask for it, a patch code, or a blank sheet (both sides), *within* what a cover
   sheet announced: they part its components (or the loose pages before any sheet), never dossiers.

Text on a page is not even looked at. A cover sheet that is genuine but not for here, or not for
now, is laid aside with an alarm; the pages behind it stay with the document before, for a sheet
that does not hold decides nothing. A code that is not genuine leaves its page where it is, a page
like any other. Every page of the stack is in exactly one place of the result.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dossier.intake.alarms import Alarm, AlarmKind
from dossier.intake.completeness import alike_pages, jumps, lost_sides
from dossier.intake.observations import AlikePair, Likeness, PageObservation, Side
from dossier.intake.sheet_codes import Signature
from ocr.separators.patch_codes import PatchCode
from signer.coversheet import CoverSheetClaims, SheetComponent


@dataclass(frozen=True, slots=True)
class SplitRules:
    """Where and when: the agency, the station, the time (aware), and what else may separate.

    `used_serials` are those of cover sheets scanned before.
    """

    agency: str
    station: str
    at: dt.datetime
    patch_separators: frozenset[PatchCode] = frozenset()
    blank_sheets_separate: bool = False
    used_serials: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class AcceptedSheet:
    """A cover sheet that split the stack: its page and what it says."""

    page: int
    claims: CoverSheetClaims


@dataclass(frozen=True, slots=True)
class Document:
    """Pages that belong together. Without a sheet they lay before the first one.

    `component` is None where the sheet's papers could not be divided, or lay before it.
    """

    sheet: AcceptedSheet | None
    component: SheetComponent | None
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A blank side: kept, shown, and put back by `restored`."""

    page: int
    document: int


@dataclass(frozen=True, slots=True)
class SplitStack:
    """The result; every page of the stack is in exactly one of the first five."""

    documents: tuple[Document, ...]
    blanks: tuple[SetAside, ...]
    sheets: tuple[AcceptedSheet, ...]
    refused_sheets: tuple[int, ...]
    separators: tuple[int, ...]
    alarms: tuple[Alarm, ...]

    @property
    def every_page(self) -> tuple[int, ...]:
        """All pages, wherever they went, in the order of the stack."""
        return tuple(
            sorted(
                [
                    *(page for document in self.documents for page in document.pages),
                    *(blank.page for blank in self.blanks),
                    *(sheet.page for sheet in self.sheets),
                    *self.refused_sheets,
                    *self.separators,
                ]
            )
        )


def split_stack(
    pages: Sequence[PageObservation], rules: SplitRules, alike: Iterable[AlikePair] = ()
) -> SplitStack:
    """Split a stack; the same pages under the same rules give the same result."""
    pairs = list(alike)
    walk = _Walk(rules, pairs)
    for position, page in enumerate(pages):
        walk.take(position, page, pages)
    return walk.finish(pages, pairs)


def restored(split: SplitStack, page: int) -> SplitStack:
    """The stack with a blank side back in its document, at its place.

    Raises KeyError when `page` was not set aside.
    """
    found = {blank.page: blank for blank in split.blanks}[page]
    documents = list(split.documents)
    document = documents[found.document]
    documents[found.document] = replace(document, pages=tuple(sorted((*document.pages, page))))
    blanks = tuple(blank for blank in split.blanks if blank.page != page)
    return replace(split, documents=tuple(documents), blanks=blanks)


@dataclass(slots=True)
class _Section:
    """What lies behind one cover sheet, in the parts that separators made of it."""

    sheet: AcceptedSheet | None
    parts: list[list[int]] = field(default_factory=lambda: [[]])
    blanks: list[int] = field(default_factory=list)

    def next_part(self) -> None:
        if self.parts[-1]:
            self.parts.append([])

    @property
    def pages(self) -> tuple[int, ...]:
        return tuple(page for part in self.parts for page in part)


class _Walk:
    """One way through the stack, from its first page to its last."""

    def __init__(self, rules: SplitRules, pairs: Sequence[AlikePair]) -> None:
        self._rules = rules
        self._notes = [pair for pair in pairs if pair.likeness is Likeness.NOTE]
        self._sections = [_Section(None)]
        self._seen: dict[bytes, int] = {}
        self._refused: list[int] = []
        self._separators: list[int] = []
        self._alarms: list[Alarm] = []

    def take(self, position: int, page: PageObservation, pages: Sequence[PageObservation]) -> None:
        section = self._sections[-1]
        if page.sheets:
            self._take_sheet(position, page)
        elif self._separates(position, pages):
            section.next_part()
            self._separators.append(position)
        elif page.blank:
            section.blanks.append(position)
        else:
            section.parts[-1].append(position)

    def _separates(self, position: int, pages: Sequence[PageObservation]) -> bool:
        page = pages[position]
        if page.patches & self._rules.patch_separators:
            return True
        return page.blank and self._is_blank_sheet(position, pages)

    def _is_blank_sheet(self, position: int, pages: Sequence[PageObservation]) -> bool:
        """Whether a blank page is half of a sheet that is blank on both sides, or all of it."""
        if not self._rules.blank_sheets_separate:
            return False
        side = pages[position].side
        if side is Side.SINGLE:
            return True
        other = position + (1 if side is Side.FRONT else -1)
        if not 0 <= other < len(pages):
            return False
        expected = Side.BACK if side is Side.FRONT else Side.FRONT
        return pages[other].blank and not pages[other].sheets and pages[other].side is expected

    def _take_sheet(self, position: int, page: PageObservation) -> None:
        genuine = [r.claims for r in page.sheets if r.signature is Signature.GENUINE]
        for reading in page.sheets:
            if reading.signature is not Signature.GENUINE:
                forged = reading.signature is Signature.FORGED
                kind = AlarmKind.FORGED_SHEET if forged else AlarmKind.UNKNOWN_KEY
                self._alarms.append(Alarm(kind, (position,)))
        if not genuine:
            self._sections[-1].parts[-1].append(position)
            return
        if len({claims.serial for claims in genuine}) > 1:
            self._alarms.append(Alarm(AlarmKind.SEVERAL_SHEETS, (position,)))
            self._refused.append(position)
            return
        claims = genuine[0]
        refusal = self._refusal(position, claims)
        if refusal is not None:
            self._alarms.append(refusal)
            self._refused.append(position)
            return
        first = self._seen.get(claims.serial)
        if first is not None or claims.serial in self._rules.used_serials:
            about = (position,) if first is None else (first, position)
            self._alarms.append(Alarm(AlarmKind.REPEATED_SHEET, about))
        self._seen.setdefault(claims.serial, position)
        self._sections.append(_Section(AcceptedSheet(position, claims)))

    def _refusal(self, position: int, claims: CoverSheetClaims) -> Alarm | None:
        rules = self._rules
        if claims.agency != rules.agency:
            return Alarm(AlarmKind.OTHER_AGENCY, (position,), None, rules.agency, claims.agency)
        if claims.station != rules.station:
            return Alarm(AlarmKind.OTHER_STATION, (position,), None, rules.station, claims.station)
        if rules.at > claims.valid_until:
            until = claims.valid_until.isoformat(timespec="minutes")
            return Alarm(AlarmKind.EXPIRED_SHEET, (position,), None, "", until)
        if rules.at < claims.issued_at - _CLOCK_TOLERANCE:
            made = claims.issued_at.isoformat(timespec="minutes")
            return Alarm(AlarmKind.NOT_YET_VALID, (position,), None, "", made)
        return None

    def finish(self, pages: Sequence[PageObservation], pairs: Sequence[AlikePair]) -> SplitStack:
        documents: list[Document] = []
        blanks: list[SetAside] = []
        for section in self._sections:
            first = len(documents)
            documents += self._documents(section, first)
            blanks += [SetAside(blank, _home(documents, first, blank)) for blank in section.blanks]
        alarms = [*self._alarms, *lost_sides(pages), *alike_pages(pages, pairs)]
        for number, document in enumerate(documents):
            alarms += jumps(pages, document.pages, number)
        home = {page: n for n, document in enumerate(documents) for page in document.pages}
        return SplitStack(
            tuple(documents),
            tuple(blanks),
            tuple(d for s in self._sections if (d := s.sheet) is not None),
            tuple(self._refused),
            tuple(self._separators),
            tuple(
                alarm if alarm.document is not None else replace(alarm, document=_of(alarm, home))
                for alarm in alarms
            ),
        )

    def _documents(self, section: _Section, first: int) -> list[Document]:
        parts = [tuple(part) for part in section.parts if part]
        sheet = section.sheet
        if sheet is None:
            if not parts:  # blanks before the first sheet need a document to be restored to
                return [Document(None, None, ())] if section.blanks else []
            about = section.pages
            self._alarms.append(Alarm(AlarmKind.PAGES_BEFORE_SHEET, about, first))
            return [Document(None, None, part) for part in parts]
        return self._of_sheet(sheet, section.pages, parts, first)

    def _of_sheet(
        self,
        sheet: AcceptedSheet,
        pages: tuple[int, ...],
        parts: list[tuple[int, ...]],
        first: int,
    ) -> list[Document]:
        """The components of one sheet: by separators, else by their announced lengths."""
        components = sheet.claims.components
        second = self._second_images(pages)
        if len(components) == 1:
            parts = [pages]
        elif len(parts) <= 1 and len(pages) - len(second) == sheet.claims.pages:
            parts = _cut(pages, [component.pages for component in components], second)
        if len(parts) != len(components):
            self._count_alarm(sheet, first, sheet.claims.pages, pages)
            self._alarms.append(Alarm(AlarmKind.UNDIVIDED, pages or (sheet.page,), first))
            return [Document(sheet, None, part) for part in parts or [()]]
        documents = []
        for number, (component, part) in enumerate(zip(components, parts, strict=True), first):
            self._count_alarm(sheet, number, component.pages, part)
            documents.append(Document(sheet, component, part))
        return documents

    def _count_alarm(
        self, sheet: AcceptedSheet, document: int, expected: int, pages: tuple[int, ...]
    ) -> None:
        found = len(pages) - len(self._second_images(pages))
        if expected != found:
            counts = (str(expected), str(found))
            about = pages or (sheet.page,)
            self._alarms.append(Alarm(AlarmKind.PAGE_COUNT, about, document, *counts))

    def _second_images(self, pages: tuple[int, ...]) -> frozenset[int]:
        """Images of a page of which an earlier one is here too: with and without a note."""
        here = set(pages)
        return frozenset(p.other for p in self._notes if p.one in here and p.other in here)


_CLOCK_TOLERANCE = dt.timedelta(minutes=5)


def _cut(
    pages: tuple[int, ...], lengths: list[int], second: frozenset[int]
) -> list[tuple[int, ...]]:
    """Parts of the given lengths; a second image of a page counts nothing, and stays with it."""
    parts: list[list[int]] = [[]]
    left = list(lengths)
    for page in pages:
        if page not in second:
            if not left[0]:
                left.pop(0)
                parts.append([])
            left[0] -= 1
        parts[-1].append(page)
    return [tuple(part) for part in parts]


def _home(documents: list[Document], first: int, blank: int) -> int:
    """The document of a section that holds the page before the blank, else the section's first."""
    home = first
    for number in range(first, len(documents)):
        pages = documents[number].pages
        if pages and pages[0] < blank:
            home = number
    return home


def _of(alarm: Alarm, home: dict[int, int]) -> int | None:
    for page in alarm.pages:
        if page in home:
            return home[page]
    return None
