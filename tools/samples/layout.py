"""Setting type on a page: words, lines, columns and tables, in millimetres.

A `Sheet` collects placed words and rules and, beside them, the ground truth. It is drawn only
at the end (`draw_ink`), so the same sheet serves every resolution.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tools.samples.groundtruth import (
    MM_PER_INCH,
    PAGE_HEIGHT_MM,
    PAGE_WIDTH_MM,
    GroupKind,
    LineKind,
    TruthGroup,
    TruthLine,
    TruthPage,
    TruthWord,
)
from tools.samples.typefaces import MM_PER_POINT, Face, Family, Style

Align = Literal["left", "center", "right", "justify"]
Ink = npt.NDArray[np.uint8]
_SUPERSAMPLE_DPI = 600  # print is finer than the scan; drawing at 600 keeps advances honest


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece of type: millimetres from the upper left, the baseline as `baseline`."""

    text: str
    x: float
    baseline: float
    face: Face
    size_pt: float


@dataclass(frozen=True, slots=True)
class _Rule:
    x0: float
    y0: float
    x1: float
    y1: float
    width: float


def _runs(text: str, style: Style) -> list[list[_Run]]:
    """Split marked-up text (`**bold**`, `_italic_` over whole words) into words of runs."""
    words: list[list[_Run]] = []
    bold = italic = False
    for token in text.split():
        runs: list[_Run] = []
        for part in re.split(r"(\*\*|__)", token):
            if part == "**":
                bold = not bold
            elif part == "__":
                italic = not italic
            elif part:
                runs.append(_Run(part, _style(style, bold=bold, italic=italic)))
        if runs:
            words.append(runs)
    return words


def _style(base: Style, *, bold: bool, italic: bool) -> Style:
    b, i = bold or base.startswith("bold"), italic or base.endswith("italic")
    if b and i:
        return "bolditalic"
    return "bold" if b else "italic" if i else "regular"


