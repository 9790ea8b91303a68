"""The process that `bench.digitise_memory` measures: SCAN PAGES MODE."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.digitise_memory import run_once

if __name__ == "__main__":
    run_once(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
