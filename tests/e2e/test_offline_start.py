"""The service needs no network and looks for none (security.md 25)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.running_service import ROOT


def test_a_service_without_a_network_starts_signs_and_asks_nobody(tmp_path: Path) -> None:
    """In a network namespace with the loopback interface alone, counted by the kernel."""
    done = subprocess.run(
        [
            *("unshare", "--map-root-user", "--net", sys.executable),
            *("-m", "tests.offline_service", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert told["interfaces"] == ["lo"]
    assert told["verdict"] == "TOTAL-PASSED"
    assert told["service"] == {"no_route": 0, "datagrams": 0}
    # the measure measures
    assert told["one_connection_and_one_name"] == {"no_route": 1, "datagrams": 1}
