"""Result codes: unguessable, forgiving to type, and what is mistyped is found."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.errors import InvalidOrder
from dossier.register.codes import (
    ALPHABET,
    LENGTH,
    PATTERN,
    new_code,
    printed,
    read_code,
    require_reference,
)

codes = st.builds(new_code)
places = st.integers(0, LENGTH - 1)


def test_codes_differ_and_use_the_whole_alphabet() -> None:
    made = [new_code() for _ in range(2000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(PATTERN, code) for code in made)
    for place in range(LENGTH):
        assert {code[place] for code in made} == set(ALPHABET)


@given(codes, st.booleans(), st.sampled_from(["", " ", "-", " - ", "\n"]))
def test_a_code_is_read_however_it_is_spaced(code: str, lower: bool, between: str) -> None:
    typed = between.join(printed(code).split("-"))
    assert read_code(f"  {typed.lower() if lower else typed} ") == code


@given(codes)
def test_look_alikes_are_read_as_what_they_look_like(code: str) -> None:
    typed = code.translate(str.maketrans("8105V2", "BIOSUZ"))
    assert read_code(typed) == code
    assert read_code(code.replace("1", "l")) == code


@given(codes, places, st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_with_its_place(code: str, at: int, other: str) -> None:
    wrong = code[:at] + other + code[at + 1 :]
    if wrong == code:
        assert read_code(wrong) == code
        return
    with pytest.raises(InvalidOrder, match=f"character {at + 1};") as raised:
        read_code(wrong)
    assert raised.value.field == "code"


@given(codes, st.tuples(places, places), st.tuples(*[st.sampled_from(ALPHABET)] * 2))
def test_two_wrong_characters_are_found(
    code: str, at: tuple[int, int], others: tuple[str, str]
) -> None:
    wrong = list(code)
    for place, other in zip(at, others, strict=True):
        wrong[place] = other
    if "".join(wrong) == code:
        return
    with pytest.raises(InvalidOrder):
        read_code("".join(wrong))


def test_every_exchange_of_two_characters_is_found() -> None:
    code = new_code()
    for a, b in itertools.combinations(range(LENGTH), 2):
        wrong = list(code)
        wrong[a], wrong[b] = wrong[b], wrong[a]
        if wrong != list(code):
            with pytest.raises(InvalidOrder):
                read_code("".join(wrong))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "has 16 characters"),
        ("7K2M-9QXT", "has 16 characters"),
        ("7" * 17, "has 16 characters"),
        ("7" * 16 + " " * 1_000_000, "has 16 characters"),
        ("7K2M-9QXT-4AHW-C3R€", "no such character"),
        ("７" * 16, "no such character"),
        ("../../../etc/pass", "characters"),
    ],
)
def test_what_is_no_code_is_refused(typed: str, told: str) -> None:
    with pytest.raises(InvalidOrder, match=told):
        read_code(typed)


@pytest.mark.parametrize(
    "reference", ["H22.12-220105-0007-KQ1", "000.00.12.H22-220105-0007-KQ(12)", None]
)
def test_references_of_a_dossier_are_kept(reference: str | None) -> None:
    require_reference(reference)


@pytest.mark.parametrize(
    "reference", ["", "H22.12-220105-0007", "H22-KQ0", "H22.12-220105-0007-KQ", "a b-KQ1", "x-KQ(1"]
)
def test_other_references_are_refused(reference: str) -> None:
    with pytest.raises(InvalidOrder) as raised:
        require_reference(reference)
    assert raised.value.field == "result_reference"
