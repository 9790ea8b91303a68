"""The long proof: every bit of a signed file, flipped alone, is found.

    python -m tests.proof_one_bit FILE ROOT.pem [--step N] [--from BYTE]

``--step 1`` flips every bit; a larger odd step takes each N-th. Only positions from ``--from``
on are tried. Exits 1 and names the position when a flip passes.
"""

from __future__ import annotations

import argparse
import collections
import logging
import sys
import time
from pathlib import Path

from signer.trust import TrustStore
from signer.verification.report import Indication
from signer.verification.verify import Verifier
from tests.fixtures_signed import flip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--from", dest="start", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    data = options.file.read_bytes()
    verifier = Verifier(TrustStore.from_files([options.root]))
    if verifier.verify(data).indication is not Indication.TOTAL_PASSED:
        print("the unaltered file does not pass", file=sys.stderr)
        return 2
    verdicts: collections.Counter[str] = collections.Counter()
    missed = 0
    started = time.process_time()
    for place in range(options.start * 8, len(data) * 8, options.step):
        position, bit = divmod(place, 8)
        report = verifier.verify(flip(data, position, bit))
        verdicts[f"{report.indication.value}/{report.integrity.value}"] += 1
        if report.indication is Indication.TOTAL_PASSED:
            missed += 1
            print(f"missed: byte {position}, bit {bit}")
    tried = sum(verdicts.values())
    spent = (time.process_time() - started) / max(tried, 1) * 1000
    print(f"{tried} flips, {missed} missed, {spent:.1f} ms each: {dict(verdicts)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
