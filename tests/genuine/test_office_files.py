"""Documents as agencies really sign them (domain.md 5.8): INTACT, told apart, weakness named."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import replace

import pikepdf
import pytest

from signer.clock import VIETNAM
from signer.trust import TrustDomain, TrustStore
from signer.verification.checks import Indication, Integrity, Outcome, SubIndication
from signer.verification.verify import Verifier
from tests.clerical import decision
from tests.der_writing import attribute, name
from tests.odd_certificates import OddAuthority, OddKey
from tests.odd_cms import TIMESTAMP, Habit, signer_of
from tests.office_signing import (
    BESIDE_BOX,
    COPY_BOX,
    DATE_BOX,
    GAZETTE_BOX,
    LEADER_BOX,
    NUMBER_BOX,
    SEAL_BOX,
    Stroke,
    old_style,
    scanned_paper,
    sign_visibly,
    touched,
)

SIGNED_AT = dt.datetime(2024, 5, 6, 9, 30, tzinfo=VIETNAM)
SEALED_AT = SIGNED_AT + dt.timedelta(hours=2, seconds=7)
AGENCY = "Ủy ban nhân dân xã Mẫu Sơn Thử"
CADES = Habit(leaf_only=True)
BARE = Habit(leaf_only=True, names_certificate=(), generic_key_oid=False)  # adbe.pkcs7.detached
BARE_SHA1 = replace(BARE, digest="sha1")
VALID = {
    "start": dt.datetime(2023, 1, 1, tzinfo=dt.UTC),
    "end": dt.datetime(2033, 1, 1, tzinfo=dt.UTC),
}


class Offices:
    """Two generations of a government authority, and whom they certified."""

    def __init__(self, stamp: Callable[[bytes], bytes]) -> None:
        self.first = OddAuthority("CA công vụ thử G1", sha1=True)
        self.second = OddAuthority("CA công vụ thử G2")
        self.leader = self.second.issue(
            name(("C", "VN"), ("O", AGENCY), ("CN", "Trần Mẫu Thử")), **VALID
        )
        self.agency = self.first.issue(
            name(("C", "VN"), ("L", "Tỉnh Mẫu"), ("CN", AGENCY)), **VALID
        )
        self.gazette = self.second.issue(
            name(("C", "VN"), ("O", "Văn phòng UBND tỉnh Mẫu"), ("CN", "Công báo tỉnh Mẫu")),
            **VALID,
        )
        self._stamp = stamp

    @property
    def verifier(self) -> Verifier:
        """Holds the roots, which no file carries."""
        anchors = [self.first.anchor, self.second.anchor]
        return Verifier(TrustStore.of(anchors, TrustDomain.OFFICIAL_DUTY))

    def make(self, key: OddKey, habit: Habit, *, stamped: bool = True) -> Callable[[bytes], bytes]:
        """How `key` signs: with a timestamp of the government's authority, or without."""
        if stamped:
            habit = replace(
                habit, unsigned=lambda value: [attribute(TIMESTAMP, self._stamp(value))]
            )
        return signer_of(key, habit)

    def sequence(self, *, agency: Habit = BARE_SHA1, stamped: bool = True) -> list[Stroke]:
        """The five signatures of a decision."""
        leader = self.make(self.leader, replace(CADES, signing_time=SIGNED_AT), stamped=stamped)
        clerk = self.make(self.agency, agency, stamped=stamped)
        gazette = self.make(self.gazette, CADES, stamped=False)
        old = {"sub_filter": "adbe.pkcs7.detached", "at": SEALED_AT}
        return [
            Stroke("Signature1", leader, LEADER_BOX, picture="signature", at=SIGNED_AT),
            Stroke("Signature2", clerk, NUMBER_BOX, text="128", room=16_100, **old),
            Stroke("Signature3", clerk, DATE_BOX, text="06      5", room=18_000, **old),
            Stroke("Signature4", clerk, SEAL_BOX, picture="seal", room=20_000, **old),
            Stroke("Signature5", gazette, GAZETTE_BOX, text="Cong bao", picture="seal", room=24_770,
                   at=SEALED_AT + dt.timedelta(days=3)),
        ]  # fmt: skip


@pytest.fixture(scope="module")
def offices(test_pki) -> Offices:
    return Offices(lambda value: test_pki.timestamper.timestamp(hashlib.sha256(value).digest()))


def typed(version: str) -> bytes:
    with pikepdf.open(io.BytesIO(decision())) as pdf:
        return old_style(pdf, version)


def signed(pdf: bytes, strokes: list[Stroke], *, xref_stream: bool = False) -> bytes:
    for stroke in strokes:
        pdf = sign_visibly(pdf, stroke, xref_stream=xref_stream)
    return pdf


def findings(report, outcome: Outcome) -> set[tuple[str, str]]:
    """(field, check) of everything with this outcome."""
    return {
        (signature.field_name, check.check)
        for signature in report.signatures
        for check in signature.checks
        if check.outcome is outcome
    }


@pytest.mark.parametrize(
    ("version", "streams"), [("1.3", False), ("1.4", False), ("1.5", False), ("1.5", True)]
)
def test_a_decision_of_five_signatures_in_seven_revisions(offices, version, streams):
    data = signed(
        touched(typed(version), xref_stream=streams), offices.sequence(), xref_stream=streams
    )
    assert data.startswith(b"%PDF-" + version.encode())
    assert data.count(b"%%EOF") == 7
    assert b"/DSS" not in data
    assert len(re.findall(rb"/F 132", data)) == 5
    report = offices.verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert [s.part for s in report.signatures] == ["leader", "number", "date", "seal", "publisher"]
    assert [s.integrity for s in report.signatures] == [Integrity.INTACT] * 5
    assert [s.revision for s in report.signatures] == [3, 4, 5, 6, 7]
    assert all(change.allowed for s in report.signatures for change in s.changes)
    assert [c.kind for c in report.signatures[0].changes] == ["signature"] * 4
    assert [s.algorithm for s in report.signatures] == [
        "rsa-pkcs1-sha256", *["rsa-pkcs1-sha1"] * 3, "rsa-pkcs1-sha256",
    ]  # fmt: skip
    times = {s.claimed_time for s in report.signatures[1:4]}
    assert times == {SEALED_AT}


