"""Where on a page a stamp goes, worked out on the page as people see it.

A *view* is the page upright: what lies inside the CropBox, turned by /Rotate, origin at its
lower left. Rules are written for the view ("top right, 10 mm in"); widgets want default user
space (ISO 32000-1, 8.3.2.3). `View` turns one into the other. No rule here reads a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from signer.errors import ProfileError
from signer.sealing.appearance.profiles import CornerName, CornerPlace
from signer.sealing.stamp import PageGeometry, Rect

POINTS_PER_MM = 72 / 25.4
_TOLERANCE_PT = 0.01  # a box as large as its page still fits, whatever floats make of it


@dataclass(frozen=True, slots=True)
class View:
    """A page as it is seen. Lengths are points of 1/72 inch, whatever its /UserUnit."""

    page: PageGeometry

    @property
    def turn(self) -> int:
        """Degrees that the page is turned clockwise; an invalid /Rotate turns nothing."""
        return self.page.rotate if self.page.rotate in (90, 180, 270) else 0

    @property
    def width(self) -> float:
        """Visible width."""
        x0, y0, x1, y1 = self.page.box
        return (x1 - x0 if self.turn % 180 == 0 else y1 - y0) * self.page.user_unit

    @property
    def height(self) -> float:
        """Visible height."""
        x0, y0, x1, y1 = self.page.box
        return (y1 - y0 if self.turn % 180 == 0 else x1 - x0) * self.page.user_unit

    def to_user(self, rect: Rect) -> Rect:
        """`rect` of the view in default user space."""
        unit = self.page.user_unit
        u0, v0, u1, v1 = (side / unit for side in rect)
        x0, y0, x1, y1 = self.page.box
        match self.turn:
            case 0:
                return x0 + u0, y0 + v0, x0 + u1, y0 + v1
            case 90:
                return x1 - v1, y0 + u0, x1 - v0, y0 + u1
            case 180:
                return x1 - u1, y1 - v1, x1 - u0, y1 - v0
            case _:
                return x0 + v0, y1 - u1, x0 + v1, y1 - u0

    def to_view(self, rect: Rect) -> Rect:
        """`rect` of default user space in the view."""
        unit = self.page.user_unit
        x0, y0, x1, y1 = self.page.box
        a0, b0, a1, b1 = rect
        match self.turn:
            case 0:
                seen = a0 - x0, b0 - y0, a1 - x0, b1 - y0
            case 90:
                seen = b0 - y0, x1 - a1, b1 - y0, x1 - a0
            case 180:
                seen = x1 - a1, y1 - b1, x1 - a0, y1 - b0
            case _:
                seen = y1 - b1, a0 - x0, y1 - b0, a1 - x0
        return seen[0] * unit, seen[1] * unit, seen[2] * unit, seen[3] * unit

    def holds(self, rect: Rect) -> bool:
        """Whether `rect` of the view lies on the visible page."""
        return (
            rect[0] >= -_TOLERANCE_PT
            and rect[1] >= -_TOLERANCE_PT
            and rect[2] <= self.width + _TOLERANCE_PT
            and rect[3] <= self.height + _TOLERANCE_PT
        )


def corner_rect(
    place: CornerPlace,
    page: PageGeometry,
    taken: Iterable[Rect] = (),
    *,
    size_pt: tuple[float, float] | None = None,
) -> Rect:
    """The rectangle in default user space that `place` means on `page`.

    `taken` are rectangles (default user space) of visible signatures on that page: the place
    moves past them, away from its corner, unless the rule says to refuse. `size_pt` replaces
    the rule's own size. Raises `ProfileError` when the page has no room.
    """
    view = View(page)
    width, height = size_pt or (place.width_mm * POINTS_PER_MM, place.height_mm * POINTS_PER_MM)
    gap = place.gap_mm * POINTS_PER_MM
    others = [view.to_view(rect) for rect in taken]
    right, bottom = place.corner.endswith("right"), place.corner.startswith("bottom")
    across, along = place.offset_x_mm * POINTS_PER_MM, place.offset_y_mm * POINTS_PER_MM
    while True:
        u0 = view.width - across - width if right else across
        v0 = along if bottom else view.height - along - height
        rect = (u0, v0, u0 + width, v0 + height)
        if not view.holds(rect):
            raise ProfileError(
                f"page of {view.width / POINTS_PER_MM:.0f} × {view.height / POINTS_PER_MM:.0f} mm "
                f"has no room at its {place.corner} for a stamp of "
                f"{width / POINTS_PER_MM:.1f} × {height / POINTS_PER_MM:.1f} mm: "
                "give the profile a smaller box or smaller offsets"
            )
        blocking = [other for other in others if _overlap(rect, other)]
        if not blocking:
            return view.to_user(rect)
        if place.when_taken == "refuse":
            raise ProfileError(
                f"another visible signature stands at the {place.corner} of the page: set "
                'when_taken = "stack" in the profile or choose another corner'
            )
        far = max(_reach(other, place.corner, view) for other in blocking)
        along = max(far, along) + gap


def _reach(rect: Rect, corner: CornerName, view: View) -> float:
    """How far `rect` extends from the horizontal edge that `corner` lies on."""
    return rect[3] if corner.startswith("bottom") else view.height - rect[1]


def _overlap(a: Rect, b: Rect) -> bool:
    return (
        a[0] < b[2] - _TOLERANCE_PT
        and b[0] < a[2] - _TOLERANCE_PT
        and a[1] < b[3] - _TOLERANCE_PT
        and b[1] < a[3] - _TOLERANCE_PT
    )


def overlap_rect(
    signature: Rect, page: PageGeometry, size_pt: tuple[float, float], share: float
) -> Rect:
    """A seal of `size_pt` that covers `share` of the width of `signature` from its left.

    Both rectangles are in default user space; the seal's middle is level with the
    signature's (NĐ 30/2020, Phụ lục I; profile P2). Raises `ProfileError` when the seal
    would leave the page.
    """
    view = View(page)
    u0, v0, u1, v1 = view.to_view(signature)
    width, height = size_pt
    right, middle = u0 + share * (u1 - u0), (v0 + v1) / 2
    rect = (right - width, middle - height / 2, right, middle + height / 2)
    if not view.holds(rect):
        raise ProfileError(
            "the seal would leave the page: the signature that it has to overlap stands too "
            "near the edge; place that signature further in"
        )
    return view.to_user(rect)


def contained(size: tuple[float, float], box: tuple[float, float]) -> tuple[float, float]:
    """`size` scaled, proportions kept, to the largest that fits into `box`."""
    scale = min(box[0] / size[0], box[1] / size[1])
    return size[0] * scale, size[1] * scale


def centred(size: tuple[float, float], rect: Rect) -> Rect:
    """A rectangle of `size` in the middle of `rect`."""
    u, v = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
    return u - size[0] / 2, v - size[1] / 2, u + size[0] / 2, v + size[1] / 2
