"""The small twin of `make proof-capacity`: two stacks, from upload to seals at B-LTA."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof_capacity import run


@pytest.mark.no_cover
def test_two_stacks_are_filed_and_nothing_is_left(tmp_path: Path) -> None:
    told = run(tmp_path, count=2, pages=2, dpi=200, seed=11)
    assert told["papers"] == {"filed": 2}
    assert told["stacks_left"] == 0
    assert told["pages_an_hour"] > 0
    held = told["memory_mib"]
    assert len(held["tenths"]) == 10
    assert held["peak"] >= max(held["tenths"])
    assert held["peak"] >= max(held["peak_by_part"].values()) > 0
