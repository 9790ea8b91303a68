"""Whatever people do to a stack, no page is lost, and what they did is kept and taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dossier.errors import InvalidOrder
from dossier.stacks.arrangement import (
    ArrangedPaper,
    Arrangement,
    AsidePage,
    PageKind,
    PlacedPage,
    Why,
)
from dossier.stacks.edits import (
    Assign,
    BringBack,
    Edit,
    Insert,
    MarkKind,
    Merge,
    Move,
    Reorder,
    Replace,
    Rotate,
    SetAside,
    Split,
    TieNote,
    edit_of,
)


@st.composite
def arrangements(draw: st.DrawFn) -> Arrangement:
    """Some papers over some pages, with pages aside, sheets and separators among them."""
    count = draw(st.integers(1, 14))
    pages = [f"pg_{n}" for n in range(count)]
    kinds = st.sampled_from(["page", "page", "page", "aside", "sheet", "refused", "separator"])
    homes = [draw(kinds) for _ in pages]
    papers = [f"ppr_{n}" for n in range(draw(st.integers(1, 4)))]
    inside: dict[str, list[PlacedPage]] = {paper: [] for paper in papers}
    aside = []
    for page, home in zip(pages, homes, strict=True):
        paper = draw(st.sampled_from(papers))
        placed = PlacedPage(page, draw(st.integers(0, 3)), draw(st.sampled_from([None, *PageKind])))
        if home == "page":
            inside[paper].append(placed)
        elif home == "aside":
            aside.append(AsidePage(placed, paper, draw(st.sampled_from(list(Why)))))
    return Arrangement(
        tuple(ArrangedPaper(p, f"HS-{p}", "TP", None, tuple(inside[p])) for p in papers),
        tuple(aside),
        tuple(p for p, home in zip(pages, homes, strict=True) if home == "sheet"),
        tuple(p for p, home in zip(pages, homes, strict=True) if home == "refused"),
        tuple(p for p, home in zip(pages, homes, strict=True) if home == "separator"),
        tuple(pages),
    )


@st.composite
def edits(draw: st.DrawFn, before: Arrangement) -> Edit:
    """Any edit of pages and papers that are there, whether it can be done or not."""
    page = st.sampled_from(before.order)
    paper = st.sampled_from([one.id for one in before.papers])
    new = f"pg_new{len(before.order)}"
    some = draw(paper)
    shuffled = draw(st.permutations(before.paper(some).page_ids))
    made: list[Any] = [
        Rotate(draw(page), draw(st.integers(-5, 5))),
        MarkKind(draw(page), draw(st.sampled_from(["", "original", "copy"]))),
        SetAside(draw(page)),
        BringBack(draw(page)),
        Move(draw(page), draw(paper), draw(st.integers(0, 5))),
        Reorder(some, tuple(shuffled)),
        Split(draw(page), f"ppr_new{len(before.papers)}-{draw(st.integers(0, 99))}"),
        Merge(draw(paper), draw(paper)),
        Assign(draw(paper), "HS-2", "TP-2"),
        TieNote(draw(page), draw(st.one_of(st.just(""), page))),
        Replace(draw(page), new),
        Insert(draw(paper), draw(st.one_of(st.just(""), page)), new),
    ]
    return draw(st.sampled_from(made))


def places(arrangement: Arrangement) -> list[str]:
    """Every place of every page."""
    return [
        *(page for paper in arrangement.papers for page in paper.page_ids),
        *(one.placed.page for one in arrangement.aside),
        *arrangement.sheets,
        *arrangement.refused_sheets,
        *arrangement.separators,
    ]


@pytest.mark.no_cover  # the same lines thousands of times
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_run_of_edits_loses_no_page_and_doubles_none(data: st.DataObject) -> None:
    now = data.draw(arrangements())
    for _ in range(data.draw(st.integers(1, 8))):
        edit = data.draw(edits(now))
        was = json.dumps(now.to_json())
        try:
            after = edit.apply(now)
        except InvalidOrder:
            assert json.dumps(now.to_json()) == was
            continue
        assert json.dumps(now.to_json()) == was  # undo is going back to it
        new = set(after.order) - set(now.order)
        assert new == ({edit.by} if isinstance(edit, Replace) else
                       {edit.new} if isinstance(edit, Insert) else set())  # fmt: skip
        assert sorted(places(after)) == sorted([*now.order, *new])
        assert [page for page in after.order if page in now.order] == list(now.order)
        assert after.every_page == set(after.order)
        homes = {paper.id: set(paper.page_ids) for paper in after.papers}
        assert all(
            placed.note_of in {None, *homes[paper.id]} and placed.note_of != placed.page
            for paper in after.papers
            for placed in paper.pages
        )
        now = after


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_edit_and_arrangement_is_kept_exactly(data: st.DataObject) -> None:
    before = data.draw(arrangements())
    edit = data.draw(edits(before))
    assert edit_of(json.loads(json.dumps(edit.to_json()))) == edit
    assert Arrangement.from_json(json.loads(json.dumps(before.to_json()))) == before


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_changed_are_the_papers_that_differ(data: st.DataObject) -> None:
    before = data.draw(arrangements())
    try:
        after = data.draw(edits(before)).apply(before)
    except InvalidOrder:
        assume(False)
    old = {paper.id: paper for paper in before.papers}
    new = {paper.id: paper for paper in after.papers}
    changed = before.changed(after)
    assert changed == {name for name in old | new if old.get(name) != new.get(name)}
    assert before.changed(before) == frozenset()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_page_that_is_set_aside_comes_back_as_it_was(data: st.DataObject) -> None:
    before = data.draw(arrangements())
    inside = [page for paper in before.papers for page in paper.page_ids]
    assume(inside)
    page = data.draw(st.sampled_from(inside))
    paper, place = before.home(page)
    back = BringBack(page).apply(SetAside(page).apply(before))
    home, at = back.home(page)
    assert (home.id, home.pages[at]) == (paper.id, paper.pages[place])


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"kind": "fly"},
        {"kind": ["rotate"]},
        {"kind": "rotate", "page": "pg_1"},
        {"kind": "rotate", "page": "pg_1", "turns": "1"},
        {"kind": "rotate", "page": "pg_1", "turns": True},
        {"kind": "rotate", "page": "pg_1", "turns": 1, "more": 1},
        {"kind": "reorder", "paper": "p", "pages": ["a", 1]},
        {"kind": "reorder", "paper": "p", "pages": "ab"},
    ],
)
def test_what_is_no_edit_is_refused(entries: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder):
        edit_of(entries)
