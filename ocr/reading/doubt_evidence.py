"""What speaks for and against a read word, as numbers: the features of `ocr.reading.doubt`.

The engine's confidence in the word and around it; the word's shape (a syllable that Vietnamese
spelling allows, a number, a code, initials, a lone sign, two words run together); the signs at
its ends; whether the page, or the list of compounds, knows the word, or knows it with other
marks. Nothing here looks at the image: `dirt`, the specks a letter, comes from whoever did, and
what the ink says is told by `ocr.reading.doubt_ink`.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr.page import Line, Word
from ocr.reading.compounds import bundled_compounds, is_family_name, unmarked
from ocr.reading.syllables import is_possible

Features = dict[str, float]

_EDGES = re.compile(r"^([\W_]*)(.*?)([\W_]*)$", re.DOTALL)
_JOINED = re.compile(
    r"[^\W\d_]{2,}[.,:;'\-]+[^\W\d_]*[a-zà-ỹđ]|[a-zà-ỹđ][.,:;]?\d|\d[.,:;]*[^\W\d_]*[a-zà-ỹđ]{2}"
)
_HALF_LETTERS = re.compile(r"[^\W\d_]\d|\d,?[^\W\d_]")
_NUMBERED = re.compile(r"[IVX\d]+\.[^\W\d_]{2,}")
_ODD_NUMBER = re.compile(r"\d+\.(?:\d{1,2}|\d{4,})|0\d\d+")
_STRANGE = re.compile(r"[^\w/\-.,]")
_DASHES = frozenset("-–")
_OPENING = frozenset(["(", '"', "“", "["])
_CLOSING = frozenset(
    [").", "),", ");", ")", '"', '".', '",', '";', '"),', "./.", "/.", "...", "”", "%"]
)
_AFTER_NO_NUMBER = frozenset([":", ")", "-", "'", '"'])
_INITIALS = 9  # letters; UBND, TTPVHCC
_ADDRESS = frozenset(["Ông", "Bà", "Anh", "Chị", "Em", "Cháu"])
_KNOWN = 93.0  # confidence from which a word vouches for others, as in `page_reader`
_DISPUTED = 1.05  # how much heavier another spelling of the page must weigh


@dataclass(frozen=True, slots=True)
class Shape:
    """What a word looks like: the signs before and after its core, and features of its letters."""

    before: str
    core: str
    after: str
    features: tuple[tuple[str, float], ...]

    @property
    def is_word(self) -> bool:
        """Whether the core is of letters alone."""
        return self.core.isalpha()


@functools.lru_cache(maxsize=8192)
def shape_of(text: str) -> Shape:
    """The shape of a word's text (NFC)."""
    match = _EDGES.match(text)
    before, core, after = match.groups() if match else ("", text, "")
    found: Features = {}
    if not core:
        leader = text.startswith("...")
        found["dash" if text in _DASHES or leader else "sign"] = 1.0
        return Shape(before, core, after, tuple(found.items()))
    if core.isalpha():
        if not is_possible(core):
            initials = core.isupper() and len(core) <= _INITIALS
            found["initials" if initials else "impossible"] = 1.0
        elif core.isupper() and len(core) > 1:
            found["capitals"] = 1.0
        if core not in (core.lower(), core.upper(), core.capitalize()):
            found["mixed_case"] = 1.0
    else:
        found["number" if core.isdigit() else "code"] = 1.0
        if _HALF_LETTERS.search(core):
            found["half_letters"] = 1.0
        if _STRANGE.search(core):
            found["strange"] = 1.0
        if _ODD_NUMBER.fullmatch(core):
            found["odd_number"] = 1.0
    if _JOINED.search(core) or _NUMBERED.fullmatch(core):
        found["joined"] = 1.0
    if len(text) <= 2:
        found["one" if len(text) == 1 else "two"] = 1.0
    if before and before not in _OPENING:
        found["before_dash" if before in _DASHES else "before"] = 1.0
    if core.isdigit() and after in _AFTER_NO_NUMBER:
        found["number_sign"] = 1.0
    if after and after not in _CLOSING:
        found["after" if len(after) == 1 else "after_more"] = 1.0
    return Shape(before, core, after, tuple(found.items()))


def page_features(lines: Sequence[Line], dirt: float) -> list[list[Features]]:
    """The features of every word, line by line.

    `dirt` is the page's count of specks that belong to no line, by letter.
    """
    page = _Page([w for line in lines for w in line.words], dirt)
    ends = [
        (shape_of(x.words[0].text), shape_of(x.words[-1].text)) if x.words else None for x in lines
    ]
    out = []
    for k, line in enumerate(lines):
        above, below = ends[k - 1] if k else None, ends[k + 1] if k + 1 < len(lines) else None
        around = (above and above[1], below and below[0])
        out.append(list(_line_features(line.words, page, *around)))
    return out


