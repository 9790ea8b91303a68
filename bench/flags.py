"""Flags of doubtful words measured: how many wrong words bear one, and how many right ones do.

    python -m bench flags                 quick: pages of texts, fonts and seeds never fitted on
    python -m bench.flags --full          all of them, by condition
    python -m bench.flags --samples DIR   the images of DIR/manifest.json instead
    python -m bench.flags --fit           fit the scale anew and write it

A word is wrong when it differs from the print (`bench.flags_truth`). A missed word is a wrong one;
it is flagged when an unread place of the page points to it. `--cache DIR` keeps what was read, for
one state of reading. Every number of pages is of generated scans; a deployment measures its own.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

import ocr.reading.doubt_scale
from bench.__main__ import RESULTS, merge, table
from bench.flags_fit import fit, to_toml
from bench.flags_set import JudgedPage, JudgedWord, ScannedPage, judged_pages, scans_in, scans_of
from bench.harness import Measurement
from ocr.reading.doubt import judged
from ocr.reading.doubt_scale import DoubtScale, bundled_doubt_scale
from tools.samples.degrade import CONDITIONS

FIT_SEEDS = (71, 72)
UNSEEN_SEEDS = (89,)  # never fitted on, and nothing was chosen on them
_QUICK_EVERY = 4  # of the unseen pages
_ALL_WORDS = 101.0  # a certainty that no word has: every word is read twice


@dataclass(frozen=True, slots=True)
class Tally:
    """Words of some pages: wrong and right ones, and how many of each bear a flag."""

    wrong: int = 0
    wrong_flagged: int = 0
    right: int = 0
    right_flagged: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.wrong + other.wrong,
            self.wrong_flagged + other.wrong_flagged,
            self.right + other.right,
            self.right_flagged + other.right_flagged,
        )

    @property
    def recall(self) -> float:
        """Percent of the wrong words that are flagged; 100 when none is wrong."""
        return 100 * self.wrong_flagged / self.wrong if self.wrong else 100.0

    @property
    def alarms(self) -> float:
        """Percent of the right words that are flagged."""
        return 100 * self.right_flagged / self.right if self.right else 0.0


def tally(page: JudgedPage, scale: DoubtScale) -> Tally:
    """The flags of one page under `scale`."""
    flags = [(judged(word.look, scale).doubtful, stands(word)) for word in page.words]
    wrong = [flag for flag, right in flags if not right] + list(page.found)
    sound = [flag for flag, right in flags if right]
    return Tally(len(wrong), sum(wrong), len(sound), sum(sound))


def stands(word: JudgedWord) -> bool:
    """Whether the word is right as the page has it: the second reading may have won."""
    return word.right if word.look.second is None else word.right_at_last


def measurements(
    samples: Path | None = None, every: int = _QUICK_EVERY, cache: Path | None = None
) -> Iterator[Measurement]:
    """All rows; without `samples`, of unseen pages, one in `every`."""
    scale = bundled_doubt_scale()
    for name, scans in _collections(samples, every):
        kept = cache / name if cache is not None else None
        pages = list(judged_pages(scans, scale, kept))
        yield from rows(f"flags.{name}", pages, scale)


def _collections(samples: Path | None, every: int) -> Iterator[tuple[str, Iterable[ScannedPage]]]:
    if samples is not None:
        yield "samples", scans_in(samples)
        return
    yield "texts", scans_of("texts", UNSEEN_SEEDS, 2, every)
    yield "seeds", scans_of("seeds", UNSEEN_SEEDS, 2, every)


def rows(name: str, pages: Sequence[JudgedPage], scale: DoubtScale) -> Iterator[Measurement]:
    """Both rates over all pages, by dpi, and by dpi and condition; places and cost a page."""
    counted = [(page, tally(page, scale)) for page in pages]
    yield from _rates(name, [t for _, t in counted])
    for dpi in (300, 200):
        here = [(page, t) for page, t in counted if page.dpi == dpi]
        yield from _rates(f"{name}.{dpi}", [t for _, t in here])
        for condition in CONDITIONS:
            some = [t for page, t in here if page.condition == condition]
            yield from _rates(f"{name}.{dpi}.{condition}", some)
    if pages:
        count = len(pages)
        again = sum(w.look.second is not None for page in pages for w in page.words) / count
        yield Measurement(f"{name}.read_again", again, "words/page", again, None, count, 0.0)
        mended = sum(stands(w) - w.right for page in pages for w in page.words) / count
        yield Measurement(f"{name}.mended", mended, "words/page", mended, None, count, 0.0)
        places = sum(page.places for page in pages) / count
        yield Measurement(f"{name}.unread_places", places, "a page", places, None, count, 0.0)
        looks = sum(page.look_seconds for page in pages)
        share = 100 * looks / (sum(page.seconds for page in pages) - looks)
        yield Measurement(f"{name}.cpu_added", share, "%", share, None, count, 0.0)


def _rates(name: str, tallies: Sequence[Tally]) -> Iterator[Measurement]:
    total = sum(tallies, Tally())
    if total.wrong + total.right:
        recall, alarms = total.recall, total.alarms
        yield Measurement(f"{name}.wrong_flagged", recall, "%", recall, None, total.wrong, 0.0)
        yield Measurement(f"{name}.right_flagged", alarms, "%", alarms, None, total.right, 0.0)


def refit(cache: Path | None) -> DoubtScale:
    """Read the pages to fit on, every word twice, and fit."""
    twice = replace(bundled_doubt_scale(), again=_ALL_WORDS)
    pages = list(judged_pages(scans_of("fit", FIT_SEEDS, 2), twice, cache))
    words = [word for page in pages for word in page.words]
    return fit(words, f"python -m bench.flags --fit: {len(words)} words of {len(pages)} pages")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and merge into bench/results.json; 2 for a folder without a manifest."""
    parser = argparse.ArgumentParser(prog="python -m bench.flags", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every unseen page")
    parser.add_argument("--fit", action="store_true", help="fit the scale and write it")
    parser.add_argument("--samples", type=Path, help="a folder with manifest.json")
    parser.add_argument("--cache", type=Path, help="where to keep what was read")
    given = parser.parse_args(arguments)
    if given.fit:
        asset = Path(ocr.reading.doubt_scale.__file__).with_name("assets") / "word_certainty.toml"
        asset.write_text(to_toml(refit(given.cache), datetime.date.today()), encoding="utf-8")  # noqa: DTZ011 - the day here
        print(f"written: {asset}")
        return 0
    if given.samples is not None and not (given.samples / "manifest.json").is_file():
        print(f"{given.samples}: no manifest.json there; make one with python -m tools.samples",
              file=sys.stderr)  # fmt: skip
        return 2
    whole = given.full or given.samples is not None
    found = list(measurements(given.samples, 1 if whole else _QUICK_EVERY, given.cache))
    Console(width=150).print(table(found))
    merge(RESULTS, found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
