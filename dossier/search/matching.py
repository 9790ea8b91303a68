"""Where on a page the words are: what to mark, and the lines around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dossier.search.folding import Token, tokens
from dossier.search.query import Query
from dossier.search.values import MatchedWord, Piece, PlacedWord

_BEFORE, _LENGTH = 8, 30  # words of a snippet: before the first match, and all
_MOST_MARKED = 200


@dataclass(frozen=True, slots=True)
class Match:
    """The words to mark, and a snippet around the best place."""

    words: tuple[MatchedWord, ...]
    snippet: tuple[Piece, ...]


def match(words: Sequence[PlacedWord], query: Query) -> Match | None:
    """Find the query on a page; None when a group of words is nowhere side by side.

    Where all words stand in the order that was typed, only those places are marked.
    """
    place_of: list[int] = []  # of each token, the word that it is of
    page: list[Token] = []
    for place, word in enumerate(words):
        for token in tokens(word.text):
            place_of.append(place)
            page.append(token)
    starts: dict[str, list[int]] = {}
    for index, token in enumerate(page):
        starts.setdefault(token.folded, []).append(index)
    marked: dict[int, bool] = {}  # place of a word: whether its marks are those typed

    def mark(group: Sequence[Token]) -> bool:
        anywhere = False
        for start in starts.get(group[0].folded, ()):
            run = page[start : start + len(group)]
            if [token.folded for token in run] != [token.folded for token in group]:
                continue
            anywhere = True
            for offset, (token, wanted) in enumerate(zip(run, group, strict=True)):
                place = place_of[start + offset]
                exact = token.accented == wanted.accented
                marked[place] = exact and marked.get(place, True)
        return anywhere

    if not mark(query.words) and not all(mark(group) for group in query.groups):
        return None
    found = sorted(marked)
    shown = tuple(MatchedWord(words[n].text, words[n].box, marked[n]) for n in found)
    return Match(shown[:_MOST_MARKED], _snippet(words, marked, found))


def _snippet(
    words: Sequence[PlacedWord], marked: dict[int, bool], found: Sequence[int]
) -> tuple[Piece, ...]:
    """The stretch with most of the matches, exact ones counting more, as alternating pieces."""

    def worth(first: int) -> int:
        ahead = range(first, min(first + _LENGTH - _BEFORE, len(words)))
        return sum(1 + marked[n] for n in ahead if n in marked)

    best = max(found[:_MOST_MARKED], key=worth)  # the first of equals
    first = max(0, best - _BEFORE)
    pieces: list[Piece] = []
    for place in range(first, min(first + _LENGTH, len(words))):
        is_match = place in marked
        if pieces and pieces[-1].match == is_match:
            pieces[-1] = Piece(f"{pieces[-1].text} {words[place].text}", is_match)
        else:
            pieces.append(Piece(words[place].text, is_match))
    return tuple(pieces)
