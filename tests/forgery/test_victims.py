"""What attacks are made on is genuine: before, it is intact and accepted."""

from __future__ import annotations

import pytest

from signer.verification.report import Indication, Integrity
from tests.fixtures_forgery import VICTIMS


@pytest.mark.parametrize("name", VICTIMS)
@pytest.mark.parametrize("kind", ["victims", "prepared_victims"])
def test_victims_are_genuine(request, informed_verifier, name, kind):
    report = informed_verifier.verify(request.getfixturevalue(kind)[name])
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.TOTAL_PASSED
    assert not report.attacks
