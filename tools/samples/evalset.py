"""An unseen evaluation set: many documents, other texts and fonts, nine conditions.

Folder layout: `img/NAME.CONDITION.DPI.jpg|png`, `gt/NAME.json|txt`, `manifest.json` with one
entry an image: file, gt, page, cond, dpi, skew (degrees), turns (clockwise, to make upright),
font, kind.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.samples.degrade import CONDITIONS, Condition, scan
from tools.samples.fiction import Fiction
from tools.samples.groundtruth import TruthPage
from tools.samples.kinds import KINDS
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES, Family, FontMissing


@dataclass(frozen=True, slots=True)
class SetOptions:
    """What to make: `count` documents; each page under `per_page` conditions at each dpi."""

    seed: int
    count: int
    dpis: tuple[int, ...] = (300,)
    conditions: tuple[Condition, ...] = CONDITIONS
    per_page: int = 3
    fonts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def families(names: Sequence[str]) -> list[Family]:
    """The named families, or all that are installed; FontMissing when there is none."""
    unknown = [n for n in names if n not in FAMILIES]
    if unknown:
        raise FontMissing(f"unknown font {unknown[0]!r}; known: {', '.join(FAMILIES)}")
    found = [f for f in FAMILIES.values() if f.installed and (not names or f.name in names)]
    if not found:
        wanted = sorted({FAMILIES[n].package for n in (names or FAMILIES)})
        raise FontMissing(f"no usable font is installed; run: apt-get install {' '.join(wanted)}")
    return found


def documents(options: SetOptions) -> Iterator[tuple[str, str, Family, list[Sheet]]]:
    """Name, kind, font and pages of each document, in a fixed order."""
    fonts = families(options.fonts)
    kinds = list(options.kinds or KINDS)
    for n in range(options.count):
        kind = kinds[n % len(kinds)]
        family = fonts[(n + options.seed + n // len(kinds)) % len(fonts)]
        story = Fiction(f"{options.seed}/{n}/{kind}")
        yield f"d{n:03d}_{kind}", kind, family, KINDS[kind](story, family)


def write_set(out: Path, options: SetOptions) -> list[dict[str, object]]:
    """Write the set into `out`; the manifest's entries are returned."""
    (out / "img").mkdir(parents=True, exist_ok=True)
    (out / "gt").mkdir(exist_ok=True)
    entries: list[dict[str, object]] = []
    serial = options.seed
    for name, kind, family, sheets in documents(options):
        for n, sheet in enumerate(sheets, 1):
            page = name if len(sheets) == 1 else f"{name}_p{n}"
            truth = sheet.truth(page)
            _write_truth(out / "gt", truth)
            for dpi in options.dpis:
                for k in range(options.per_page):
                    condition = options.conditions[(serial + k) % len(options.conditions)]
                    seed = zlib.crc32(f"{options.seed}/{page}/{condition}/{dpi}".encode())
                    made = scan(sheet, condition, dpi, seed)
                    file = f"img/{page}.{condition}.{dpi}{made.suffix}"
                    (out / file).write_bytes(made.data)
                    entries.append(
                        {
                            "file": file,
                            "gt": f"gt/{page}.json",
                            "page": page,
                            "cond": condition,
                            "dpi": dpi,
                            "skew": round(made.geometry.skew_degrees, 4),
                            "turns": made.geometry.turns,
                            "font": family.name,
                            "kind": kind,
                        }
                    )
                serial += options.per_page
    text = json.dumps(entries, ensure_ascii=False, indent=1) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    return entries


def _write_truth(folder: Path, truth: TruthPage) -> None:
    (folder / f"{truth.name}.json").write_text(truth.to_json(), encoding="utf-8")
    (folder / f"{truth.name}.txt").write_text(truth.text + "\n", encoding="utf-8")
