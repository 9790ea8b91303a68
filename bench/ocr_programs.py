"""Running our digitizing and OCRmyPDF on the same scans: wall time, CPU time, memory, bytes, text.

Each run is a process of its own with the same number of workers and one thread a worker. The
memory is the highest sum of resident sets over the process tree, sampled every 40 ms; pages
shared between processes count once for each, on both sides.
"""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ocr.page import RecognisedPage

WORKERS = 2
_SAMPLE_SECONDS = 0.04
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Run:
    """One program's work on one batch: what it cost, its output, and each page's text."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    output_bytes: int
    texts: tuple[str, ...]


class ProgramFailed(Exception):
    """A measured program ended with an error; its last words are in the message."""


def digitise_ours(
    scans: Path, out: Path, mode: Literal["faithful", "compact"]
) -> tuple[Run, tuple[RecognisedPage, ...]]:
    """Our pipeline on a PDF of scans; also the recognised pages (their image files are gone)."""
    pages = out.with_suffix(".pages")
    command = [sys.executable, "-m", "bench.ocr_ours", str(scans), str(out), str(pages), mode]
    wall, cpu, peak = _measured(command)
    read = cast("list[RecognisedPage]", pickle.loads(pages.read_bytes()))  # noqa: S301 - our own
    texts = tuple(page.text for page in read)
    return Run(wall, cpu, peak, out.stat().st_size, texts), tuple(read)


def ocrmypdf(scans: Path, out: Path, *options: str) -> Run:
    """OCRmyPDF with deskewing and page rotation, PDF/A output, Vietnamese."""
    sidecar = out.with_suffix(".txt")
    command = [
        sys.executable, "-m", "ocrmypdf", "--jobs", str(WORKERS), "--deskew", "--rotate-pages",
        "-l", "vie", "--output-type", "pdfa", "--sidecar", str(sidecar), "--quiet", *options,
        str(scans), str(out),
    ]  # fmt: skip
    wall, cpu, peak = _measured(command)
    texts = sidecar.read_text(encoding="utf-8").split("\f")
    return Run(wall, cpu, peak, out.stat().st_size, tuple(texts))


def _measured(command: Sequence[str]) -> tuple[float, float, float]:
    """Run to the end: wall and CPU seconds of the process and its children, peak MiB."""
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    before = _children_cpu()
    start = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        _, said = process.communicate()
        wall = time.perf_counter() - start
        watch.stop()
    if process.returncode != 0:
        raise ProgramFailed(f"{' '.join(command[:4])} ... ended with {process.returncode}:\n{said}")
    return wall, _children_cpu() - before, watch.peak_bytes / 2**20


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Watch(threading.Thread):
    """Samples the resident sets of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._done = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, _tree_bytes(self._pid))

    def stop(self) -> None:
        """End the sampling."""
        self._done.set()
        self.join()


def _tree_bytes(root: int) -> int:
    """The sum of resident sets of a process tree; processes that vanish meanwhile count nothing."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        children.setdefault(int(stat[1]), []).append(pid)
        resident[pid] = int(stat[21]) * _PAGE_BYTES
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += resident.get(pid, 0)
        waiting += children.get(pid, [])
    return total
