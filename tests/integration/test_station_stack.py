"""A small pile of paper through every way in, and through a worker that is killed: the same.

The long form is `tests.proof_stack`, and says more of what is judged.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.fakes import SoftwareKey
from tests.proof_stack import prove
from tests.station_papers import station_papers

pytestmark = [pytest.mark.tesseract, pytest.mark.no_cover]


def test_every_way_and_every_kill_gives_the_same(tmp_path: Path) -> None:
    key = SoftwareKey(label="sheets")
    papers = station_papers(
        key, dt.datetime.now(dt.UTC), dossiers=3, dpi=150, components=(1, 1), short=True
    )
    found = prove(tmp_path, papers, key, kills=2, dpi=150)
    assert found["faults"] == []
    assert (found["images"], found["papers"], found["set_aside"]) == (24, 4, 12)
    assert found["kills"]["at_work"] >= 1
    assert {"forged-sheet", "expired-sheet", "other-station", "attached-note", "page-count"} <= set(
        found["alarms"]
    )