class _Page:
    """What the page as a whole says of its words."""

    def __init__(self, words: Sequence[Word], dirt: float) -> None:
        self.mean = _mean(words)
        self.dirt = min(dirt, 3.0)
        self.seen: Counter[str] = Counter()
        self._weights: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._pairs: defaultdict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
        for one, other in pairwise(words):
            first, second = (_paired(shape_of(w.text).core) for w in (one, other))
            weight = round(min(one.confidence, other.confidence))
            self._pairs[unmarked(first), unmarked(second)][first, second] += weight
        for word in words:
            core = shape_of(word.text).core.lower()
            if word.confidence >= _KNOWN:
                self.seen[core] += 1
            self._weights[unmarked(core)][core] += round(word.confidence)

    def disputed(self, core: str) -> bool:
        """Whether the page spells these letters with other marks more often."""
        rivals = self._weights[unmarked(core)]
        return max(rivals.values()) > _DISPUTED * rivals[core]

    def pair_disputed(self, first: str, second: str) -> bool:
        """Whether the page writes the pair with other marks, and more often."""
        rivals = self._pairs[unmarked(first), unmarked(second)]
        return bool(rivals) and max(rivals.values()) > _DISPUTED * rivals[first, second]


def _line_features(
    words: Sequence[Word], page: _Page, before: Shape | None, after: Shape | None
) -> Iterator[Features]:
    """`before` and `after` are the last word of the line above and the first of the next."""
    mean = _mean(words)
    shapes = [before, *(shape_of(w.text) for w in words), after]
    last = len(words) - 1
    opened = False
    for k, word in enumerate(words):
        previous, shape, follower = shapes[k], shape_of(word.text), shapes[k + 2]
        nearest = [words[n].confidence for n in (k - 1, k + 1) if 0 <= n <= last]
        found: Features = {"base": 1.0, **dict(shape.features)}
        found |= _confidence(word.confidence, mean, min(nearest, default=mean), page.mean)
        found |= _signs(shape, follower if k < last else None, page.dirt)
        opened = opened or "(" in word.text
        if shape.after.startswith(")") and not opened:
            found["unopened"] = 1.0
        if shape.is_word:
            found |= _spelling(shape, previous, follower)
            sure = word.confidence >= _KNOWN
            known = "known" in found
            found |= _on_page(shape, previous, follower, page, sure=sure, known=known)
            if "capitals" in found and not any(
                s is not None and s.core.isupper() for s in (previous, follower)
            ):
                found["capitals_alone"] = 1.0
        yield found


def _confidence(own: float, line: float, nearest: float, page: float) -> Features:
    """Doubts of the engine. Bent at 93, 85 and 55: most right words are read with 96."""
    doubt = 100 - own
    return {
        "doubt_7": min(doubt, 7.0),
        "doubt_15": min(max(doubt - 7, 0.0), 8.0),
        "doubt_45": min(max(doubt - 15, 0.0), 30.0) / 5,
        "doubt_100": max(doubt - 45, 0.0) / 10,
        "line_doubt": min(100 - line, 15.0) / 5,
        "near_doubt": min(100 - nearest, 20.0) / 5,
        "page_doubt": min(100 - page, 8.0) / 2,
    }


def _signs(shape: Shape, follower: Shape | None, dirt: float) -> Features:
    """Full stops and commas where none belong, and specks that may pass for them."""
    found: Features = {"dirt": dirt}
    if shape.after and shape.core:
        found["dirty_end"] = dirt
        if shape.after == "..":  # of all texts, only the engine's have these
            found["stop_midway"] = 1.0
        elif not follower:
            found["last_colon" if shape.after == ":" else "last_end"] = 1.0
        elif shape.after == "." and follower.core[:1].islower():
            found["stop_midway"] = 1.0
        elif shape.after == "," and shape.core.isdigit() and follower.core.istitle():
            found["stop_midway"] = 1.0  # the number of a clause: 5. Chi
        elif shape.after in (":", "/"):
            found["colon_midway"] = 1.0
    if not shape.core:
        found["dirty_sign"] = dirt
    return found


def _spelling(shape: Shape, before: Shape | None, after: Shape | None) -> Features:
    """Whether the word makes a known compound or name, or would with other marks."""
    core = shape.core.lower()
    told = []
    if before is not None and before.is_word and not before.after:
        told.append(bundled_compounds().knows(before.core.lower(), core))
    if after is not None and after.is_word and not shape.after:
        told.append(bundled_compounds().knows(core, after.core.lower()))
        in_name = before is not None and before.core.istitle() and before.core not in _ADDRESS
        if shape.core.istitle() and after.core.istitle() and not in_name:
            told.append(is_family_name(core))
    if True in told:
        return {"known": 1.0}
    return {"rival": 1.0} if False in told else {}


def _on_page(
    shape: Shape,
    before: Shape | None,
    after: Shape | None,
    page: _Page,
    *,
    sure: bool,
    known: bool,
) -> Features:
    """Whether the page has the word elsewhere, or has it with other marks."""
    core = shape.core.lower()
    found: Features = {}
    if page.disputed(core):
        found["disputed" if known else "disputed_alone"] = 1.0
    if len(core) > 1:
        found["repeated"] = float(min(page.seen[core] - sure, 3))
    pairs = [
        *([(_paired(before.core), core)] if before is not None else []),
        *([(core, _paired(after.core))] if after is not None else []),
    ]
    if any(page.pair_disputed(*pair) for pair in pairs):
        found["pair_disputed"] = 1.0
    return found


def _paired(core: str) -> str:
    """A word as it counts in pairs: Điều 2 and Điều 3 are one."""
    return "#" if core[:1].isdigit() else core.lower()


def _mean(words: Iterable[Word]) -> float:
    found = [w.confidence for w in words]
    return sum(found) / len(found) if found else 0.0
