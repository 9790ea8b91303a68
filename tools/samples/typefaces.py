"""Type families for the samples, found among the installed Debian font packages.

`FAMILIES` are those that a family needs for Vietnamese in four styles. Version 1 of
fonts-liberation lacks 96 Vietnamese glyphs, hence the explicit liberation2 path.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import ImageFont

Style = Literal["regular", "bold", "italic", "bolditalic"]

FONT_ROOTS = (
    Path("/usr/share/fonts/truetype"),
    Path("/usr/share/fonts/opentype"),
    Path("/usr/share/texmf/fonts/opentype/public"),
)
MM_PER_POINT = 25.4 / 72
_METRIC_EM = 400  # pixels per em at which advances and ink are measured

# Vietnamese letters that a family must draw; the hardest stacks are enough to tell.
PROBE = "ẲẴẶẤẨẪẬẾỂỄỆỐỔỖỘỚỜỞỠỢỨỪỬỮỰỲỴỶỸĐăâđêôơưằẳẵặầấẩẫậềếểễệồốổỗộờớởỡợừứửữựỳỵỷỹ"


class FontMissing(Exception):
    """A family is not installed; the message names the Debian package to install."""


@dataclass(frozen=True, slots=True)
class Family:
    """A type family: its files for the four styles and the package that holds them."""

    name: str
    package: str
    files: tuple[str, str, str, str]  # regular, bold, italic, bold italic

    def path(self, style: Style) -> Path:
        """The font file of a style; FontMissing when it is not installed."""
        name = self.files[("regular", "bold", "italic", "bolditalic").index(style)]
        for root in FONT_ROOTS:
            if (root / name).is_file():
                return root / name
        raise FontMissing(f"font {name} is not installed; run: apt-get install {self.package}")

    @property
    def installed(self) -> bool:
        """Whether all four styles are there."""
        try:
            return all(self.path(s) for s in ("regular", "bold", "italic", "bolditalic"))
        except FontMissing:
            return False


def _quartet(
    folder: str, stem: str, parts: tuple[str, str, str, str], ext: str
) -> tuple[str, str, str, str]:
    a, b, c, d = (f"{folder}/{stem}{part}.{ext}" for part in parts)
    return a, b, c, d


_DASHED = ("-Regular", "-Bold", "-Italic", "-BoldItalic")
_OBLIQUE = ("", "-Bold", "-Oblique", "-BoldOblique")

FAMILIES: dict[str, Family] = {
    f.name: f
    for f in (
        Family(
            "Liberation Serif",
            "fonts-liberation2",
            _quartet("liberation2", "LiberationSerif", _DASHED, "ttf"),
        ),
        Family("Tinos", "fonts-croscore", _quartet("croscore", "Tinos", _DASHED, "ttf")),
        Family("Arimo", "fonts-croscore", _quartet("croscore", "Arimo", _DASHED, "ttf")),
        Family(
            "Liberation Sans",
            "fonts-liberation2",
            _quartet("liberation2", "LiberationSans", _DASHED, "ttf"),
        ),
        Family(
            "DejaVu Serif",
            "fonts-dejavu",
            _quartet("dejavu", "DejaVuSerif", ("", "-Bold", "-Italic", "-BoldItalic"), "ttf"),
        ),
        Family("DejaVu Sans", "fonts-dejavu", _quartet("dejavu", "DejaVuSans", _OBLIQUE, "ttf")),
        Family(
            "FreeSerif",
            "fonts-freefont-ttf",
            _quartet("freefont", "FreeSerif", ("", "Bold", "Italic", "BoldItalic"), "ttf"),
        ),
        Family("Noto Serif", "fonts-noto-core", _quartet("noto", "NotoSerif", _DASHED, "ttf")),
        Family("Noto Sans", "fonts-noto-core", _quartet("noto", "NotoSans", _DASHED, "ttf")),
        Family(
            "TeX Gyre Termes",
            "fonts-texgyre",
            _quartet(
                "tex-gyre",
                "texgyretermes",
                ("-regular", "-bold", "-italic", "-bolditalic"),
                "otf",
            ),
        ),
    )
}


@functools.lru_cache(maxsize=256)
def load(path: Path, size_px: float) -> ImageFont.FreeTypeFont:
    """A font at `size_px` pixels per em. Simple layout: Vietnamese needs no shaping in NFC."""
    return ImageFont.truetype(str(path), size_px, layout_engine=ImageFont.Layout.BASIC)


@dataclass(frozen=True, slots=True)
class Face:
    """One style of a family, measured in millimetres."""

    family: Family
    style: Style

    def font(self, size_pt: float, dpi: float) -> ImageFont.FreeTypeFont:
        """The font for drawing at `dpi`."""
        return load(self.family.path(self.style), size_pt * dpi / 72)

    def advance_mm(self, text: str, size_pt: float) -> float:
        """Width of `text` from origin to origin."""
        metric = load(self.family.path(self.style), _METRIC_EM)
        return metric.getlength(text) / _METRIC_EM * size_pt * MM_PER_POINT

    def ink_mm(self, text: str, size_pt: float) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the ink, relative to the origin on the baseline."""
        metric = load(self.family.path(self.style), _METRIC_EM)
        scale = size_pt * MM_PER_POINT / _METRIC_EM
        left, top, right, bottom = metric.getbbox(text, anchor="ls")
        return left * scale, top * scale, right * scale, bottom * scale
