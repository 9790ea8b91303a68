"""Records as fixtures: a plain one, and one sealed at B-LTA."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hsm.keys import SigningKey
from ocr.record.pdfa import write_record
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp, specimen_images
from signer.sealing.augment import Level
from signer.sealing.seal import Sealer, SealRequest
from tests.fixtures_pki import RunningPKI
from tests.record_pages import META, PROVENANCE, PageSpec, make_page


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good record: a colour page with a seal, a turned bilevel page, a slanted grey page."""
    folder = tmp_path_factory.mktemp("record")
    specs = [
        PageSpec(number=1, seal=True),
        PageSpec(number=2, encoding="g4", turns=1),
        PageSpec(number=3, encoding="jpeg-grey", skew_degrees=-5.0),
        PageSpec(number=4, encoding="flate", lines=()),
    ]
    return write_record(
        [make_page(folder, spec) for spec in specs], folder / "record.pdf", META, PROVENANCE
    ).path


@pytest.fixture(scope="session")
def sealed_record(
    record: Path, test_pki: RunningPKI, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The record with an officer's mark, a leader's signature and the agency seal, B-LTA."""
    target = tmp_path_factory.mktemp("sealed") / "sealed.pdf"
    facts = StampFacts(
        agency="Ủy ban nhân dân xã Ví Dụ", signer="Nguyễn Văn Mẫu", copy_form=CopyForm.SY
    )
    at = dt.datetime.now(dt.UTC)

    def request(key: SigningKey, profile: str, field: str, level: Level) -> SealRequest:
        stamp = plan_stamp(profile, facts, at, specimen_images())
        return SealRequest(key, level, field, stamp, reason="Số hoá hồ sơ")

    sealer = Sealer(test_pki.timestamper, test_pki.revocation, precheck=lambda key, at: None)
    sealer.seal_many(
        record,
        target,
        [
            request(test_pki.officer, "P5", "officer", Level.B_B),
            request(test_pki.leader, "P1", "leader", Level.B_T),
            request(test_pki.seal, "P2", "agency-seal", Level.B_LTA),
        ],
    )
    return target
