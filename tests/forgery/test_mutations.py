"""A small twin of `tests.proof_mutations`: nothing escapes, nothing forged is accepted."""

from __future__ import annotations

import pytest

from signer.verification.report import Indication, Integrity
from tests.forgery.mutations import mutated

EACH = 30


@pytest.mark.parametrize("name", ["ours-archived", "pyhanko", "openssl"])
def test_mutations(informed_verifier, victims, name):
    data = victims[name]
    for seed in range(EACH):
        changed = mutated(data, seed)
        report = informed_verifier.verify(changed)
        escaped = [c.detail for c in report.all_checks() if c.check == "file.escape"]
        assert not escaped, seed
        if report.indication is Indication.TOTAL_PASSED:
            # a cut may leave an older, honest revision; white space may follow the end
            assert data.startswith(changed) or changed.rstrip() == data.rstrip(), seed
            assert report.integrity is Integrity.INTACT
