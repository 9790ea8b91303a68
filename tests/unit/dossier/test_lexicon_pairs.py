"""Pairs of the lexicon: learned from many people, measured where they were not learned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.checking.pairs import (
    Gain,
    Pair,
    SampleWord,
    candidates,
    is_held_out,
    measured,
    proposal,
)

A, B = frozenset({"a"}), frozenset({"b"})
PAIR = Pair("dan", "dân", 3, 2)


def word(machine: str, truth: str, by: frozenset[str] = A, *, doubtful: bool = True) -> SampleWord:
    return SampleWord(machine, doubtful, truth, by)


def test_a_pair_is_learned_from_enough_words_and_enough_people():
    often = [[word("dan,", "dân,"), word("dan", "dân")], [word("(dan)", "(dân)", B)]]
    assert candidates(often) == (PAIR,)
    assert candidates([[word("dan", "dân")] * 9]) == (), "one person alone"
    assert candidates([[word("dan", "dân"), word("dan", "dân", B)]]) == (), "twice"
    nothing = [word("dan", "dan"), word("", "x"), word("nhândân", "nhân dân"), word("a,", "a.")]
    assert candidates([nothing * 3, nothing * 3]) == ()
    long = "a" * 65
    assert candidates([[word(long, "b", p) for p in (A, B, A)]]) == ()


def test_only_doubtful_words_are_replayed_and_only_where_it_matters():
    words = [
        word("dan", "dân"),
        word("dan,", "dân,"),
        word("dan", "dan"),
        word("dan", "dàn"),
        word("dan", "dân", doubtful=False),
        word("dana", "dân"),
    ]
    gain = measured(PAIR, [words, []])
    assert gain == Gain(papers=2, mended=2, spoiled=1, neither=1)
    assert gain.net == 1


@pytest.mark.parametrize(
    ("mended", "spoiled", "verdict"),
    [
        (3, 0, "active"),
        (2, 0, "proposed"),  # too few to be sure
        (0, 0, "proposed"),
        (3, 1, "proposed"),
        (30, 10, "active"),
        (1, 1, "refused"),
        (0, 1, "refused"),
        (5, 40, "refused"),
    ],
)
def test_a_pair_is_active_only_with_a_gain_that_is_sure(mended, spoiled, verdict):
    assert Gain(10, mended, spoiled, 0).verdict == verdict


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_lower_bound_is_below_what_was_seen_and_a_harmful_pair_is_never_active(mended, spoiled):
    gain = Gain(1, mended, spoiled, 0)
    if mended + spoiled:
        assert -1 <= gain.lower_bound <= gain.net / (mended + spoiled)
    assert gain.verdict != "active" or mended > spoiled


def test_what_stands_around_the_letters_stays():
    pairs = {"dan": "dân"}
    assert proposal("“dan”,", pairs) == "“dân”,"
    assert proposal("Dan", pairs) is None
    assert proposal("...", pairs) is None


def test_papers_are_parted_in_about_two_halves_for_good():
    ids = [f"ppr_{n:026}" for n in range(400)]
    held = [is_held_out(one) for one in ids]
    assert held == [is_held_out(one) for one in ids]
    assert 150 < sum(held) < 250
