"""Side-by-side measuring: the same work by different programs, in turns, on the same machine.

A shared machine changes its speed by the second, so the parties take turns (A B A B) and what
is reported is the ratio within each turn. Each party runs in a process of its own: it cannot
warm the other's caches, and its CPU time is its own.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self, cast

Action = Callable[[], object]
Actions = Mapping[str, Action]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of bench/results.json.

    `value` is in `unit`; `ours` and `other` are the medians that it was made from (milliseconds
    of CPU time unless the name says otherwise; None where there is no other party). `spread` is
    the distance between the quartiles of `value` over the `runs`.
    """

    name: str
    value: float
    unit: str
    ours: float | None
    other: float | None
    runs: int
    spread: float

    def row(self) -> dict[str, object]:
        """The row as JSON has it, numbers rounded to what they are worth."""
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What one repetition took, in milliseconds."""

    cpu_ms: float
    wall_ms: float


def measure(action: Action, times: int) -> Cost:
    """The mean cost of `times` repetitions in this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        action()
    return Cost(
        (time.process_time() - cpu) * 1000 / times, (time.perf_counter() - wall) * 1000 / times
    )


class Party:
    """A process that offers named actions; a context manager.

    `prepare(*arguments)` runs in the new process and returns the actions. An action that
    returns a value gives it to `call`.
    """

    def __init__(self, prepare: Callable[..., Actions], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, prepare, arguments), daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()

    def cost(self, name: str, times: int = 1) -> Cost:
        """Run an action `times` times."""
        self._pipe.send((name, times))
        return cast(Cost, self._receive())

    def call(self, name: str) -> object:
        """Run an action once and return what it returns."""
        self._pipe.send((name, 0))
        return self._receive()

    def _receive(self) -> object:
        try:
            kind, value = self._pipe.recv()
        except EOFError as error:
            raise RuntimeError("a measured process ended; its message stands above") from error
        if kind == "failed":
            raise RuntimeError(f"a measured process failed:\n{value}")
        return value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()


def _serve(pipe: Connection, prepare: Callable[..., Actions], arguments: Sequence[object]) -> None:
    import traceback

    try:
        actions = prepare(*arguments)
        pipe.send(("ready", None))
        while True:
            name, times = pipe.recv()
            result = measure(actions[name], times) if times else actions[name]()
            pipe.send(("done", result))
    except EOFError:
        return
    except Exception:  # noqa: BLE001 - whatever it was, the parent shows it and stops
        pipe.send(("failed", traceback.format_exc()))


@dataclass(frozen=True, slots=True)
class Turn:
    """One side of a comparison: an action of a party, repeated `times` in each turn."""

    party: Party
    action: str
    times: int = 1


def interleave(turns: Mapping[str, Turn], rounds: int) -> dict[str, list[Cost]]:
    """Measure all sides in turns after one warm-up each; one `Cost` a side and round."""
    for turn in turns.values():
        turn.party.cost(turn.action)
    costs: dict[str, list[Cost]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            costs[name].append(turn.party.cost(turn.action, turn.times))
    return costs


def spread_of(values: Sequence[float]) -> float:
    """The distance between the quartiles."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def ratio(
    name: str, ours: Sequence[float], other: Sequence[float], *, speedup: bool
) -> Measurement:
    """How many times faster we are (`speedup`), or how many times the other's cost we need."""
    per_round = [
        theirs / mine if speedup else mine / theirs
        for mine, theirs in zip(ours, other, strict=True)
    ]
    return Measurement(
        name,
        statistics.median(per_round),
        "×",
        statistics.median(ours),
        statistics.median(other),
        len(per_round),
        spread_of(per_round),
    )


def difference(
    name: str, ours: Sequence[float], other: Sequence[float], unit: str = "ms"
) -> Measurement:
    """What we need beyond the other, round by round."""
    per_round = [mine - theirs for mine, theirs in zip(ours, other, strict=True)]
    return Measurement(
        name,
        statistics.median(per_round),
        unit,
        statistics.median(ours),
        statistics.median(other),
        len(per_round),
        spread_of(per_round),
    )


def plain(name: str, values: Sequence[float], unit: str) -> Measurement:
    """A figure without another party."""
    middle = statistics.median(values)
    return Measurement(name, middle, unit, middle, None, len(values), spread_of(values))
