"""Pages whose every word is judged: what the flags of doubtful words are fitted and measured on.

Two collections of generated pages. `fit` has the texts, agencies and fonts of the tuning half of
`tools.samples.typed`, and all kinds of paper in those fonts. `unseen` has the other half's texts
and fonts (`texts`), and all kinds of paper with other seeds in other fonts (`seeds`). Every page is
scanned under conditions that take turns, at 300 and at 200 dpi in turn.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

from bench.flags_truth import MissedWord, covered, judge_words
from ocr.intake.survey import pages_of, survey, take
from ocr.page import Box, Line
from ocr.page_task import engine_of
from ocr.reading.cleanup import without_seal
from ocr.reading.doubt import Look, looks_at, with_verdicts
from ocr.reading.doubt_places import ReadCell
from ocr.reading.doubt_scale import DoubtScale
from ocr.reading.page_reader import WORKING_DPI, PageReader
from ocr.reading.placing import View
from ocr.reading.recognise import Recogniser
from ocr.reading.segmentation import Layout
from ocr.settings import DigitiseSettings
from tools.samples import typed
from tools.samples.degrade import CONDITIONS, Condition, scan
from tools.samples.evalset import SetOptions, documents
from tools.samples.groundtruth import ScanGeometry, TruthPage, read_page
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES

Collection = Literal["fit", "texts", "seeds"]
_FONTS = {
    "fit": typed.FONTS["tuning"],
    "seeds": ("TeX Gyre Termes", "Noto Serif", "Liberation Sans", "Noto Sans", "DejaVu Sans"),
}
_DPIS = (300, 200)


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A scan with its truth; `data` are the file's bytes, `suffix` its ending."""

    name: str
    condition: str
    dpi: int
    data: bytes
    suffix: str
    geometry: ScanGeometry
    truth: TruthPage


@dataclass(frozen=True, slots=True)
class JudgedWord:
    """A read word: whether its first reading is right, and whether the surer of both is."""

    look: Look
    right: bool
    right_at_last: bool


@dataclass(frozen=True, slots=True)
class JudgedPage:
    """A page after reading: each word that counts and whether it is right; words missed.

    `found` tells of each missed word whether an unread place points to it; `places` counts those
    places. `seconds` are CPU seconds of reading, `look_seconds` those of judging among them.
    """

    name: str
    condition: str
    dpi: int
    words: tuple[JudgedWord, ...]
    missed: tuple[MissedWord, ...]
    found: tuple[bool, ...]
    places: int
    seconds: float
    look_seconds: float


def scans_of(
    collection: Collection, seeds: Sequence[int], per_page: int, every: int = 1
) -> Iterator[ScannedPage]:
    """The collection's scans, one in `every`; each page under `per_page` conditions."""
    for name, sheet, condition, dpi in islice(_orders(collection, seeds, per_page), 0, None, every):
        made = scan(sheet, condition, dpi, zlib.crc32(f"flags/{name}".encode()))
        truth = sheet.truth(name)
        yield ScannedPage(name, condition, dpi, made.data, made.suffix, made.geometry, truth)


def _orders(
    collection: Collection, seeds: Sequence[int], per_page: int
) -> Iterator[tuple[str, Sheet, Condition, int]]:
    if collection != "seeds":
        half: typed.Half = "tuning" if collection == "fit" else "unseen"
        for seed in seeds:
            fonts = typed.FONTS[half]
            for n, code in enumerate(typed.codes()):
                sheet = typed.paper(code, str(seed), half, FAMILIES[fonts[(seed + n) % len(fonts)]])
                yield from _turns(f"{half}.{seed}.{code}", sheet, n * per_page + seed, per_page)
    if collection != "texts":
        for seed in seeds:
            number = seed
            for name, _, _, sheets in documents(SetOptions(seed, 34, fonts=_FONTS[collection])):
                for n, sheet in enumerate(sheets, 1):
                    yield from _turns(f"{seed}.{name}.{n}", sheet, number, per_page)
                    number += per_page


