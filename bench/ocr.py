"""Digitizing measured: error rates, fields, speed, bytes and memory, beside OCRmyPDF.

    python -m bench ocr                       quick: 9 unseen pages at 300 and at 200 dpi
    python -m bench.ocr --full                144 pages
    python -m bench.ocr --samples DIR [--full]  the images of DIR/manifest.json instead

Both programs read the same PDF of scans with two workers and write PDF/A; OCRmyPDF runs with
`--deskew --rotate-pages -l vie`. They take turns batch by batch; ratios are made within a batch.
Error rates are in percent, pooled over pages; for them `spread` is the distance between the
quartiles of the pages' own rates.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import img2pdf  # type: ignore[import-untyped]  # ships no types
from rich.console import Console

from bench.__main__ import RESULTS, merge, table
from bench.field_scoring import HEADLINE, FieldCount, compare, tally
from bench.harness import Measurement, ratio, spread_of
from bench.ocr_programs import Run, digitise_ours, ocrmypdf
from bench.scoring import Score, pooled, score
from ocr.fields.extract import extract_fields
from ocr.page import RecognisedPage
from tools.samples.degrade import CONDITIONS
from tools.samples.evalset import SetOptions, write_set
from tools.samples.groundtruth import TruthPage, read_page

UNSEEN_SEED = 31415  # no document, font order or degradation of this seed was developed on


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure: pages at each dpi (None: all), pages in a batch, and how many batches
    OCRmyPDF also optimises at level 3, its slowest work.
    """

    documents: int
    per_page: int
    pages: int | None
    batch: int
    optimised: int


QUICK = Plan(documents=11, per_page=1, pages=9, batch=9, optimised=1)
FULL = Plan(documents=34, per_page=2, pages=None, batch=18, optimised=8)


@dataclass(frozen=True, slots=True)
class Scan:
    """An image of the set with its truth."""

    path: Path
    dpi: int
    condition: str
    truth: TruthPage


@dataclass(frozen=True, slots=True)
class Batch:
    """What both programs made of some scans of one resolution."""

    scans: tuple[Scan, ...]
    ours: Run
    compact: Run
    theirs: Run
    theirs_o3: Run | None
    pages: tuple[RecognisedPage, ...]


