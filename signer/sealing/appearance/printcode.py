"""The QR code of an issued result at its place on the page, with a line for people below it.

    plan = PlannedCode(text, caption, profiles, at, vacancy)
    stamp = plan.resolve(document)

The profile file names the corner (TT 01/2023/TT-VPCP, Điều 26: top left, below the officer's mark
where both claim it) and the size. Nothing is ever covered: where the corner is taken the other
corners are tried, then the margins from the top down, at last a smaller code that fits into the
binding margin of NĐ 30/2020. Below the code stand the system's name, the result code and the
address (NĐ 45/2020, Điều 18.2). All of it is the operator's: nothing comes from the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from signer.clock import VIETNAM
from signer.errors import ProfileError
from signer.prooftext import ProofText
from signer.sealing.appearance.face import Face
from signer.sealing.appearance.placement import POINTS_PER_MM, View
from signer.sealing.appearance.plan import PlacedStamp
from signer.sealing.appearance.profiles import (
    CornerName,
    CornerPlace,
    FontRule,
    ProfileSet,
    TextRule,
)
from signer.sealing.appearance.symbol import MIN_MODULE_MM, QUIET_MODULES, symbol_of
from signer.sealing.appearance.typeface import set_text, typeface
from signer.sealing.appearance.vacancy import VacancySource, first_blank
from signer.sealing.stamp import DocumentGeometry, Rect

SLOT: Final = "QR"
"""The claimant of a corner that the code is, in the profile file."""
_NARROW_MM = 24.0  # fits beside the text in a binding margin of 30 mm
_NARROW_EDGE_MM = 4.0  # what printers leave white
_STEP_MM = 4.0
_FONT = FontRule(size_pt=6.5, min_size_pt=4.5, leading=1.1)
_CAPTION = TextRule(align="center", valign="top")
_CAPTION_MM = 9.0


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands below the code (K12). `address` is shown without its scheme."""

    system: str
    code: str
    address: str


@dataclass(frozen=True, slots=True)
class PlannedCode:
    """A code without a place (`signer.sealing.stamp.StampPlan`).

    `at` is the time of signing (aware); `vacancy` says what is blank on a page.
    """

    text: ProofText
    caption: Caption
    profiles: ProfileSet
    at: datetime
    vacancy: VacancySource

    def resolve(self, document: DocumentGeometry) -> PlacedStamp:
        """Choose page, corner and size. Raises `ProfileError` when nothing is blank."""
        place = self.profiles.slot(SLOT, self.at.astimezone(VIETNAM).date())
        index = 0 if place.page == "first" else len(document.pages) - 1
        view = View(document.pages[index])
        taken = [view.to_view(r) for at, r in document.signature_rects.values() if at == index]
        vacancy = self.vacancy(index, view.width, view.height)
        preferred, narrow = self._face(place.width_mm), self._face(_NARROW_MM)
        for face, places in (
            (preferred, _corners(view, preferred, place)),
            (preferred, _margins(view, preferred, place, place.offset_x_mm)),
            (narrow, _margins(view, narrow, place, _NARROW_EDGE_MM)),
        ):
            found = first_blank(places, taken, vacancy)
            if found is not None:
                return PlacedStamp(index, view.to_user(found), view.turn, face, anchored=False)
        raise ProfileError(
            f"Trang {index + 1} không còn chỗ trống {_NARROW_MM:.0f} × "
            f"{narrow.height / POINTS_PER_MM:.0f} mm cho mã QR; hãy chừa lề trái 30 mm hoặc ký "
            "không có mã. / The page has no blank room for the code; leave a margin of 30 mm, or "
            "sign without the code."
        )

    def _face(self, width_mm: float) -> Face:
        """The code and its caption in a box of that width."""
        symbol = symbol_of(self.text)
        width = width_mm * POINTS_PER_MM
        if width_mm / (symbol.side + QUIET_MODULES) < MIN_MODULE_MM:
            raise ProfileError(
                f"Mã QR có {symbol.side} ô mỗi cạnh, quá dày cho {width_mm:.0f} mm; hãy rút ngắn "
                "địa chỉ tra cứu. / The code has too many modules for its size on paper; shorten "
                "the lookup address or the issuer's name."
            )
        # half of the quiet zone lies in the box, the page's own white is the rest
        quiet = width * QUIET_MODULES / 2 / (symbol.side + QUIET_MODULES)
        caption = _CAPTION_MM * POINTS_PER_MM
        side = width - 2 * quiet
        lines = [self.caption.system, self.caption.code, *_address(self.caption.address, width)]
        block = set_text(lines, _CAPTION, _FONT, width, caption)
        height = caption + quiet + side + quiet
        square = (quiet, caption + quiet, quiet + side, caption + quiet + side)
        return Face(width, height, text=(block, (0.0, 0.0)), symbol=(symbol, square))


def _corners(view: View, face: Face, place: CornerPlace) -> Iterator[Rect]:
    """The profile's corner first; the others as far from their edges as it is from its own."""
    yield _at(view, face, place.corner, place.offset_x_mm, place.offset_y_mm)
    for corner in get_args(CornerName):
        if corner != place.corner:
            yield _at(view, face, corner, place.offset_x_mm, _NARROW_EDGE_MM)


def _margins(view: View, face: Face, place: CornerPlace, edge_mm: float) -> Iterator[Rect]:
    """Down the profile's side of the page, then down the other side."""
    sides: Sequence[CornerName] = ("top-left", "top-right")
    if place.corner.endswith("right"):
        sides = ("top-right", "top-left")
    for corner in sides:
        down = _NARROW_EDGE_MM
        while down * POINTS_PER_MM + face.height <= view.height - _NARROW_EDGE_MM * POINTS_PER_MM:
            yield _at(view, face, corner, edge_mm, down)
            down += _STEP_MM


def _at(view: View, face: Face, corner: CornerName, x_mm: float, y_mm: float) -> Rect:
    across, along = x_mm * POINTS_PER_MM, y_mm * POINTS_PER_MM
    left = view.width - across - face.width if corner.endswith("right") else across
    low = along if corner.startswith("bottom") else view.height - along - face.height
    return left, low, left + face.width, low + face.height


def _address(address: str, width: float) -> list[str]:
    """The address in as few lines as fit, broken behind a slash or before a full stop."""
    face, most = typeface(_FONT.name), width * 1000 / _FONT.min_size_pt
    lines, line = [], ""
    for piece in _pieces(address.partition("://")[2] or address):
        if line and face.width(line + piece) > most:
            lines.append(line)
            line = piece
        else:
            line += piece
    return [*lines, line]


def _pieces(address: str) -> Iterator[str]:
    piece = ""
    for character in address:
        if character == "." and piece:
            yield piece
            piece = ""
        piece += character
        if character == "/":
            yield piece
            piece = ""
    if piece:
        yield piece
