"""Where a signature is seen: its widget on the page as a reader turns it."""

from __future__ import annotations

from dataclasses import dataclass

from signer.verification.changes.widgets import Box, inherited, rectangle, visible_box
from signer.verification.file.pdf_objects import Ref
from signer.verification.file.structure import View

_ZERO_AREA = 1.0  # square points: an invisible widget
LOW = 40.0  # points: a box over one typed line
_HEAD = 0.62  # of the page's height: number and date stand above
_MARGIN = 75.0  # points from the top edge: above the first line that can hold a number
_CORNER = 170.0  # points from the top edge that a signature in a corner may reach down to
_MAX_PARENTS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A visible widget as its page is seen: points from the lower left of the upright page."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float  # of the page
    height: float
    is_first_page: bool
    page: int  # object number, to tell pages apart

    @property
    def from_top(self) -> float:
        """Points from the page's upper edge to the middle of the box."""
        return self.height - (self.y0 + self.y1) / 2

    @property
    def is_right(self) -> bool:
        """The middle of the box is in the right half of the page."""
        return (self.x0 + self.x1) / 2 > self.width / 2

    @property
    def is_low(self) -> bool:
        """Not higher than a typed line with its surroundings."""
        return self.y1 - self.y0 <= LOW

    @property
    def is_blank(self) -> bool:
        """Over a typed line at the head of page 1, under the margin."""
        in_head = self.from_top <= (1 - _HEAD) * self.height
        return self.is_first_page and self.is_low and in_head and self.from_top > _MARGIN

    @property
    def is_corner(self) -> bool:
        """At the top of page 1, in the margin or hanging from it."""
        hangs = self.height - self.y0 <= _CORNER
        return self.is_first_page and hangs and not self.is_blank

    def overlaps(self, other: Place) -> bool:
        """True when both share some of the same page."""
        return (
            self.page == other.page
            and min(self.x1, other.x1) > max(self.x0, other.x0)
            and min(self.y1, other.y1) > max(self.y0, other.y0)
        )


def place_of(view: View, field_number: int) -> Place | None:
    """Where the field's widget is seen; None for an invisible one. Raises `PDFSyntaxError`."""
    field = view.dictionary(Ref(field_number, 0)) if field_number else None
    if field is None:
        return None
    widgets = [(field_number, field)]
    for kid in view.array(field.get("Kids"))[:_MAX_PARENTS]:
        found = view.dictionary(kid)
        if found is not None:
            widgets.append((kid.number if isinstance(kid, Ref) else 0, found))
    for number, widget in widgets:
        box = rectangle(view, widget.get("Rect"))
        if box is None or (box[2] - box[0]) * (box[3] - box[1]) <= _ZERO_AREA:
            continue
        page = widget.get("P") or _page_of(view, number)
        if isinstance(page, Ref):
            return _seen(view, box, page)
    return None


def _page_of(view: View, widget: int) -> Ref | None:
    """The first or last page when it lists the widget: others have no part to play."""
    for page in (_outer_page(view, first=True), _outer_page(view, first=False)):
        found = view.dictionary(page)
        if page is not None and found is not None:
            listed = view.array(found.get("Annots"))
            if any(isinstance(item, Ref) and item.number == widget for item in listed):
                return page
    return None


def _outer_page(view: View, *, first: bool) -> Ref | None:
    """The first or the last leaf of the page tree."""
    node = view.root.get("Pages")
    for _ in range(_MAX_PARENTS):
        found = view.dictionary(node)
        kids = view.array(found.get("Kids")) if found else []
        if not kids:
            return node if isinstance(node, Ref) else None
        node = kids[0] if first else kids[-1]
    return None


def _seen(view: View, box: Box, page: Ref) -> Place:
    crop = visible_box(view, page.number)
    turn = view.resolve(inherited(view, page.number, "Rotate"))
    quarters = int(turn) // 90 % 4 if isinstance(turn, int) else 0
    x0, y0, x1, y1 = box[0] - crop[0], box[1] - crop[1], box[2] - crop[0], box[3] - crop[1]
    width, height = crop[2] - crop[0], crop[3] - crop[1]
    for _ in range(quarters):  # clockwise
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
        width, height = height, width
    return Place(x0, y0, x1, y1, width, height, page == _outer_page(view, first=True), page.number)
