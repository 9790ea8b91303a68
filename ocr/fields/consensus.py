"""What the rest of the paper says about a value: place names spelled elsewhere, types, initials.

A paper names its place many times (agency, date, body, recipients). Where the letters agree and
the marks differ, the spelling that more of the confident readings bear wins; a value that was
read the same way twice is confirmed, one that is spelled otherwise elsewhere is contradicted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ocr.fields.doctypes import plain
from ocr.fields.pieces import Piece

_LEVELS = frozenset({"xa", "phuong", "tinh", "huyen", "quan", "thi", "tran", "pho", "khu"})
_MARGIN = 1.25  # how much heavier another spelling must weigh to win
_ABBREVIATIONS = {"UBND": "UYBANNHANDAN", "HDND": "HOIDONGNHANDAN"}


@dataclass(frozen=True, slots=True)
class Spelling:
    """The spelling that won; whether it stands more than once, and whether another one does."""

    text: str
    repeated: bool
    disputed: bool


class Spellings:
    """All words of a paper, to be asked how it spells a name. Immutable after construction."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._runs: list[list[tuple[str, str, float]]] = []
        for piece in pieces:
            run = []
            for word in piece.words:
                text = word.text.strip(" .,:;|_-–'\"*()/")
                run.append((plain(text), text.casefold(), word.confidence))
            self._runs.append(run)

    def of(self, name: str) -> Spelling:
        """How the paper spells `name`; the case of `name` is kept."""
        words = name.split()
        key = [plain(w) for w in words]
        weight: dict[str, float] = defaultdict(float)
        count: dict[str, int] = defaultdict(int)
        for run in self._runs:
            for n in range(len(run) - len(key) + 1):
                window = run[n : n + len(key)]
                if [w[0] for w in window] == key:
                    spelled = " ".join(w[1] for w in window)
                    weight[spelled] += sum(w[2] for w in window) / len(window)
                    count[spelled] += 1
        own = name.casefold()
        best = max(weight, key=lambda s: weight[s], default=own)
        if weight.get(best, 0.0) < _MARGIN * weight.get(own, 0.0):
            best = own
        return Spelling(_cased(best, words), count.get(best, 0) > 1, len(weight) > 1)


def place_tail(name: str) -> int | None:
    """Where the proper name begins in an agency's name, counted in words; None without a level."""
    words = [plain(w) for w in name.split()]
    found = [n for n, word in enumerate(words[:-1]) if word in _LEVELS]
    return found[-1] + 1 if found else None


def names_agency(short: str, agency: str) -> bool:
    """Whether the abbreviation in a symbol can stand for the agency: its letters, in order."""
    letters = iter(re.sub(r"[^a-z]", "", plain(agency)))
    first = plain(short.split("-")[0])
    whole = _ABBREVIATIONS.get(first.upper())
    if whole is not None:
        return plain(whole) in re.sub(r"[^a-z]", "", plain(agency)) or first in plain(agency)
    return bool(first) and all(c in letters for c in first if c.isalpha())


def _cased(text: str, like: Sequence[str]) -> str:
    """`text` with each word's case as in `like`."""
    words = []
    for word, model in zip(text.split(), like, strict=True):
        if model.isupper():
            words.append(word.upper())
        else:
            words.append(word[:1].upper() + word[1:] if model[:1].isupper() else word)
    return " ".join(words)