def _turns(
    name: str, sheet: Sheet, number: int, per_page: int
) -> Iterator[tuple[str, Sheet, Condition, int]]:
    for k in range(number, number + per_page):
        condition, dpi = CONDITIONS[k % 9], _DPIS[k // 9 % 2]
        yield f"{name}.{condition}.{dpi}", sheet, condition, dpi


def scans_in(folder: Path) -> Iterator[ScannedPage]:
    """The scans of a folder with manifest.json that have a truth.

    Older manifests count skew the other way: the sign that lays more of the print on ink is taken.
    """
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for entry in cast("list[dict[str, Any]]", entries):
        if entry.get("gt"):
            path = folder / entry["file"]
            geometry = ScanGeometry(entry["dpi"], entry.get("skew", 0.0), entry.get("turns", 0))
            yield ScannedPage(
                path.stem, entry["cond"], entry["dpi"], path.read_bytes(), path.suffix, geometry,
                read_page(folder / entry["gt"]),
            )  # fmt: skip


def judged_pages(
    scans: Iterable[ScannedPage], scale: DoubtScale, cache: Path | None = None
) -> Iterator[JudgedPage]:
    """Read every scan once with `scale` and judge its words; `cache` keeps what was read."""
    # Written, never read: OpenMP takes its limit when the engine's library is first loaded.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    engine = engine_of(DigitiseSettings())
    for scanned in scans:
        kept = cache / f"{scanned.name}.pickle" if cache is not None else None
        if kept is not None and kept.is_file():
            yield cast("JudgedPage", pickle.loads(kept.read_bytes()))  # noqa: S301 - our own file
            continue
        page = _judged_page(scanned, engine, scale)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps(page))
        yield page


class _Watched(PageReader):
    """A reader that keeps its looks and how long they took."""

    def __init__(self, engine: Recogniser, scale: DoubtScale) -> None:
        super().__init__(engine)
        self._scale = scale
        self.looks: list[Look] = []
        self.look_seconds = 0.0

    def _judged(self, cells: list[ReadCell], layout: Layout, view: View) -> tuple[Line, ...]:
        before = time.process_time()
        looks = looks_at(cells, self._engine, layout, view, WORKING_DPI, self._scale)
        lines = with_verdicts(cells, looks, self._scale)
        self.look_seconds = time.process_time() - before
        self.looks = [look for of_line in looks for look in of_line]
        return lines


def _judged_page(scanned: ScannedPage, engine: Recogniser, scale: DoubtScale) -> JudgedPage:
    reader = _Watched(engine, scale)
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-flags-") as name:
        file = Path(name) / f"scan{scanned.suffix}"
        file.write_bytes(scanned.data)
        (page,) = pages_of(survey([file]))
        taken = take(page, Path(name), DigitiseSettings().limits)
        before = time.process_time()
        bilevel = taken.image.kept.bits == 1
        read = reader.read(taken.image, taken.raster if bilevel else without_seal(taken.raster))
        seconds = time.process_time() - before
    looks = reader.looks
    geometry = _fitting(scanned, [look.word.box for look in looks])
    first = judge_words(scanned.truth, geometry, [look.word for look in looks])
    finals = [look.final for look in looks]
    last = judge_words(scanned.truth, geometry, finals)
    right = {id(x.word): x.right for x in first.read}
    right_at_last = {id(x.word): x.right for x in last.read}
    return JudgedPage(
        scanned.name,
        scanned.condition,
        scanned.dpi,
        tuple(
            JudgedWord(look, right[id(look.word)], right_at_last[id(final)])
            for look, final in zip(looks, finals, strict=True)
            if id(look.word) in right and id(final) in right_at_last
        ),
        last.missed,
        tuple(any(covered(place, m.box) for place in read.unread) for m in last.missed),
        len(read.unread),
        seconds,
        reader.look_seconds,
    )


def _fitting(scanned: ScannedPage, read: Sequence[Box]) -> ScanGeometry:
    """The geometry or its mirror image, whichever lays the printed words on the read ones."""
    ways = [
        scanned.geometry,
        replace(scanned.geometry, skew_degrees=-scanned.geometry.skew_degrees),
    ]
    return max(ways, key=lambda way: _laid(scanned.truth, way, read))


def _laid(truth: TruthPage, geometry: ScanGeometry, read: Sequence[Box]) -> int:
    sample = [geometry.on_scan(line.words[0]) for line in truth.lines if line.words]
    return sum(any(covered(box, other) for other in read) for box in sample)
