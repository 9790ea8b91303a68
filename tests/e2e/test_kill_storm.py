"""The kill storm's small twin; at full count: make proof-kill-storm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof_kill_storm import prove


@pytest.mark.no_cover  # killed processes take their counts along
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_decisions_are_published_once_through_kills(kind: str, tmp_path: Path) -> None:
    """Numbers, bytes and every use of the key add up; `prove` asserts it."""
    told = prove(kind, tmp_path, decisions=24, kills=3, duplicates=120, seed=20261123)
    assert told["kills"] == 3
    assert told["reasons"]["published"] >= 24
    assert told["duplicates"]["signatures"] == 1
