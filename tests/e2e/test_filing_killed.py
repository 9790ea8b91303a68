"""`sohoa serve` files checked papers while its workers are killed; keys in SoftHSM."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.settings import load_settings
from dossier.audit.log import AuditLog
from dossier.queue.jobs import JobQueue
from dossier.stacks.values import PaperState
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.tables import agencies, records
from tests.filing_room import OWNER, Station, scan_of
from tests.fixtures_installation import run_sohoa
from tests.record_pages import PageSpec
from tests.running_service import RunningService

pytestmark = pytest.mark.no_cover  # killed processes take their counts along

PAPERS = 3
AGENCY = "H22.99"


@pytest.fixture
def service(own_installation: Path) -> Iterator[RunningService]:
    running = RunningService(own_installation).start()
    try:
        yield running
    finally:
        running.kill()


def kill(service: RunningService, part: str) -> None:
    for pid in service.pids_of(part):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_papers_are_filed_once_whoever_is_killed(service, tmp_path):
    settings = load_settings(service.data, {})
    database = Database(settings.database_url)
    audit = AuditLog(database)
    with database.begin() as connection:
        connection.execute(
            sa.insert(agencies).values(
                id=AGENCY, name="UBND xã Thử Nghiệm", policy={}, created_at=datetime.now(UTC)
            )
        )
    blobs = FolderBlobs(service.data / "blobs")
    station = Station(
        database, blobs, Holdings(database), JobQueue(database, audit), tmp_path, AGENCY
    )
    scan = scan_of(tmp_path, PageSpec(dpi=100, seal=True))
    typed = OWNER | {"word:1:18": "0124/QĐ-UBND"}
    wanted = [station.checked([scan, scan], typed) for _ in range(PAPERS)]
    chance = random.Random(11)
    until = time.monotonic() + 150
    kills = 0
    while True:
        found = [station.paper(paper_id) for paper_id in wanted]
        if all(paper.state is PaperState.FILED for paper in found):
            break
        assert time.monotonic() < until, [(p.state, p.error, p.hold) for p in found]
        if kills < 4:
            time.sleep(chance.uniform(0.3, 1.5))
            kill(service, "worker (ocr|seal)")
            kills += 1
        else:
            time.sleep(0.2)
    told = Counter(entry.event for entry in audit.entries(None, 0, 10_000))
    for event in ("paper.coded", "paper.drafted", "paper.marked", "paper.accepted"):
        assert told[event] == PAPERS, told
    with database.read() as connection:
        made = connection.execute(sa.select(sa.func.count()).select_from(records)).scalar_one()
    assert made == PAPERS
    codes = sorted(paper.digitization_code for paper in found)
    assert codes == [f"001190000001.KQ.01.{n}" for n in range(1, PAPERS + 1)]
    sealed = tmp_path / "sealed.pdf"
    sealed.write_bytes(blobs.get(found[0].sealed_sha256))
    done = run_sohoa("verify", sealed, "--json", "--data", service.data)
    assert done.code == 0, done.told
    report = json.loads(done.out)
    assert report["indication"] == "TOTAL-PASSED"
    assert len(report["signatures"]) == 2
    database.close()
