"""The long proof: mutations of signed files make the verifier neither stumble, nor hang, nor grow.

    python -m tests.proof_mutations [--count 10000] [--seed 0] [--seconds 20] [--mebibytes 1024]

Every mutation of every kind of victim is verified in a child that is ended when it takes too
long or too much memory. Prints one JSON object; exits 1 when anything escaped or was accepted.
"""

from __future__ import annotations

import argparse
import collections
import json
import logging
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from signer.verification.report import Indication
from signer.verification.verify import Verifier
from tests.forgery.mutations import mutated
from tests.forgery.room import forging_room


def judge(verifier: Verifier, files: list[bytes], pipe: Connection, mebibytes: int) -> None:
    """The child: (file, seed) in, what came of it out."""
    logging.disable(logging.CRITICAL)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    soft = (start + mebibytes * 1024) * 1024 * 2  # address space; the peak is checked below
    resource.setrlimit(resource.RLIMIT_AS, (max(soft, 4 << 30), resource.RLIM_INFINITY))
    while True:
        index, seed = pipe.recv()
        data = files[index]
        changed = mutated(data, seed)
        began = time.process_time()
        report = verifier.verify(changed)
        spent = time.process_time() - began
        escaped = [c.detail for c in report.all_checks() if c.check == "file.escape"]
        is_honest = data.startswith(changed) or changed.rstrip() == data.rstrip()
        accepted = report.indication is Indication.TOTAL_PASSED and not is_honest
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024
        word = f"{report.indication.value}/{report.integrity.value}"
        pipe.send((word, spent, grown, escaped, accepted))


class Child:
    """One verifying process, made anew when it had to be ended."""

    def __init__(self, verifier: Verifier, files: list[bytes], mebibytes: int) -> None:
        self._arguments = (verifier, files)
        self._mebibytes = mebibytes
        self._start()

    def _start(self) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=judge, args=(*self._arguments, other, self._mebibytes), daemon=True
        )
        self._process.start()
        other.close()

    def ask(self, index: int, seed: int, seconds: float):
        """What the child says; None when it hung or died."""
        self._pipe.send((index, seed))
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            pass
        self.end()
        self._start()
        return None

    def end(self) -> None:
        """End it by its own handle."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--mebibytes", type=int, default=1024)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    verdicts: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    slowest, largest = 0.0, 0
    with tempfile.TemporaryDirectory() as folder, forging_room(Path(folder)) as room:
        names = [*room.victims]
        files = [room.victims[name] for name in names]
        child = Child(room.verifier, files, options.mebibytes)
        try:
            for seed in range(options.seed, options.seed + options.count):
                index = seed % len(files)
                # under load the clock runs faster than the processor: judged by the processor
                answer = child.ask(index, seed, 6 * options.seconds)
                where = f"{names[index]}, seed {seed}"
                if answer is None:
                    faults.append(f"{where}: hung or died")
                    continue
                word, spent, grown, escaped, accepted = answer
                verdicts[word] += 1
                slowest, largest = max(slowest, spent), max(largest, grown)
                faults += [f"{where}: escaped {detail}" for detail in escaped]
                if accepted:
                    faults.append(f"{where}: accepted")
                if spent > options.seconds or grown > options.mebibytes:
                    faults.append(f"{where}: {spent:.1f} s, {grown} MiB")
        finally:
            child.end()
    print(json.dumps({
        "mutations": options.count, "faults": len(faults), "first": faults[:20],
        "slowest_cpu_s": round(slowest, 3), "growth_mib": largest, "verdicts": dict(verdicts),
    }, indent=1))  # fmt: skip
    return 1 if faults or sum(verdicts.values()) != options.count else 0


if __name__ == "__main__":
    sys.exit(main())
