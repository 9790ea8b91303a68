"""Many writers on one PostgreSQL: python -m tests.lock_storm URL SECONDS SEED [THREADS]

One process of a storm; several run at once. Threads accept, publish, cancel, move batches, change
identities and webhooks through the service's own classes, with documents that are never signed:
what is tried here is who waits for whom. Prints JSON: operations, and errors of the database,
of which there should be none. `tests.proof_locks` looks at the rows afterwards.
"""

from __future__ import annotations

import collections
import json
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.batches.batches import Batches
from dossier.batches.order import Batch, BatchOrder, ListedItem, Policy
from dossier.batches.work import BatchWork
from dossier.clerical.order import Claim, Numbering, SequenceOrder, Step
from dossier.clerical.sequences import Sequences
from dossier.digitizing.digitizations import Digitizations
from dossier.digitizing.order import DigitizationOrder
from dossier.errors import AuditUnavailable, DossierError, LeaseLost, StoreError
from dossier.identity import AgencyPolicy, Identity, local_administrator
from dossier.model import AuditEvent, Caller, Role
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.publisher import Publisher, Ready
from dossier.signing.records import Publication, Records, SignatureOrder
from dossier.signing.workshop import WatchedKey
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.store import BlobInfo
from dossier.webhooks.delivery import WebhookSender
from dossier.webhooks.webhooks import Webhooks

AGENCIES = ("H01", "H02")
KEY, SEAL = "leader", "seal"
SOURCES = tuple(f"{n:064x}" for n in range(1, 40))
BOOKS = ("QĐ-A", "QĐ-B")
DAY = date(2026, 11, 23)
LEASE_S = 2.0
_PDF = "application/pdf"


def caller_of(agency: str, *roles: Role) -> Caller:
    """Somebody of the agency who may do nearly everything."""
    wanted = roles or (Role.CLERK, Role.LEADER, Role.OFFICER, Role.ADMIN, Role.SCANNER)
    return Caller(f"prn-{agency}", "Mẫu", agency, frozenset(wanted), frozenset({KEY, SEAL}), "req")


def found(database: Database) -> None:
    """What the storm stands on: agencies, and documents that they hold."""
    identity = Identity(database, AuditLog(database))
    house = local_administrator("storm")
    for agency in AGENCIES:
        policy = AgencyPolicy(keys=frozenset({KEY, SEAL}), open_batches=100_000)
        identity.agencies.add(house, agency, "Cơ quan mẫu", policy)
        with database.begin() as connection:
            items = [(BlobInfo(sha256, 1000), _PDF) for sha256 in SOURCES]
            Holdings(database).register_all(connection, agency, items)


_NO_KEY = cast(WatchedKey, SimpleNamespace(label=KEY, digests=[]))


class _UnsignedBatches(BatchWork):
    """Batches whose lists and sheets are not signed."""

    def _sign_list(self, job: Job, batch: Batch) -> None:
        self._begin(job, batch, _NO_KEY, {"key": KEY})

    def _finish(self, job: Job, batch: Batch) -> None:
        if batch.finished_at is not None:
            super()._finish(job, batch)
        else:
            whole = batch.failed == 0 and batch.handed == batch.total
            self._end(job, batch, _NO_KEY, BlobInfo(secrets.token_hex(32), 900), is_whole=whole)


class _DeafEnds(WebhookSender):
    """Deliveries that go nowhere: answered at random."""

    def _try(self, message: Any) -> dict[str, Any]:
        del message
        status = random.choice((200, 200, 500, 410))
        return {"at": datetime.now(UTC).isoformat(), "status": status, "error": None, "ms": 1}


