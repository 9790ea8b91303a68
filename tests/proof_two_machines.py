"""Two worker machines at full count: python -m tests.proof_two_machines [--documents 2000]

A batch on PostgreSQL and S3 (another one, should it near its end too soon) is worked off by two
machines as docs/deployment.md sets them up. In its midst they are killed in turn (power cut: the
whole process group; the other one has to publish what the dead one had in hand), and drained in
turn (every fifth time both at once).
Prints what it saw as JSON; ends with an error when a document is missing or doubled, a number is
lost, a key use is unexplained, or anything was signed again that no killed machine had in hand.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sohoa.client import Client
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.fixtures_s3 import S3Server, s3_program
from tests.machine_work import House, judge_batches, release_batch, until
from tests.machines import Fleet, Machine
from tests.proof_kill_storm import counting

BOTH = 5
"""Every so many drains take both machines."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--drains", type=int, default=10)
    parser.add_argument("--level", default="B-LTA")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    wanted = parser.parse_args()
    plan = Plan(wanted.documents, wanted.kills, wanted.drains, wanted.level, wanted.seed)
    with tempfile.TemporaryDirectory(prefix="sohoa-machines-") as folder:
        told = prove(Path(folder), plan)
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    return 0


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    documents: int
    kills: int
    drains: int
    level: str
    seed: int

    def troubles(self) -> list[str]:
        """Kills and drains in the order of the seed."""
        kinds = ["kill"] * self.kills + ["drain"] * self.drains
        random.Random(self.seed).shuffle(kinds)
        return kinds


@dataclass
class Troubles:
    """What befell the machines, and what came of it."""

    lost: set[str] = field(default_factory=set)
    kills: int = 0
    drains: int = 0
    published_by_the_other: int = 0
    longest_rescue_s: float = 0.0
    longest_drain_s: float = 0.0

    def cut_power(self, house: House, machine: Machine) -> None:
        """Kill it; wait until the other has published all that it had in hand; start it."""
        lost = house.kill(machine)
        began = time.monotonic()
        orphans = house.unpublished(lost)
        # one by one: whatever a dead process had in hand may be what killed it
        until("the other publishes it", lambda: house.unpublished(lost) == 0, seconds=240)
        self.longest_rescue_s = max(self.longest_rescue_s, time.monotonic() - began)
        self.published_by_the_other += orphans
        self.lost |= lost
        self.kills += 1
        machine.start()

    def shut_down(self, house: House, *machines: Machine) -> None:
        """Drain them, and start them again."""
        self.longest_drain_s = max(self.longest_drain_s, house.drain(*machines))
        self.drains += 1
        for machine in machines:
            machine.start()


def prove(folder: Path, plan: Plan) -> dict[str, Any]:
    """One batch, all troubles in its midst, the judgement."""
    counter = folder / "c-sign"
    cluster, s3 = PostgresCluster(postgres_programs()), S3Server(s3_program())
    try:
        fleet = Fleet(
            folder / "fleet",
            cluster.url(cluster.new_database()),
            s3,
            key_environ={**counting(folder, counter), "SOHOA_AUDIT__EVERY_S": "5"},
            worker_environ={"SOHOA_WORKER__THREADS": "8"},  # the batch is to outlive all troubles
        )
        with fleet, House(fleet) as house:
            secret = fleet.webs[0].new_client()
            with Client(fleet.webs[0].url, secret, timeout_s=300) as client:
                return {**asdict(plan), **_prove(plan, fleet, house, client, counter)}
    finally:
        s3.close()
        cluster.close()


def _prove(plan: Plan, fleet: Fleet, house: House, client: Client, counter: Path) -> dict[str, Any]:
    dice, troubles = random.Random(plan.seed), Troubles()
    control = counter.with_name("fault-control")
    control.write_text("id=1 stall=200")  # each C_Sign, so that the batch has a middle
    batches = [release_batch(client, plan.documents, plan.seed, plan.level)]
    began = time.monotonic()
    for kind in plan.troubles():
        if house.published(batches[-1]) > 0.9 * plan.documents:  # no trouble without its midst
            seed = plan.seed + len(batches)
            batches.append(release_batch(client, plan.documents, seed, plan.level))
        newest = batches[-1]
        house.until_at_work(newest, *fleet.workers, after=house.published(newest) + 5)
        time.sleep(dice.uniform(0, 0.5))
        if kind == "kill":
            troubles.cut_power(house, fleet.workers[troubles.kills % 2])
        elif troubles.drains % BOTH == BOTH - 1:
            troubles.shut_down(house, *fleet.workers)
        else:
            troubles.shut_down(house, fleet.workers[troubles.drains % 2])
    control.unlink()
    until(
        "all batches are done",
        lambda: {house.state(batch) for batch in batches} == {"done"},
        seconds=900,
    )
    seconds = time.monotonic() - began
    told = judge_batches(fleet, client, batches, counter, troubles.lost, sample=50)
    assert troubles.published_by_the_other > 0
    assert house.deadlocks() == 0
    return {
        **told,
        "batches": len(batches),
        "kills": troubles.kills,
        "drains": troubles.drains,
        "published_by_the_other": troubles.published_by_the_other,
        "longest_rescue_s": round(troubles.longest_rescue_s, 1),
        "longest_drain_s": round(troubles.longest_drain_s, 1),
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"a program of the proof failed: {error}")
