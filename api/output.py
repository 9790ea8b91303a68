"""Where the command line's words go: machines read standard output, people standard error."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.markup import escape

from api.problems import Report

human = Console(stderr=True, highlight=False)
if not human.is_terminal:
    human.width = 120  # in a log there is no edge to wrap at; tables stay readable


def machine(value: object) -> None:
    """Print `value` as one JSON document on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, sort_keys=True)
    sys.stdout.write("\n")
    sys.stdout.flush()


def bilingual(vietnamese: str, english: str, *, style: str = "") -> None:
    """Say a sentence to people: Vietnamese first, English in grey behind it."""
    text = f"{escape(vietnamese)} [dim]/ {escape(english)}[/dim]"
    human.print(f"[{style}]{text}[/{style}]" if style else text)


def complain(report: Report, *, as_json: bool) -> None:
    """Show an error; with `as_json` also on standard output."""
    problem = report.problem
    bilingual(f"Lỗi: {problem.headline_vi}", problem.headline_en, style="bold red")
    human.print(f"  {escape(report.message)}", soft_wrap=True)
    if report.error_id:
        human.print(f"  id {report.error_id}; run again with: sohoa --debug …")
    if as_json:
        machine(report.to_json())
