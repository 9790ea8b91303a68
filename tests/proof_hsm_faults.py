"""HSM faults through the whole service: python -m tests.proof_hsm_faults [--each 2]

A real `sohoa serve` (SQLite, SoftHSM behind the fault-injecting PKCS#11 module) under 16 parallel
clients that sign decisions at B-LTA with numbers from the book, while the token fails with each
return code met in practice, stalls for 5 s, gives wrong signatures, is gone for 10 s; then while
the key agent is killed again and again, and while TSA and OCSP hang or are away. Prints what it
saw as JSON; ends with an error when anything was lost, doubled, wrong or unexplained.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import hsm_faults as faults
from tests.fixtures_fault_module import FaultSwitch
from tests.proof_kill_storm import counting, stores
from tests.running_service import RunningService


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=2, help="decisions a client and trial")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--on", choices=("sqlite", "postgresql"), default="sqlite")
    asked = parser.parse_args()
    trials = [
        *(faults.return_code(function, code) for function, code in faults.CODES),
        faults.wrong_signature(),
        faults.stall(5.0),
        faults.token_gone(10.0),
        faults.process_hangs("authority", 10.0),
        faults.process_hangs("agent", 10.0),
        faults.authority_killed(6),
        faults.agent_killed(6),
    ]
    with tempfile.TemporaryDirectory(prefix="sohoa-faults-") as folder:
        told = prove(asked.on, Path(folder), trials, each=asked.each, seed=asked.seed)
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    return 0


def prove(
    kind: str,
    folder: Path,
    trials: list[faults.Trial],
    environ: Mapping[str, str] | None = None,
    **options: int,
) -> dict[str, Any]:
    """A service of its own in `folder`, and the trials on it; options as `run_faults`."""
    counter = folder / "c-sign"
    with stores(kind, folder) as places:
        module = {**counting(folder, counter), "FAULT_PKCS11_MET": str(folder / "fault-met")}
        service = RunningService(folder / "data", {**places, **module, **(environ or {})})
        try:
            service.start()
            service.secret = service.new_client()
            switch = FaultSwitch(folder / "fault-control", only="agent")
            began = time.monotonic()
            told = faults.run_faults(service, switch, counter, trials, **options)
            seconds = round(time.monotonic() - began)
            assert service.stop() == 0
        finally:
            if service.process is not None and service.process.poll() is None:
                service.kill()
    return {"on": kind, "seconds": seconds, **told}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"a program of the proof failed: {error}")
