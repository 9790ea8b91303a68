"""The agency that a caller expects, compared with who signed (K14; TT 15/2025, annex II 2.1).

A caller's expectation is a constraint of its own (EN 319 102-1, 5.1.4.2): when no signature meets
it, a document that would pass is INDETERMINATE / SIG_CONSTRAINTS_FAILURE. Works on the report as
JSON, so that an answer that was kept may be compared with another expectation later.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from signer.verification.checks import Check, Indication, Outcome, SubIndication
from signer.verification.words.sentences import sentence

CHECK = "agency.expected"


def expect_agency(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`report` (as `VerificationReport.to_json` makes it) compared with the agency `name`.

    The name has to be the signer's or its organisation's, whatever the case and the blanks.
    """
    wanted = _folded(name)
    fields = [
        signature["field"]
        for signature in report["signatures"]
        if signature["integrity"] == "INTACT"
        and signature["indication"] != Indication.TOTAL_FAILED.value
        and wanted in (_folded(signature["signer"]), _folded(signature["organisation"]))
    ]
    told = dict(report)
    told["expected_agency"] = {"name": name, "found": bool(fields), "fields": fields}
    if fields:
        check = Check(CHECK, Outcome.PASSED, ", ".join(fields))
    else:
        signers = {s["organisation"] or s["signer"] for s in report["signatures"]}
        detail = "signed by: " + ("; ".join(sorted(filter(None, signers))) or "nobody known")
        sub = SubIndication.SIG_CONSTRAINTS_FAILURE
        check = Check(CHECK, Outcome.INDETERMINATE, detail, sub)
    told["checks"] = [*report["checks"], check.to_json()]
    if not fields and report["indication"] == Indication.TOTAL_PASSED.value:
        told["indication"] = Indication.INDETERMINATE.value
        told["sub_indication"] = SubIndication.SIG_CONSTRAINTS_FAILURE.value
        vi, en = sentence(
            told["indication"], told["integrity"], bool(report["signatures"]),
            told["sub_indication"], {CHECK},
        )  # fmt: skip
        told["message"] = {"vi": vi, "en": en}
    return told


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
