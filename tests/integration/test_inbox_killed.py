"""kill -9 of the process that watches a folder, while people drop (more: `tests.proof_inbox`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inbox_watcher import storm


@pytest.mark.no_cover
def test_killed_while_it_takes(database_url: str, tmp_path: Path) -> None:
    judged = storm(database_url, tmp_path, kills=2, drops=5)
    assert judged.faults == ()
    assert (judged.kills, judged.drops, judged.stacks) == (2, 5, 5)
