"""Verification, measured against pyHanko's AdES-LTA validation, and against its own size.

CPU time of the verifying process, from file to report. Our figures include what pyHanko's leave
out: a second engine that draws the pages, every byte explained, two readers compared. The
documents of the comparison have 30 pages and three signatures that are seen (B-LTA as a whole):
typed text, and scans. `bench.verify_sides` says what pyHanko is asked.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import verify_sides
from bench.harness import Measurement, Party, Turn, difference, interleave, measure, plain, ratio
from bench.verify_stage import PAGES, SIGNATURES, Stage, build_stage
from dossier.verifying.checkers import Checkers
from dossier.verifying.known import digest_of
from signer.trust import TrustStore


@dataclass(frozen=True, slots=True)
class _Parties:
    stage: Stage
    ours: Party
    pyhanko: Party


def measurements(prefixes: tuple[str, ...] = ("",)) -> Iterator[Measurement]:
    """The rows whose names begin with one of `prefixes`, measured as they are asked for."""
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-") as name, ExitStack() as stack:
        stage = Stage(Path(name))
        with Party(build_stage, stage.folder):
            pass
        parties = _Parties(
            stage,
            stack.enter_context(Party(verify_sides.ours, stage)),
            stack.enter_context(Party(verify_sides.pyhanko, stage)),
        )
        for names, step in _STEPS.items():
            if any(n.startswith(p) or p.startswith(n) for n in names for p in prefixes):
                yield from step(parties)


def select(prefixes: tuple[str, ...]) -> Callable[[], Iterable[Measurement]]:
    """`measurements` of some rows only."""
    return partial(measurements, prefixes)


def _against_pyhanko(document: str, parties: _Parties) -> Iterator[Measurement]:
    turns = {
        "ours": Turn(parties.ours, document, 4),
        "pyhanko": Turn(parties.pyhanko, document, 2),
    }
    costs = interleave(turns, rounds=9)
    cpu = {side: [cost.cpu_ms for cost in found] for side, found in costs.items()}
    name = f"verify.blta.30p.{document}.speedup_over_pyhanko"
    yield ratio(name, cpu["ours"], cpu["pyhanko"], speedup=True)


def _repeat(parties: _Parties) -> Iterator[Measurement]:
    """In this process, for checkers are processes of their own."""
    document, known, floor = parties.stage.document("typed"), [], []
    with Checkers(TrustStore.from_files([parties.stage.root]), processes=1) as checkers:
        checkers.verify(document)
        for _ in range(11):
            known.append(measure(lambda: checkers.verify(document), 50).wall_ms)
            floor.append(measure(lambda: digest_of(document), 50).wall_ms)
    yield difference("verify.known.repeat_ms_beyond_hash", known, floor)


def _linear(kind: str, sizes: tuple[int, int], parties: _Parties) -> Iterator[Measurement]:
    """The cost of one more at both ends: for a linear cost their ratio is 1 or below."""
    small, large = (f"{kind}-{size}" for size in sizes)
    turns = {"small": Turn(parties.ours, small, 4), "large": Turn(parties.ours, large, 1)}
    costs = interleave(turns, rounds=7)
    few = [cost.cpu_ms / sizes[0] for cost in costs["small"]]
    many = [cost.cpu_ms / sizes[1] for cost in costs["large"]]
    one = kind.removesuffix("s")
    for size, each in zip(sizes, (few, many), strict=True):
        yield plain(f"verify.{kind}.ms_per_{one}_at_{size}", each, "ms")
    grown = [b / a for a, b in zip(few, many, strict=True)]
    yield Measurement(
        f"verify.{kind}.growth_of_each", statistics.median(grown), "×",
        statistics.median(many), statistics.median(few), len(grown), 0.0,
    )  # fmt: skip


_Step = Callable[[_Parties], Iterator[Measurement]]
_STEPS: dict[tuple[str, ...], _Step] = {
    ("verify.blta.30p.typed",): partial(_against_pyhanko, "typed"),
    ("verify.blta.30p.scanned",): partial(_against_pyhanko, "scanned"),
    ("verify.known",): _repeat,
    ("verify.pages",): partial(_linear, "pages", PAGES),
    ("verify.signatures",): partial(_linear, "signatures", SIGNATURES),
}
