"""What people do to the pages of a stack, each an edit that can be undone. Pure.

    after = edit.apply(before)       # a new arrangement; `before` is as it was
    edit = edit_of({"kind": "rotate", "page": "pg_…", "turns": 1})

An edit never takes an image out of the arrangement: what leaves a paper is set aside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, get_type_hints

from dossier.errors import InvalidOrder
from dossier.model import JSON
from dossier.stacks.arrangement import (
    ArrangedPaper,
    Arrangement,
    AsidePage,
    PageKind,
    PlacedPage,
    Why,
)


class Edit(ABC):
    """One thing that was done. Subclasses are frozen dataclasses of texts and numbers."""

    kind: ClassVar[str]

    @abstractmethod
    def apply(self, before: Arrangement) -> Arrangement:
        """The arrangement after it. Raises `InvalidOrder` for what cannot be done."""

    def to_json(self) -> dict[str, JSON]:
        """As the history keeps it; `edit_of` reads it."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]  # a dataclass


@dataclass(frozen=True, slots=True)
class Rotate(Edit):
    """Turn a page by `turns` clockwise quarter turns."""

    kind: ClassVar[str] = "rotate"
    page: str
    turns: int

    def apply(self, before: Arrangement) -> Arrangement:
        paper, place = before.home(self.page)
        old = paper.pages[place]
        return _with_page(before, paper, place, replace(old, turns=(old.turns + self.turns) % 4))


@dataclass(frozen=True, slots=True)
class MarkKind(Edit):
    """Say that a page is of an original or of a copy; an empty `as_kind` takes it back."""

    kind: ClassVar[str] = "mark-kind"
    page: str
    as_kind: str

    def apply(self, before: Arrangement) -> Arrangement:
        if self.as_kind and self.as_kind not in set(PageKind):
            raise InvalidOrder(
                "Loại trang là original hoặc copy. / A page is an original or a copy.",
                field="as_kind",
            )
        paper, place = before.home(self.page)
        marked = PageKind(self.as_kind) if self.as_kind else None
        return _with_page(before, paper, place, replace(paper.pages[place], kind=marked))


@dataclass(frozen=True, slots=True)
class SetAside(Edit):
    """Take a page out of its paper; it stays with it, and `BringBack` puts it back."""

    kind: ClassVar[str] = "set-aside"
    page: str

    def apply(self, before: Arrangement) -> Arrangement:
        return _aside(before, self.page, Why.PERSON)


@dataclass(frozen=True, slots=True)
class BringBack(Edit):
    """Put a page that was set aside back into its paper, where it was scanned.

    A sheet or separator goes into the paper before it.
    """

    kind: ClassVar[str] = "bring-back"
    page: str

    def apply(self, before: Arrangement) -> Arrangement:
        found = next((one for one in before.aside if one.placed.page == self.page), None)
        if found is not None:
            rest = tuple(one for one in before.aside if one is not found)
            home = next((paper for paper in before.papers if paper.id == found.paper), None)
            paper = home or _paper_before(before, self.page)
            return _put_in_order(replace(before, aside=rest), paper, found.placed)
        without = replace(
            before,
            sheets=_less(before.sheets, self.page),
            refused_sheets=_less(before.refused_sheets, self.page),
            separators=_less(before.separators, self.page),
        )
        if without != before:
            return _put_in_order(without, _paper_before(without, self.page), _new(self.page))
        raise _not_possible("Trang này không bị để riêng.", "This page is not set aside.", "page")


@dataclass(frozen=True, slots=True)
class Move(Edit):
    """Put a page at `place` (from 0) of a paper, its own or another one."""

    kind: ClassVar[str] = "move"
    page: str
    paper: str
    place: int

    def apply(self, before: Arrangement) -> Arrangement:
        source, at = before.home(self.page)
        placed = source.pages[at]
        without = before.with_pages(source, (p for p in source.pages if p is not placed))
        target = without.paper(self.paper)
        if not 0 <= self.place <= len(target.pages):
            raise _not_possible("Không có vị trí này.", "There is no such place.", "place")
        pages = (*target.pages[: self.place], placed, *target.pages[self.place :])
        return _loosened(_without_empty(without.with_pages(target, pages)))


@dataclass(frozen=True, slots=True)
class Reorder(Edit):
    """Give a paper's pages another order; `pages` names each of them once."""

    kind: ClassVar[str] = "reorder"
    paper: str
    pages: tuple[str, ...]

    def apply(self, before: Arrangement) -> Arrangement:
        paper = before.paper(self.paper)
        here = {placed.page: placed for placed in paper.pages}
        if sorted(here) != sorted(self.pages):
            raise _not_possible(
                "Thứ tự mới phải có đủ mọi trang.", "Name each page of the paper once.", "pages"
            )
        return before.with_pages(paper, (here[page] for page in self.pages))


