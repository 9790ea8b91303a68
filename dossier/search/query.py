"""What was typed, and the terms of the index that answer it.

A page is a set of terms, the same in both databases:

    ~quyet        a word, whatever its marks        =quyêt◌́     a word with its marks
    quyet_dinh    two words side by side            @4832        the agency (hex), so that a
                                                                 neighbour's pages cost nothing

What a set cannot tell (three words in a row) is checked on the page's own words afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dossier.errors import InvalidOrder
from dossier.search.folding import Token, tokens

MAX_CHARS = 200
_MAX_WORDS = 16
_PART = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True, slots=True)
class Rank:
    """How well a page answers. Better ones come first; within a rank, newer pages do."""

    exact: bool
    adjacent: bool


RANKS = (Rank(True, True), Rank(True, False), Rank(False, True), Rank(False, False))
"""Best first: marks as typed count more than words side by side."""


@dataclass(frozen=True, slots=True)
class TermQuery:
    """Pages with all of `required`, and of each of `excluded` not all."""

    required: tuple[str, ...]
    excluded: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Groups of words; those of a group have to stand side by side.

    A group is what stands in quotation marks, or a text without blanks (``123/QĐ-UBND``).
    """

    groups: tuple[tuple[Token, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Query:
        """Raises `InvalidOrder` where nothing, or too much, is asked for."""
        parts = (quoted or plain for quoted, plain in _PART.findall(text))
        groups = tuple(found for part in parts if (found := tokens(part)))
        count = sum(map(len, groups))
        if not groups or count > _MAX_WORDS or len(text) > MAX_CHARS:
            raise InvalidOrder(
                f"Hãy nhập từ 1 đến {_MAX_WORDS} từ có chữ hoặc số, tối đa {MAX_CHARS} ký tự. / "
                f"Ask for 1 to {_MAX_WORDS} words of letters or digits, at most {MAX_CHARS} "
                "characters.",
                field="q",
            )
        return cls(groups)

    @property
    def words(self) -> tuple[Token, ...]:
        """All words in the order in which they were typed."""
        return tuple(word for group in self.groups for word in group)

    def terms(self, rank: Rank, agency_id: str) -> TermQuery | None:
        """What to ask the index for, for pages of exactly this rank; None: there are none."""
        base = [agency_term(agency_id), *(f"~{word.folded}" for word in self.words)]
        base += [pair for group in self.groups for pair in _pairs(group)]
        # digits have no marks: they are as typed whenever they are there
        exact = [f"={word.accented}" for word in self.words if not word.folded.isdigit()]
        adjacent = [pair for pair in _pairs(self.words) if pair not in base]
        required = base
        excluded = []
        for wanted, terms in ((rank.exact, exact), (rank.adjacent, adjacent)):
            if wanted:
                required = required + terms
            elif not terms:
                return None
            else:
                excluded.append(tuple(dict.fromkeys(terms)))
        return TermQuery(tuple(dict.fromkeys(required)), tuple(excluded))


def page_terms(agency_id: str, words: Iterable[str]) -> list[str]:
    """The terms of a page, sorted: the same words give the same list."""
    found = [token for word in words for token in tokens(word)]
    terms = {agency_term(agency_id), *_pairs(found)}
    for token in found:
        terms.add(f"~{token.folded}")
        terms.add(f"={token.accented}")
    return sorted(terms)


def agency_term(agency_id: str) -> str:
    """In hex: letters keep their case, and no character means something to a database."""
    return f"@{agency_id.encode().hex()}"


def _pairs(words: Sequence[Token]) -> Iterator[str]:
    return (f"{first.folded}_{second.folded}" for first, second in pairwise(words))
