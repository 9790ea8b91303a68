"""The only door to other programs: time and memory limits, and no orphans.

A program gets no shell, no standard input, its own limits, and the order to die with the
process that started it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ocr.errors import EngineCrashed, EngineMissing, EngineTimedOut, RecognitionError


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program that ended well wrote."""

    stdout: bytes
    stderr: bytes


def run(command: Sequence[str], *, seconds: float, memory_bytes: int = 2 << 30) -> Finished:
    """Run a program to its end.

    `seconds` of wall time, `memory_bytes` of address space. Raises `EngineMissing` (not
    installed), `EngineTimedOut`, `EngineCrashed` (a signal) or `RecognitionError` (another
    exit status than 0). Safe under threads: limits are set by the system's own prlimit and
    setpriv, not by code between fork and exec.
    """
    name = command[0]
    program = shutil.which(name)
    if program is None:
        raise EngineMissing(f"the program {name} is not installed, or not on the path")
    try:
        done = subprocess.run(
            [*_under_limits(memory_bytes), program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineTimedOut(f"{name} took longer than {seconds:g} s and was stopped") from error
    if done.returncode < 0:
        raise EngineCrashed(f"{name} was ended by signal {-done.returncode}")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().replace("\n", " ")[-200:]
        raise RecognitionError(f"{name} ended with status {done.returncode}: {said}")
    return Finished(done.stdout, done.stderr)


def _under_limits(memory_bytes: int) -> list[str]:
    """The wrapper that sets the limits (util-linux, on every Debian)."""
    if sys.platform != "linux":
        return []
    limits, parent = shutil.which("prlimit"), shutil.which("setpriv")
    if limits is None or parent is None:
        raise EngineMissing(
            "prlimit and setpriv are not installed (Debian: apt install util-linux)"
        )
    return [
        parent,
        "--pdeathsig",
        "KILL",
        limits,
        f"--as={memory_bytes}",
        "--core=0",
    ]
