"""Signing, measured against raw C_Sign, against naive pyHanko, and against a floor.

CPU time of the signing process; RSA-3072 and P-256 keys in SoftHSM. The small document goes
from memory to memory on both sides, the large ones from file to file. Our figures include what
pyHanko's leave out: the pre-signing check of certificate and revocation status and the check of
each finished signature; for files also fsync of file and folder, which costs more than signing
a small document does (``sign.bb.p256.1p.durable_file_added_ms``). `bench.sign_naive` says what
naive means; wall-clock ratios stand beside where a server is asked. The servers (TSA, OCSP,
CRL) run in a process of their own, the same for both sides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from bench import sign_naive, sign_ours
from bench.harness import (
    Measurement,
    Party,
    Turn,
    difference,
    interleave,
    plain,
    ratio,
)
from bench.sign_stage import Stage, build_stage, serve

_MIB_BASELINE = "bb.rsa3072.1p"


@dataclass(frozen=True, slots=True)
class _Parties:
    stage: Stage
    ours: Party
    naive: Party
    servers: Party


def measurements(prefixes: tuple[str, ...] = ("",)) -> Iterator[Measurement]:
    """The rows whose names begin with one of `prefixes`, measured as they are asked for."""
    with tempfile.TemporaryDirectory(prefix="sohoa-bench-") as name, ExitStack() as stack:
        stage = Stage(Path(name))
        with Party(build_stage, stage.folder):
            pass
        servers = stack.enter_context(Party(serve, stage))
        ours = stack.enter_context(Party(sign_ours.prepare, stage))
        naive = stack.enter_context(Party(sign_naive.prepare, stage))
        parties = _Parties(stage, ours, naive, servers)
        for names, step in _STEPS.items():
            if any(n.startswith(p) or p.startswith(n) for n in names for p in prefixes):
                yield from step(parties)


def select(prefixes: tuple[str, ...]) -> Callable[[], Iterable[Measurement]]:
    """`measurements` of some rows only."""
    return partial(measurements, prefixes)


def _small_rsa(parties: _Parties) -> Iterator[Measurement]:
    costs = interleave(
        {
            "raw": Turn(parties.ours, "raw.rsa3072", 40),
            "ours": Turn(parties.ours, "bb.rsa3072.1p", 20),
            "naive": Turn(parties.naive, "bb.rsa3072.1p", 5),
        },
        rounds=11,
    )
    raw, ours, naive = ([cost.cpu_ms for cost in side] for side in costs.values())
    yield ratio("sign.bb.rsa3072.1p.time_over_raw", ours, raw, speedup=False)
    yield ratio("sign.bb.rsa3072.1p.speedup_over_naive", ours, naive, speedup=True)


def _small_ec(parties: _Parties) -> Iterator[Measurement]:
    costs = interleave(
        {
            "raw": Turn(parties.ours, "raw.p256", 200),
            "ours": Turn(parties.ours, "bb.p256.1p", 40),
            "naive": Turn(parties.naive, "bb.p256.1p", 5),
            "file": Turn(parties.ours, "bb.p256.1p.file", 10),
        },
        rounds=11,
    )
    raw, ours, naive, file = ([cost.cpu_ms for cost in side] for side in costs.values())
    yield ratio("sign.bb.p256.1p.time_over_raw", ours, raw, speedup=False)
    yield ratio("sign.bb.p256.1p.speedup_over_naive", ours, naive, speedup=True)
    yield difference("sign.bb.p256.1p.durable_file_added_ms", file, ours)


def _archival(parties: _Parties) -> Iterator[Measurement]:
    costs = interleave(
        {"ours": Turn(parties.ours, "blta.1p", 5), "naive": Turn(parties.naive, "blta.1p", 1)},
        rounds=9,
    )
    cpu = {side: [cost.cpu_ms for cost in found] for side, found in costs.items()}
    wall = {side: [cost.wall_ms for cost in found] for side, found in costs.items()}
    yield ratio("sign.blta.1p.speedup_over_naive", cpu["ours"], cpu["naive"], speedup=True)
    yield ratio("sign.blta.1p.wall_speedup_over_naive", wall["ours"], wall["naive"], speedup=True)
    mine = _requests(parties, lambda: parties.ours.cost("blta.1p"))
    theirs = _requests(parties, lambda: parties.naive.cost("blta.1p"))
    for what, index in (("tsa_requests", 0), ("ocsp_crl_requests", 1)):
        name = f"sign.blta.1p.{what}"
        yield Measurement(name, mine[index], "requests", mine[index], theirs[index], 1, 0.0)


def _requests(parties: _Parties, act: Callable[[], object]) -> tuple[float, float]:
    """What one document makes the servers answer: (TSA, OCSP and CRL)."""
    before = cast(dict[str, int], parties.servers.call("counts"))
    act()
    after = cast(dict[str, int], parties.servers.call("counts"))
    new = {path: count - before.get(path, 0) for path, count in after.items()}
    tsa = new.pop("/tsa", 0)
    return float(tsa), float(sum(new.values()))


def _stamp(parties: _Parties) -> Iterator[Measurement]:
    costs = interleave(
        {
            "stamped": Turn(parties.ours, "bb.stamped.1p", 20),
            "bare": Turn(parties.ours, "bb.rsa3072.1p", 20),
        },
        rounds=11,
    )
    stamped, bare = ([cost.cpu_ms for cost in side] for side in costs.values())
    yield difference("sign.stamp.added_ms", stamped, bare)


def _large(parties: _Parties) -> Iterator[Measurement]:
    costs = interleave(
        {
            "ours": Turn(parties.ours, "bb.rsa3072.15mb", 3),
            "floor": Turn(parties.ours, "floor.15mb", 3),
            "naive": Turn(parties.naive, "bb.rsa3072.15mb", 2),
        },
        rounds=9,
    )
    ours, floor, naive = ([cost.cpu_ms for cost in side] for side in costs.values())
    yield ratio("sign.bb.15mb.time_over_floor", ours, floor, speedup=False)
    yield ratio("sign.bb.rsa3072.15mb.speedup_over_naive", ours, naive, speedup=True)


def _memory(parties: _Parties) -> Iterator[Measurement]:
    """Peak memory while sealing 100 MB less what the process held before, in a fresh process."""
    added = []
    for _ in range(3):
        with Party(sign_ours.prepare, parties.stage) as fresh:
            fresh.cost(_MIB_BASELINE)
            before = cast(float, fresh.call("start_peak"))
            fresh.cost("bb.rsa3072.100mb")
            added.append(cast(float, fresh.call("peak")) - before)
    yield plain("sign.bb.100mb.added_mib", added, "MiB")


_STEPS: dict[tuple[str, ...], Callable[[_Parties], Iterator[Measurement]]] = {
    ("sign.bb.rsa3072.1p",): _small_rsa,
    ("sign.bb.p256.1p",): _small_ec,
    ("sign.blta.1p",): _archival,
    ("sign.stamp.added_ms",): _stamp,
    ("sign.bb.15mb.time_over_floor", "sign.bb.rsa3072.15mb"): _large,
    ("sign.bb.100mb.added_mib",): _memory,
}
