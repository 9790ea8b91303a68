"""`python -m tools.samples`: write an evaluation set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.samples.degrade import CONDITIONS
from tools.samples.evalset import SetOptions, write_set
from tools.samples.kinds import KINDS
from tools.samples.typefaces import FAMILIES, FontMissing


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and write the set; 2 when a font is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.samples", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=17, help="number of documents")
    parser.add_argument("--dpi", type=int, nargs="+", default=[300])
    parser.add_argument("--per-page", type=int, default=3, help="conditions for each page and dpi")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--fonts", nargs="+", choices=list(FAMILIES), default=[])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=[])
    a = parser.parse_args(arguments)
    options = SetOptions(
        a.seed, a.count, tuple(a.dpi), tuple(a.conditions), a.per_page, tuple(a.fonts),
        tuple(a.kinds),
    )  # fmt: skip
    try:
        entries = write_set(a.out, options)
    except FontMissing as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(entries)} images of {len({e['page'] for e in entries})} pages in {a.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
