"""Coverage-guided fuzzing of the verifier, with atheris.

    python -m tests.fuzz.verifier_fuzz FOLDER [libFuzzer options] CORPUS

FOLDER is what `tests.fuzz.seeds` wrote. Ends at the first finding, whose input libFuzzer keeps.
`tests.proof_fuzz` runs this.
"""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["signer.verification", "signer.pdfium"]):
    from signer.verification.verify import Verifier

from signer.trust import TrustStore
from tests.fuzz.mutations import mutate
from tests.fuzz.oracle import Oracle

BLIND = 0.2  # of all mutations are libFuzzer's own


def main() -> None:
    logging.disable(logging.CRITICAL)
    folder = Path(sys.argv.pop(1))
    seeds = [path.read_bytes() for path in sorted(folder.glob("seeds/*.pdf"))]
    oracle = Oracle(Verifier(TrustStore.from_files([folder / "root.pem"])), seeds)

    def mutation(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < BLIND:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, chance, seeds)[:most]

    def one(data: bytes) -> None:
        oracle.check(data)

    atheris.Setup(sys.argv, one, custom_mutator=mutation)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
