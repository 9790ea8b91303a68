"""A stack as values for the page strip: its papers, their pages in order, what is wrong with them.

    strip = strip_of(pages, arrangement)
    strip.rows[n].badges           # ("X", "?")
    strip.beside(page_id)          # the pages before and behind it

Pages that are in no paper stand where they were scanned. Pure values; nothing is looked up.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dossier.stacks.arrangement import ArrangedPaper, Arrangement, AsidePage, PlacedPage
from dossier.stacks.values import PageState, StackPage

BADGES = ("T", "N", "X", "?", "!", "P")
"""Blank or set aside, low resolution, turned, doubtful words, something wrong, patch code."""


class Where(enum.StrEnum):
    """Where a page is."""

    WAITING = "waiting"  # the stack is not split yet
    PAPER = "paper"
    ASIDE = "aside"
    SHEET = "sheet"
    REFUSED_SHEET = "refused-sheet"
    SEPARATOR = "separator"


@dataclass(frozen=True, slots=True)
class StripPage:
    """A page as the strip shows it. `number` counts from 1 in the order of scanning.

    `place` counts from 1 in its paper; 0 where it is in none.
    """

    page: StackPage
    number: int
    where: Where
    paper: str = ""
    place: int = 0
    turns: int = 0
    kind: str = ""
    note_of: str = ""
    why: str = ""
    badges: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Of the page."""
        return self.page.id

    @property
    def has_picture(self) -> bool:
        """Whether there is something to be looked at."""
        return self.page.picture_sha256 is not None

    @property
    def findings(self) -> tuple[Mapping[str, Any], ...]:
        """What is wrong with the image: code, severity, vi, en; the gravest first."""
        return tuple((self.page.summary or {}).get("findings", ()))


@dataclass(frozen=True, slots=True)
class StripPaper:
    """A paper begins: a row that separates."""

    paper: ArrangedPaper
    number: int
    pages: int


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows in their order: papers, and the pages of each behind it."""

    rows: tuple[StripPaper | StripPage, ...]

    @property
    def pages(self) -> tuple[StripPage, ...]:
        """The pages in the order of the strip."""
        return tuple(row for row in self.rows if isinstance(row, StripPage))

    @property
    def papers(self) -> tuple[StripPaper, ...]:
        """The papers in their order."""
        return tuple(row for row in self.rows if isinstance(row, StripPaper))

    @property
    def counted(self) -> int:
        """Pages of paper that lie in papers, or wait to be split."""
        return sum(
            page.where is Where.WAITING or (page.where is Where.PAPER and not page.note_of)
            for page in self.pages
        )

    def page(self, page_id: str) -> StripPage | None:
        """The page; None when it is not in the stack."""
        return next((page for page in self.pages if page.id == page_id), None)

    def beside(self, page_id: str) -> tuple[StripPage | None, StripPage | None]:
        """The pages before and behind a page."""
        pages = self.pages
        at = next((n for n, page in enumerate(pages) if page.id == page_id), None)
        if at is None:
            return None, None
        return (
            pages[at - 1] if at else None,
            pages[at + 1] if at + 1 < len(pages) else None,
        )

    def paper(self, paper_id: str) -> StripPaper | None:
        """The paper; None when it is not in the stack."""
        return next((row for row in self.papers if row.paper.id == paper_id), None)

    def paper_before(self, paper_id: str) -> StripPaper | None:
        """The paper that lies before another one."""
        papers = self.papers
        at = next((n for n, row in enumerate(papers) if row.paper.id == paper_id), 0)
        return papers[at - 1] if at else None


def strip_of(pages: Sequence[StackPage], arrangement: Arrangement | None) -> Strip:
    """The strip of a stack whose `pages` are in the order of scanning; None: not split yet."""
    if arrangement is None:
        return Strip(
            tuple(
                StripPage(page, number, Where.WAITING, badges=_badges(page, ()))
                for number, page in enumerate(pages, 1)
            )
        )
    return _Builder(pages, arrangement).strip()


class _Builder:
    def __init__(self, pages: Sequence[StackPage], arrangement: Arrangement) -> None:
        self._pages = {page.id: page for page in pages}
        self._order = {page: at for at, page in enumerate(arrangement.order)}
        self._arrangement = arrangement
        self._rows: list[StripPaper | StripPage] = []

    def strip(self) -> Strip:
        arrangement = self._arrangement
        loose = dict.fromkeys(arrangement.sheets, Where.SHEET)
        loose |= dict.fromkeys(arrangement.refused_sheets, Where.REFUSED_SHEET)
        loose |= dict.fromkeys(arrangement.separators, Where.SEPARATOR)
        aside: dict[str, list[AsidePage]] = {}
        here = {paper.id for paper in arrangement.papers}
        for one in arrangement.aside:
            aside.setdefault(one.paper if one.paper in here else "", []).append(one)
        waiting = sorted(loose, key=self._at)
        for number, paper in enumerate(arrangement.papers, 1):
            first = min((self._at(page) for page in paper.page_ids), default=0)
            while waiting and self._at(waiting[0]) < first:
                self._loose(waiting.pop(0), loose)
            self._rows.append(StripPaper(paper, number, paper.page_count))
            self._of_paper(paper, aside.get(paper.id, []))
        for left in waiting:
            self._loose(left, loose)
        for one in aside.get("", []):
            self._aside(one)
        known = {row.id for row in self._rows if isinstance(row, StripPage)}
        for page in self._pages.values():  # came after the arrangement was made: a rescan
            if page.id not in known:
                self._add(page.id, Where.WAITING)
        return Strip(tuple(self._rows))

    def _at(self, page: str) -> int:
        return self._order.get(page, len(self._order))

    def _of_paper(self, paper: ArrangedPaper, aside: list[AsidePage]) -> None:
        left = sorted(aside, key=lambda one: self._at(one.placed.page))
        for place, placed in enumerate(paper.pages, 1):
            while left and self._at(left[0].placed.page) < self._at(placed.page):
                self._aside(left.pop(0))
            self._add(placed.page, Where.PAPER, placed, paper.id, place)
        for one in left:
            self._aside(one)

    def _aside(self, one: AsidePage) -> None:
        self._add(one.placed.page, Where.ASIDE, one.placed, one.paper, why=one.why.value)

    def _loose(self, page: str, loose: Mapping[str, Where]) -> None:
        self._add(page, loose[page])

    def _add(
        self,
        page_id: str,
        where: Where,
        placed: PlacedPage | None = None,
        paper: str = "",
        place: int = 0,
        why: str = "",
    ) -> None:
        page = self._pages.get(page_id)
        if page is None:
            return
        more: tuple[str, ...] = ("T",) if where is Where.ASIDE else ()
        more += ("X",) if placed is not None and placed.turns else ()
        self._rows.append(
            StripPage(
                page,
                self._at(page_id) + 1,
                where,
                paper,
                place,
                placed.turns if placed is not None else 0,
                (placed.kind or "") if placed is not None else "",
                (placed.note_of or "") if placed is not None else "",
                why,
                _badges(page, more),
            )
        )


def _badges(page: StackPage, more: tuple[str, ...]) -> tuple[str, ...]:
    told = {*more, *(page.summary or {}).get("badges", ())}
    if page.state is PageState.FAULTY:
        told.add("!")
    return tuple(badge for badge in BADGES if badge in told)
