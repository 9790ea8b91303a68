"""Is this paper here already? By its bytes, by its pages' images, by number, symbol and agency.

    pairs = alike_pairs(traces)                   # within a stack, for `splitting`
    warnings = duplicate_warnings(paper, known)   # against what came before

A warning decides nothing: a person looks at both (D15). The three grounds are independent, and
each finds what the others miss: a file sent twice, a paper scanned twice, a copy of a decision
that another office scanned.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dossier.intake.observations import AlikePair, Likeness
from dossier.intake.page_trace import PageTrace, compare, worth_comparing


class DuplicateGround(enum.StrEnum):
    """Why a paper may be here already."""

    BYTES = "bytes"
    PAGE_IMAGE = "page-image"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as duplicates are looked for.

    `reference` is how the system names it; `sha256` holds the digests (hex) of its files and of
    its pages' bytes; `traces` stand in the order of the pages. Number, symbol and agency are those
    that were read, or entered.
    """

    reference: str
    sha256: frozenset[str] = frozenset()
    traces: tuple[PageTrace, ...] = ()
    number: str | None = None
    symbol: str | None = None
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateWarning:
    """One reason to look at another paper. `pages`: which of ours is alike which of its, from 0."""

    ground: DuplicateGround
    reference: str
    pages: tuple[tuple[int, int], ...] = ()

    @property
    def message(self) -> str:
        """What to do, Vietnamese and English."""
        vietnamese, english = _WORDS[self.ground]
        return (
            f"{vietnamese} {self.reference}; hãy xem cả hai trước khi nhận. / {english} "
            f"{self.reference}; look at both before accepting it."
        )


_WORDS = {
    DuplicateGround.BYTES: ("Tệp giống từng bit với", "The file has the same bytes as"),
    DuplicateGround.PAGE_IMAGE: ("Có trang giống trang của", "A page looks like one of"),
    DuplicateGround.NUMBER: (
        "Trùng số, ký hiệu và cơ quan ban hành với",
        "Number, symbol and agency are those of",
    ),
}


def alike_pairs(traces: Sequence[PageTrace | None]) -> tuple[AlikePair, ...]:
    """Pages of a stack that look alike; None for a page that is not looked at (a blank one)."""
    places = [place for place, trace in enumerate(traces) if trace is not None]
    shown = [trace for trace in traces if trace is not None]
    if len(shown) < 2:
        return ()
    found = []
    for one, other in np.argwhere(np.triu(worth_comparing(shown, shown), 1)):
        likeness = compare(shown[one], shown[other])
        if likeness is not None:
            found.append(AlikePair(places[one], places[other], likeness))
    return tuple(found)


def duplicate_warnings(paper: Paper, known: Iterable[Paper]) -> tuple[DuplicateWarning, ...]:
    """Every reason to think that `paper` is one of `known`, in their order."""
    warnings = []
    named = _name_of(paper)
    for other in known:
        if paper.sha256 & other.sha256:
            warnings.append(DuplicateWarning(DuplicateGround.BYTES, other.reference))
        pages = _same_pages(paper.traces, other.traces)
        if pages:
            warnings.append(DuplicateWarning(DuplicateGround.PAGE_IMAGE, other.reference, pages))
        if named is not None and named == _name_of(other):
            warnings.append(DuplicateWarning(DuplicateGround.NUMBER, other.reference))
    return tuple(warnings)


def _same_pages(
    ours: tuple[PageTrace, ...], theirs: tuple[PageTrace, ...]
) -> tuple[tuple[int, int], ...]:
    if not ours or not theirs:
        return ()
    return tuple(
        (int(one), int(other))
        for one, other in np.argwhere(worth_comparing(ours, theirs))
        if compare(ours[one], theirs[other]) in (Likeness.SAME, Likeness.NOTE)
    )


def _name_of(paper: Paper) -> tuple[str, str, str] | None:
    """Number, symbol and agency as they compare; None unless all three are known."""
    number, symbol, agency = (_plain(t or "") for t in (paper.number, paper.symbol, paper.agency))
    number = number.replace(" ", "").lstrip("0")
    symbol = symbol.replace(" ", "")
    return (number, symbol, agency) if number and symbol and agency else None


def _plain(text: str) -> str:
    """Without marks and case: ỦY and UỶ are one word, and – and - one hyphen."""
    parts = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    hyphens = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
    return " ".join(bare.translate(hyphens).split())
