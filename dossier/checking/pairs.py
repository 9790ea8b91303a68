"""Pairs of a word misread and the word that people put for it, and what each would gain. Pure.

    pairs = candidates(learned)             # from one half of the papers
    gain = measured(pair, held_out)         # replayed over the other half
    gain.verdict                            # active only when it mends more than it spoils

A pair is proposed for doubtful words alone, so only those are replayed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dossier.model import JSON

SEEN = 3
"""So many different words have to have been corrected alike."""
PEOPLE = 2
LONGEST = 64
_Z = 1.6448536269514722  # one-sided 95 %
_EDGES = re.compile(r"^([^\w]*)(.*?)([^\w]*)$", re.DOTALL)

Verdict = Literal["proposed", "active", "refused"]


@dataclass(frozen=True, slots=True)
class SampleWord:
    """A word of a checked paper: as read, as it is, and who said so (principals' ids)."""

    machine: str
    doubtful: bool
    truth: str
    by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pair:
    """What is read, and what it is; how often and by how many people it was corrected so."""

    misread: str
    correct: str
    seen: int
    people: int


@dataclass(frozen=True, slots=True)
class Gain:
    """A pair replayed over papers that it was not learned from.

    `mended`: words that it puts right; `spoiled`: right ones that it makes wrong; `neither`: wrong
    before and after.
    """

    papers: int
    mended: int
    spoiled: int
    neither: int

    @property
    def net(self) -> int:
        """Errors mended minus right words spoiled."""
        return self.mended - self.spoiled

    @property
    def lower_bound(self) -> float:
        """Net gain a word that is changed between right and wrong, at 95 % (Wilson); -1 to 1."""
        return 2 * _wilson_low(self.mended, self.mended + self.spoiled) - 1

    @property
    def verdict(self) -> Verdict:
        """Active with a gain that is sure, refused with a loss; else it waits for more papers."""
        if self.net > 0 and self.lower_bound > 0:
            return "active"
        return "refused" if self.mended + self.spoiled and self.net <= 0 else "proposed"

    def to_json(self) -> dict[str, JSON]:
        """As `lexicon_words.gain` has it."""
        return {
            "papers": self.papers,
            "mended": self.mended,
            "spoiled": self.spoiled,
            "neither": self.neither,
            "net": self.net,
            "lower_bound": round(self.lower_bound, 4),
        }


def is_held_out(paper_id: str) -> bool:
    """Whether a paper belongs to the half that nothing is learned from; always the same."""
    return bool(hashlib.sha256(paper_id.encode()).digest()[0] & 1)


def candidates(learned: Iterable[Sequence[SampleWord]]) -> tuple[Pair, ...]:
    """Pairs that enough people corrected often enough, the most frequent first."""
    seen: dict[tuple[str, str], int] = {}
    people: dict[tuple[str, str], set[str]] = {}
    for words in learned:
        for word in words:
            pair = _pair_of(word)
            if pair is not None:
                seen[pair] = seen.get(pair, 0) + 1
                people.setdefault(pair, set()).update(word.by)
    found = [
        Pair(*pair, count, len(people[pair]))
        for pair, count in seen.items()
        if count >= SEEN and len(people[pair]) >= PEOPLE
    ]
    return tuple(sorted(found, key=lambda p: (-p.seen, p.misread, p.correct)))


def measured(pair: Pair, held_out: Sequence[Sequence[SampleWord]]) -> Gain:
    """What the pair would have done to the doubtful words of these papers."""
    mended = spoiled = neither = 0
    for words in held_out:
        for word in words:
            proposed = proposal(word.machine, {pair.misread: pair.correct})
            if not word.doubtful or proposed is None:
                continue
            if word.truth == proposed:
                mended += 1
            elif word.truth == word.machine:
                spoiled += 1
            else:
                neither += 1
    return Gain(len(held_out), mended, spoiled, neither)


def proposal(text: str, pairs: dict[str, str]) -> str | None:
    """What to put for a word; what stands before and after its letters stays. None: nothing."""
    before, core, after = _cut(text)
    correct = pairs.get(core)
    return None if correct is None or not core else before + correct + after


def _pair_of(word: SampleWord) -> tuple[str, str] | None:
    """What was misread for what, without equal marks around it."""
    if not word.machine or not word.truth or " " in word.truth or word.machine == word.truth:
        return None
    before, misread, after = _cut(word.machine)
    other_before, correct, other_after = _cut(word.truth)
    if (before, after) != (other_before, other_after) or misread == correct:
        return None
    if not misread or not correct or max(len(misread), len(correct)) > LONGEST:
        return None
    return misread, correct


def _cut(text: str) -> tuple[str, str, str]:
    found = _EDGES.match(text)
    return ("", text, "") if found is None else (found[1], found[2], found[3])


def _wilson_low(good: int, count: int) -> float:
    """The lower end of the Wilson interval of a share; 0 without any."""
    if not count:
        return 0.0
    share, spread = good / count, _Z * _Z / count
    middle = share + spread / 2
    half = _Z * math.sqrt((share * (1 - share) + spread / 4) / count)
    return (middle - half) / (1 + spread)
