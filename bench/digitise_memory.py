"""Peak memory of digitising many pages against few: `python -m bench.digitise_memory`.

Each run is a process of its own; its peak is that of the process plus that of its largest
worker for each worker. Prints one line a run and the ratio; ends with 1 when it is above 1.3.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MOST = 1.3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both runs and compare them."""
    parser = argparse.ArgumentParser(prog="python -m bench.digitise_memory", description=__doc__)
    parser.add_argument("scan", type=Path, help="one scan, taken as every page")
    parser.add_argument("--few", type=int, default=30)
    parser.add_argument("--many", type=int, default=300)
    parser.add_argument("--mode", choices=["faithful", "compact"], default="faithful")
    a = parser.parse_args(arguments)
    few, many = (peak_mib(a.scan, pages, a.mode) for pages in (a.few, a.many))
    for pages, peak in ((a.few, few), (a.many, many)):
        print(f"{pages:4d} pages: {peak:.0f} MiB")
    print(f"ratio {many / few:.3f} (at most {MOST})")
    return 0 if many / few <= MOST else 1


def peak_mib(scan: Path, pages: int, mode: str) -> float:
    """Peak memory of digitising `pages` copies of a scan in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.digitise_memory_run", str(scan), str(pages), mode],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(json.loads(done.stdout)["peak_mib"])


def run_once(scan: Path, pages: int, mode: str) -> None:
    """The measured process: digitise, then tell the peak on standard output."""
    # imported here so that the comparing process stays small
    from ocr.pipeline import Station, digitise
    from ocr.record.manifest import RecordMetadata
    from ocr.settings import DigitiseSettings

    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    settings = DigitiseSettings(mode="compact" if mode == "compact" else "faithful")
    with tempfile.TemporaryDirectory() as folder:
        digitise(
            [scan] * pages,
            Path(folder) / "out.pdf",
            RecordMetadata("Đo bộ nhớ", "Sohoa", "0", now),
            Station("bench", "bench", now),
            settings,
        )
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    workers = settings.workers or _cores()
    print(json.dumps({"peak_mib": (own + workers * largest_worker) / 1024}))


def _cores() -> int:
    import os

    return os.cpu_count() or 1


if __name__ == "__main__":
    raise SystemExit(main())
