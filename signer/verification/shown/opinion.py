"""What the second engine says: whether the engines agree, and where pages look otherwise."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Engines(enum.Enum):
    """Whether a second engine, which shares no code with the verifier, sees the same file."""

    AGREE = "AGREE"
    DISAGREE = "DISAGREE"  # a verdict of its own: it never passes
    NOT_COMPARED = "NOT_COMPARED"  # nothing is signed, or the bounds do not allow it


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page as it is shown (cropped and turned), in thousandths from the upper left."""

    left: int
    top: int
    right: int
    bottom: int


WHOLE_PAGE = Region(0, 0, 1000, 1000)


@dataclass(frozen=True, slots=True)
class Difference:
    """A page that shows something else than what was signed.

    `signed` and `shown` are revisions (1-based): the newest that still showed the old page, and
    the first one looked at that does not. `what` is ``picture`` or ``text``.
    """

    page: int  # 1-based
    signed: int
    shown: int
    what: str
    regions: tuple[Region, ...]

    def to_json(self) -> dict[str, Any]:
        """Stable keys; each region is [left, top, right, bottom] in thousandths of the page."""
        return {
            "page": self.page,
            "signed_revision": self.signed,
            "shown_revision": self.shown,
            "what": self.what,
            "regions": [[r.left, r.top, r.right, r.bottom] for r in self.regions],
        }

    def __str__(self) -> str:
        places = ", ".join(f"{r.left},{r.top}-{r.right},{r.bottom}" for r in self.regions[:4])
        return (
            f"page {self.page}: revision {self.shown} shows another {self.what} than revision "
            f"{self.signed} at {places} (thousandths from the upper left)"
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """The second engine's findings on one file."""

    engines: Engines = Engines.NOT_COMPARED
    pages_drawn: int = 0
    differences: tuple[Difference, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "pages_drawn": self.pages_drawn,
            "differences": [difference.to_json() for difference in self.differences],
        }


NOT_COMPARED = Shown()
