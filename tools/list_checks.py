"""Write the table of checks in docs/verification.md from the words that reports use.

    PYTHONPATH=. python tools/list_checks.py

Run it whenever a check or its words change; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from signer.verification.words.wording import all_checks

DOCUMENT = Path(__file__).parent.parent / "docs" / "verification.md"
BEGIN, END = "<!-- checks: tools/list_checks.py -->\n", "<!-- end of checks -->"


def table() -> str:
    """The rows, in the order of their ids."""
    rows = [f"| `{name}` | {vi} | {en} |" for name, (vi, en) in sorted(all_checks().items())]
    return "\n".join(["| `check` | tiếng Việt | English |", "|---|---|---|", *rows, ""])


def with_table(text: str) -> str:
    """The document with today's table between its marks."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{table()}{END}{tail}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8")), "utf-8")
