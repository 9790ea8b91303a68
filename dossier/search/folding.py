"""Words as search sees them: with their marks, and without.

`đ` is a letter of its own that no Unicode decomposition takes apart, so neither FTS5's
`remove_diacritics` nor PostgreSQL's `unaccent` is asked: the same function folds what is indexed
and what is typed, for both databases.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# a letter or digit with the marks that stand over and under it, in decomposed text
_TOKEN = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_MARK = re.compile(r"[\u0300-\u036f]")
_TONE = re.compile(r"[\u0300\u0301\u0303\u0309\u0323]")  # huyền, sắc, ngã, hỏi, nặng
_LONGEST = 64  # letters of a token; what is longer is no word


@dataclass(frozen=True, slots=True)
class Token:
    """A syllable or a number: `folded` without any mark, `accented` with all of them.

    In `accented` the tone stands last, so that ``hòa`` and ``hoà`` are the same word.
    """

    folded: str
    accented: str


@lru_cache(maxsize=1 << 16)
def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text in their order: ``123/QĐ-UBND`` is ``123``, ``qđ``, ``ubnd``."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return tuple(_token(found) for found in _TOKEN.findall(decomposed))


def _token(decomposed: str) -> Token:
    decomposed = decomposed[:_LONGEST]
    shape = unicodedata.normalize("NFC", _TONE.sub("", decomposed))
    tone = "".join(_TONE.findall(decomposed))
    return Token(_MARK.sub("", decomposed).replace("đ", "d"), f"{shape}{tone}")
