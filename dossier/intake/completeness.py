"""Alarms that the pages of a stack raise by themselves: a side lost, a number jumped, one twice."""

from __future__ import annotations

from collections.abc import Sequence

from dossier.intake.alarms import Alarm, AlarmKind
from dossier.intake.observations import AlikePair, Likeness, PageObservation, Side


def lost_sides(pages: Sequence[PageObservation]) -> list[Alarm]:
    """Fronts and backs have to alternate; a missing one is a side that was lost."""
    found = []
    for position, page in enumerate(pages):
        before = pages[position - 1].side if position else Side.BACK
        if page.side is Side.FRONT and before is Side.FRONT:
            found.append(Alarm(AlarmKind.GAP, (position - 1, position)))
        elif page.side is Side.BACK and before is not Side.FRONT:
            about = (position - 1, position) if position else (position,)
            found.append(Alarm(AlarmKind.GAP, about))
    if pages and pages[-1].side is Side.FRONT:
        found.append(Alarm(AlarmKind.GAP, (len(pages) - 1,)))
    return found


def jumps(pages: Sequence[PageObservation], document: tuple[int, ...], number: int) -> list[Alarm]:
    """Printed page numbers that go on by more than the pages between them."""
    found = []
    before: tuple[int, int, int] | None = None  # place in the document, position, printed number
    for place, position in enumerate(document):
        printed = pages[position].printed_number
        if printed is None:
            continue
        if before is not None and printed - before[2] > place - before[0]:
            found.append(Alarm(AlarmKind.GAP, (before[1], position), number))
        before = (place, position, printed)
    return found


def alike_pages(pages: Sequence[PageObservation], pairs: Sequence[AlikePair]) -> list[Alarm]:
    """Pages that are there twice, by their bytes or by how they look, and notes over pages."""
    kinds = {Likeness.SAME: AlarmKind.DUPLICATE_PAGE, Likeness.NOTE: AlarmKind.ATTACHED_NOTE}
    said: dict[tuple[int, int], AlarmKind] = {}
    first: dict[str, int] = {}
    for position, page in enumerate(pages):
        if not page.sha256 or page.blank or page.sheets or page.patches:
            continue
        if page.sha256 in first:
            said[(first[page.sha256], position)] = AlarmKind.DUPLICATE_PAGE
        first.setdefault(page.sha256, position)
    for pair in pairs:
        if not (pages[pair.one].blank or pages[pair.other].blank):
            said.setdefault((pair.one, pair.other), kinds[pair.likeness])
    return [Alarm(kind, about) for about, kind in sorted(said.items())]