class Storm:
    """One process's threads."""

    def __init__(self, url: str, seconds: float, seed: int, folder: Path) -> None:
        self.database = Database(url)
        self.seed, self.seconds = seed, seconds
        self.audit = AuditLog(self.database)
        self.jobs = JobQueue(self.database, self.audit)
        self.holdings = Holdings(self.database)
        blobs = SmallBlobs(self.database, FolderBlobs(folder / "blobs"))
        tools = (self.database, blobs, self.holdings, self.audit, self.jobs)
        self.identity = Identity(self.database, self.audit)
        self.records = Records(*tools, max_backlog=1_000_000)
        self.batches = Batches(
            self.database, self.audit, self.jobs, self.records, self.identity.policy
        )
        self.sequences = Sequences(
            self.database, self.holdings, self.audit, self.jobs, self.records, self.identity.policy
        )
        self.digitizations = Digitizations(*tools)
        self.webhooks = Webhooks(self.database, self.jobs, self.audit, private_networks=True)
        self.publisher = Publisher(self.database, self.jobs, self.records, self.holdings, (), blobs)
        desk = cast(Any, None)  # nothing is signed
        self.work: Mapping[str, Callable[[Job], None]] = {
            "signature": self._publish,
            "batch": _UnsignedBatches(*tools, self.records, desk, self.batches),
            "webhook": _DeafEnds(self.database, self.jobs, self.audit),
        }
        self.house = local_administrator("storm")
        self.counts: collections.Counter[str] = collections.Counter()
        self.errors: list[str] = []
        self.lock = threading.Lock()
        self.mine: dict[str, list[Any]] = collections.defaultdict(list)

    def run(self, threads: int) -> dict[str, Any]:
        """All threads until the time is over."""
        until = time.monotonic() + self.seconds
        each = [threading.Thread(target=self._thread, args=(n, until)) for n in range(threads)]
        for thread in each:
            thread.start()
        for thread in each:
            thread.join()
        self.database.close()
        return {"done": dict(self.counts), "errors": self.errors}

    def _thread(self, number: int, until: float) -> None:
        dice = random.Random(self.seed * 1000 + number)
        works = number % 3 == 0  # a third of them works off the queues
        while time.monotonic() < until:
            act = self._work_off if works else dice.choice(self._acts)
            try:
                act(self, dice) if not works else self._work_off(dice)
                self._count(act.__name__.strip("_"))
            except (StoreError, AuditUnavailable, sa.exc.SQLAlchemyError) as error:
                with self.lock:
                    self.errors.append(f"{act.__name__}: {error!r} from {error.__cause__!r}")
            except DossierError as error:
                self._count(f"{act.__name__.strip('_')}: {type(error).__name__}")

    def _count(self, name: str) -> None:
        with self.lock:
            self.counts[name] += 1

    def _some(self, kind: str, dice: random.Random) -> Any:
        with self.lock:
            if not self.mine[kind]:
                return None
            return dice.choice(self.mine[kind][-30:])

    # --- workers -------------------------------------------------------------------------

    def _work_off(self, dice: random.Random) -> None:
        worker = f"storm:{self.seed}:{secrets.token_hex(4)}"
        queue = dice.choice(("seal", "seal", "seal", "ocr", "house"))
        taken = self.jobs.claim(queue, worker, dice.randint(1, 12), LEASE_S)
        if not taken:
            time.sleep(0.002)
            return
        keeper = threading.Thread(target=self.jobs.keep, args=(worker, LEASE_S))
        keeper.start()
        dice.shuffle(taken)
        left = [job for job in taken if dice.random() < 0.1]
        each = [
            threading.Thread(target=self._handle, args=(job, dice.random()))
            for job in taken
            if job not in left
        ]
        for thread in each:
            thread.start()
        if dice.random() < 0.8:  # else they are forgotten, as by a worker that died
            self.jobs.give_back(left)
        for thread in (keeper, *each):
            thread.join()

    def _handle(self, job: Job, luck: float) -> None:
        try:
            with suppress(LeaseLost):
                if luck < 0.06:
                    with self.database.begin() as connection:
                        self.jobs.retry(connection, job, {"kind": "Storm", "message": "."}, 0.0)
                elif luck < 0.14 or job.kind not in self.work:
                    with self.database.begin() as connection:
                        self.jobs.fail(connection, job, {"kind": "Storm", "message": "."})
                else:
                    self.work[job.kind](job)
        except (StoreError, AuditUnavailable, sa.exc.SQLAlchemyError) as error:
            with self.lock:
                self.errors.append(f"{job.kind}: {error!r} from {error.__cause__!r}")
        except DossierError as error:
            self._count(f"{job.kind}: {type(error).__name__}")

    def _publish(self, job: Job) -> None:
        order = SignatureOrder.from_json(job.payload["order"])
        digest = secrets.token_hex(32)
        place = job.payload.get("batch")
        made = Publication(
            record_id=job.subject,
            agency_id=job.agency_id or "",
            supersedes=order.supersedes,
            result_sha256=digest,
            report_sha256=digest,
            evidence_sha256=digest,
            result_bytes=1000,
            level=order.level.value,
            published_at=datetime.now(UTC),
            renew_at=None,
            actor=f"worker:{job.worker}",
            details={"attempt": job.attempt, "result_sha256": digest},
            batch=(str(place[0]), int(place[1])) if place else None,
            held=bool(job.payload.get("held")),
        )
        papers = (f"paper {random.randint(1, 40)}".encode(), digest.encode())
        with self.publisher.making():
            self.publisher.publish(Ready(job, made, BlobInfo(digest, 1000), papers))

    # --- clients -------------------------------------------------------------------------

    def _accept(self, dice: random.Random) -> None:
        numbered: dict[str, Any] = dice.choice(
            (
                {"from_book": True},
                {"from_book": True},
                {"number": dice.randint(1, 400)},
                {},
            )
        )
        shared = dice.random() < 0.3  # the same key from several processes
        key = (
            f"shared-{int(time.time() * 5)}-{dice.randint(1, 3)}"
            if shared
            else secrets.token_hex(8)
        )
        if shared:
            numbered = {"from_book": True}
        symbol = {"symbol": BOOKS[0] if shared else dice.choice(BOOKS), "decided_on": DAY}
        order = SignatureOrder(key=KEY, **(symbol if numbered else {}), **numbered)
        agency = dice.choice(AGENCIES)
        uploaded = BlobInfo(f"{dice.randint(1, 60):064x}", 1000)
        record, created = self.records.accept(
            caller_of(agency),
            order,
            SOURCES[0] if shared else uploaded.sha256,
            idempotency_key=key,
            request_sha256="0" * 64,
            uploaded=None if shared else uploaded,
        )
        if created:
            self._made("records", (agency, record.id))

    def _supersede(self, dice: random.Random) -> None:
        agency = dice.choice(AGENCIES)
        for old in self.records.list(caller_of(agency), limit=5):
            if old.state == "published" and old.number and not old.superseded_by:
                order = SignatureOrder(
                    key=KEY, number=old.number, symbol=old.symbol, decided_on=DAY, supersedes=old.id
                )
                self.records.accept(
                    caller_of(agency),
                    order,
                    SOURCES[1],
                    idempotency_key=None,
                    request_sha256="0" * 64,
                )
                return

    def _cancel(self, dice: random.Random) -> None:
        if (some := self._some("records", dice)) is not None:
            self.records.cancel(caller_of(some[0]), some[1])

    def _batch(self, dice: random.Random) -> None:
        agency, book = dice.choice(AGENCIES), dice.choice(BOOKS)
        numbered = {"from_book": True, "symbol": book, "decided_on": DAY}
        order = BatchOrder(
            SignatureOrder(key=KEY, **(numbered if dice.random() < 0.8 else {})),
            Policy.EACH if dice.random() < 0.7 else Policy.ALL,
            "storm",
        )
        items = [ListedItem(dice.choice(SOURCES)) for _ in range(dice.randint(1, 150))]
        caller = caller_of(agency)
        claim = Claim(secrets.token_hex(8), "0" * 64)
        batch, _ = self.batches.create(caller, order, items, secrets.token_hex(32), claim)
        self._made("batches", (agency, batch.id))
        self.batches.approve(caller, batch.id)
        self.batches.release(caller, batch.id)

    def _move_batch(self, dice: random.Random) -> None:
        if (some := self._some("batches", dice)) is None:
            return
        move = dice.choice((self.batches.pause, self.batches.resume, self.batches.resume))
        if dice.random() < 0.1:
            move = self.batches.cancel
        move(caller_of(some[0]), some[1])

    def _sequence(self, dice: random.Random) -> None:
        agency = dice.choice(AGENCIES)
        order = SequenceOrder(leader_key=KEY, agency_key=SEAL, symbol=dice.choice(BOOKS))
        claim = Claim(secrets.token_hex(8), "0" * 64)
        caller = caller_of(agency)
        made, _ = self.sequences.create(caller, order, dice.choice(SOURCES), claim)
        claim = Claim(secrets.token_hex(8), "1" * 64)
        self.sequences.step(caller, made.id, Step.LEADER, claim)
        self._made("sequences", (agency, made.id))

    def _cancel_sequence(self, dice: random.Random) -> None:
        if (some := self._some("sequences", dice)) is not None:
            self.sequences.cancel(caller_of(some[0]), some[1])

    def _number_sequence(self, dice: random.Random) -> None:
        if (some := self._some("sequences", dice)) is not None:
            claim = Claim(secrets.token_hex(8), "2" * 64)
            self.sequences.step(
                caller_of(some[0]), some[1], Step.NUMBER, claim, numbering=Numbering(DAY)
            )

    def _digitize(self, dice: random.Random) -> None:
        agency = dice.choice(AGENCIES)
        order = DigitizationOrder((dice.choice(SOURCES),), "Đơn", "HS", "01", "tram", "Mẫu")
        made, _ = self.digitizations.accept(caller_of(agency), order, secrets.token_hex(8))
        self._made("digitizations", (agency, made.id))

    def _cancel_digitization(self, dice: random.Random) -> None:
        if (some := self._some("digitizations", dice)) is not None:
            self.digitizations.cancel(caller_of(some[0]), some[1])

    def _upload(self, dice: random.Random) -> None:
        agency = dice.choice(AGENCIES)
        items = [(BlobInfo(f"{dice.randint(1, 80):064x}", 1000), _PDF) for _ in range(5)]
        self.database.together(lambda c: self.holdings.register_all(c, agency, items))

    def _refuse(self, dice: random.Random) -> None:
        self.audit.write(AuditEvent("access.refused", "nobody", dice.choice(AGENCIES), "storm"))

    def _people(self, dice: random.Random) -> None:
        agency = self.identity.agencies.get(self.house, dice.choice(AGENCIES))
        self.identity.agencies.change(
            self.house, agency.id, version=agency.version, name=f"Cơ quan mẫu {dice.random():.6f}"
        )
        self._count("renamed " + agency.id)

    def _keys(self, dice: random.Random) -> None:
        some = self.identity.principals.add(
            self.house,
            dice.choice(AGENCIES),
            kind="client",
            name="mẫu",
            roles=["clerk"],
            keys=[KEY],
        )
        issued = self.identity.api_keys.issue(self.house, some.id)
        self.identity.api_keys.rotate(self.house, issued.key.id, overlap=timedelta(minutes=1))
        self.identity.api_keys.revoke(self.house, issued.key.id)

    def _webhook(self, dice: random.Random) -> None:
        agency = dice.choice(AGENCIES)
        made, _ = self.webhooks.create(caller_of(agency), "http://127.0.0.1:9/", ["*"])
        self._made("webhooks", (agency, made.id))

    def _change_webhook(self, dice: random.Random) -> None:
        if (some := self._some("webhooks", dice)) is None:
            return
        caller, now = caller_of(some[0]), self.webhooks.get(caller_of(some[0]), some[1])
        luck = dice.random()
        if luck < 0.4:
            self.webhooks.delete(caller, now.id, now.version)
        elif luck < 0.7:
            self.webhooks.update(caller, now.id, now.version, enabled=True)
        else:
            for delivery in self.webhooks.deliveries(caller, now.id, limit=3):
                self.webhooks.redeliver(caller, now.id, delivery.id)

    def _sweep(self, dice: random.Random) -> None:
        del dice
        self.jobs.sweep(timedelta(seconds=1), 200)
        self.webhooks.sweep(timedelta(seconds=1), 200)

    def _made(self, kind: str, what: Any) -> None:
        with self.lock:
            self.mine[kind].append(what)

    _acts = (
        _accept, _accept, _accept, _accept, _supersede, _cancel, _cancel, _batch, _move_batch,
        _move_batch, _move_batch, _sequence, _cancel_sequence, _number_sequence, _digitize,
        _cancel_digitization, _upload, _refuse, _people, _keys, _webhook, _change_webhook,
        _change_webhook, _sweep,
    )  # fmt: skip


def main() -> None:
    url, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 16
    with TemporaryDirectory(prefix="sohoa-locks-") as folder:
        json.dump(Storm(url, seconds, seed, Path(folder)).run(threads), sys.stdout)


if __name__ == "__main__":
    main()
