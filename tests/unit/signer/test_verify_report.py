"""The report: closed, three-way, never a truth value; and what certification allows."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from signer.errors import SignatureNotValid, SignerError
from signer.verification import verify as verify_module
from signer.verification.changes.after import FieldLock, transforms
from signer.verification.file.pdf_objects import Dictionary, Name, PDFString
from signer.verification.file.structure import Document
from signer.verification.report import (
    Check,
    Checklist,
    Indication,
    Integrity,
    Outcome,
    SubIndication,
    conclude,
    integrity_of,
)
from signer.verification.validity.evidence import Standing
from signer.verification.words.sentences import sentence
from signer.verification.words.wording import check_text, is_known
from tests.fixtures_signed import append, body_of, objects_of, plain_pdf, seal
from tools.list_checks import DOCUMENT, with_table

ROOT = Path(__file__).parents[3]


def test_no_truth_value(verifier, signed):
    report = verifier.verify(signed["B-LTA"])
    with pytest.raises(TypeError, match="require_passed"):
        bool(report)
    assert report.require_passed() is report


def test_require_passed_raises_with_the_reason(verifier, signed):
    for data, word in ((signed["B-B"], "TRY_LATER"), (signed["B-B"][:-30], "MALFORMED")):
        with pytest.raises(SignatureNotValid, match=word) as caught:
            verifier.verify(data).require_passed()
        assert isinstance(caught.value, SignerError)
        assert caught.value.report.indication is not Indication.TOTAL_PASSED


STABLE = {"indication", "sub_indication", "integrity", "signatures", "document_timestamps"}
WORDS = re.compile(r"`([a-z][a-z_0-9]*)`")


def keys_of(value) -> set[str]:
    """Every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(inner) for inner in value.values()))
    return set().union(*(keys_of(inner) for inner in value)) if isinstance(value, list) else set()


def test_json_is_stable(verifier, signed):
    said = json.loads(json.dumps(verifier.verify(signed["B-LTA"]).to_json()))
    assert set(said) >= {
        *STABLE, "message", "verified_at", "document", "expected_agency", "checks",
    }  # fmt: skip
    assert set(said["signatures"][0]) >= {
        "field", "indication", "sub_indication", "integrity", "signer", "organisation",
        "certificate", "trust_domain", "claimed_time", "proved_time", "level", "sub_filter",
        "algorithm", "reason", "revision", "revisions", "covers_whole_file", "certification",
        "changes", "timestamps", "checks", "validity_at_signing", "attributes_sha256",
        "covered_digest", "part",
    }  # fmt: skip
    assert said["indication"] == "TOTAL-PASSED"
    assert said["integrity"] == "INTACT"
    token = said["document_timestamps"][0]
    assert token["covers_whole_file"] is True
    assert token["revision"] == token["revisions"] == 6
    assert said["message"]["vi"].startswith("HỢP LỆ")


def test_every_key_is_documented(verifier, signed):
    documented = set(WORDS.findall((ROOT / "docs" / "verification.md").read_text("utf-8")))
    said = verifier.verify(signed["B-LTA"]).to_json()
    assert keys_of(said) - documented == set()


def test_the_minimum_of_the_circular_is_there(verifier, signed):
    """TT 15/2025, 5.2: issuer, signer, who manages, time, integrity, validity, period (K4)."""
    for name, data in signed.items():
        for one in verifier.verify(data).to_json()["signatures"]:
            certificate, validity = one["certificate"], one["validity_at_signing"]
            assert one["signer"], name
            assert certificate["issuer"]
            assert certificate["managed_by"]
            assert certificate["not_before"] < certificate["not_after"]
            assert one["integrity"] == "INTACT"
            assert validity["time"] == (one["proved_time"] or one["claimed_time"])
            assert validity["time_is"] == ("proved" if one["proved_time"] else "claimed")
            passed = one["indication"] == "TOTAL-PASSED"
            assert validity["status"] == ("VALID" if passed else "UNKNOWN")


def test_a_signature_is_named_by_what_was_signed(verifier, signed):
    said = verifier.verify(signed["B-LTA"]).to_json()["signatures"]
    names = {one["attributes_sha256"] for one in said}
    assert len(names) == len(said)
    assert all(len(one["covered_digest"]["value"]) == 64 for one in said)


def test_every_check_has_words_in_both_languages(verifier, informed_verifier, signed):
    seen = set()
    for data in (*signed.values(), *(d[:-60] for d in signed.values()), b"", plain_pdf()):
        for report in (verifier.verify(data), informed_verifier.verify(data)):
            seen |= {c.check for c in report.all_checks()}
            seen |= {f"change.{c.kind}" for s in report.signatures for c in s.changes}
    assert [name for name in seen if not is_known(name)] == []
    assert check_text("path.found", "PASSED")[0].startswith("Đường dẫn")


