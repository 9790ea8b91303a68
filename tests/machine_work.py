"""Batches on a fleet of machines (`tests.machines`): made, watched, judged."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import psycopg

from sohoa.client import Client
from tests.machines import Fleet, Machine
from tests.storm import decision
from tests.storm_judge import account_of

_BOOK = {"symbol": "QĐ-UBND", "from_book": True, "decided_on": "2026-11-23"}


class House:
    """Looks into the fleet's database, beside the service."""

    def __init__(self, fleet: Fleet) -> None:
        self._url = fleet.database_url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True)
        return self._connection.execute(statement.encode(), values).fetchall()

    def state(self, batch: str) -> str:
        """Where a batch is."""
        ((state,),) = self.ask("SELECT state FROM batches WHERE id = %s", batch)
        return str(state)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def held(self, machine: Machine) -> int:
        """How many jobs of the seal queue are in the hands of this machine's processes."""
        rows = self.ask("SELECT worker FROM jobs WHERE state = 'running' AND queue = 'seal'")
        pids = {str(pid) for pid in machine.pids}
        return sum(worker.split(":")[1] in pids for (worker,) in rows)

    def held_at_all(self) -> int:
        """Jobs of the seal queue in anybody's hands."""
        rows = self.ask("SELECT 1 FROM jobs WHERE state = 'running' AND queue = 'seal'")
        return len(rows)

    def published(self, batch: str) -> int:
        """How far a batch is."""
        ((count,),) = self.ask("SELECT published FROM batches WHERE id = %s", batch)
        return int(count)

    def deadlocks(self) -> int:
        """How many deadlocks the server has broken in this database."""
        ((count,),) = self.ask(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(count)


def release_batch(client: Client, documents: int, seed: int, level: str = "B-T") -> str:
    """Upload documents, list, approve and release them; the batch's id."""
    with ThreadPoolExecutor(8) as pool:
        blobs = list(pool.map(lambda n: client.upload(decision(n, seed)), range(documents)))
    listed = [(blob, f"HS-{seed}-{n}") for n, blob in enumerate(blobs)]
    batch = client.batches.create(listed, key="test-leader", level=level, title="Lô", **_BOOK)
    batch = client.batches.approve(batch)
    client.batches.release(batch)
    return batch.id


def until(what: str, is_so: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def judge_batches(
    fleet: Fleet, client: Client, batches: Sequence[str], counter: Path, *, sample: int = 10
) -> dict[str, Any]:
    """Each document published once, each number once without a gap, each key use explained."""
    items: list[dict[str, Any]] = []
    for batch_id in batches:
        batch = client.batches.get(batch_id)
        assert batch.state == "done", batch
        of_batch = [dict(item) for item in client.batches.items(batch)]
        assert len(of_batch) == batch["total"] == batch["published"], batch
        assert client.batches.sheet(batch).startswith(b"%PDF")
        items += of_batch
    assert {item["state"] for item in items} == {"published"}
    assert sorted(item["number"] for item in items) == list(range(1, len(items) + 1))
    records = {item["record_id"] for item in items}
    assert len(records) == len(items)
    assert len({item["result_sha256"] for item in items}) == len(items)
    for item in items[:: max(len(items) // sample, 1)]:
        signed = client.read(client.record(item["record_id"]))
        assert client.verify(signed).has_passed or client.verify(signed).sub_indication == (
            "TRY_LATER"  # B-T holds no revocation evidence
        )
    audit = account_of(fleet.database_url, fleet.key_chain, counter)
    explanation = audit["explanation"]
    assert not explanation.findings, explanation.findings
    uses = collections.Counter(use.subject for use in explanation.uses if use.subject in records)
    assert uses.keys() == records
    return {
        "documents": len(items),
        "c_sign_calls": audit["calls"],
        "intents": audit["intents"],
        "signed_more_than_once": sum(count > 1 for count in uses.values()),
        "reasons": explanation.counts(),
        "uses": uses,
    }
