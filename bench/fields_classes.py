"""Classification measured: which component of a dossier a paper is said to be.

    python -m bench.fields_classes [--cache DIR] [--seeds N ...]

Papers are scanned and read as in `bench.fields`. Three questions, each with the numbers of
right, undecided and wrong proposals:

- `types`: each type, letter and copy against a procedure that asks for one paper of each type;
  a letter is of no type, so only "undecided" is right for it.
- `strangers`: the same papers against the sample procedures, none of which asks for them; an
  authorization may be taken for one, anything else that is chosen is wrong.
- `components`: a paper of every component of every sample procedure, against that procedure.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.fields_set import kept_page, read_cases
from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.catalogues import PaperForm, Procedure, RequiredComponent
from dossier.intake.classification import classify
from ocr.fields.card_reading import read_card
from ocr.fields.doctypes import bundled_catalogue
from ocr.fields.extract import FieldCollector
from ocr.page import Box, RecognisedPage
from tools.samples import typed
from tools.samples.components import component_paper
from tools.samples.degrade import Condition
from tools.samples.fiction import Fiction
from tools.samples.typefaces import FAMILIES

SEEDS = (63, 64)
_CONDITIONS: tuple[tuple[Condition, int], ...] = (
    ("noise", 300), ("combo", 300), ("skew", 300), ("stamp", 300), ("fax", 200), ("lowcon", 200),
)  # fmt: skip
_DAY = datetime.date(2026, 11, 23)
_NO_PIXELS = np.zeros((1, 1), np.uint8)  # cards are told by their print here
Verdict = tuple[str, str, str]  # question, right or undecided or wrong, what happened


def verdicts(half: typed.Half, seeds: Sequence[int], cache: Path | None) -> Iterator[Verdict]:
    """All three questions."""
    procedures = load_catalogues().procedures_on(_DAY)
    everything = one_of_each()
    for case, page, pen in read_cases(half, seeds, cache):
        wanted = "" if case.code == typed.LETTER else _kind(case.code)
        yield _ask("types", case.name, page, pen, everything, {wanted})
        for procedure in procedures:
            meant = {c.code for c in procedure.components if case.code in c.document_types}
            allowed = meant if case.code == "GUQ" else {""}
            yield _ask("strangers", case.name, page, pen, procedure.components, allowed or {""})
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-classes-") as work:
        for seed in seeds:
            for n, (procedure, component) in enumerate(_components(procedures)):
                yield _component(half, seed, n, procedure, component, Path(work), cache)


def one_of_each() -> tuple[RequiredComponent, ...]:
    """A component for each type of the decree, that asks for nothing but the type."""
    return tuple(
        RequiredComponent(
            code, name, 1, PaperForm.ORIGINAL, False, True, 1, None, (code,), (), (), None
        )
        for code, name in bundled_catalogue().types.items()
    )


def _kind(code: str) -> str:
    """The samples' copies are copies of notices."""
    return "TB" if code in typed.COPIES else code


def _components(procedures: Sequence[Procedure]) -> Iterator[tuple[Procedure, RequiredComponent]]:
    for procedure in procedures:
        for component in procedure.components:
            yield procedure, component


def _component(
    half: typed.Half, seed: int, n: int, procedure: Procedure, component: RequiredComponent,
    work: Path, cache: Path | None,
) -> Verdict:  # fmt: skip
    condition, dpi = _CONDITIONS[(n + seed) % len(_CONDITIONS)]
    fonts = typed.FONTS[half]
    name = f"{half}.{seed}.{procedure.code}.{component.code}.{condition}.{dpi}"
    others = [c for c in procedure.components if c is not component]
    page, pen = kept_page(
        name,
        lambda: component_paper(
            component, Fiction(name), FAMILIES[fonts[(seed + n) % len(fonts)]], others
        ),
        condition, dpi, name, work, cache,
    )  # fmt: skip
    return _ask("components", name, page, pen, procedure.components, {component.code})


def _ask(
    question: str, name: str, page: RecognisedPage, pen: frozenset[Box],
    required: Sequence[RequiredComponent], allowed: set[str],
) -> Verdict:  # fmt: skip
    """Right: what is chosen is allowed, where "" allows that nothing is chosen."""
    collector = FieldCollector()
    collector.take(page, pen)
    card = read_card(page, _NO_PIXELS, ())
    found = classify(collector.fields(), page.text, 1, card, required)
    code = found.chosen.component.code if found.chosen is not None else ""
    if code in allowed:
        return question, "right", name
    told = ", ".join(f"{p.component.code} {p.certainty}" for p in found.proposals[:3])
    return question, "wrong" if code else "undecided", f"{name}: {told or 'nothing'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when one in a hundred or more of a question is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.fields_classes", description=__doc__)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was read")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--half", choices=("tuning", "unseen"), default="unseen")
    parser.add_argument("--show", action="store_true", help="tell what was not right")
    given = parser.parse_args(arguments)
    counted: Counter[tuple[str, str]] = Counter()
    console = Console(width=150)
    for question, verdict, told in verdicts(given.half, given.seeds, given.cache):
        counted[question, verdict] += 1
        if given.show and verdict != "right":
            console.print(f"{question} {verdict}: {told}", markup=False)
    shown = Table(title="sohoa bench fields_classes")
    for heading in ("question", "papers", "right", "undecided", "wrong"):
        shown.add_column(heading)
    worst = 0.0
    for question in ("types", "strangers", "components"):
        numbers = [counted[question, v] for v in ("right", "undecided", "wrong")]
        total = max(1, sum(numbers))
        worst = max(worst, numbers[2] / total)
        shown.add_row(question, str(total), *(f"{n} ({100 * n / total:.1f} %)" for n in numbers))
    console.print(shown)
    return int(worst >= 0.01)


if __name__ == "__main__":
    raise SystemExit(main())