def measurements(plan: Plan = QUICK, samples: Path | None = None) -> Iterator[Measurement]:
    """All rows. Without `samples` an unseen set is generated in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-ocr-") as name:
        work = Path(name)
        scans = read_set(samples) if samples is not None else unseen(work / "set", plan)
        groups = [
            group
            for dpi in (300, 200)
            for group in _groups(_choose(scans, dpi, plan.pages), plan.batch)
        ]
        batches = [
            run_batch(group, work / str(n), optimise=n < plan.optimised)
            for n, group in enumerate(groups)
        ]
    yield from error_rates(batches)
    yield from field_rates(batches)
    yield from costs(batches)


def unseen(folder: Path, plan: Plan) -> list[Scan]:
    """A generated set that nobody has developed on."""
    write_set(folder, SetOptions(UNSEEN_SEED, plan.documents, (300, 200), per_page=plan.per_page))
    return read_set(folder)


def read_set(folder: Path) -> list[Scan]:
    """The scans of a manifest that have a truth."""
    entries = cast(
        "list[dict[str, Any]]", json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    )
    return [
        Scan(folder / e["file"], int(e["dpi"]), str(e["cond"]), read_page(folder / e["gt"]))
        for e in entries
        if e.get("gt")
    ]


def _choose(scans: Iterable[Scan], dpi: int, most: int | None) -> list[Scan]:
    """Scans of one resolution; with a limit, the conditions in turn."""
    here = [s for s in scans if s.dpi == dpi]
    if most is None:
        return here
    turn: Counter[str] = Counter()
    ranked = []
    for n, scan in enumerate(here):
        turn[scan.condition] += 1
        ranked.append((turn[scan.condition], n, scan))
    return [scan for _, _, scan in sorted(ranked, key=lambda r: r[:2])[:most]]


def _groups(scans: Sequence[Scan], size: int) -> Iterator[Sequence[Scan]]:
    for start in range(0, len(scans), size):
        yield scans[start : start + size]


def run_batch(scans: Sequence[Scan], folder: Path, *, optimise: bool) -> Batch:
    """Both programs on the same pages, in turns."""
    folder.mkdir(parents=True)
    source = folder / "scans.pdf"
    with source.open("wb") as out:
        img2pdf.convert([str(s.path) for s in scans], outputstream=out)
    ours, pages = digitise_ours(source, folder / "ours.pdf", "faithful")
    theirs = ocrmypdf(source, folder / "theirs.pdf")
    compact, _ = digitise_ours(source, folder / "compact.pdf", "compact")
    theirs_o3 = ocrmypdf(source, folder / "theirs-o3.pdf", "--optimize", "3") if optimise else None
    return Batch(tuple(scans), ours, compact, theirs, theirs_o3, pages)


# -- rows -----------------------------------------------------------------------------------------


def error_rates(batches: Sequence[Batch]) -> Iterator[Measurement]:
    """`ocr.cer.DPI`, `ocr.wer.DPI`, and `ocr.cer.DPI.CONDITION`."""
    for dpi in (300, 200):
        pairs = [
            (scan.condition, score(scan.truth, mine), score(scan.truth, other))
            for batch in batches
            for scan, mine, other in zip(
                batch.scans, batch.ours.texts, batch.theirs.texts, strict=False
            )
            if scan.dpi == dpi
        ]
        if not pairs:
            continue
        yield _rate(f"ocr.cer.{dpi}", pairs, words=False)
        yield _rate(f"ocr.wer.{dpi}", pairs, words=True)
        for condition in CONDITIONS:
            some = [p for p in pairs if p[0] == condition]
            if some:
                yield _rate(f"ocr.cer.{dpi}.{condition}", some, words=False)


def _rate(name: str, pairs: Sequence[tuple[str, Score, Score]], *, words: bool) -> Measurement:
    def percent(s: Score) -> float:
        return 100 * (s.wer if words else s.cer)

    ours = percent(pooled(p[1] for p in pairs))
    other = percent(pooled(p[2] for p in pairs))
    spread = spread_of([percent(p[1]) for p in pairs])
    return Measurement(name, ours, "%", ours, other, len(pairs), spread)


def field_rates(batches: Sequence[Batch]) -> Iterator[Measurement]:
    """`ocr.fields.NAME`: share of the printed values found exactly, in percent."""
    counts = tally(
        [
            compare(scan.truth.fields, extract_fields([page]))
            for batch in batches
            for scan, page in zip(batch.scans, batch.pages, strict=True)
        ]
    )
    for name, count in counts.items():
        if count.expected:
            yield _field_row(f"ocr.fields.{name}", count)
    headline = sum((counts.get(name, FieldCount()) for name in HEADLINE), FieldCount())
    if headline.expected:
        yield _field_row("ocr.fields.headline", headline)


def _field_row(name: str, count: FieldCount) -> Measurement:
    value = 100 * count.recall
    return Measurement(name, value, "%", value, None, count.expected, 0.0)


def costs(batches: Sequence[Batch]) -> Iterator[Measurement]:
    """Speed, bytes and memory, one ratio a batch."""
    sides = [(b.ours, b.theirs) for b in batches]
    yield _ratio("ocr.speedup_over_ocrmypdf", sides, "wall_seconds", speedup=True)
    for dpi in sorted({b.scans[0].dpi for b in batches}):
        at = [(b.ours, b.theirs) for b in batches if b.scans[0].dpi == dpi]
        yield _ratio(f"ocr.speedup_over_ocrmypdf.{dpi}", at, "wall_seconds", speedup=True)
    yield _ratio("ocr.cpu.speedup_over_ocrmypdf", sides, "cpu_seconds", speedup=True)
    yield _ratio("ocr.peak_memory_over_ocrmypdf", sides, "peak_mib")
    yield _ratio("ocr.faithful.bytes_over_ocrmypdf", sides, "output_bytes")
    compact = [(b.compact, b.theirs) for b in batches]
    yield _ratio("ocr.compact.speedup_over_ocrmypdf", compact, "wall_seconds", speedup=True)
    yield _ratio("ocr.compact.bytes_over_ocrmypdf", compact, "output_bytes")
    smallest = [(b.compact, b.theirs_o3) for b in batches if b.theirs_o3 is not None]
    yield _ratio("ocr.compact.bytes_over_ocrmypdf_o3", smallest, "output_bytes")
    lost = [float(sum(p.fault is not None for p in b.pages)) for b in batches]
    yield Measurement("ocr.pages_lost", sum(lost), "pages", sum(lost), None, len(lost), 0.0)
    pace = [60 * len(b.scans) / b.ours.wall_seconds for b in batches]
    other = [60 * len(b.scans) / b.theirs.wall_seconds for b in batches]
    middle = sorted(pace)[len(pace) // 2]
    yield Measurement(
        "ocr.pages_a_minute", middle, "pages/min", middle, sorted(other)[len(other) // 2],
        len(pace), spread_of(pace),
    )  # fmt: skip


def _ratio(
    name: str, sides: Sequence[tuple[Run, Run]], cost: str, *, speedup: bool = False
) -> Measurement:
    ours = [float(getattr(mine, cost)) for mine, _ in sides]
    other = [float(getattr(theirs, cost)) for _, theirs in sides]
    return ratio(name, ours, other, speedup=speedup)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and merge into bench/results.json; 2 for a folder without a manifest."""
    parser = argparse.ArgumentParser(prog="python -m bench.ocr", description=__doc__)
    parser.add_argument("--full", action="store_true", help="144 pages instead of 18")
    parser.add_argument("--samples", type=Path, help="a folder with manifest.json")
    given = parser.parse_args(arguments)
    if given.samples is not None and not (given.samples / "manifest.json").is_file():
        print(f"{given.samples}: no manifest.json there; make one with python -m tools.samples",
              file=sys.stderr)  # fmt: skip
        return 2
    rows = list(measurements(FULL if given.full else QUICK, given.samples))
    Console(width=150).print(table(rows))
    merge(RESULTS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
