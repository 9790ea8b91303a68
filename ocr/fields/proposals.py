"""What the cells of a paper give before it is weighed: a value, its words, the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocr.fields.certainty import Evidence
from ocr.fields.mending import mend_name, mend_terms
from ocr.fields.pieces import Span, tidy
from ocr.page import Box


@dataclass(frozen=True, slots=True)
class Proposal:
    """A field's value (the span's text) with where it stands and what speaks for it."""

    name: str
    span: Span
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A value that stands on the paper but is not for a machine to read."""

    name: str
    reason: str  # "handwritten" or "blank"
    box: Box
    page: int


def propose(
    name: str, span: Span, *, mended: bool = False, confirmed: bool = False,
    contradicted: bool = False, known: bool = True,
) -> Proposal:  # fmt: skip
    """A value as it was read, or mended."""
    sure = [w.confidence for w in span.words if any(c.isalnum() for c in w.text)]
    weakest = min(sure, default=0.0)
    seen = Evidence(weakest, span.confidence, mended, confirmed, contradicted, known)
    return Proposal(name, span, seen)


def propose_formula(
    name: str, span: Span, *, confirmed: bool = False, contradicted: bool = False,
    known: bool = True,
) -> Proposal:  # fmt: skip
    """A field that holds fixed upper-case phrases: their marks are mended."""
    clean = tidy(span)
    text = mend_terms(clean.text)
    return propose(
        name, replace(clean, text=text), mended=text != clean.text, confirmed=confirmed,
        contradicted=contradicted, known=known,
    )  # fmt: skip


def propose_person(name: str, span: Span, *, confirmed: bool) -> Proposal:
    """A field that holds a person's full name; `confirmed` when its family name is known."""
    text = mend_name(span.text)
    return propose(
        name, replace(span, text=text), mended=text != span.text, confirmed=confirmed,
        contradicted=not confirmed,
    )  # fmt: skip
