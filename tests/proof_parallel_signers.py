"""Long proof: 64 parallel signers, 20,000 signatures through the key agent, no error (req. 18).

    python -m tests.proof_parallel_signers DATA [--signers 64] [--signatures 20000]

DATA is an installation made by `sohoa init`; its agent is started and ended by this program. The
faulty module stands before the token, without a fault: it counts the C_Sign calls.
"""

from __future__ import annotations

import argparse
import collections
import secrets
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.fixtures_fault_module import SOURCE, FaultyAgent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--signers", type=int, default=64)
    parser.add_argument("--signatures", type=int, default=20_000)
    parser.add_argument("--key", default="test-seal")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "fault.so"
        options = ["-O1", "-shared", "-fPIC"]
        subprocess.run(["gcc", *options, "-o", module, SOURCE, "-ldl", "-lpthread"], check=True)
        agent = FaultyAgent(asked.data.absolute(), module)
        calls_before, entries_before = len(agent.calls()), 0
        agent.start()
        try:
            entries_before = len(agent.entries())
            made, errors, seconds = sign(agent, asked)
            account = agent.account(settle_s=30)
        finally:
            agent.stop()
    calls = len(agent.calls()) - calls_before
    print(f"{len(made)} signatures by {asked.signers} signers in {seconds:.1f} s")
    print(f"errors: {dict(errors) or 0}; C_Sign calls with self-tests: {calls}")
    print(f"chain: {account.story()}; entries before: {entries_before}")
    assert not errors, errors
    assert len(made) == len(set(made)) >= asked.signatures
    assert account.is_even, account.story()
    print("proved: no error, an intent for each C_Sign, one outcome for each intent")


def sign(agent, asked):
    client = agent.client(timeout_s=30)
    key = client.key(asked.key)
    made: list[bytes] = []
    errors: collections.Counter[str] = collections.Counter()

    def work(number: int) -> None:
        for n in range(-(-asked.signatures // asked.signers)):
            bound = key.bound(purpose="document", subject=f"proof_{number}_{n}")
            try:
                made.extend(bound.sign_digests([secrets.token_bytes(32)]))
            except Exception as error:  # noqa: BLE001 - counted, and the proof fails
                errors[type(error).__name__] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(asked.signers)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made, errors, time.monotonic() - began


if __name__ == "__main__":
    main()
