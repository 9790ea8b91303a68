"""Batches on a fleet of machines (`tests.machines`): made, watched, judged."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import psycopg

from dossier.audit.explain import Reason
from sohoa.client import Client
from tests.machines import DRAIN_S, Fleet, Machine
from tests.storm import decision
from tests.storm_judge import account_of

_BOOK: dict[str, Any] = {"symbol": "QĐ-UBND", "from_book": True, "decided_on": "2026-11-23"}


class House:
    """The machines and their common database, seen (and troubled) from beside the service."""

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
        """How many jobs are in the hands of this machine's processes."""
        return len(self.in_hands(machine.pids))

    def in_hands(self, pids: Sequence[int]) -> frozenset[str]:
        """What the processes are at: the subjects of their jobs, on every queue."""
        rows = self.ask("SELECT worker, subject FROM jobs WHERE state = 'running'")
        wanted = {str(pid) for pid in pids}
        return frozenset(subject for worker, subject in rows if worker.split(":")[1] in wanted)

    def unpublished(self, records: Collection[str]) -> int:
        """How many of these (batches among them do not count) are not published yet."""
        ((count,),) = self.ask(
            "SELECT count(*) FROM records WHERE id = ANY(%s) AND published_at IS NULL",
            list(records),
        )
        return int(count)

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

    def until_at_work(self, batch: str, *machines: Machine, after: int = 0) -> None:
        """Wait until more than `after` documents are published, and the machines hold others."""
        until(
            "all at work",
            lambda: self.published(batch) > after and all(self.held(one) for one in machines),
        )

    def kill(self, machine: Machine) -> frozenset[str]:
        """kill -9 for the machine; the subjects of the jobs that it had in hand."""
        pids = machine.pids
        machine.kill()
        assert not machine.is_running
        # a COMMIT that was on its way arrives; nobody takes the jobs before their lease is over
        time.sleep(0.1)
        return self.in_hands(pids)

    def drain(self, *machines: Machine) -> float:
        """SIGTERM for the machines at once; seconds until all had ended, with nothing in hand."""
        pids = [pid for machine in machines for pid in machine.pids]
        with ThreadPoolExecutor(len(machines)) as pool:
            seconds: float = max(pool.map(lambda machine: machine.stop(), machines))
        assert seconds < DRAIN_S, seconds
        assert not self.in_hands(pids), "neither finished nor given back"
        return seconds


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
    fleet: Fleet,
    client: Client,
    batches: Sequence[str],
    counter: Path,
    lost: Collection[str],
    *,
    sample: int = 10,
) -> dict[str, Any]:
    """Each document published once, each number once without a gap, each key use explained.

    Only what a killed machine had in hand (`lost`) was done again; a drain leaves nothing to
    repeat.
    """
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
    own = records.union(batches)
    uses = [use for use in explanation.uses if use.subject in own]
    assert not [use for use in uses if use.reason is Reason.UNDER_WAY]
    each = collections.Counter((use.subject, use.purpose) for use in uses)
    assert records <= {subject for subject, _ in each}
    repeated = {subject for (subject, _), count in each.items() if count > 1}
    assert repeated <= set(lost), "signed again, though nobody died over it"
    retaken = _retaken(fleet)
    assert retaken <= set(lost), "taken again, though nobody died over it"
    return {
        "documents": len(items),
        "c_sign_calls": audit["calls"],
        "intents": audit["intents"],
        "held_when_killed": len(lost),
        "retaken": len(retaken),
        "signed_again": len(repeated),
        "reasons": explanation.counts(),
    }


def _retaken(fleet: Fleet) -> set[str]:
    with House(fleet) as house:
        rows = house.ask(
            "SELECT subject FROM audit_entries WHERE entry LIKE %s OR entry LIKE %s",
            '%"event":"signature.retaken"%', '%"event":"job.retaken"%',
        )  # fmt: skip
    return {subject for (subject,) in rows}
