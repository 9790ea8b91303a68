"""Clerical sequences and batches without their door: the signing room with people in it.

def test_x(clerical_room):                         # runs on SQLite and on PostgreSQL
    sequence = clerical_room.begin()
    clerical_room.do(clerical_room.leader, sequence.id, Step.LEADER)
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dossier.batches.batches import Batches
from dossier.batches.order import Batch, BatchOrder, Policy, checked_items
from dossier.batches.work import BatchWork
from dossier.clerical.order import Claim, ClericalSequence, Numbering, SequenceOrder, Step
from dossier.clerical.sequences import Sequences
from dossier.clerical.work import SequenceWork
from dossier.identity.values import AgencyPolicy
from dossier.model import Caller, Role
from dossier.queue.worker import Worker
from dossier.signing.order import SignatureOrder
from dossier.signing.sealing import common_name
from dossier.signing.work import Desk
from dossier.storage.database import Database
from signer.sealing.levels import Level
from tests.clerical import decision
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signing import AGENCY, KEYS, SigningRoom, caller_of

DAY = dt.date(2026, 2, 5)
SYMBOL = "QĐ-UBND"


def person(name: str, *roles: Role, keys: frozenset[str] = KEYS) -> Caller:
    """Somebody of the agency."""
    return replace(caller_of(AGENCY, *roles, keys=keys), principal_id=f"prn-{name}", name=name)


class ClericalRoom(SigningRoom):
    """The signing room, its people, and a policy that a test may change."""

    def __init__(self, database: Database, folder: Path, pki: RunningPKI) -> None:
        super().__init__(database, folder, pki)
        self.policy = AgencyPolicy(keys=KEYS)
        self.leader = person("leader", Role.LEADER, keys=frozenset({"leader"}))
        self.clerk = person("clerk", Role.CLERK, keys=frozenset({"seal"}))
        self.sealer = person("sealer", Role.CLERK, keys=frozenset({"seal"}))
        self.officer = person("officer", Role.OFFICER)
        self.sequences = Sequences(
            database, self.holdings, self.audit, self.jobs, self.records, lambda agency: self.policy
        )
        self.batches = Batches(
            database, self.audit, self.jobs, self.records, lambda agency: self.policy
        )
        self.draft = self.put(decision(signer=self.signer_name()))

    def signer_name(self) -> str:
        """The name in the leader's certificate, which the document is typed with."""
        return common_name(self.keys["leader"]).partition(" – ")[0]

    def handlers(self, desk: Desk | None = None, **options: Any) -> dict[str, Callable[..., None]]:
        """Everything that a seal worker handles."""
        return handlers_of(self, self.batches, desk, **options)

    def run_all(
        self, desk: Desk | None = None, *, within_s: float = 60, threads: int = 4, **options: Any
    ) -> Worker:
        """Run a worker until nothing waits; asserts that this happens."""
        with self.working(desk, threads=threads, **options) as worker:
            until = time.monotonic() + within_s
            while self.jobs.waiting("seal"):
                assert time.monotonic() < until, worker.health()
                time.sleep(0.02)
        return worker

    def working(self, desk: Desk | None = None, *, threads: int = 4, **options: Any) -> Working:
        """A worker that runs for as long as the context lasts."""
        return Working(Worker(self.jobs, "seal", self.handlers(desk, **options), threads=threads))

    # sequences

    def begin(self, source: str | None = None, **entries: Any) -> ClericalSequence:
        """A new sequence for the draft."""
        order = SequenceOrder(
            **{
                "leader_key": "leader",
                "agency_key": "seal",
                "symbol": SYMBOL,
                "level": Level.B_LTA,
                **entries,
            }
        )
        made, created = self.sequences.create(
            self.officer, order, source or self.draft, Claim(None, "0" * 64)
        )
        assert created
        return made

    def ask(
        self, caller: Caller, sequence_id: str, step: Step, *, number: int | None = None,
        day: dt.date = DAY, key: str | None = None, version: int | None = None,
    ) -> ClericalSequence:  # fmt: skip
        """Ask for a step; it waits in the queue."""
        numbering = Numbering(day, number) if Step.NUMBER in step.parts else None
        claim = Claim(key, "1" * 64)
        return self.sequences.step(
            caller, sequence_id, step, claim, numbering=numbering, version=version
        )[0]

    def do(self, caller: Caller, sequence_id: str, step: Step, **options: Any) -> ClericalSequence:
        """Ask for a step and have it done."""
        self.ask(caller, sequence_id, step, **options)
        self.run_all(threads=1)
        return self.sequence(sequence_id)

    def sequence(self, sequence_id: str) -> ClericalSequence:
        """As it is now."""
        return self.sequences.get(self.officer, sequence_id)

    # batches

    def list_of(self, count: int, *, policy: str = "each", **entries: Any) -> Batch:
        """A frozen list of `count` times the test document."""
        order = BatchOrder(SignatureOrder(**{"key": "seal", **entries}), Policy(policy))
        return self.freeze(
            order, [{"source_sha256": self.source, "reference": f"hs-{n}"} for n in range(count)]
        )

    def freeze(self, order: BatchOrder, entries: list[Any], caller: Caller | None = None) -> Batch:
        """A frozen list of these entries."""
        items, digest = checked_items(order, entries, self.policy.batch_documents)
        made, created = self.batches.create(
            caller or self.officer, order, items, digest, Claim(None, "2" * 64)
        )
        assert created
        return made

    def batch(self, batch_id: str) -> Batch:
        """As it is now."""
        return self.batches.get(self.officer, batch_id)


def handlers_of(
    room: SigningRoom, batches: Batches, desk: Desk | None = None, **options: Any
) -> dict[str, Callable[..., None]]:
    """Everything that a seal worker handles."""
    desk = desk or room.desk()
    parts = (
        room.database, room.blobs, room.holdings, room.audit, room.jobs, room.records, desk,
    )  # fmt: skip
    return {
        "signature": room.work(desk=desk, **options),
        "sequence-step": SequenceWork(*parts, **options),
        "batch": BatchWork(*parts, batches, **options),
    }


class Working:
    """A worker in a thread, drained when the context is left."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=worker.run, args=(self._stop,))

    def __enter__(self) -> Worker:
        self._thread.start()
        return self._worker

    def __exit__(self, *problem: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def clerical_room(database: Database, tmp_path: Path, test_pki: RunningPKI) -> ClericalRoom:
    """The room with an empty database, once of each kind."""
    return ClericalRoom(database, tmp_path, test_pki)


@pytest.fixture
def sqlite_office(
    sqlite_url: str, open_database: Callable[[str], Database], tmp_path: Path, test_pki: RunningPKI
) -> ClericalRoom:
    """The room on SQLite alone, for what the database does not matter to."""
    return ClericalRoom(open_database(sqlite_url), tmp_path, test_pki)