def test_an_empty_list_of_checks_is_undecided():
    assert conclude([]) == (Indication.INDETERMINATE, None)
    assert conclude([Check("x", Outcome.WARNING)]) == (Indication.INDETERMINATE, None)
    assert conclude([Check("x", Outcome.PASSED)]) == (Indication.TOTAL_PASSED, None)


def test_the_worst_decides():
    checks = Checklist()
    checks.passed("a")
    checks.unknown("b", SubIndication.TRY_LATER, "", Integrity.UNKNOWN)
    assert conclude(checks.frozen()) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)
    checks.failed("c", SubIndication.HASH_FAILURE, "", Integrity.BROKEN)
    checks.failed("d", SubIndication.FORMAT_FAILURE, "", Integrity.MALFORMED)
    assert conclude(checks.frozen()) == (Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE)
    assert integrity_of(checks.frozen()) is Integrity.MALFORMED


@pytest.mark.parametrize("integrity", ["INTACT", "CHANGED", "BROKEN", "MALFORMED", "UNKNOWN"])
@pytest.mark.parametrize("indication", [i.value for i in Indication])
@pytest.mark.parametrize("sub", [None, *(s.value for s in SubIndication)])
def test_every_verdict_has_a_sentence(integrity, indication, sub):
    for has_signatures in (True, False):
        vi, en = sentence(indication, integrity, has_signatures, sub)
        assert vi.endswith(".")
        assert en.endswith(".")
        assert vi.count(". ") == en.count(". ") == 0  # one sentence
        assert "; " in vi  # and what to do next
        assert "; " in en
        verdict = {"TOTAL-PASSED": "HỢP LỆ: ", "TOTAL-FAILED": "KHÔNG HỢP LỆ: "}
        assert vi.startswith(verdict.get(indication, "CHƯA XÁC ĐỊNH: "))


@pytest.mark.parametrize(
    ("sub", "findings", "word"),
    [
        ("FORMAT_FAILURE", {"shown.engines"}, "hai phần mềm"),
        ("SIG_CONSTRAINTS_FAILURE", {"shown.engines"}, "quá nặng"),
        ("SIG_CONSTRAINTS_FAILURE", {"signature.sub-filter"}, "không kiểm tra được"),
        ("FORMAT_FAILURE", {"file.encrypted"}, "mật khẩu"),
    ],
)
def test_a_finding_that_is_the_whole_reason_is_named(sub, findings, word):
    vi, en = sentence("INDETERMINATE", "UNKNOWN", True, sub, findings)
    assert vi.startswith("CHƯA XÁC ĐỊNH: ")
    assert word in vi
    assert "; " in en


def test_what_only_test_certificates_confirm_is_of_no_legal_value():
    plain = sentence("TOTAL-PASSED", "INTACT", True, None, (), {"OFFICIAL_DUTY"})
    tried = sentence("TOTAL-PASSED", "INTACT", True, None, (), {"OFFICIAL_DUTY", "TEST"})
    assert "bạn có thể dùng tệp này" in plain[0]
    assert "không có giá trị pháp lý" in tried[0]
    assert tried[0].startswith("HỢP LỆ: ")
    broken = sentence("TOTAL-FAILED", "CHANGED", True, None, (), {"TEST"})
    assert "không có giá trị pháp lý" not in broken[0]


def test_escapes_become_malformed_with_an_id(verifier, signed, monkeypatch, caplog):
    """A fault of our own below is a finding, logged with the same id."""

    def stumble(data):
        raise RecursionError("hostile")

    monkeypatch.setattr(verify_module, "Document", stumble)
    report = verifier.verify(signed["B-B"])
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.MALFORMED
    (check,) = report.checks
    assert check.check == "file.escape"
    assert check.detail.split()[1] in caplog.text


def test_missing_file_is_the_callers_error(verifier, tmp_path):
    with pytest.raises(FileNotFoundError):
        verifier.verify(tmp_path / "none.pdf")


def test_too_large(verifier, signed, monkeypatch):
    monkeypatch.setattr(verify_module, "MAX_SIZE", 100)
    assert verifier.verify(signed["B-B"]).checks[0].detail == "the file is too large"


def signature(**parameters):
    transform = Dictionary()
    transform.update({k: v for k, v in parameters.items() if k != "method"})
    reference = Dictionary()
    reference.update(TransformMethod=Name(parameters["method"]), TransformParams=transform)
    out = Dictionary()
    out.update(Reference=[reference])
    return out


@pytest.fixture
def view():
    return Document(plain_pdf()).current