@dataclass(slots=True)
class Sheet:
    """A page being set. `y` is the current position from the top, in millimetres.

    `seal_at` and `signature_at` are remembered by the signature block for the marks that are
    put over the print later; `hand` holds handwriting to draw in ink: text, x, baseline, height.
    """

    family: Family
    size_pt: float = 13.5
    left: float = 30.0
    right: float = PAGE_WIDTH_MM - 20.0
    y: float = 20.0
    fields: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    signature_at: tuple[float, float] | None = None
    hand: list[tuple[str, float, float, float]] = field(default_factory=list)
    _placed: list[Placed] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _lines: list[TruthLine] = field(default_factory=list)
    _groups: list[TruthGroup] = field(default_factory=list)
    _cells: list[int] | None = None

    # -- lines ------------------------------------------------------------------------------

    def _wrap(
        self, words: list[list[_Run]], size: float, width: float, indent: float
    ) -> list[list[list[_Run]]]:
        lines: list[list[list[_Run]]] = [[]]
        room = width - indent
        used = 0.0
        for word in words:
            w = self._word_mm(word, size)
            gap = self._space_mm(size) if lines[-1] else 0.0
            if lines[-1] and used + gap + w > room:
                lines.append([])
                room, used, gap = width, 0.0, 0.0
            lines[-1].append(word)
            used += gap + w
        return lines

    def _word_mm(self, word: Sequence[_Run], size: float) -> float:
        return sum(Face(self.family, r.style).advance_mm(r.text, size) for r in word)

    def measure(self, text: str, size: float) -> float:
        """Width of upright text set on one line, in millimetres."""
        return Face(self.family, "regular").advance_mm(text, size)

    def _space_mm(self, size: float) -> float:
        return Face(self.family, "regular").advance_mm(" ", size)

    def _set_line(
        self,
        words: Sequence[Sequence[_Run]],
        x: float,
        baseline: float,
        size: float,
        gap: float,
        kind: LineKind = "print",
    ) -> int:
        truth = []
        for word in words:
            box: tuple[float, float, float, float] | None = None
            for run in word:
                face = Face(self.family, run.style)
                self._placed.append(Placed(run.text, x, baseline, face, size))
                ink = face.ink_mm(run.text, size)
                here = (x + ink[0], baseline + ink[1], x + ink[2], baseline + ink[3])
                box = here if box is None else _union(box, here)
                x += face.advance_mm(run.text, size)
            if box is not None:
                truth.append(TruthWord("".join(r.text for r in word), *box))
            x += gap
        self._lines.append(TruthLine(tuple(truth), kind, size, baseline))
        index = len(self._lines) - 1
        if self._cells is not None:
            self._cells.append(index)
        return index

    def text(
        self,
        text: str,
        *,
        size: float | None = None,
        style: Style = "regular",
        align: Align = "left",
        left: float | None = None,
        right: float | None = None,
        indent: float = 0.0,
        leading: float = 1.18,
        after: float = 0.0,
        fit: bool = False,
    ) -> tuple[float, float]:
        """Set wrapped text at `y` and move down; left and right end of its last line in mm.

        Called outside a column or cell, the lines make one `seq` reading group. With `fit` the
        size is reduced until the text stands on one line.
        """
        size = size or self.size_pt
        x0, x1 = left if left is not None else self.left, right if right is not None else self.right
        if fit:
            size *= min(1.0, (x1 - x0) / Face(self.family, style).advance_mm(text, size) * 0.995)
        outer = self._cells is None
        if outer:
            self._cells = []
        pitch = size * MM_PER_POINT * leading
        lines = self._wrap(_runs(text, style), size, x1 - x0, indent)
        end = (x0, x0)
        for n, words in enumerate(lines):
            start = x0 + (indent if n == 0 else 0.0)
            gap = self._space_mm(size)
            natural = sum(self._word_mm(w, size) for w in words) + gap * (len(words) - 1)
            slack = x1 - start - natural
            if align == "justify" and n < len(lines) - 1 and len(words) > 1:
                gap += slack / (len(words) - 1)
                slack = 0.0
            elif align == "center":
                start += slack / 2
            elif align == "right":
                start += slack
            self.y += pitch
            baseline = self.y - pitch * 0.24
            self._set_line(words, start, baseline, size, gap)
            end = (start, x1 if align == "justify" and slack == 0.0 else start + natural)
        self.y += after
        if outer:
            cells, self._cells = self._cells or [], None
            self._groups.append(TruthGroup("seq", (tuple(cells),)))
        return end

    def rule(self, x0: float, x1: float, y: float, width: float = 0.2) -> None:
        """A horizontal line at `y`."""
        self._rules.append(_Rule(x0, y, x1, y, width))

    def vertical_rule(self, x: float, y0: float, y1: float, width: float = 0.2) -> None:
        """A vertical line at `x`."""
        self._rules.append(_Rule(x, y0, x, y1, width))

    def handwriting(self, text: str, x: float, baseline: float, height: float) -> None:
        """Reserve handwriting: drawn in pen later, recorded as kind `hand`."""
        self.hand.append((text, x, baseline, height))
        width = len(text) * height * 0.62
        word = TruthWord(text, x, baseline - height, x + width, baseline)
        self._lines.append(TruthLine((word,), "hand", height / MM_PER_POINT, baseline))
        if self._cells is not None:
            self._cells.append(len(self._lines) - 1)
        else:
            self._groups.append(TruthGroup("seq", ((len(self._lines) - 1,),)))

    # -- side by side -----------------------------------------------------------------------

    def _cell(self, top: float, write: Callable[[], None]) -> tuple[tuple[int, ...], float]:
        """Run `write` from `top`, gathering its lines into one cell."""
        self.y = top
        self._cells = []
        write()
        cells, self._cells = tuple(self._cells), None
        return cells, self.y

    def columns(self, *writers: Callable[[], None], kind: GroupKind = "cols") -> None:
        """Blocks that stand side by side, each starting at the current `y`."""
        top = self.y
        done = [self._cell(top, write) for write in writers]
        self._groups.append(TruthGroup(kind, tuple(cells for cells, _ in done)))
        self.y = max(bottom for _, bottom in done)

    def table(
        self,
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        size: float = 12.0,
        aligns: Sequence[Align] | None = None,
        pad: float = 1.2,
    ) -> None:
        """A ruled table; the first row is the head (bold, centred). Widths are relative."""
        span = self.right - self.left
        scale = span / sum(widths)
        edges = [self.left]
        for w in widths:
            edges.append(edges[-1] + w * scale)
        top = self.y
        self.rule(self.left, self.right, top)
        for n, row in enumerate(rows):

            def writer(column: int, text: str, head: bool) -> Callable[[], None]:
                align: Align = "center" if head or aligns is None else aligns[column]
                return lambda: self._cell_text(
                    text, edges[column] + pad, edges[column + 1] - pad, size, align, head=head
                )

            self.y += pad * 0.6
            self.columns(*(writer(c, t, n == 0) for c, t in enumerate(row)), kind="row")
            self.y += pad
            self.rule(self.left, self.right, self.y)
        for x in edges:
            self.vertical_rule(x, top, self.y)
        self.y += 2.0

    def _cell_text(
        self, text: str, left: float, right: float, size: float, align: Align, *, head: bool
    ) -> None:
        if text:
            style: Style = "bold" if head else "regular"
            self.text(text, size=size, style=style, align=align, left=left, right=right)

    # -- results ----------------------------------------------------------------------------

    def truth(self, name: str) -> TruthPage:
        """The page's ground truth."""
        return TruthPage(name, tuple(self._lines), tuple(self._groups), dict(self.fields))

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Everything that is typed, piece by piece."""
        return tuple(self._placed)

    def with_text(self, index: int, text: str) -> Sheet:
        """A copy whose piece `index` says `text`, at the same place; its truth stays as it was."""
        placed = list(self._placed)
        placed[index] = replace(placed[index], text=text)
        return replace(self, _placed=placed)

    def draw_ink(self, dpi: int) -> Ink:
        """The black print as coverage 0-255, shape (height, width) at `dpi`."""
        big = _SUPERSAMPLE_DPI
        scale = big / MM_PER_INCH
        size = (round(PAGE_WIDTH_MM * scale), round(PAGE_HEIGHT_MM * scale))
        canvas = Image.new("L", size, 0)
        draw = ImageDraw.Draw(canvas)
        for p in self._placed:
            font = p.face.font(p.size_pt, big)
            draw.text((p.x * scale, p.baseline * scale), p.text, fill=255, font=font, anchor="ls")
        for r in self._rules:
            width = max(1, round(r.width * scale))
            draw.line((r.x0 * scale, r.y0 * scale, r.x1 * scale, r.y1 * scale), 255, width)
        if dpi != big:
            small = (round(PAGE_WIDTH_MM * dpi / MM_PER_INCH), page_height_px(dpi))
            canvas = canvas.resize(small, Image.Resampling.BOX)
        return np.asarray(canvas, dtype=np.uint8)


def page_height_px(dpi: float) -> int:
    """Height of an A4 page in pixels."""
    return round(PAGE_HEIGHT_MM * dpi / MM_PER_INCH)


def _union(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
