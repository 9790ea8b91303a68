"""Visible signatures in real signed records: valid, conformant, legible, in their places."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pypdfium2
import pytest

from ocr.conformance import check_conformance
from signer.sealing.appearance.anchor import lines_of
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp, specimen_images
from signer.sealing.seal import FieldPlan, Sealer, SealRequest, SealResult
from tests.fixtures_pki import RunningPKI
from tests.stamped import A4, Typed, stamped_pdf

AT = dt.datetime(2026, 11, 23, 12, 10, 14, tzinfo=dt.timezone(dt.timedelta(hours=7)))
TIME = "2026-11-23T12:10:14+07:00"
FACTS = StampFacts("Ủy ban nhân dân xã An Hòa Mẫu", "Trần Thị Mẫu", CopyForm.SL, "12/QĐ-UBND")
DECISION = [
    Typed(85, 700, "chịu trách nhiệm thi hành Quyết định này./."),
    Typed(85, 640, "Nơi nhận:", 12),
    Typed(372, 640, "KT. CHỦ TỊCH"),
    Typed(368, 624, "PHÓ CHỦ TỊCH"),
    Typed(374, 530, "Trần Thị Mẫu"),
]


def sealed(
    sealer: Sealer, source: Path, target: Path, steps, facts: StampFacts = FACTS
) -> list[SealResult]:
    requests = [
        SealRequest(
            key=key,
            field_name=name,
            stamp=plan_stamp(profile, facts, AT, specimen_images(), lines=lambda: lines_of(source)),
            claimed_at=AT,
        )
        for key, name, profile in steps
    ]
    return sealer.seal_many(source, target, requests)


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(precheck=lambda key, at: None)


@pytest.fixture
def steps(test_pki: RunningPKI):
    return [
        (test_pki.officer, "officer-P7", "P7"),
        (test_pki.leader, "leader-P1", "P1"),
        (test_pki.seal, "seal-P2", "P2"),
        (test_pki.seal, "seal-P6", "P6"),
    ]


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def test_a_typed_decision_is_signed_in_its_places(tmp_path, sealer, steps):
    source, target = tmp_path / "decision.pdf", tmp_path / "signed.pdf"
    source.write_bytes(stamped_pdf([], [A4], DECISION))
    mark, leader, seal, incoming = sealed(sealer, source, target, steps)

    report = run("pdfsig", "-nocert", target)
    assert report.count("Signature is Valid") == 4

    # the leader between title and name, the seal a third over it
    x0, y0, x1, y1 = leader.rect
    assert 530 < y0 < y1 < 624
    assert (x0 + x1) / 2 == pytest.approx(413, abs=8)
    assert (seal.rect[2] - x0) / (x1 - x0) == pytest.approx(1 / 3, abs=0.01)
    assert seal.rect[2] - seal.rect[0] == pytest.approx(38.8 * 72 / 25.4, abs=0.1)
    assert mark.rect[0] < 100
    assert incoming.rect[2] > 570

    text = run("pdftotext", target, "-")
    for expected in (
        "Người số hóa: Trần Thị Mẫu",
        f"Thời gian số hóa: {TIME}",
        "Ủy ban nhân dân xã An Hòa Mẫu",
        f"Thời gian ký: {TIME}",
    ):
        assert expected in text


def test_a_record_with_every_stamp_still_conforms(tmp_path, record, sealer, test_pki, steps):
    target = tmp_path / "signed.pdf"
    more = [(test_pki.seal, "copy-P5", "P5"), (test_pki.seal, "annex-P4", "P4")]
    results = sealed(sealer, record, target, steps + more)
    report = check_conformance(target)
    assert report.findings == ()
    rects = [r.rect for r in results if r.page_index == 0]
    corners = [rect for rect in rects if rect[1] > 500]
    for index, a in enumerate(corners):  # stamps of one corner stand beside each other
        for b in corners[index + 1 :]:
            assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]


def test_prepared_fields_take_the_stamps_they_were_made_for(tmp_path, record, sealer, test_pki):
    ready, target = tmp_path / "ready.pdf", tmp_path / "signed.pdf"
    plan = plan_stamp("P7", FACTS, AT)
    sealer.prepare_fields(record, ready, [FieldPlan("officer", plan)])
    result = sealer.seal_file(
        ready, target, SealRequest(test_pki.officer, field_name="officer", stamp=plan)
    )
    assert result.rect == pytest.approx((28.35, 788.03, 255.12, 827.72), abs=0.6)
    assert "Signature is Valid" in run("pdfsig", "-nocert", target)


def test_what_is_shown_is_what_was_planned(tmp_path, sealer, test_pki):
    """The rendered page changes where the stamp is, and nowhere else."""
    source, target = tmp_path / "decision.pdf", tmp_path / "signed.pdf"
    source.write_bytes(stamped_pdf([], [A4], DECISION))
    (result,) = sealed(sealer, source, target, [(test_pki.leader, "leader", "P1")])

    def pixels(path):
        document = pypdfium2.PdfDocument(path)
        document.init_forms()
        try:
            return document[0].render(scale=1, may_draw_forms=True).to_numpy().astype(int)
        finally:
            document.close()

    before, after = pixels(source), pixels(target)
    changed = (before != after).any(axis=2).nonzero()
    height = before.shape[0]
    x0, y0, x1, y1 = result.rect
    assert changed[1].min() >= x0 - 1
    assert changed[1].max() <= x1 + 1
    assert changed[0].min() >= height - y1 - 1
    assert changed[0].max() <= height - y0 + 1
