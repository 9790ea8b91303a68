"""Error rates of recognised text against ground truth.

The convention of the project's published figures: NFC, typographic quotes and dashes
unified, white space collapsed, dot leaders removed; the best over the plausible reading orders
(a table by cell or across its visual lines, side-by-side blocks by column or across); lines of
handwriting count neither way. Rates are errors over the length of the truth, pooled over pages.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tools.samples.groundtruth import TruthGroup, TruthPage

_UNIFY = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "‐": "-",
        "…": "...", "\u00a0": " ", "\u00ad": "", "|": " ",
    }
)  # fmt: skip
_LEADER = re.compile(r"(?:[._]\s?){3,}")
_MOST_ORDERS = 512  # side-by-side blocks double the orders; real pages have two or three

_ROW_MM = 2.0


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one page, or of many added up."""

    characters: int = 0
    character_errors: int = 0
    words: int = 0
    word_errors: int = 0

    @property
    def cer(self) -> float:
        """Character error rate; 0 for an empty truth without output."""
        return self.character_errors / self.characters if self.characters else 0.0

    @property
    def wer(self) -> float:
        """Word error rate."""
        return self.word_errors / self.words if self.words else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.characters + other.characters,
            self.character_errors + other.character_errors,
            self.words + other.words,
            self.word_errors + other.word_errors,
        )


def pooled(scores: Iterable[Score]) -> Score:
    """All pages as one text."""
    return sum(scores, Score())


def normalise(text: str) -> str:
    """The form in which texts are compared."""
    unified = unicodedata.normalize("NFC", text).translate(_UNIFY)
    return re.sub(r"\s+", " ", _LEADER.sub(" ", unified)).strip()


def reading_orders(truth: TruthPage) -> list[str]:
    """Every plausible reading of the page, normalised; at least one."""
    options: list[list[list[int]]] = []
    for table, groups in itertools.groupby(truth.groups, key=lambda g: g.kind == "row"):
        if table:
            options.append(_table_orders(truth, list(groups)))
            continue
        for group in groups:
            through = [i for cell in group.cells for i in cell]
            across = _across(truth, through) if group.kind == "cols" else through
            options.append(_distinct(through, across))
    readings = []
    for choice in itertools.islice(itertools.product(*options), _MOST_ORDERS):
        lines = (truth.lines[i] for part in choice for i in part)
        readings.append(normalise(" ".join(x.text for x in lines if x.kind == "print")))
    return readings or [""]


def _table_orders(truth: TruthPage, rows: Sequence[TruthGroup]) -> list[list[int]]:
    by_cell = [i for row in rows for cell in row.cells for i in cell]
    by_line = [i for row in rows for i in _across(truth, [i for c in row.cells for i in c])]
    return _distinct(by_cell, by_line)


def _distinct(first: list[int], second: list[int]) -> list[list[int]]:
    return [first] if first == second else [first, second]


def _across(truth: TruthPage, indexes: Sequence[int]) -> list[int]:
    """Lines by visual row (baselines within 2 mm of the row's first), each from the left."""
    rows: list[list[int]] = []
    top = 0.0
    for i in sorted(indexes, key=lambda i: truth.lines[i].baseline_mm):
        baseline = truth.lines[i].baseline_mm
        if not rows or baseline - top > _ROW_MM:
            rows.append([])
            top = baseline
        rows[-1].append(i)
    return [i for row in rows for i in sorted(row, key=lambda i: _left(truth, i))]


def _left(truth: TruthPage, index: int) -> float:
    words = truth.lines[index].words
    return words[0].left if words else 0.0


def score(truth: TruthPage, recognised: str) -> Score:
    """The page's errors under the reading order that fits best."""
    got = normalise(recognised)
    best = min(reading_orders(truth), key=lambda t: Levenshtein.distance(t, got))
    expected, read = best.split(), got.split()
    return Score(
        len(best),
        Levenshtein.distance(best, got),
        len(expected),
        Levenshtein.distance(expected, read),
    )
