"""Runs measurements: ``python -m bench [sign|ocr|fields|service|verify|NAME…]``; all without any.

Prints a table and merges the rows into bench/results.json. A name may be a topic, a row's
name, or the beginning of one (``sign.bb``).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from bench.harness import Measurement

TOPICS = ("sign", "ocr", "fields", "flags", "service", "verify")
RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> int:
    """Measure what `names` ask for; 2 for a name that nothing answers to."""
    found: list[Measurement] = []
    for topic in TOPICS:
        wanted = [name for name in names if name.split(".")[0] == topic]
        if not names or wanted:
            module = importlib.import_module(f"bench.{topic}")
            measurements: Callable[[], Iterable[Measurement]] = module.measurements
            prefixes = tuple(name for name in wanted if name != topic)
            if prefixes and hasattr(module, "select"):
                measurements = module.select(prefixes)
            rows = [m for m in measurements() if not prefixes or m.name.startswith(prefixes)]
            found += rows
    if not found:
        Console(stderr=True).print(
            f"Không có phép đo nào tên {' '.join(names)}. / No measurement answers to that name; "
            f"topics: {', '.join(TOPICS)}."
        )
        return 2
    Console(width=150).print(table(found))
    merge(RESULTS, found)
    return 0


def table(rows: Iterable[Measurement]) -> Table:
    """The rows as a table; costs are CPU milliseconds where no unit says otherwise."""
    shown = Table(title="sohoa bench")
    for heading in ("name", "value", "unit", "ours", "other", "runs", "spread"):
        side: Literal["left", "right"] = "left" if heading in {"name", "unit"} else "right"
        shown.add_column(heading, justify=side, no_wrap=heading == "name")
    for row in rows:
        cells = [_cell(value) for value in row.row().values()]
        shown.add_row(*cells)
    return shown


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


def merge(path: Path, rows: Iterable[Measurement]) -> None:
    """Write the rows into the JSON list at `path`; rows of other names stay."""
    kept = {row["name"]: row for row in json.loads(path.read_text())} if path.exists() else {}
    kept |= {row.name: row.row() for row in rows}
    text = json.dumps([kept[name] for name in sorted(kept)], indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
