"""The `sohoa` command, and `python -m api`.

Worker processes are spawned and import the main script again, so nothing heavy is imported
before it is known that this is the command itself.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit."""
    from api.cli import main as run

    run()


if __name__ == "__main__":
    main()
