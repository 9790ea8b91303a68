"""The block that a copying agency puts below the paper it copied: sao y, trích sao, sao lục.

NĐ 30/2020, Appendix I, Part II, Section II: the form of copy at the upper right, where an
original has the national header; the copying agency at the upper left with its own number;
place and date; signature and recipients below. Many offices set a whole second national header
instead and the form in the middle below it; both are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocr.fields.abstract_cells import upper_case
from ocr.fields.doctypes import Catalogue, TypeMatch
from ocr.fields.header_cells import Head, find_head, head_beside
from ocr.fields.pieces import Piece

_COLUMN_MM = 45.0  # from the right column's middle to its left edge
_AGENCY_ABOVE_MM = 4.0  # the agency begins on the form's own row


@dataclass(frozen=True, slots=True)
class CopyBlock:
    """The form of copy with its heading; `head` None when only the heading was found.

    `original` are the pieces of the copied paper, `block` those of the copying agency.
    """

    form: TypeMatch
    heading: Piece
    head: Head | None
    original: list[Piece]
    block: list[Piece]


def find_copy(
    pieces: Sequence[Piece], first: tuple[Head, int] | None, catalogue: Catalogue
) -> CopyBlock | None:
    """The copy's block below the paper whose head is `first`; None when nothing names a copy."""
    named = [(p, m) for p in pieces if (m := _form(p, catalogue)) is not None]
    if not named:
        return None
    heading, form = named[-1]
    if first is None or _place(heading) <= (first[0].page, first[0].bottom):
        # a stamp in the corner of an electronic copy: it names the form and parts nothing
        return CopyBlock(form, heading, None, list(pieces), [])
    second = find_head(pieces, first[1] + 1)
    if second is not None and (second[0].page, second[0].top) <= _place(heading):
        head = second[0]
    else:
        boundary = min(first[0].boundary, heading.centre - _COLUMN_MM)
        head = head_beside(pieces, heading, boundary, _AGENCY_ABOVE_MM)
    start = (head.page, head.top - 1)
    return CopyBlock(
        form, heading, head,
        [p for p in pieces if _place(p) < start], [p for p in pieces if _place(p) >= start],
    )  # fmt: skip


def names_copy(pieces: Sequence[Piece], catalogue: Catalogue) -> bool:
    """Whether one of the pieces is the name of a form of copy, standing alone."""
    return any(_form(piece, catalogue) is not None for piece in pieces)


def _form(piece: Piece, catalogue: Catalogue) -> TypeMatch | None:
    text = piece.text.strip(" .:;,-_|*'\"")
    return catalogue.copy_by_title(text) if upper_case(text) else None


def _place(piece: Piece) -> tuple[int, float]:
    return piece.page, piece.middle
