"""One flipped bit anywhere in a signed record is found; so are thousands of other mutations.

The whole proof, every bit of every kind of file, is ``python -m tests.proof_one_bit``.
"""

from __future__ import annotations

import random
import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.verification.report import Indication, Integrity
from tests.fixtures_signed import flip

# thousands of rounds through the same lines: counting them took half the time
pytestmark = pytest.mark.no_cover

RELAXED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def assert_found(verifier, data, position, bit):
    report = verifier.verify(flip(data, position, bit))
    assert report.indication is not Indication.TOTAL_PASSED, (position, bit)
    escaped = [c.detail for c in report.checks if c.check == "file.escape"]
    assert not escaped, (position, bit, escaped)


@RELAXED
@given(st.data())
def test_anywhere_in_a_sealed_record(verifier, sealed_record, data):
    record = sealed_record.read_bytes()
    assert_found(
        verifier, record, data.draw(st.integers(0, len(record) - 1)), data.draw(st.integers(0, 7))
    )


@pytest.mark.parametrize("name", ["B-B", "rsa", "B-T", "B-LTA", "certified", "streams"])
@RELAXED
@given(data=st.data())
def test_inside_the_last_contents(informed_verifier, signed, name, data):
    """Only the signature itself and what is unsigned in it: the hardest place."""
    record = signed[name]
    assert informed_verifier.verify(record).indication is Indication.TOTAL_PASSED
    found = list(re.finditer(rb"<[0-9a-f]{400,}>", record))[-1]
    der_end = found.start() + len(found[0].rstrip(b"0>"))
    position = data.draw(
        st.integers(found.start() - 40, der_end + 2) | st.integers(found.start(), found.end() + 40)
    )
    assert_found(informed_verifier, record, position, data.draw(st.integers(0, 7)))


def test_hex_case_is_part_of_the_record(verifier, signed):
    record = signed["B-LTA"]
    found = list(re.finditer(rb"<[0-9a-f]{400,}>", record))[-1]
    letters = [i for i in range(found.start(), found.end()) if record[i] in b"abcdef"]
    for position in letters[:: len(letters) // 20]:
        assert_found(verifier, record, position, 5)


def test_uncovered_validation_data(informed_verifier, signed):
    """A B-LT ends with data that nothing signs: each value must vouch for itself."""
    record = signed["B-LT"]
    start = [m.end() for m in re.finditer(rb"%%EOF\n", record)][-2]
    first = record.rindex(b"/ID [") + 6
    second = first + 34  # the second half of /ID means nothing
    end = record.index(b"]", second)
    picks = random.Random(7)
    for _ in range(250):
        position, bit = picks.randrange(start, len(record)), picks.randrange(8)
        same_digit = first <= position < second and chr(record[position]).isalpha() and bit == 5
        if not second <= position < end and not same_digit:  # a and A are one hex digit
            assert_found(informed_verifier, record, position, bit)


def test_mutations_never_escape(verifier, signed):
    """Deleted, doubled, overwritten and inserted runs: a verdict each time, and never a pass."""
    picks = random.Random(11)
    files = [signed["B-LTA"], signed["streams"]]
    for _ in range(250):
        data = bytearray(picks.choice(files))
        at, length = picks.randrange(len(data)), picks.randrange(1, 60)
        kind = picks.randrange(4)
        if kind == 0:
            del data[at : at + length]
        elif kind == 1:
            data[at:at] = data[at : at + length] or b"x"
        elif kind == 2:
            data[at:at] = picks.randbytes(length)
        else:
            data[at : at + length] = bytes(b ^ 0x55 for b in data[at : at + length])
        report = verifier.verify(bytes(data))
        assert report.indication is not Indication.TOTAL_PASSED
        assert report.integrity is not Integrity.INTACT
        assert not any(c.check == "file.escape" for c in report.checks), report.checks


def pdfsig(path):
    result = subprocess.run(
        ["pdfsig", "-nocert", path], capture_output=True, text=True, check=False
    )
    return re.findall(r"Signature Validation: (.*)", result.stdout)


def test_second_opinion(verifier, signed, tmp_path):
    """pdfsig agrees on good and on altered signatures (it does not judge timestamps)."""
    path = tmp_path / "x.pdf"
    path.write_bytes(signed["B-LTA"])
    said = pdfsig(path)
    assert said.count("Signature is Valid.") == 3
    report = verifier.verify(path)
    assert [s.integrity for s in report.signatures] == [Integrity.INTACT] * 3
    position = signed["B-LTA"].index(b"(Quyet dinh") if b"(Quyet dinh" in signed["B-LTA"] else 300
    path.write_bytes(flip(signed["B-LTA"], position + 3, 0))
    assert "Signature is Valid." not in pdfsig(path)
    assert verifier.verify(path).integrity is Integrity.BROKEN
