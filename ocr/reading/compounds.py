"""Two-syllable words of administrative Vietnamese: what a misread mark turns into no word.

The engine reads `tống` for `tổng` without a doubt, for both are syllables; `tống hợp` is no
word, and `tổng hợp` is. The list is `assets/compounds.txt`; family names, which stand before any
name, are in `assets/family_names.txt`.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ASSETS = Path(__file__).with_name("assets")


@dataclass(frozen=True, slots=True)
class Compounds:
    """Known words of two syllables, in small letters, by their letters without marks."""

    by_letters: Mapping[tuple[str, str], frozenset[tuple[str, str]]]

    def knows(self, first: str, second: str) -> bool | None:
        """Whether the pair is a known word; False when only other marks make it one.

        None when nothing is known of these letters. Both are in small letters, NFC.
        """
        known = self.by_letters.get((unmarked(first), unmarked(second)))
        return None if known is None else (first, second) in known


@functools.lru_cache(maxsize=8192)
def unmarked(text: str) -> str:
    """The letters without tones and marks; đ counts as d."""
    apart = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in apart if not unicodedata.combining(c))


def load_compounds(path: Path) -> Compounds:
    """Read a list: pairs set apart by commas; lines with # say what it is.

    Raises OSError, or ValueError where an entry is not two syllables.
    """
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        for entry in line.split(","):
            first, second = unicodedata.normalize("NFC", entry).casefold().split()
            found.setdefault((unmarked(first), unmarked(second)), set()).add((first, second))
    return Compounds({key: frozenset(pairs) for key, pairs in found.items()})


@functools.lru_cache(maxsize=1)
def bundled_compounds() -> Compounds:
    """The list that comes with the package."""
    return load_compounds(_ASSETS / "compounds.txt")


def is_family_name(word: str) -> bool | None:
    """Whether a word in small letters is a family name; False when only its marks are another's.

    None when no family name has these letters.
    """
    names = _family_names()
    known = names.get(unmarked(word))
    return None if known is None else word in known


@functools.lru_cache(maxsize=1)
def _family_names() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in (_ASSETS / "family_names.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            for name in line.split():
                found.setdefault(unmarked(name), set()).add(name)
    return {letters: frozenset(names) for letters, names in found.items()}
