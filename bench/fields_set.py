"""Papers of all 27 types under the degradations of scanning, read once each.

A paper is one page of `tools.samples.typed`; each is scanned under two conditions at 300 dpi
and one at 200 dpi, which take turns so that every type meets every condition over two seeds.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr.fields.extract import FieldCollector
from ocr.fields.handwriting import blue_words
from ocr.fields.proposals import Proposal
from ocr.intake.survey import IntakeFault, pages_of, survey
from ocr.page import Box, RecognisedPage
from ocr.page_task import process_page
from ocr.settings import DigitiseSettings
from tools.samples import typed
from tools.samples.degrade import Condition, scan
from tools.samples.groundtruth import Fields
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES

AT_300: tuple[tuple[Condition, Condition], ...] = (("noise", "combo"), ("skew", "stamp"))
AT_200: tuple[Condition, ...] = ("fax", "lowcon")  # a bitonal copy, and a faded one


@dataclass(frozen=True, slots=True)
class Case:
    """One scan to be made: a type's paper of a seed, under a condition."""

    half: typed.Half
    seed: int
    code: str
    font: str
    condition: Condition
    dpi: int

    @property
    def name(self) -> str:
        """Unique among all cases; names the cached reading."""
        return f"{self.half}.{self.seed}.{self.code}.{self.condition}.{self.dpi}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands on the paper, and what was proposed for it."""

    case: Case
    truth: Fields
    proposals: tuple[Proposal, ...]


def cases(half: typed.Half, seeds: Sequence[int]) -> Iterator[Case]:
    """Three scans of each type, letter and form of copy for each seed."""
    fonts = typed.FONTS[half]
    for seed in seeds:
        for n, code in enumerate(typed.codes()):
            font = fonts[(seed + n) % len(fonts)]
            for condition in AT_300[(n + seed) % 2]:
                yield Case(half, seed, code, font, condition, 300)
            yield Case(half, seed, code, font, AT_200[(n // 2 + seed) % 2], 200)


def readings(
    half: typed.Half, seeds: Sequence[int], cache: Path | None = None
) -> Iterator[Reading]:
    """Scan and read every case, and extract.

    With `cache` a page that was read before is not read again: a change of extraction shows, a
    change of reading calls for another folder.
    """
    for case, page, pen in read_cases(half, seeds, cache):
        collector = FieldCollector()
        collector.take(page, pen)
        yield Reading(case, dict(_sheet(case).fields), tuple(collector.proposals()[0]))


def read_cases(
    half: typed.Half, seeds: Sequence[int], cache: Path | None = None
) -> Iterator[tuple[Case, RecognisedPage, frozenset[Box]]]:
    """Every case with its page as it was read, and the boxes of its words in blue ink."""
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-fields-") as name:
        for case in cases(half, seeds):
            page, pen = _kept(case, Path(name), cache)
            yield case, page, pen


def _kept(case: Case, work: Path, cache: Path | None) -> tuple[RecognisedPage, frozenset[Box]]:
    seed = f"{case.half}/{case.seed}/{case.code}/{case.condition}/{case.dpi}"
    return kept_page(case.name, lambda: _sheet(case), case.condition, case.dpi, seed, work, cache)


def kept_page(
    name: str, sheet: Callable[[], Sheet], condition: Condition, dpi: int, seed: str, work: Path,
    cache: Path | None = None,
) -> tuple[RecognisedPage, frozenset[Box]]:  # fmt: skip
    """A sheet scanned and read, with its words in blue ink; from `cache` under `name` if there."""
    kept = cache / f"{name}.pickle" if cache is not None else None
    if kept is not None and kept.is_file():
        page, pen = pickle.loads(kept.read_bytes())  # noqa: S301 - our own file
        return page, pen
    page, pen = _read(sheet(), condition, dpi, zlib.crc32(seed.encode()), work)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps((page, pen)))
    return page, pen


def _sheet(case: Case) -> Sheet:
    return typed.paper(case.code, str(case.seed), case.half, FAMILIES[case.font])


def _read(
    sheet: Sheet, condition: Condition, dpi: int, seed: int, work: Path
) -> tuple[RecognisedPage, frozenset[Box]]:
    """The page and the boxes of its words in blue ink, while its image exists."""
    # Written, never read: OpenMP takes its limit when the engine's library is first loaded.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    made = scan(sheet, condition, dpi, seed)
    file = work / f"scan{made.suffix}"
    file.write_bytes(made.data)
    (page,) = pages_of(survey([file]))
    read = process_page(page, DigitiseSettings(), work)
    if isinstance(read, IntakeFault):
        raise read.error
    pen = blue_words(read, [w.box for line in read.lines for w in line.words])
    for left in work.iterdir():
        left.unlink()
    return read, pen
