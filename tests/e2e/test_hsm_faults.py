"""A token, an agent and an authority that fail under sixteen clients (must-show 3, in small).

All return codes and the full counts: python -m tests.proof_hsm_faults.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import hsm_faults as faults
from tests.proof_hsm_faults import prove


@pytest.mark.no_cover  # killed processes take their counts along
def test_faults_lose_and_double_nothing(tmp_path: Path) -> None:
    """No crash, no answer but 2xx, 429, 503; recovery without restart; every use explained."""
    trials = [
        faults.return_code("C_Sign", 0x30),
        faults.return_code("C_Sign,C_OpenSession", 0xB1),
        faults.wrong_signature(),
        faults.token_gone(4.5),
        faults.stall(5.0, calls=1),
        faults.process_hangs("authority", 1.5),
        faults.agent_killed(2, every_s=0.5),
    ]
    # an agent that answers within 2 s: what the stalled token signs later is thrown away
    environ = {"SOHOA_AGENT__TIMEOUT_S": "4"}
    told = prove("sqlite", tmp_path, trials, environ, each=1, seed=1, opinions=5)
    assert told["decisions"] == faults.CLIENTS * len(trials)
    assert told["trials"]["token gone for 4.5 s"]["refused"] >= 10
    assert told["answers"].keys() <= {200, 201, 202, 429, 503}
    assert told["reasons"]["published"] == told["decisions"]
    assert told["reasons"]["failed"] >= 3  # the wrong signatures, none of them released
    assert told["reasons"]["withheld"] >= 1
