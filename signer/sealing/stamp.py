"""The seam between laying out a visible signature and writing it into the file.

Geometry is PDF default user space: points, origin bottom left, before /Rotate.
`Rect` is (x0, y0, x1, y1) with x0 < x1 and y0 < y1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Rect = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageGeometry:
    """A page's visible box (CropBox within MediaBox) and its /Rotate (0, 90, 180, 270).

    `user_unit` is the page's /UserUnit: the length of one unit in points of 1/72 inch.
    """

    box: Rect
    rotate: int
    user_unit: float = 1.0


class DocumentGeometry(Protocol):
    """What a stamp may know of the document that it goes onto. Reading is lazy."""

    @property
    def pages(self) -> Sequence[PageGeometry]:
        """All pages in order."""
        ...

    @property
    def signature_rects(self) -> Mapping[str, tuple[int, Rect]]:
        """Field name → (page index, rectangle) of each visible signature already there."""
        ...


class ObjectSink(Protocol):
    """Takes new indirect objects of the revision that is being written."""

    def add(self, body: bytes) -> int:
        """Append an indirect object and return its number (generation 0).

        `body` is the serialised value: a dictionary, an array, or a dictionary with its
        stream (``<< … /Length n >> stream … endstream``).
        """
        ...


class Stamp(Protocol):
    """A visible signature, ready to be drawn."""

    @property
    def page_index(self) -> int:
        """0-based page that carries the widget."""
        ...

    @property
    def rect(self) -> Rect:
        """The widget's /Rect."""
        ...

    def draw(self, sink: ObjectSink) -> int:
        """Add the form XObject for /AP /N (and what it needs) and return its object number."""
        ...


class StampPlan(Protocol):
    """A stamp before its place is known."""

    def resolve(self, document: DocumentGeometry) -> Stamp:
        """Choose page and rectangle. Raises `signer.errors.ProfileError` when it cannot."""
        ...