def test_what_is_weak_or_unproved_is_named(offices):
    report = offices.verifier.verify(signed(typed("1.4"), offices.sequence()))
    weak = findings(report, Outcome.INDETERMINATE)
    for field in ("Signature2", "Signature3", "Signature4"):  # SHA-1 by an agency's key
        assert (field, "signature.strength") in weak
        assert (field, "path.strength") in weak  # and under a SHA-1 authority
        assert (field, "cms.signing-certificate") in findings(report, Outcome.WARNING)
    assert ("Signature1", "signature.strength") not in weak
    for signature in report.signatures:  # no DSS: silence is not consent
        assert (signature.field_name, "revocation") in weak
    leader, *_, gazette = report.signatures
    assert leader.level == "B-T" or leader.level == "B-B"
    assert gazette.proved_time is None
    assert gazette.timestamps == ()
    assert leader.certificate.issuer == "CA công vụ thử G2"
    assert report.signatures[3].organisation == ""
    assert report.signatures[3].signer == AGENCY


def test_timestamps_of_an_authority_that_is_not_trusted_prove_nothing(offices):
    report = offices.verifier.verify(signed(typed("1.4"), offices.sequence()))
    assert report.signatures[0].timestamps[0].integrity is Integrity.INTACT
    assert report.signatures[0].proved_time is None
    assert ("Signature1", "timestamp.proof") in findings(report, Outcome.WARNING)


def test_a_trusted_timestamp_is_said_to_prove_the_time_of_a_weak_signature(
    offices, test_pki, informed_verifier
):
    anchors = [offices.first.anchor, offices.second.anchor, *test_pki.anchors]
    verifier = Verifier(TrustStore.of(anchors), evidence=informed_verifier._evidence)
    report = verifier.verify(signed(typed("1.4"), offices.sequence()))
    assert report.integrity is Integrity.INTACT
    seal = report.signatures[3]
    assert seal.proved_time is not None
    strength = next(c for c in seal.checks if c.check == "signature.strength")
    assert strength.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    assert "proves its time" in strength.detail
    assert report.signatures[4].proved_time is None


def test_scanned_paper_with_agency_and_gazette(offices):
    strokes = [
        Stroke("Signature1", offices.make(offices.agency, BARE_SHA1), COPY_BOX, text="UBND xa",
               picture="seal", sub_filter="adbe.pkcs7.detached"),
        Stroke("Signature2", offices.make(offices.gazette, CADES), BESIDE_BOX, text="Cong bao"),
    ]  # fmt: skip
    report = offices.verifier.verify(signed(scanned_paper(), strokes))
    assert report.integrity is Integrity.INTACT
    assert [s.part for s in report.signatures] == ["copy", "publisher"]
    alone = offices.verifier.verify(signed(scanned_paper("1.5"), strokes[:1], xref_stream=True))
    assert alone.integrity is Integrity.INTACT
    assert [s.part for s in alone.signatures] == ["copy"]


def test_number_and_date_without_a_seal_yet(offices):
    report = offices.verifier.verify(signed(typed("1.4"), offices.sequence()[:3]))
    assert report.integrity is Integrity.INTACT
    assert [s.part for s in report.signatures] == ["leader", "number", "date"]


def test_a_turned_and_cropped_page_is_read_as_it_is_seen(offices):
    with pikepdf.open(io.BytesIO(decision())) as pdf:
        page = pdf.pages[0].obj
        page.MediaBox, page.CropBox, page.Rotate = [-20, -30, 882, 640], [0, 0, 842, 595], 90
        turned = old_style(pdf, "1.4")

    def lying(box):  # seen upright with /Rotate 90: x' = y, y' = 842 - x
        x0, y0, x1, y1 = box
        return (842 - y1, x0, 842 - y0, x1)

    strokes = [replace(s, box=lying(s.box)) for s in offices.sequence()]
    report = offices.verifier.verify(signed(turned, strokes))
    assert report.integrity is Integrity.INTACT
    assert [s.part for s in report.signatures] == ["leader", "number", "date", "seal", "publisher"]


def test_a_leader_whose_claimed_time_is_seven_hours_ahead(offices, test_pki, informed_verifier):
    """Local time in signing-time, marked as UTC (K8): a note, nothing more."""
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=7)
    make = offices.make(offices.leader, replace(CADES, signing_time=ahead))
    anchors = [offices.second.anchor, *test_pki.anchors]
    verifier = Verifier(TrustStore.of(anchors), evidence=informed_verifier._evidence)
    report = verifier.verify(signed(typed("1.4"), [Stroke("Signature1", make, LEADER_BOX)]))
    assert report.integrity is Integrity.INTACT
    assert ("Signature1", "cms.signing-time") in findings(report, Outcome.WARNING)
    assert report.indication is not Indication.TOTAL_FAILED


def test_one_altered_letter_of_the_decision_is_found(offices):
    """The kindness above lets no forgery in."""
    data = signed(typed("1.4"), offices.sequence())
    at = data.index(b"endobj")
    broken = data[:at] + b"Endobj" + data[at + 6 :]
    assert offices.verifier.verify(broken).integrity is not Integrity.INTACT