@dataclass(frozen=True, slots=True)
class Split(Edit):
    """Begin a new paper, called `new_paper`, with a page; it is of the same dossier."""

    kind: ClassVar[str] = "split"
    page: str
    new_paper: str

    def apply(self, before: Arrangement) -> Arrangement:
        paper, place = before.home(self.page)
        if place == 0:
            raise _not_possible(
                "Trang này đã là trang đầu của giấy tờ.", "The paper begins with this page.", "page"
            )
        _require_new(before, self.new_paper)
        first, second = paper.pages[:place], paper.pages[place:]
        new = replace(paper, id=self.new_paper, component_code="", pages=second)
        at = before.papers.index(paper)
        papers = (
            *before.papers[:at],
            replace(paper, pages=first),
            new,
            *before.papers[at + 1 :],
        )
        moved = {placed.page for placed in second}
        aside = tuple(
            replace(one, paper=new.id)
            if one.paper == paper.id and _scanned_after(before, one.placed.page, self.page)
            else one
            for one in before.aside
            if one.placed.page not in moved
        )
        return _loosened(replace(before, papers=papers, aside=aside))


@dataclass(frozen=True, slots=True)
class Merge(Edit):
    """Put the pages of a paper behind those of `into`."""

    kind: ClassVar[str] = "merge"
    paper: str
    into: str

    def apply(self, before: Arrangement) -> Arrangement:
        paper, into = before.paper(self.paper), before.paper(self.into)
        if paper.id == into.id:
            raise _not_possible("Hãy chọn hai giấy tờ khác nhau.", "Choose two papers.", "into")
        merged = before.with_pages(into, (*into.pages, *paper.pages))
        aside = tuple(
            replace(one, paper=into.id) if one.paper == paper.id else one for one in merged.aside
        )
        papers = tuple(one for one in merged.papers if one.id != paper.id)
        return replace(merged, papers=papers, aside=aside)


@dataclass(frozen=True, slots=True)
class Assign(Edit):
    """Say which component of which dossier a paper is."""

    kind: ClassVar[str] = "assign"
    paper: str
    dossier_code: str
    component_code: str

    def apply(self, before: Arrangement) -> Arrangement:
        if max(len(self.dossier_code), len(self.component_code)) > _MAX_CODE:
            raise _not_possible(f"Mã dài quá {_MAX_CODE} ký tự.", "The code is too long.", "paper")
        paper = before.paper(self.paper)
        return before.with_paper(
            replace(paper, dossier_code=self.dossier_code, component_code=self.component_code)
        )


@dataclass(frozen=True, slots=True)
class TieNote(Edit):
    """Say that a page is the second image of `note_of`, with or without an attached note.

    An empty `note_of` takes it back.
    """

    kind: ClassVar[str] = "tie-note"
    page: str
    note_of: str

    def apply(self, before: Arrangement) -> Arrangement:
        paper, place = before.home(self.page)
        other = next((p for p in paper.pages if p.page == self.note_of), None)
        if self.note_of and (other is None or other.note_of or self.note_of == self.page):
            raise _not_possible(
                "Hai ảnh phải ở cùng một giấy tờ.",
                "Both images have to be in one paper.",
                "note_of",
            )
        tied = replace(paper.pages[place], note_of=self.note_of or None)
        return _with_page(before, paper, place, tied)


@dataclass(frozen=True, slots=True)
class Replace(Edit):
    """A page was scanned again: `by` takes its place, the old image is set aside."""

    kind: ClassVar[str] = "replace"
    page: str
    by: str

    def apply(self, before: Arrangement) -> Arrangement:
        paper, place = before.home(self.page)
        _require_unknown(before, self.by)
        old = paper.pages[place]
        pages = tuple(
            PlacedPage(self.by, 0, old.kind, old.note_of)
            if one is old
            else replace(one, note_of=self.by)
            if one.note_of == self.page
            else one
            for one in paper.pages
        )
        aside = (*before.aside, AsidePage(replace(old, note_of=None), paper.id, Why.REPLACED))
        changed = before.with_pages(paper, pages)
        return replace(changed, aside=aside, order=_behind(before, self.page, self.by))


@dataclass(frozen=True, slots=True)
class Insert(Edit):
    """A page that was scanned later: `new` goes behind `after`, or (empty) before the first."""

    kind: ClassVar[str] = "insert"
    paper: str
    after: str
    new: str

    def apply(self, before: Arrangement) -> Arrangement:
        paper = before.paper(self.paper)
        _require_unknown(before, self.new)
        place = 0
        if self.after:
            home, at = before.home(self.after)
            if home.id != paper.id:
                raise _not_possible("Trang ở giấy tờ khác.", "The page is elsewhere.", "after")
            place = at + 1
        pages = (*paper.pages[:place], _new(self.new), *paper.pages[place:])
        beside = self.after or (paper.pages[0].page if paper.pages else before.order[-1])
        order = _behind(before, beside, self.new)
        return replace(before.with_pages(paper, pages), order=order)


