"""The reader of PDF objects has a short way for plain entries: it must say what the long one says.

The long way, token by token, is the definition; the short one must agree on values, on places and
on refusals, for every input.
"""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.verification.file import pdf_objects
from signer.verification.file.pdf_objects import (
    Dictionary,
    PDFString,
    PDFSyntaxError,
    parse_value,
    same,
)
from tests.fuzz.mutations import flipped, renamed, renumbered, worded

NEVER = re.compile(rb"(?!)")
WORDS = (
    b"/A", b"/Type", b"/A#42", b"/", b"/\x80", b"1", b"-7", b"+3", b"007", b"1.5", b".5", b"-.25",
    b"4.", b"1 0 R", b"12 65535 R", b"1 0 R2", b"1 0\nR", b"99999999999 0 R", b"(a\\051)",
    b"<41 4>", b"[", b"]", b"<<", b">>", b"true", b"null", b"trueish", b" ", b"\n", b"\r", b"\t",
    b"\0", b"%c\n", b"%", b"#", b"1%x\n0 R", b"{", b"--1", b"1e5",
)  # fmt: skip


def said(data: bytes) -> object:
    """What the reader makes of `data`: the value with its places, or that it refuses."""
    try:
        value, end = parse_value(data, 0)
    except PDFSyntaxError:
        return "refused"
    return places(value), end


def places(value: object) -> object:
    if isinstance(value, Dictionary):
        inner = {key: places(one) for key, one in value.items()}
        return "dictionary", inner, dict(value.spans), value.start, value.end
    if isinstance(value, list):
        return [places(one) for one in value]
    if isinstance(value, PDFString):
        return value.value, value.is_hex, value.start, value.end
    return type(value).__name__, value


def both_ways(data: bytes) -> tuple[object, object]:
    short = said(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf_objects, "_PLAIN_ENTRY", NEVER)
        patch.setattr(pdf_objects, "_PLAIN_ITEM", NEVER)
        return short, said(data)


@settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from((b"", b" ")))
def test_both_ways_agree_on_any_words(words, glue):
    for opening, closing in ((b"<<", b">>"), (b"[", b"]"), (b"<</K ", b">>")):
        short, long = both_ways(opening + glue.join(words) + closing)
        assert short == long


def test_both_ways_agree_on_mutated_objects(signed):
    bodies = re.findall(rb"(?<= obj\n).{2,2000}?(?=\nendobj|\nstream)", signed["B-LTA"], re.DOTALL)
    assert len(bodies) > 20
    for number in range(1500):
        chance = random.Random(number)
        body = chance.choice(bodies)
        for _ in range(chance.randrange(3)):
            body = chance.choice((flipped, renumbered, renamed, worded))(body, chance, ())
        short, long = both_ways(body)
        assert short == long, body


@pytest.mark.parametrize("depth", [62, 63, 64, 65])
def test_both_ways_agree_on_depth(depth):
    for inner in (b"1", b"/A", b"", b"1 0 R"):
        short, long = both_ways(b"[" * depth + inner + b"]" * depth)
        assert short == long
        short, long = both_ways(b"<</A " * depth + (inner or b"1") + b">>" * depth)
        assert short == long


def test_the_short_way_is_taken():
    """Else these tests would compare the long way with itself."""
    assert pdf_objects._PLAIN_ENTRY.match(b"/Parent 12 0 R /Type")
    value, end = parse_value(b"<< /Parent 12 0 R/Type /Page /N -3 /X .5>>", 0)
    assert isinstance(value, Dictionary)
    assert end == 42
    assert value.spans == {"Parent": (11, 17), "Type": (23, 28), "N": (32, 34), "X": (38, 40)}
    again, _ = parse_value(b"<</X .5/N -3/Type/Page/Parent 12 0 R>>", 0)
    assert same(value, again)
