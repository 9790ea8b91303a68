"""A supervised process, started without the command line's libraries: 8 MB less in each.

`sohoa serve` starts its parts with the very arguments that a person would type, and reads none
of their help. What is not listed here goes through `api.cli`, as does everything typed by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def part_of(arguments: Sequence[str]) -> Callable[[], None] | None:
    """What the supervisor asks for with `arguments`; None when it is for the command line."""
    match arguments:
        case ["--lifeline", fd, "worker", ("seal" | "ocr" | "house") as queue, "--data", folder]:
            return lambda: _run(int(fd), lambda: _work(folder, queue))
        case ["--lifeline", fd, "agent", "--data", folder]:
            return lambda: _run(int(fd), lambda: _agent(folder))
    return None


def _run(fd: int, work: Callable[[], None]) -> None:
    """Tie the process to its supervisor, work, and turn errors into exit codes as `api.cli`."""
    import logging

    from api import lifeline

    lifeline.hold(fd)
    logging.basicConfig(level=logging.WARNING)
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the door: every error becomes a message and a code
        from api import output, problems

        report = problems.report(error)
        output.complain(report, as_json=False)
        sys.exit(report.problem.exit_code)


def _work(folder: str, queue: str) -> None:
    from api import lifeline
    from api.settings import load_settings
    from api.work import run_worker

    run_worker(load_settings(Path(folder)), queue, None, lifeline.stop_on_signals())


def _agent(folder: str) -> None:
    from api import lifeline
    from api.agent.entry import run_agent
    from api.settings import load_settings

    run_agent(load_settings(Path(folder)), lifeline.stop_on_signals())
