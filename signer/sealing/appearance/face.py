"""Drawing a visible signature: the form XObject that the widget shows (/AP /N).

What is drawn conforms to ISO 19005-3: the typeface is embedded, colours are DeviceRGB under
the document's output intent, transparency is a soft mask, no graphics state or group is used.
The content stream needs few operators; `OPERATORS` lists them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from signer.errors import ProfileError
from signer.sealing.appearance.pictures import Picture, StampImages, prepare_picture
from signer.sealing.appearance.placement import POINTS_PER_MM, contained
from signer.sealing.appearance.profiles import (
    AnchorPlace,
    AppearanceProfile,
    CornerPlace,
    ImageRule,
)
from signer.sealing.appearance.symbol import Symbol
from signer.sealing.appearance.typeface import TextBlock, flate_stream, set_text
from signer.sealing.stamp import ObjectSink, Rect

OPERATORS = frozenset({"q", "Q", "cm", "Do", "BT", "ET", "Tf", "Tm", "Tj", "rg", "re", "f"})
"""Everything that a stamp's content stream may contain."""

_ROUNDING_PT = 0.01


@dataclass(frozen=True, slots=True)
class Face:
    """What a stamp shows, upright, in a box of `width` × `height` points from (0, 0).

    Pictures, codes and text are given with the lower left of their own box.
    """

    width: float
    height: float
    picture: tuple[Picture, Rect] | None = None
    text: tuple[TextBlock, tuple[float, float]] | None = None
    symbol: tuple[Symbol, Rect] | None = None

    def draw(self, sink: ObjectSink, rotate: int) -> int:
        """Add the form XObject and what it needs; return its object number.

        `rotate` is the page's /Rotate: the form is turned against it, so that the stamp is
        upright for the reader. The viewer fits the form into the widget's rectangle.
        """
        content: list[bytes] = []
        resources: list[bytes] = []
        if self.picture is not None:
            picture, (x0, y0, x1, y1) = self.picture
            resources.append(b"/XObject << /Im0 %d 0 R >>" % picture.embed(sink))
            content.append(b"q %s 0 0 %s %s %s cm /Im0 Do Q" % _numbers(x1 - x0, y1 - y0, x0, y0))
        if self.symbol is not None:
            symbol, (x0, y0, x1, _) = self.symbol
            content.append(symbol.paint(x0, y0, x1 - x0))
        if self.text is not None:
            block, (x, y) = self.text
            resources.append(b"/Font << /F0 %d 0 R >>" % block.face.embed(sink))
            content.append(b"BT %s %s %s rg /F0 %s Tf" % _numbers(*block.colour, block.size_pt))
            content += [
                b"1 0 0 1 %s %s Tm %s Tj"
                % (*_numbers(x + line.x, y + line.y), block.face.encode(line.text))
                for line in block.lines
            ]
            content.append(b"ET")
        entries = (
            b"/Type /XObject /Subtype /Form /BBox [0 0 %s] /Matrix [%s] /Resources << %s >>"
        ) % (
            b" ".join(_numbers(self.width, self.height)),
            _MATRICES[rotate],
            b" ".join(resources),
        )
        return sink.add(flate_stream(b"\n".join(content), entries))


# A page turned clockwise by the key shows a form turned anticlockwise by as much upright.
# Translations do not matter: the viewer moves the form's box into the widget (12.5.5).
_MATRICES = {0: b"1 0 0 1 0 0", 90: b"0 1 -1 0 0 0", 180: b"-1 0 0 -1 0 0", 270: b"0 -1 1 0 0 0"}


def _numbers(*values: float) -> tuple[bytes, ...]:
    return tuple(b"%d" % v if v == int(v) else b"%.3f" % v for v in values)


def compose(profile: AppearanceProfile, texts: Sequence[str], images: StampImages) -> Face:
    """Lay out what `profile` shows: its image, and `texts`, the filled lines of its text.

    An image without text is the whole face, as large as its ink, so that the widget's edge is
    the ink's edge; beside text it stands at its side, at the top of the box. Raises
    `ProfileError` when an image is missing or wrong or something does not fit.
    """
    box = _box(profile)
    left, width, placed = 0.0, box[0], None
    if (rule := profile.image) is not None:
        picture, (w, h) = _sized(rule, images, box, profile.id)
        if not profile.text.lines:
            return Face(w, h, (picture, (0.0, 0.0, w, h)))
        x = 0.0 if rule.side == "left" else box[0] - w
        placed = (picture, (x, box[1] - h, x + w, box[1]))
        width -= w + rule.gap_mm * POINTS_PER_MM
        left = box[0] - width if rule.side == "left" else 0.0
    block = set_text(texts, profile.text, profile.font, width, box[1])
    return Face(*box, placed, (block, (left, 0.0)))


def _box(profile: AppearanceProfile) -> tuple[float, float]:
    """The profile's box in points; without bounds where the image alone gives the size."""
    if isinstance(profile.place, CornerPlace | AnchorPlace):
        return profile.place.width_mm * POINTS_PER_MM, profile.place.height_mm * POINTS_PER_MM
    return math.inf, math.inf


def _sized(
    rule: ImageRule, images: StampImages, box: tuple[float, float], profile_id: str
) -> tuple[Picture, tuple[float, float]]:
    """The image and its size in points: the real one, or the largest that fits the box."""
    png = images.of(rule)
    if rule.width_mm is None:
        picture = prepare_picture(png, rule, box[0] / POINTS_PER_MM)
        return picture, contained((1.0, picture.proportion), box)
    real = images.seal_width_mm if rule.kind == "seal" else None
    width = (real or rule.width_mm) * POINTS_PER_MM
    picture = prepare_picture(png, rule, width / POINTS_PER_MM)
    size = (width, width * picture.proportion)
    if size[0] > box[0] + _ROUNDING_PT or size[1] > box[1] + _ROUNDING_PT:
        raise ProfileError(
            f"the {rule.kind} of profile {profile_id} is {size[0] / POINTS_PER_MM:.1f} × "
            f"{size[1] / POINTS_PER_MM:.1f} mm at its real size, larger than the profile's box: "
            "enlarge the box"
        )
    return picture, size
