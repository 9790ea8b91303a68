"""A supervisor over trivial parts, for tests: ``python -m tests.supervised FOLDER part…``

A part is written ``name:stage:behaviour``; each process of a part appends ``name pid event``
to FOLDER/events, so that a test reads what happened in which order. Behaviours:

    steady     says that it is ready, ends on SIGTERM
    slow       is ready after half a second
    stubborn   ignores SIGTERM
    parent     starts a child of its own in its process group
    step       ends well: something to do once
    crash      ends at once with status 3 and two lines of explanation
    refuse     ends at once with status 9 and an explanation
    once-bad   crashes the first time, is steady afterwards
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from api import lifeline
from api.supervisor import Part, Supervisor


def note(folder: Path, *words: object) -> None:
    with (folder / "events").open("a") as events:
        events.write(" ".join(map(str, words)) + "\n")


def play(folder: Path, name: str, behaviour: str, fd: int) -> int:
    """One part, in its own process."""
    lifeline.hold(fd)
    note(folder, name, os.getpid(), "start")
    if behaviour == "step":
        time.sleep(0.3)
        return 0
    if behaviour in ("crash", "refuse"):
        print(f"{name} cannot go on\nbecause of {behaviour}", flush=True)
        return 9 if behaviour == "refuse" else 3
    if behaviour == "once-bad" and not (folder / "was-bad").exists():
        (folder / "was-bad").touch()
        return 3
    stop = lifeline.stop_on_signals()
    if behaviour == "slow":
        time.sleep(0.5)
    if behaviour == "parent":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        note(folder, f"{name}-child", child.pid, "start")
    note(folder, name, os.getpid(), "ready")
    lifeline.ready()
    stop.wait()
    note(folder, name, os.getpid(), "stop")
    if behaviour == "stubborn":
        time.sleep(100)
    return 0


def main(folder: Path, parts: list[str]) -> int:
    """The supervisor."""
    behaviours = {part.split(":")[0]: part.split(":")[2] for part in parts}

    def command(part: Part, fd: int) -> list[str]:
        return [
            *(sys.executable, "-m", "tests.supervised", "--play", str(folder)),
            *(part.name, behaviours[part.name], str(fd)),
        ]

    note(folder, "supervisor", os.getpid(), "start")
    supervisor = Supervisor(
        [
            Part(
                name,
                (),
                int(stage),
                once=behaviour == "step",
                drain_s=0.5 if behaviour == "stubborn" else 5.0,
                reloads=name == "web",
            )
            for name, stage, behaviour in (part.split(":") for part in parts)
        ],
        lambda vi, en: print(f"{vi} / {en}", file=sys.stderr, flush=True),
        command=command,
        on_ready=lambda: note(folder, "supervisor", os.getpid(), "ready"),
        on_drain=lambda: note(folder, "supervisor", os.getpid(), "drain"),
    )
    code = supervisor.run()
    note(folder, "supervisor", os.getpid(), "stopped" if supervisor.was_stopped else "ended")
    return code


if __name__ == "__main__":
    if sys.argv[1] == "--play":
        _, _, where, its_name, its_behaviour, its_fd = sys.argv
        sys.exit(play(Path(where), its_name, its_behaviour, int(its_fd)))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
