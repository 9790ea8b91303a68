"""The register: python -m tests.proof_register [--trials 1000] [--entries 100000]

1. Trials: logs with a removed, altered, reordered, inserted, truncated or backdated entry, the
   newer checkpoint often signed anew over the forgery; each one has to be found by the auditor's
   tool from two checkpoints and a copy, whole or partial. As many honest logs have to be sound.
2. Proofs in a log of many entries, on SQLite and on PostgreSQL: milliseconds for an inclusion
   proof, a consistency proof, a look-up, the proof of one result; and what an append costs.

Prints one JSON document; ends with an error when a forgery was missed, an honest log accused, or
a proof took 10 ms or more: the middle one by the clock, the 99th of 100 by processor time.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from dossier.audit.log import AuditLog
from dossier.register import merkle, nodes
from dossier.register.audit import audit
from dossier.register.checkpoints import Checkpointer
from dossier.register.copy import copy_lines
from dossier.register.findings import Verdict
from dossier.register.log import Register
from dossier.register.notes import NoteKey
from dossier.register.proof import prove
from dossier.register.statuses import look_up
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.fakes import SoftwareKey
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.register_entries import issued
from tests.register_forgery import ORIGIN, Forger

_MOST_MS = 10.0
_GROUP = 16  # entries of one commit, as a publisher groups them
_ASKED = 400


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261123)
    wanted = parser.parse_args()
    told: dict[str, Any] = {
        "seed": wanted.seed,
        "forgeries": trials(wanted.trials, wanted.seed),
    }
    with tempfile.TemporaryDirectory(prefix="sohoa-register-") as folder:
        told["sqlite"] = measured(f"sqlite:///{folder}/house.db", wanted.entries)
    cluster = PostgresCluster(postgres_programs())
    try:
        told["postgresql"] = measured(cluster.url(cluster.new_database()), wanted.entries)
    finally:
        cluster.close()
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    for kind in ("sqlite", "postgresql"):
        require_fast(told[kind])
    return 0


def trials(count: int, seed: int) -> dict[str, Any]:
    """`count` forgeries and as many honest logs. Raises `AssertionError`."""
    forger = Forger(random.Random(seed))
    kinds: Counter[str] = Counter()
    began = time.process_time()
    for trial in range(count):
        case = forger.case()
        report = audit(case.lines, case.old, case.new)
        assert report.verdict is Verdict.BROKEN, f"trial {trial}: {case.attack} was not found"
        kinds[case.attack or ""] += 1
        honest = forger.honest()
        fair = audit(honest.lines, honest.old, honest.new)
        assert fair.verdict is Verdict.SOUND, f"trial {trial}: an honest log is accused: {fair}"
    return {
        "trials": count,
        "found": sum(kinds.values()),
        "honest_logs_accused": 0,
        "by_kind": dict(sorted(kinds.items())),
        "cpu_s": round(time.process_time() - began, 1),
    }


def require_fast(figures: dict[str, Any]) -> None:
    """Raise `AssertionError` for a proof that took too long."""
    for name in ("inclusion_ms", "consistency_ms", "whole_proof_ms"):
        slow = max(figures[name]["median"], figures[name]["p99_cpu"])
        assert slow < _MOST_MS, f"{name}: {figures[name]}"


def measured(url: str, count: int, asked: int = _ASKED) -> dict[str, Any]:
    """The figures of one database. Raises `AssertionError` for a proof that does not hold."""
    database = Database(url)
    try:
        upgrade(database)
        return _measured(database, count, asked)
    finally:
        database.close()


def _measured(database: Database, count: int, asked: int) -> dict[str, Any]:
    register, key = Register(database), SoftwareKey(label="register")
    told = [issued(number) for number in range(1, count + 1)]
    began = time.process_time()
    for at in range(0, count, _GROUP):
        with database.begin() as connection:
            register.append(connection, told[at : at + _GROUP])
    append_us = (time.process_time() - began) / count * 1e6
    began = time.monotonic()
    maker = Checkpointer(register, AuditLog(database), key, None, origin=ORIGIN)
    signed = maker.make()
    assert signed is not None
    checkpoint_s = time.monotonic() - began
    proved = signed.proved([], keys=[NoteKey.of(ORIGIN, key)])
    root, chance = proved.checkpoint.root, random.Random(1)

    def inclusion() -> None:
        index = chance.randrange(count)
        with database.read() as connection:
            path = nodes.inclusion(connection, index, count)
        [entry] = register.entries(index, index + 1)
        merkle.require_inclusion(entry.leaf_hash, index, count, path, root)

    def consistency() -> None:
        old = chance.randrange(1, count)
        with database.read() as connection:
            path = nodes.consistency(connection, old, count)
            before = nodes.root(connection, old)
        merkle.require_consistency(old, count, before, root, path)

    figures = {
        "inclusion_ms": _timed(inclusion, asked),
        "consistency_ms": _timed(consistency, asked),
        "look_up_ms": _timed(lambda: look_up(register, told[chance.randrange(count)].code), asked),
        "whole_proof_ms": _timed(
            lambda: prove(register, told[chance.randrange(count)].code), asked
        ),
    }
    began = time.process_time()
    report = audit(copy_lines(register, ORIGIN, count, lambda _: True), proved, proved)
    assert report.verdict is Verdict.SOUND, report
    return {
        "entries": count,
        "append_cpu_us_an_entry": round(append_us, 1),
        "first_checkpoint_s": round(checkpoint_s, 2),
        **figures,
        "audit_cpu_s": round(time.process_time() - began, 1),
    }


def _timed(work: Callable[[], object], asked: int) -> dict[str, float]:
    """Milliseconds: the middle one by the clock, the 99th of 100 by processor time and clock.

    On a machine with other work to do, the clock's slow ones are waits for a processor.
    """
    for _ in range(min(20, asked)):
        work()
    clock, cpu = [], []
    for _ in range(asked):
        began, used = time.perf_counter(), time.thread_time()
        work()
        clock.append((time.perf_counter() - began) * 1000)
        cpu.append((time.thread_time() - used) * 1000)
    last = max(0, int(asked * 0.99) - 1)
    return {
        "median": round(statistics.median(clock), 2),
        "p99": round(sorted(clock)[last], 2),
        "p99_cpu": round(sorted(cpu)[last], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
