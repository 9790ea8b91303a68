"""The small twin of `tests.proof_fuzz`: mutations, and whether its oracle can see at all."""

from __future__ import annotations

import io
import json
import random
import re

import pikepdf
import pytest

from signer.trust import TrustStore
from signer.verification.report import Indication
from tests.fixtures_signed import append, objects_of
from tests.fuzz.mutations import MUTATIONS, mutate
from tests.fuzz.oracle import Finding, Oracle

ROUNDS = 800


@pytest.fixture(scope="module")
def seeds(signed) -> list[bytes]:
    return [signed[name] for name in ("B-B", "B-T", "B-LTA", "certified", "streams")]


@pytest.fixture(scope="module")
def oracle(verifier, seeds) -> Oracle:
    return Oracle(verifier, seeds)


@pytest.mark.parametrize("part", range(4))
def test_no_mutation_harms_or_fools(oracle, seeds, part):
    for number in range(part, ROUNDS, 4):
        chance = random.Random(-number - 1)
        oracle.check(mutate(chance.choice(seeds), chance, seeds))


@pytest.mark.parametrize("mutation", dict.fromkeys(MUTATIONS), ids=lambda one: one.__name__)
def test_every_mutation_alters_files_and_bears_any_input(seeds, mutation):
    altered = 0
    for number in range(40):
        chance = random.Random(number)
        source = chance.choice(seeds)
        altered += mutation(source, chance, seeds) != source
        mutation(b"", chance, [])
        mutation(b"%PDF-1.7 no more", chance, [])
    assert altered > 20


def test_genuine_files_are_no_findings(oracle, seeds):
    for seed in seeds:
        oracle.check(seed)
        oracle.check(seed + b"\n")


def said_of(verifier, data: bytes, **changes: object) -> dict:
    return {**json.loads(json.dumps(verifier.verify(data).to_json())), **changes}


def test_the_oracle_sees_what_was_fooled(oracle, verifier, seeds):
    """A verifier that passes everything, and one that finds forged pages intact."""
    numbers = objects_of(seeds[0])
    forged = append(seeds[0], {numbers["contents"]: b"<< /Length 1 >>\nstream\nq\nendstream"})
    oracle.judge(forged, said_of(verifier, forged))
    with pytest.raises(Finding, match="TOTAL-PASSED"):
        oracle.judge(forged, said_of(verifier, forged, indication="TOTAL-PASSED"))
    with pytest.raises(Finding, match="other pages"):
        oracle.judge(forged, said_of(verifier, forged, integrity="INTACT"))


def test_the_oracle_sees_what_escaped(oracle, verifier, seeds, monkeypatch):
    monkeypatch.setattr(type(verifier), "_judge", lambda *_: 1 // 0)
    with pytest.raises(Finding, match="ZeroDivisionError"):
        oracle.check(seeds[0])
    assert verifier.verify(seeds[0]).checks[0].check == "file.escape"


def test_the_oracle_needs_an_anchor(verifier, seeds):
    """With no seeds known, the genuine file itself would be a forgery."""
    blind = Oracle(verifier, [])
    with pytest.raises(Finding):
        blind.check(seeds[2])
    Oracle(type(verifier)(TrustStore()), seeds).check(seeds[2])


# --- what was found, kept as the smallest thing that shows it -----------------------------------


def test_a_stored_value_whose_signature_is_no_whole_number_of_octets(verifier, signed):
    """Found by atheris: its name for /VRI was asked for without asking whether it has one."""
    data = signed["B-LT"]
    numbers = [
        int(match[1])
        for match in re.finditer(rb"(?<=\n)(\d+) 0 obj\n(?:(?!endobj).)*?stream\n", data, re.DOTALL)
    ]
    spoilt = 0
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for number in numbers:
            value = bytes(pdf.get_object(number, 0).read_bytes())
            for place in re.finditer(rb"\x03[\x40-\x50]\x00\x30", value):  # BIT STRING of ECDSA
                damaged = bytearray(value)
                damaged[place.start() + 2] = 4
                body = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(damaged), damaged)
                report = verifier.verify(append(data, {number: body}))
                assert not any(check.check == "file.escape" for check in report.all_checks())
                assert report.indication is not Indication.TOTAL_PASSED
                spoilt += 1
    assert spoilt > 2
