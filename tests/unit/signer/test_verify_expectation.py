"""What a caller expects, and whether the certificate was valid when it was signed with."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from signer.verification.checks import Check, Outcome, SubIndication
from signer.verification.validity.at_signing import validity_at_signing
from signer.verification.words.expectation import expect_agency

YEAR = dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INSIDE, BEFORE, AFTER = (dt.datetime(y, 6, 1, tzinfo=dt.UTC) for y in (2025, 2024, 2026))
GOOD = Check("revocation", Outcome.PASSED)
LATER = Check("revocation", Outcome.INDETERMINATE, "", SubIndication.TRY_LATER)
REVOKED = Check("revocation", Outcome.FAILED, "", SubIndication.REVOKED)


@pytest.mark.parametrize(
    ("proved", "claimed", "checks", "status", "basis", "period"),
    [
        (INSIDE, AFTER, [GOOD], "VALID", "proved", "WITHIN"),
        (None, INSIDE, [GOOD, GOOD], "VALID", "claimed", "WITHIN"),
        (INSIDE, None, [GOOD, LATER], "UNKNOWN", "proved", "WITHIN"),
        (INSIDE, None, [], "UNKNOWN", "proved", "WITHIN"),
        (INSIDE, None, [GOOD, REVOKED], "NOT_VALID", "proved", "WITHIN"),
        (AFTER, INSIDE, [GOOD], "NOT_VALID", "proved", "AFTER"),
        (None, BEFORE, [GOOD], "NOT_VALID", "claimed", "BEFORE"),
        (None, None, [GOOD], "UNKNOWN", "none", "UNKNOWN"),
    ],
)
def test_validity_is_judged_at_the_proved_time_else_the_claimed(
    proved, claimed, checks, status, basis, period
):
    said = validity_at_signing(YEAR, proved, claimed, checks).to_json()
    assert (said["status"], said["time_is"], said["period"]) == (status, basis, period)
    assert said["time"] == ((proved or claimed) and (proved or claimed).isoformat())


def test_without_a_certificate_nothing_is_known():
    assert validity_at_signing(None, INSIDE, None, [GOOD]).status == "UNKNOWN"


def test_the_expected_agency_is_found_whatever_the_case(verifier, signed):
    report = verifier.verify(signed["B-LTA"]).to_json()
    before = json.dumps(report)
    for name in {s["organisation"] for s in report["signatures"]} | {
        report["signatures"][0]["signer"]
    }:
        told = expect_agency(report, f"  {name.upper()} ")
        assert told["indication"] == "TOTAL-PASSED"
        assert told["message"] == report["message"]
        assert told["expected_agency"]["found"]
        assert told["expected_agency"]["fields"]
    assert json.dumps(report) == before  # a value is never changed


def test_another_agency_leaves_doubt_and_says_who_signed(verifier, signed):
    report = verifier.verify(signed["B-LTA"]).to_json()
    told = expect_agency(report, "Sở Khác")
    assert (told["indication"], told["sub_indication"]) == (
        "INDETERMINATE",
        "SIG_CONSTRAINTS_FAILURE",
    )
    assert told["integrity"] == "INTACT"
    assert told["expected_agency"] == {"name": "Sở Khác", "found": False, "fields": []}
    assert told["message"]["vi"].startswith("CHƯA XÁC ĐỊNH: ")
    assert "cơ quan mà bạn nêu" in told["message"]["vi"]
    assert report["signatures"][0]["signer"] in told["checks"][-1]["detail"] or (
        report["signatures"][0]["organisation"] in told["checks"][-1]["detail"]
    )


def test_a_broken_signature_is_nobodys(verifier, signed):
    data = bytearray(signed["B-LTA"])
    data[300] ^= 1
    report = verifier.verify(bytes(data)).to_json()
    told = expect_agency(report, "Sở Khác")
    assert told["indication"] == report["indication"] == "TOTAL-FAILED"
    assert told["message"] == report["message"]
    assert not told["expected_agency"]["found"]
