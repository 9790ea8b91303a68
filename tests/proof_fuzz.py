"""The long proof: nothing that is done to a signed file harms or fools the verifier.

    python -m tests.proof_fuzz [--minutes N] [--mutations N] [--keep FOLDER]

First mutations of genuine files go through the processes that verify strangers' files, with the
bounds of the service: none may escape, pass, hang over 20 s or grow over 1 GiB. Then atheris
searches for `--minutes`, guided by coverage. Prints JSON; exits 1 when there is a finding, whose
input is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import collections
import json
import logging
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dossier.errors import Overloaded, VerificationStopped
from dossier.verifying.checkers import Checkers
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fuzz.mutations import mutate
from tests.fuzz.oracle import MOST_SECONDS, Finding, Oracle
from tests.fuzz.seeds import write_seeds

MOST_BYTES = 1 << 30
WALL_SECONDS = 180  # of one input: the oracle counts processor time; this finds what stands still
RUNS = 6_000  # of one process: atheris grows by 70 KB a run, the verifier alone by 11 MiB in 6,000
_STATISTIC = re.compile(r"stat::(\w+):\s+(\d+)")
_COVERAGE = re.compile(r"cov: (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, default=Path("var/proof/fuzz"))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sohoa-fuzz-") as name:
        folder = Path(name)
        write_seeds(folder)
        answer = {
            "mutations": try_mutations(folder, options.mutations, options.keep),
            "search": search(folder, options.minutes * 60, options.keep),
        }
    print(json.dumps(answer, indent=2))
    return 1 if any(part["findings"] for part in answer.values()) else 0


def try_mutations(folder: Path, count: int, keep: Path) -> dict[str, Any]:
    """Judge `count` mutations in checkers; what was found, the verdicts, the worst costs."""
    trust = TrustStore.from_files([folder / "root.pem"])
    seeds = [path.read_bytes() for path in sorted(folder.glob("seeds/*.pdf"))]
    oracle = Oracle(Verifier(trust), seeds)
    verdicts: collections.Counter[str] = collections.Counter()
    findings: list[str] = []
    slowest, largest = 0.0, 0
    path = folder / "mutation.pdf"
    with Checkers(trust, processes=1) as checkers:
        path.write_bytes(seeds[0])
        checkers.verify(path)  # starting the process is not the file's fault
        for number in range(count):
            chance = random.Random(number)
            data = mutate(chance.choice(seeds), chance, seeds)
            path.write_bytes(data)
            began = time.monotonic()
            try:
                said = json.loads(checkers.verify(path))
                verdicts[f"{said['indication']}/{said['integrity']}"] += 1
                oracle.judge(data, said)
            except VerificationStopped:
                verdicts["stopped"] += 1
            except Overloaded:  # a machine too busy to start a process says nothing of the file
                verdicts["not begun"] += 1
            except Finding as finding:
                findings.append(f"mutation {number}: {finding}")
                (keep / f"mutation-{number}.pdf").write_bytes(data)
            slowest = max(slowest, time.monotonic() - began)
            if number % 100 == 0 or number == count - 1:
                largest = max(largest, peak_bytes())
    if slowest > MOST_SECONDS:
        findings.append(f"one mutation took {slowest:.1f} s")
    if largest > MOST_BYTES:
        findings.append(f"a checker grew to {largest} bytes")
    return {
        "tried": count,
        "verdicts": dict(verdicts),
        "slowest_s": round(slowest, 2),
        "peak_mib": largest >> 20,
        "findings": findings,
    }


def peak_bytes() -> int:
    """The most memory that a running checker ever held."""
    peaks = [0]
    for child in multiprocessing.active_children():
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            continue
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peaks.append(int(found[1]) * 1024 if found else 0)
    return max(peaks)


def search(folder: Path, seconds: float, keep: Path) -> dict[str, Any]:
    """Let atheris search for so long, in a process of its own: it may crash."""
    if seconds < 1:
        return {"executions": 0, "findings": []}
    corpus = folder / "corpus"
    corpus.mkdir()
    for path in folder.glob("seeds/*.pdf"):
        (corpus / path.name).write_bytes(path.read_bytes())
    executions, coverage, peak, findings = 0, 0, 0, []
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 1 and len(findings) < 10:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.verifier_fuzz", str(folder)),
                *(f"-max_total_time={int(left)}", f"-runs={RUNS}", "-print_final_stats=1"),
                "-max_len=200000",
                *(f"-timeout={WALL_SECONDS}", f"-rss_limit_mb={MOST_BYTES >> 20}"),
                *(f"-artifact_prefix={keep}/", str(corpus)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        said = done.stdout + done.stderr
        numbers = {name: int(value) for name, value in _STATISTIC.findall(said)}
        executions += numbers.get("number_of_executed_units", 0)
        peak = max(peak, numbers.get("peak_rss_mb", 0))
        coverage = max([coverage, *map(int, _COVERAGE.findall(said))])
        if done.returncode:
            findings.append("\n".join(said.splitlines()[-12:]))
    return {
        "seconds": round(seconds),
        "executions": executions,
        "coverage": coverage,
        "peak_mib": peak,
        "findings": findings,
    }


if __name__ == "__main__":
    sys.exit(main())