class TestCertification:
    def test_levels(self, view):
        assert transforms(view, signature(method="DocMDP", P=3)) == (3, None)
        assert transforms(view, signature(method="DocMDP")) == (2, None)
        assert transforms(view, signature(method="DocMDP", P=9)) == (1, None)
        assert transforms(view, Dictionary()) == (None, None)

    def test_locks(self, view):
        names = [PDFString(b"leader"), PDFString(b"seal")]
        _, include = transforms(
            view, signature(method="FieldMDP", Action=Name("Include"), Fields=names)
        )
        _, exclude = transforms(
            view, signature(method="FieldMDP", Action=Name("Exclude"), Fields=names)
        )
        _, everything = transforms(view, signature(method="FieldMDP"))
        assert include == FieldLock("Include", frozenset({"leader", "seal"}))
        assert include.forbids("seal")
        assert include.forbids("seal.inner")
        assert not include.forbids("other")
        assert exclude.forbids("other")
        assert not exclude.forbids("leader")
        assert everything.forbids("anything")

    def test_nothing_may_follow_a_closed_document(self, test_pki, informed_verifier):
        """DocMDP 1, made by pyHanko; a later signature is refused, a DSS would not be."""
        from pyhanko.sign.fields import MDPPerm

        from tests.foreign import place_cms, pyhanko_sign

        closed = pyhanko_sign(
            plain_pdf(), test_pki.leader, "L", certify=True, docmdp_permissions=MDPPerm.NO_CHANGES
        )
        assert informed_verifier.verify(closed).indication is Indication.TOTAL_PASSED
        later = place_cms(closed, lambda covered: b"\x30\x00", name="S")
        report = informed_verifier.verify(later)
        assert report.indication is Indication.TOTAL_FAILED
        assert "certified against" in report.signatures[0].changes[-1].detail

    def test_locked_field(self, test_pki, informed_verifier):
        from pyhanko.sign import fields

        from tests.foreign import place_cms, pyhanko_sign

        first = pyhanko_sign(
            plain_pdf(), test_pki.leader, "L",
            new_field=fields.SigFieldSpec(
                "L", field_mdp_spec=fields.FieldMDPSpec(fields.FieldMDPAction.ALL)
            ),
        )  # fmt: skip
        assert informed_verifier.verify(first).indication is Indication.TOTAL_PASSED
        report = informed_verifier.verify(place_cms(first, lambda covered: b"\x30\x00", name="S"))
        assert "locked" in " ".join(c.detail for c in report.signatures[0].changes)


def test_oversized_appearance(test_pki, informed_verifier, signed):
    """A later signature whose picture covers the page hides what was signed."""
    from tests.foreign import pyhanko_sign

    data = pyhanko_sign(signed["roomy"], test_pki.leader, "Big", box=(0, 0, 595, 842))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.CHANGED
    assert "appearance" in {c.kind for c in report.signatures[0].changes}


def test_empty_signature_field_added(informed_verifier, signed):
    data = signed["B-B"]
    numbers = objects_of(data)
    new = numbers["next"]
    form = re.sub(
        rb"/Fields \[([^\]]*)\]", rb"/Fields [\1 %d 0 R]" % new, body_of(data, numbers["form"])
    )
    field = b"<< /FT /Sig /T (x) /Subtype /Widget /Rect [0 0 0 0] >>"
    report = informed_verifier.verify(append(data, {numbers["form"]: form, new: field}))
    assert report.integrity is Integrity.CHANGED
    assert "form" in {c.kind for c in report.signatures[0].changes}


def test_saved_dates_alone_are_no_change(informed_verifier, signed):
    data = signed["B-B"]
    number = objects_of(data)["info"]
    info = re.sub(rb"/ModDate \([^)]*\)", b"/ModDate (D:20260303)", body_of(data, number))
    assert b"20260303" in info
    report = informed_verifier.verify(append(data, {number: info}))
    assert report.integrity is Integrity.INTACT
    assert [c.kind for c in report.signatures[0].changes] == ["metadata-dates"]


def test_seal_after_seal(informed_verifier, test_pki, signed):
    data = seal(test_pki, signed["B-B"], test_pki.leader)
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert [s.revision for s in report.signatures] == [2, 3]
    assert [s.covers_whole_file for s in report.signatures] == [False, True]


def test_standing_is_closed():
    assert {s.value for s in Standing} == {"good", "revoked", "stale", "unknown"}


def test_no_text_is_endless_or_unwritable(verifier, signed):
    report = verifier.verify(signed["B-B"])
    one = dataclasses.replace(report.signatures[0], reason="x" * 10**6, field_name="a\ud800b")
    checks = (*report.checks, Check("file.structure", Outcome.PASSED, "ế" * 10**5))
    told = dataclasses.replace(report, signatures=(one,), checks=checks).to_json()
    text = json.dumps(told, ensure_ascii=False).encode()  # as it is sent
    assert len(text) < 100_000
    assert told["signatures"][0]["field"] == "a?b"
    assert told["checks"][-1]["detail"].endswith("ế…")


def test_the_table_of_checks_is_that_of_the_reports():
    """After a change of checks or words: PYTHONPATH=. python tools/list_checks.py"""
    text = DOCUMENT.read_text("utf-8")
    assert with_table(text) == text
