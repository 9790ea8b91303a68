"""How the pages of a stack lie: in papers, set aside, or as sheets and separators. Pure values.

    arrangement = Arrangement.of_split(split, page_ids, new_id)
    arrangement = edit.apply(arrangement)            # dossier.stacks.edits

Every image that was scanned when an arrangement was made is in exactly one place of it; no edit
takes one out. Pages and papers are named by their ids.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dossier.errors import InvalidOrder
from dossier.intake.splitting import SplitStack
from dossier.model import JSON


class PageKind(enum.StrEnum):
    """What the sheet of paper is, as the officer says."""

    ORIGINAL = "original"  # bản chính
    COPY = "copy"  # bản sao


class Why(enum.StrEnum):
    """Why a page is set aside."""

    BLANK = "blank"
    PERSON = "person"
    REPLACED = "replaced"  # it was scanned again
    UNPLACED = "unplaced"  # it was scanned for a place that is gone


@dataclass(frozen=True, slots=True)
class PlacedPage:
    """A page of a paper. `turns`: clockwise quarter turns beyond what the machine found.

    `note_of` is the page that this is the second image of: with, or without an attached note
    (TT 01/2023/TT-VPCP, Điều 8); the two are one page of the paper.
    """

    page: str
    turns: int = 0
    kind: PageKind | None = None
    note_of: str | None = None


@dataclass(frozen=True, slots=True)
class ArrangedPaper:
    """A paper: what it is of, and its pages in order. Empty texts: not known yet."""

    id: str
    dossier_code: str
    component_code: str
    sheet_serial: str | None
    pages: tuple[PlacedPage, ...]

    @property
    def page_ids(self) -> tuple[str, ...]:
        """Its images in order."""
        return tuple(placed.page for placed in self.pages)

    @property
    def page_count(self) -> int:
        """Pages of paper: a second image of a page counts nothing."""
        return sum(placed.note_of is None for placed in self.pages)


@dataclass(frozen=True, slots=True)
class AsidePage:
    """A page that belongs to a paper and is not shown in it. `turns` and `kind` are kept."""

    placed: PlacedPage
    paper: str
    why: Why


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where every page is. `order` is the order in which they were scanned."""

    papers: tuple[ArrangedPaper, ...]
    aside: tuple[AsidePage, ...]
    sheets: tuple[str, ...]
    refused_sheets: tuple[str, ...]
    separators: tuple[str, ...]
    order: tuple[str, ...]

    @classmethod
    def of_split(
        cls,
        split: SplitStack,
        pages: Sequence[str],
        new_paper: Callable[[], str],
        default: tuple[str, str] = ("", ""),
    ) -> Arrangement:
        """The first arrangement: what splitting made of `pages`, named by `new_paper`.

        `default` are the codes of dossier and component for paper without a cover sheet.
        """
        papers = []
        for document in split.documents:
            sheet, component = document.sheet, document.component
            dossier, code = default
            if sheet is not None:
                dossier, code = sheet.claims.dossier, component.code if component else ""
            papers.append(
                ArrangedPaper(
                    new_paper(),
                    dossier,
                    code,
                    sheet.claims.serial.hex() if sheet is not None else None,
                    tuple(PlacedPage(pages[position]) for position in document.pages),
                )
            )
        return cls(
            tuple(papers),
            tuple(
                AsidePage(PlacedPage(pages[blank.page]), papers[blank.document].id, Why.BLANK)
                for blank in split.blanks
            ),
            tuple(pages[sheet.page] for sheet in split.sheets),
            tuple(pages[position] for position in split.refused_sheets),
            tuple(pages[position] for position in split.separators),
            tuple(pages),
        )

    @property
    def every_page(self) -> frozenset[str]:
        """All pages, wherever they are."""
        inside = (page for paper in self.papers for page in paper.page_ids)
        aside = (one.placed.page for one in self.aside)
        return frozenset((*inside, *aside, *self.sheets, *self.refused_sheets, *self.separators))

    def paper(self, paper_id: str) -> ArrangedPaper:
        """The paper. Raises `InvalidOrder`."""
        for paper in self.papers:
            if paper.id == paper_id:
                return paper
        raise InvalidOrder(
            "Giấy tờ này không có trong tập; hãy tải lại màn hình. / There is no such paper in the "
            "stack; load the screen again.",
            field="paper",
        )

    def home(self, page_id: str) -> tuple[ArrangedPaper, int]:
        """The paper that shows a page, and its place there. Raises `InvalidOrder`."""
        for paper in self.papers:
            for place, placed in enumerate(paper.pages):
                if placed.page == page_id:
                    return paper, place
        raise InvalidOrder(
            "Trang này không nằm trong giấy tờ nào; hãy tải lại màn hình. / The page is in no "
            "paper; load the screen again.",
            field="page",
        )

    def with_pages(self, paper: ArrangedPaper, pages: Iterable[PlacedPage]) -> Arrangement:
        """The same with other pages in one paper."""
        return self.with_paper(replace(paper, pages=tuple(pages)))

    def with_paper(self, new: ArrangedPaper) -> Arrangement:
        """The same with `new` in the place of the paper of its id."""
        return replace(self, papers=tuple(new if p.id == new.id else p for p in self.papers))

    def changed(self, after: Arrangement) -> frozenset[str]:
        """Ids of papers that are other ones in `after`, new there, or not there any more."""
        old = {paper.id: paper for paper in self.papers}
        new = {paper.id: paper for paper in after.papers}
        return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))

    def to_json(self) -> dict[str, JSON]:
        """As the history keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Arrangement:
        """Read what `to_json` wrote."""
        return cls(
            tuple(
                ArrangedPaper(**{**paper, "pages": tuple(map(_placed, paper["pages"]))})
                for paper in entries["papers"]
            ),
            tuple(
                AsidePage(_placed(one["placed"]), one["paper"], Why(one["why"]))
                for one in entries["aside"]
            ),
            tuple(entries["sheets"]),
            tuple(entries["refused_sheets"]),
            tuple(entries["separators"]),
            tuple(entries["order"]),
        )


def _placed(entries: Mapping[str, Any]) -> PlacedPage:
    kind = entries["kind"]
    return PlacedPage(**{**entries, "kind": PageKind(kind) if kind is not None else None})
