"""Which recognised words are right: read words held against printed words by where they stand.

Order of reading plays no part: each read word goes to the printed line that its box covers most,
and within a line the two rows of words are aligned. A word is wrong when it differs after NFC
(quotes and dashes unified, as in `bench.scoring`); `hòa` and `hoà` are both right. Dot leaders and
words over handwriting count neither way. A printed word that no wrong word covers is a missed
one; a read word where nothing is printed is a wrong one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from bench.scoring import normalise
from ocr.page import Box, Word
from tools.samples.groundtruth import ScanGeometry, TruthLine, TruthPage

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_OPEN_GLIDE = re.compile(rf"(?<![qQ])([oOuU])([{_TONES}])([aAeEyY])(?!\w)")
_COVERS = 0.3  # of the smaller box: more than neighbours on a line, or ascenders, ever share


@dataclass(frozen=True, slots=True)
class ReadRight:
    """A read word and whether it is what stands on the paper."""

    word: Word
    right: bool


@dataclass(frozen=True, slots=True)
class MissedWord:
    """A printed word that no read word stands for, and its box on the upright scan."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class PageTruth:
    """All words of a page that count."""

    read: tuple[ReadRight, ...]
    missed: tuple[MissedWord, ...]


def spelled(text: str) -> str:
    """The form in which two words are compared; empty for a dot leader."""
    parts = unicodedata.normalize("NFD", normalise(text).replace(" ", ""))
    return unicodedata.normalize("NFC", _OPEN_GLIDE.sub(r"\1\3\2", parts))


def judge_words(truth: TruthPage, geometry: ScanGeometry, words: Sequence[Word]) -> PageTruth:
    """Every read word judged, and the printed words that were missed."""
    printed = [_boxes(line, geometry) for line in truth.lines]
    by_line: list[list[Word]] = [[] for _ in printed]
    read: list[ReadRight] = []
    for word in words:
        if not spelled(word.text):
            continue
        best = max(range(len(printed)), key=lambda i: _most(word.box, printed[i]), default=-1)
        if best < 0 or _most(word.box, printed[best]) < _COVERS:
            read.append(ReadRight(word, right=False))
        elif truth.lines[best].kind == "print":
            by_line[best].append(word)
    missed: list[MissedWord] = []
    for line, boxes, found in zip(truth.lines, printed, by_line, strict=True):
        if line.kind == "print":
            judged, lost = _line(line, boxes, sorted(found, key=lambda w: w.box.left))
            read += judged
            missed += lost
    return PageTruth(tuple(read), tuple(missed))


def _line(
    line: TruthLine, boxes: Sequence[Box], found: Sequence[Word]
) -> tuple[list[ReadRight], list[MissedWord]]:
    expected = [
        (text, box)
        for word, box in zip(line.words, boxes, strict=True)
        if (text := spelled(word.text))
    ]
    want, got = [text for text, _ in expected], [spelled(w.text) for w in found]
    right = [False] * len(got)
    unheard = []
    for step in Levenshtein.opcodes(want, got):
        if step.tag == "equal":
            for k in range(step.dest_start, step.dest_end):
                right[k] = True
        else:
            unheard += expected[step.src_start : step.src_end]
    wrong = [w for w, r in zip(found, right, strict=True) if not r]
    missed = [
        MissedWord(text, box)
        for text, box in unheard
        if not any(covered(w.box, box) for w in wrong)
    ]
    return [ReadRight(w, r) for w, r in zip(found, right, strict=True)], missed


def _boxes(line: TruthLine, geometry: ScanGeometry) -> list[Box]:
    return [geometry.on_scan(word) for word in line.words]


def _most(box: Box, others: Sequence[Box]) -> float:
    return max((_shared(box, other) for other in others), default=0.0)


def covered(box: Box, other: Box) -> bool:
    """Whether two boxes share enough to stand for the same ink."""
    return _shared(box, other) >= _COVERS


def _shared(a: Box, b: Box) -> float:
    """The common area as a share of the smaller box."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    smaller = min(a.width * a.height, b.width * b.height)
    return width * height / smaller if width > 0 and height > 0 and smaller > 0 else 0.0
