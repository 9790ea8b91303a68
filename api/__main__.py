"""The `sohoa` command, and `python -m api`.

Worker processes are spawned and import the main script again, so nothing heavy is imported
before it is known that this is the command itself.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or a part of the service for its supervisor, and exit."""
    from api.part import part_of

    part = part_of(sys.argv[1:])
    if part is not None:
        part()
        return
    from api.cli import main as run

    run()


if __name__ == "__main__":
    main()
