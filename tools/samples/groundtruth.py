"""What stands on a sample page: words with boxes, reading groups, fields.

Lengths are millimetres on the unskewed upright page (A4: 210 by 297), so one truth serves
every resolution and condition. `ScanGeometry.on_scan` carries a box onto a given scan.

JSON shape::

    {"name": str, "fields": {name: str | [str]},
     "lines": [{"text", "kind": "print" | "hand", "size", "baseline",
                "words": [[text, left, top, right, bottom], ...]}, ...],
     "groups": [["seq" | "cols" | "row", [[line index, ...], ...]], ...]}

A group `seq` is read through; the cells of `cols` stand side by side and may be read by
column or across; successive `row` groups make a table, read by cell or across. Lines of kind
`hand` are handwriting: no machine is expected to read them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from ocr.page import Box

PAGE_WIDTH_MM = 210.0
PAGE_HEIGHT_MM = 297.0
MM_PER_INCH = 25.4

LineKind = Literal["print", "hand"]
GroupKind = Literal["seq", "cols", "row"]
Fields = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TruthWord:
    """A printed word and the box around its ink, in millimetres."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class TruthLine:
    """Words on one baseline (`baseline_mm` from the top), set at `size_pt`."""

    words: tuple[TruthWord, ...]
    kind: LineKind
    size_pt: float
    baseline_mm: float

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(w.text for w in self.words)


@dataclass(frozen=True, slots=True)
class TruthGroup:
    """Line indexes that belong together; `cells` holds one tuple a column or table cell."""

    kind: GroupKind
    cells: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TruthPage:
    """One page's exact text and the fields a reader should extract from it."""

    name: str
    lines: tuple[TruthLine, ...]
    groups: tuple[TruthGroup, ...]
    fields: Fields

    @property
    def text(self) -> str:
        """The printed lines, one a row, in reading order by column."""
        order = [i for g in self.groups for cell in g.cells for i in cell]
        return "\n".join(self.lines[i].text for i in order if self.lines[i].kind == "print")

    def to_json(self) -> str:
        """The page as JSON text (UTF-8, stable order, boxes to 0.01 mm)."""
        lines = [
            {
                "text": line.text,
                "kind": line.kind,
                "size": round(float(line.size_pt), 3),
                "baseline": round(line.baseline_mm, 2),
                "words": [
                    [w.text, *(round(v, 2) for v in (w.left, w.top, w.right, w.bottom))]
                    for w in line.words
                ],
            }
            for line in self.lines
        ]
        data = {
            "name": self.name,
            "fields": {k: v if isinstance(v, str) else list(v) for k, v in self.fields.items()},
            "groups": [[g.kind, [list(c) for c in g.cells]] for g in self.groups],
            "lines": lines,
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def page_from_json(text: str) -> TruthPage:
    """Read a page back; a line without `baseline` gets the bottom of its lowest word."""
    data = cast("dict[str, Any]", json.loads(text))
    lines = []
    for raw in data["lines"]:
        words = tuple(TruthWord(str(w[0]), *(float(v) for v in w[1:5])) for w in raw["words"])
        lowest = max((w.bottom for w in words), default=0.0)
        lines.append(
            TruthLine(
                words,
                raw["kind"],
                float(raw.get("size", 13.0)),
                float(raw.get("baseline", lowest)),
            )
        )
    groups = tuple(
        TruthGroup(kind, tuple(tuple(int(i) for i in cell) for cell in cells))
        for kind, cells in data["groups"]
    )
    fields = {k: v if isinstance(v, str) else tuple(v) for k, v in data["fields"].items()}
    return TruthPage(str(data.get("name", "")), tuple(lines), groups, fields)


def read_page(path: Path) -> TruthPage:
    """Read a ground-truth file."""
    return page_from_json(path.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class ScanGeometry:
    """How the flat page lies on a scan.

    `skew_degrees` turns the sheet about its centre (positive: lines fall to the right), then
    `turns` clockwise quarter turns are needed to make the *file's* image upright again.
    """

    dpi: float
    skew_degrees: float = 0.0
    turns: int = 0

    def on_scan(self, word: TruthWord) -> Box:
        """The word's box in pixels of the upright scan (the box around the turned box)."""
        scale = self.dpi / MM_PER_INCH
        angle = math.radians(self.skew_degrees)
        cos, sin = math.cos(angle), math.sin(angle)
        cx, cy = PAGE_WIDTH_MM / 2, PAGE_HEIGHT_MM / 2
        xs, ys = [], []
        for x in (word.left, word.right):
            for y in (word.top, word.bottom):
                xs.append((cx + (x - cx) * cos - (y - cy) * sin) * scale)
                ys.append((cy + (x - cx) * sin + (y - cy) * cos) * scale)
        return Box(min(xs), min(ys), max(xs), max(ys))
