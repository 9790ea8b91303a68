"""What people do to the pages of a stack: the actions of the screen as edits of the arrangement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from api.console.strip import Strip, StripPage, Where
from dossier.errors import InvalidOrder
from dossier.stacks.arrangement import PageKind
from dossier.stacks.edits import (
    Assign,
    BringBack,
    Edit,
    MarkKind,
    Merge,
    Move,
    Rotate,
    SetAside,
    Split,
    TieNote,
)

Action = Callable[[Strip, Mapping[str, str]], Edit]
"""The strip as it is now and the entries of the form, to an edit. Raises `InvalidOrder`."""


def _turn(turns: int) -> Action:
    return lambda _, form: Rotate(form.get("page", ""), turns)


def _kind(kind: str) -> Action:
    return lambda _, form: MarkKind(form.get("page", ""), kind)


def _aside(strip: Strip, form: Mapping[str, str]) -> Edit:
    """Set a page aside, or bring it back: one key does both."""
    page = strip.page(form.get("page", ""))
    if page is not None and page.where is not Where.PAPER:
        return BringBack(page.id)
    return SetAside(form.get("page", ""))


def _moved(by: int) -> Action:
    def make(strip: Strip, form: Mapping[str, str]) -> Edit:
        page = _in_paper(strip, form)
        return Move(page.id, page.paper, page.place - 1 + by)

    return make


def _to_paper_before(strip: Strip, form: Mapping[str, str]) -> Edit:
    page = _in_paper(strip, form)
    into = strip.paper_before(page.paper)
    if into is None:
        raise _no_paper_before()
    return Move(page.id, into.paper.id, len(into.paper.pages))


def _merge(strip: Strip, form: Mapping[str, str]) -> Edit:
    page = _in_paper(strip, form)
    into = strip.paper_before(page.paper)
    if into is None:
        raise _no_paper_before()
    return Merge(page.paper, into.paper.id)


def _tie(strip: Strip, form: Mapping[str, str]) -> Edit:
    """Say that a page is the second image of the one before it, or take that back."""
    page = _in_paper(strip, form)
    if page.note_of:
        return TieNote(page.id, "")
    before = next(
        (one for one in strip.pages if one.paper == page.paper and one.place == page.place - 1),
        None,
    )
    if before is None:
        raise InvalidOrder(
            "Trang đầu của giấy tờ không thể là ảnh thứ hai của trang trước. / The first page of a "
            "paper cannot be the second image of the page before.",
            field="page",
        )
    return TieNote(page.id, before.note_of or before.id)


def _assign(_: Strip, form: Mapping[str, str]) -> Edit:
    return Assign(
        form.get("paper", ""),
        form.get("dossier-code", "").strip(),
        form.get("component-code", "").strip(),
    )


def _in_paper(strip: Strip, form: Mapping[str, str]) -> StripPage:
    page = strip.page(form.get("page", ""))
    if page is None or page.where is not Where.PAPER:
        raise InvalidOrder(
            "Trang này không nằm trong giấy tờ nào; hãy đưa trang vào lại trước. / The page is in "
            "no paper; bring it back first.",
            field="page",
        )
    return page


def _no_paper_before() -> InvalidOrder:
    return InvalidOrder(
        "Không có giấy tờ nào đứng trước. / There is no paper before this one.", field="page"
    )


ACTIONS: Mapping[str, Action] = {
    "rotate": _turn(1),
    "rotate-back": _turn(3),
    "aside": _aside,
    "split": lambda _, form: Split(form.get("page", ""), ""),
    "merge": _merge,
    "up": _moved(-1),
    "down": _moved(1),
    "to-paper-before": _to_paper_before,
    "original": _kind(PageKind.ORIGINAL.value),
    "copy": _kind(PageKind.COPY.value),
    "no-kind": _kind(""),
    "tie": _tie,
    "assign": _assign,
}