_MAX_CODE = 64
_EDITS: dict[str, type[Edit]] = {
    edit.kind: edit
    for edit in (
        *(Rotate, MarkKind, SetAside, BringBack, Move, Reorder, Split, Merge, Assign, TieNote),
        *(Replace, Insert),
    )
}


def edit_of(entries: Mapping[str, Any]) -> Edit:
    """Read what `to_json` wrote, or a client sent. Raises `InvalidOrder`."""
    values = dict(entries)
    kind = values.pop("kind", None)
    found = _EDITS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise _not_possible("Không có thao tác này.", "There is no such edit.", "kind")
    hints = {n: t for n, t in get_type_hints(found).items() if n != "kind"}
    if isinstance(values.get("pages"), list):
        values["pages"] = tuple(values["pages"])
    for name, wanted in hints.items():
        value = values.get(name)
        is_right = type(value) is (wanted if isinstance(wanted, type) else tuple)
        if not is_right or (isinstance(value, tuple) and not all(type(v) is str for v in value)):
            raise _not_possible(f"Thiếu hoặc sai mục {name}.", f"{name} is missing or wrong.", name)
    if values.keys() != hints.keys():
        raise _not_possible("Thao tác có mục lạ.", "The edit has an unknown entry.", "kind")
    return found(**values)


def _less(pages: tuple[str, ...], page: str) -> tuple[str, ...]:
    return tuple(one for one in pages if one != page)


def _new(page: str) -> PlacedPage:
    return PlacedPage(page)


def _with_page(
    before: Arrangement, paper: ArrangedPaper, place: int, page: PlacedPage
) -> Arrangement:
    pages = (*paper.pages[:place], page, *paper.pages[place + 1 :])
    return before.with_pages(paper, pages)


def _aside(before: Arrangement, page: str, why: Why) -> Arrangement:
    paper, place = before.home(page)
    placed = paper.pages[place]
    left = before.with_pages(paper, (p for p in paper.pages if p is not placed))
    return _loosened(replace(left, aside=(*left.aside, AsidePage(placed, paper.id, why))))


def _put_in_order(before: Arrangement, paper: ArrangedPaper, placed: PlacedPage) -> Arrangement:
    """Into the paper, before the first of its pages that was scanned later."""
    place = next(
        (n for n, one in enumerate(paper.pages) if _scanned_after(before, one.page, placed.page)),
        len(paper.pages),
    )
    pages = (*paper.pages[:place], placed, *paper.pages[place:])
    return _loosened(before.with_pages(paper, pages))


def _paper_before(before: Arrangement, page: str) -> ArrangedPaper:
    """The last paper with a page that was scanned before this one, else the first paper."""
    if not before.papers:
        raise _not_possible("Tập giấy không có giấy tờ nào.", "The stack has no paper.", "page")
    found = before.papers[0]
    for paper in before.papers:
        if paper.pages and _scanned_after(before, page, paper.pages[0].page):
            found = paper
    return found


def _scanned_after(before: Arrangement, page: str, other: str) -> bool:
    return before.order.index(page) >= before.order.index(other)


def _behind(before: Arrangement, page: str, new: str) -> tuple[str, ...]:
    at = before.order.index(page) + 1
    return (*before.order[:at], new, *before.order[at:])


def _without_empty(arrangement: Arrangement) -> Arrangement:
    """Without papers that have no page left, unless something set aside belongs to them."""
    needed = {one.paper for one in arrangement.aside}
    papers = tuple(p for p in arrangement.papers if p.pages or p.id in needed)
    return replace(arrangement, papers=papers)


def _loosened(arrangement: Arrangement) -> Arrangement:
    """Second images whose page is not in the same paper any more are pages of their own."""
    papers = []
    for paper in arrangement.papers:
        here = {placed.page for placed in paper.pages}
        pages = tuple(
            replace(placed, note_of=None) if placed.note_of not in (None, *here) else placed
            for placed in paper.pages
        )
        papers.append(replace(paper, pages=pages))
    return replace(arrangement, papers=tuple(papers))


def _require_unknown(before: Arrangement, page: str) -> None:
    if page in before.order:
        raise _not_possible("Trang này đã có trong tập.", "The page is in the stack.", "by")


def _require_new(before: Arrangement, paper: str) -> None:
    if not paper or any(one.id == paper for one in before.papers):
        raise _not_possible("Tên giấy tờ đã dùng.", "The paper's id is taken.", "new_paper")


def _not_possible(vietnamese: str, english: str, field: str) -> InvalidOrder:
    return InvalidOrder(
        f"{vietnamese} Hãy tải lại màn hình rồi làm lại. / {english} Load the screen again.",
        field=field,
    )
