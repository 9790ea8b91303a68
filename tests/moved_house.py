"""An installation that is backed up while it signs, and brought back in another place.

with moved(kind, folder) as house:      # kind: sqlite, or postgresql with S3
    house.told                          # what backup and restore said
    house.service                       # at the new place, not started yet
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.fixtures_installation import run_sohoa
from tests.fixtures_s3 import S3Server, s3_program
from tests.running_service import RunningService
from tests.storm import decision, download, submit

CLIENTS = 3
KEPT_APART = ("sohoa.toml", "pki", "token", "token-pin", "authority-pin")
"""What no backup holds: settings, the token, its PIN. Whoever restores brings them along."""

Record = dict[str, Any]


@dataclass
class MovedHouse:
    """Both places. Records by Idempotency-Key, as the old place showed them at its end."""

    service: RunningService
    file: Path
    backup: dict[str, Any]
    told: dict[str, Any]
    records: dict[str, Record] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    before: frozenset[str] = frozenset()  # published before the backup was begun
    after: frozenset[str] = frozenset()  # asked for when it was done

    @property
    def environ(self) -> dict[str, str]:
        """For commands at the new place."""
        return self.service.environ


class _Clients:
    """Case-handling systems that sign one decision after the other."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.records: dict[str, Record] = {}
        self._lock = threading.Lock()
        self._last = 0
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._sign) for _ in range(CLIENTS)]

    def __enter__(self) -> _Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
        assert not self._failed, self._failed

    def published(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self.records)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 120
        while len(self.published()) < count:
            assert not self._failed, self._failed
            assert time.monotonic() < deadline, self.service.told()[-3000:]
            time.sleep(0.02)

    def _sign(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    self._last += 1
                    number = self._last
                record = signed(self.service, number)
                with self._lock:
                    self.records[key_of(number)] = record
        except BaseException as error:  # noqa: BLE001 - shown when the context ends
            self._failed.append(error)


def key_of(number: int) -> str:
    """The Idempotency-Key of a decision."""
    return f"decision-{number}"


def signed(service: RunningService, number: int) -> Record:
    """The published record of a decision, asked for until it is there."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        answer = submit(service, key_of(number), decision(number), wait=20)
        if answer.status in (200, 201):
            record: Record = answer.json
            return record
        assert answer.status in (202, 429, 503), answer
        time.sleep(0.1)
    raise AssertionError(f"not published: {service.told()[-3000:]}")


@contextmanager
def moved(kind: str, folder: Path) -> Iterator[MovedHouse]:
    """Sign, back up meanwhile, sign on, stop; restore at a new place of the same kind."""
    haste = {"SOHOA_AUDIT__EVERY_S": "2"}
    with _places(kind) as (old, new):
        data, file = folder / "old", folder / "backup.tar"
        with RunningService(data, {**old, **haste}) as service:
            service.secret = service.new_client()
            with _Clients(service) as clients:
                clients.wait_for(8)
                before = clients.published()
                done = run_sohoa("backup", file, "--data", data, "--json", **service.environ)
                assert done.code == 0, done.told
                known = clients.published()
                clients.wait_for(len(known) + CLIENTS + 4)
            records = clients.records
            results = {key: download(service, record) for key, record in records.items()}
            assert service.stop() == 0
        target = folder / "new"
        bring_along(data, target)
        restored = run_sohoa("restore", file, "--data", target, "--json", **new)
        assert restored.code == 0, restored.told
        moved_service = RunningService(target, {**new, **haste}, secret=service.secret)
        house = MovedHouse(moved_service, file, done.json, restored.json, records, results, before)
        house.after = records.keys() - known
        try:
            yield house
        finally:
            if moved_service.process is not None and moved_service.process.poll() is None:
                moved_service.stop()
            moved_service.hang_up()


def bring_along(old: Path, new: Path) -> None:
    """Copy what is kept apart from backups, and tell the soft token where it is now."""
    new.mkdir(mode=0o700)
    for name in KEPT_APART:
        copy = shutil.copytree if (old / name).is_dir() else shutil.copy2
        copy(old / name, new / name)
    configuration = new / "token" / "softhsm2.conf"
    text = configuration.read_text("utf-8").replace(str(old), str(new))
    configuration.write_text(text, "utf-8")


@contextmanager
def _places(kind: str) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Settings of the old and of the new place."""
    if kind == "sqlite":
        yield {}, {}
        return
    cluster = PostgresCluster(postgres_programs())
    server = S3Server(s3_program())
    try:
        old, new = (
            {
                "SOHOA_DATABASE__URL": cluster.url(cluster.new_database()),
                "SOHOA_BLOBS__URL": server.new_url(),
                "SOHOA_BLOBS__ENDPOINT": server.endpoint,
                "SOHOA_BLOBS__CREDENTIALS_FILE": str(server.credentials_file),
            }
            for _ in range(2)
        )
        yield old, new
    finally:
        server.close()
        cluster.close()
