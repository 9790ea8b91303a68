"""Vietnamese syllables: is a word one, and which mark did a stop final lose?

A syllable is an onset and a rhyme, and a rhyme that ends in p, t, c or ch carries sắc or
nặng. Nothing is changed for spelling beyond that: `hòa` and `hoà` are both right, and names follow
no dictionary. `is_possible` also asks whether onset and vowel agree (ngh, gh, k before e, ê, i, y)
and whether the tone stands on a vowel that can bear it; it judges, and changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_SAC, _NANG = "\u0301", "\u0323"

_SINGLE_ONSETS = ["", "b", "c", "d", "đ", "g", "h", "k", "l", "m", "n", "p", "q", "r", "s", "t"]
_OTHER_ONSETS = ["v", "x", "ch", "gh", "gi", "kh", "ng", "ngh", "nh", "ph", "qu", "th", "tr"]
_ONSETS = frozenset([*_SINGLE_ONSETS, *_OTHER_ONSETS])
_FINALS_BY_NUCLEUS = {
    "a": ["", "i", "o", "u", "y", "c", "ch", "m", "n", "ng", "nh", "p", "t"],
    "ă": ["c", "m", "n", "ng", "p", "t"],
    "â": ["u", "y", "c", "m", "n", "ng", "p", "t"],
    "e": ["", "o", "c", "m", "n", "ng", "p", "t"],
    "ê": ["", "u", "ch", "m", "n", "nh", "p", "t"],
    "i": ["", "a", "u", "ch", "m", "n", "nh", "p", "t"],
    "iê": ["u", "c", "m", "n", "ng", "p", "t"],
    "o": ["", "i", "c", "m", "n", "ng", "p", "t"],
    "oo": ["c", "ng"],
    "oa": ["", "i", "o", "y", "c", "ch", "m", "n", "ng", "nh", "p", "t"],
    "oă": ["c", "m", "n", "ng", "t"],
    "oe": ["", "o", "n", "t"],
    "ô": ["", "i", "c", "m", "n", "ng", "p", "t"],
    "ơ": ["", "i", "m", "n", "p", "t"],
    "u": ["", "a", "i", "c", "m", "n", "ng", "p", "t"],
    "uâ": ["n", "ng", "t", "y"],
    "uê": ["", "ch", "n", "nh"],
    "uô": ["i", "c", "m", "n", "ng", "t"],
    "uơ": [""],
    "uy": ["", "a", "ch", "n", "nh", "p", "t", "u"],
    "uyê": ["n", "t"],
    "ư": ["", "a", "i", "u", "c", "m", "n", "ng", "t"],
    "ươ": ["i", "u", "c", "m", "n", "ng", "p", "t"],
    "y": ["", "t"],
    "yê": ["u", "m", "n", "ng", "t"],
}
_RHYMES = frozenset(n + f for n, finals in _FINALS_BY_NUCLEUS.items() for f in finals)
_STOPS = ("p", "t", "c", "ch")
_STOP_RHYMES = frozenset(
    n + f for n, finals in _FINALS_BY_NUCLEUS.items() for f in finals if f in _STOPS
)
_VOWELS = frozenset("aăâeêioôơuưy")
_FRONT = frozenset("eêiy")
_BEFORE_FRONT = frozenset(["k", "gh", "ngh"])
_NEVER_BEFORE_FRONT = frozenset(["c", "g", "ng"])
_MARKED = frozenset("ăâêôơư")  # a tone stands on the last of these, where there is one
_KNOWN_EXCEPTIONS = frozenset(["kạn"])  # Bắc Kạn
_LOOKALIKES = str.maketrans("ÐðƉ", "ĐđĐ")  # Icelandic and African letters that the engine knows
_EDGES = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


def is_syllable(word: str) -> bool:
    """Whether the word (letters only, any case) is spelled like a Vietnamese syllable."""
    toneless, tone = _apart(word)
    return len(tone) <= 1 and any(
        rhyme in _RHYMES and (rhyme not in _STOP_RHYMES or tone in (_SAC, _NANG))
        for rhyme in _rhymes(toneless)
    )


def is_possible(word: str) -> bool:
    """Whether Vietnamese spelling allows the word (letters only, any case) as one syllable.

    Stricter than `is_syllable`: `nghà`, `kông`, `qan` and `ngừơi` are impossible. Foreign names and
    abbreviations are none, either: what they are is for their shape to say.
    """
    if not is_syllable(word):
        return False
    composed = unicodedata.normalize("NFC", word).lower()
    if composed in _KNOWN_EXCEPTIONS:
        return True
    toneless, _ = _apart(word)
    return _tone_well_placed(composed) and any(
        toneless[k:] in _RHYMES and _agree(toneless[:k], toneless[k:])
        for k in range(min(4, len(toneless)))
        if toneless[:k] in _ONSETS
    )


def lost_stop_tone(word: str) -> tuple[str, str] | None:
    """The word with sắc and with nặng, when only a missing tone on a stop final is wrong."""
    toneless, tone = _apart(word)
    ends_in_stop = any(r in _STOP_RHYMES for r in _rhymes(toneless))
    if not ends_in_stop or len(tone) > 1 or tone in (_SAC, _NANG):
        return None
    bare = _without_tones(word)
    last = max((k for k, c in enumerate(bare) if c.lower() in _VOWELS), default=-1)
    if last < 0:
        return None
    marked = (bare[: last + 1] + tone_ + bare[last + 1 :] for tone_ in (_SAC, _NANG))
    with_sac, with_nang = (unicodedata.normalize("NFC", m) for m in marked)
    return with_sac, with_nang


def mended(word: str, known: frozenset[str]) -> str:
    """The word with Vietnamese letters, and a lost stop tone put back where the page shows which.

    `known` are words of the same page that were read surely (`vocabulary`). The word stays as
    it is when the page knows neither of the two possible words, or both.
    """
    word = word.translate(_LOOKALIKES)
    match = _EDGES.match(word)
    before, core, after = match.groups() if match else ("", word, "")
    candidates = lost_stop_tone(core) if core.isalpha() else None
    if candidates is None:
        return word
    seen = [c for c in candidates if c.lower() in known]
    return before + seen[0] + after if len(seen) == 1 else word


def vocabulary(words: Iterable[str]) -> frozenset[str]:
    """The syllables among the words, in small letters without punctuation."""
    cores = (_EDGES.sub(r"\2", w).lower() for w in words)
    return frozenset(c for c in cores if c.isalpha() and is_syllable(c))


def _agree(onset: str, rhyme: str) -> bool:
    if onset == "q":
        return rhyme.startswith("u") and len(rhyme) > 1
    front = rhyme[0] in _FRONT
    if onset in _BEFORE_FRONT:
        return front
    return not (front and onset in _NEVER_BEFORE_FRONT) or (onset == "g" and rhyme[0] == "i")


def _tone_well_placed(composed: str) -> bool:
    """Whether the tone, if any, stands on a vowel, and on the last one with a mark of its own."""
    bare = [_without_tones(c) for c in composed]
    toned = [k for k, c in enumerate(composed) if bare[k] != c]
    if not toned:
        return True
    marked = [k for k, c in enumerate(bare) if c in _MARKED]
    return toned == marked[-1:] if marked else bare[toned[0]] in _VOWELS


def _apart(word: str) -> tuple[str, str]:
    """The word in small letters without tone, and its tones (a syllable has one at most)."""
    tones = "".join(c for c in unicodedata.normalize("NFD", word) if c in _TONES)
    return _without_tones(word).lower(), tones


def _without_tones(word: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if c not in _TONES)
    return unicodedata.normalize("NFC", bare)


def _rhymes(toneless: str) -> list[str]:
    """What may follow an onset; several, since gi, qu and g, q overlap."""
    return [toneless[k:] for k in range(min(4, len(toneless))) if toneless[:k] in _ONSETS]
