"""Documentation that is made from the code says what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parents[3]


def test_the_command_reference_is_up_to_date(tmp_path: Path) -> None:
    """`make docs` writes docs/cli.md; whoever changes a help text runs it."""
    made = tmp_path / "cli.md"
    title = "Lệnh sohoa / the sohoa command"
    command = f"{sys.executable} -m typer api.cli utils docs --name sohoa --output {made} --title"
    subprocess.run([*command.split(), title], cwd=HOUSE, check=True, capture_output=True)
    assert made.read_text("utf-8") == (HOUSE / "docs/cli.md").read_text("utf-8")
    assert title in (HOUSE / "Makefile").read_text("utf-8")
