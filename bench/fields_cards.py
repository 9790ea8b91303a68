"""Identity cards measured: print and code read, forgeries told, honest cards left alone.

    python -m bench.fields_cards [--seeds N ...] [--cache DIR]

Copies of invented cards of both generations, six treatments each; every card once as it is and
once with one digit of its printed number changed while the code stays. The numbers:

- `FIELD`: printed values read exactly, of all that are printed,
- `code`: codes read,
- `forged told`: changed numbers that a warning points to, where the code was read,
- `honest warned`: warnings on cards that agree,
- CPU milliseconds of `read_card` for a card and for a page of text (without reading the page).
"""

from __future__ import annotations

import argparse
import functools
import os
import pickle
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.fields_set import kept_page
from ocr.fields.card_reading import CardReading, read_card
from ocr.intake.survey import IntakeFault, pages_of, survey
from ocr.page import RecognisedPage
from ocr.page_task import process_page
from ocr.reading.raster import Raster
from ocr.settings import DigitiseSettings
from tools.samples import chipcard, typed
from tools.samples.degrade import Recipe, compose, encode
from tools.samples.typefaces import FAMILIES

SEEDS = tuple(range(200, 206))
_WORN = (224, 218, 200)
_TREATED: dict[str, tuple[int, Recipe]] = {
    "300": (300, Recipe(skew_degrees=0.4)),
    "300 noise, skew": (300, Recipe(skew_degrees=-1.4, sensor_noise=9.0, specks=400, quality=70)),
    "300 faded": (300, Recipe(paper=_WORN, ink_density=0.6, blur_px=0.8, shadow=0.25)),
    "300 bitonal": (300, Recipe(bitonal=True, sensor_noise=8.0, specks=200)),
    "300 upside down": (300, Recipe(turns=2, skew_degrees=0.3, sensor_noise=4.0)),
    "200": (200, Recipe(skew_degrees=-0.7)),
}


class Scan(NamedTuple):
    """A card's copy as it was read: its page, its pixels, what is printed, whether it is forged."""

    treated: str
    page: RecognisedPage
    raster: Raster
    printed: dict[str, str]
    holder: chipcard.Holder
    forged: bool


def scans(seeds: Sequence[int], cache: Path | None) -> Iterator[Scan]:
    """Every card under every treatment, honest and forged."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-cards-") as work:
        for seed in seeds:
            for generation in chipcard.GENERATIONS:
                for treated in _TREATED:
                    for forged in (False, True):
                        yield _kept(seed, generation, treated, forged, Path(work), cache)


def _kept(
    seed: int, generation: chipcard.Generation, treated: str, forged: bool, work: Path,
    cache: Path | None,
) -> Scan:  # fmt: skip
    name = f"card.{seed}.{generation}.{treated}.{forged}.pickle".replace(" ", "-")
    kept = cache / name if cache is not None else None
    if kept is not None and kept.is_file():
        return Scan(*pickle.loads(kept.read_bytes()))  # noqa: S301 - our own file
    made = _scan(seed, generation, treated, forged, work)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(tuple(made)))
    return made


def _scan(
    seed: int, generation: chipcard.Generation, treated: str, forged: bool, work: Path
) -> Scan:
    holder = chipcard.invent(seed)
    shown = chipcard.another(holder, random.Random(seed)) if forged else holder
    dpi, recipe = _TREATED[treated]
    sheet, patches = chipcard.copy_of(shown, generation, dpi, code=holder.payload(generation))
    image = encode(compose(sheet.draw_ink(dpi), patches, recipe, dpi, seed), recipe, dpi)
    file = work / f"card{image.suffix}"
    file.write_bytes(image.data)
    (page,) = pages_of(survey([file]))
    read = process_page(page, DigitiseSettings(), work)
    if isinstance(read, IntakeFault):
        raise read.error
    mode = cv2.IMREAD_GRAYSCALE if recipe.bitonal else cv2.IMREAD_COLOR_RGB
    pixels = np.asarray(cv2.imdecode(np.frombuffer(image.data, np.uint8), mode), np.uint8)
    printed = {name: str(value) for name, value in sheet.fields.items()}
    return Scan(treated, read, pixels, printed, holder, forged)


def count(found: Iterator[Scan]) -> tuple[Counter[tuple[str, str]], list[float]]:
    """How many of what, by treatment (`all` adds up), and the CPU seconds of each reading."""
    numbers: Counter[tuple[str, str]] = Counter()
    seconds = []
    for scan in found:
        start = time.process_time()
        card = read_card(scan.page, scan.raster)
        seconds.append(time.process_time() - start)
        for treated in (scan.treated, "all"):
            for what, right in _judged(scan, card):
                numbers[treated, what] += right
                numbers[treated, f"{what} of"] += 1
    return numbers, seconds


def _judged(scan: Scan, card: CardReading | None) -> Iterator[tuple[str, bool]]:
    for name, value in scan.printed.items():
        field = card.get(name, "print") if card is not None else None
        yield name, field is not None and field.value == value
    code = card.get("number", "code") if card is not None else None
    yield "code", code is not None and code.value == scan.holder.number
    warned = {f.field for f in card.findings if f.severity == "warn"} if card is not None else set()
    if not scan.forged:
        yield "honest warned", bool(warned)
    elif code is not None:
        yield "forged told", "number" in warned


def text_seconds(cache: Path | None) -> list[float]:
    """CPU seconds of `read_card` on pages of text: the price that every page pays."""
    seconds = []
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-cards-") as work:
        for n, code in enumerate(typed.codes()[:12]):
            page, _ = kept_page(
                f"tuning.1.{code}.skew.300",
                functools.partial(typed.paper, code, "1", "tuning", FAMILIES["Tinos"]),
                "skew", 300, f"text/{n}", Path(work), cache,
            )  # fmt: skip
            start = time.process_time()
            if read_card(page, np.zeros((1, 1), np.uint8)) is not None:
                raise AssertionError(f"a card was found on a page of type {code}")
            seconds.append(time.process_time() - start)
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a forged number passed or a code was not read."""
    parser = argparse.ArgumentParser(prog="python -m bench.fields_cards", description=__doc__)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was read")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    given = parser.parse_args(arguments)
    numbers, seconds = count(scans(given.seeds, given.cache))
    shown = Table(title="sohoa bench fields_cards: right / of")
    columns = [*_TREATED, "all"]
    shown.add_column("what")
    for column in columns:
        shown.add_column(column, justify="right")
    rows = dict.fromkeys(what for _, what in numbers if not what.endswith(" of"))
    for what in rows:
        cells = (f"{numbers[c, what]}/{numbers[c, f'{what} of']}" for c in columns)
        shown.add_row(what, *cells)
    console = Console(width=150)
    console.print(shown)
    of_text = text_seconds(given.cache)
    console.print(
        f"CPU ms: a card {1000 * np.median(seconds):.0f} (most {1000 * max(seconds):.0f}), a page "
        f"of text {1000 * np.median(of_text):.1f}"
    )
    unread = numbers["all", "code of"] - numbers["all", "code"]
    passed = numbers["all", "forged told of"] - numbers["all", "forged told"]
    return int(unread > 0 or passed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
