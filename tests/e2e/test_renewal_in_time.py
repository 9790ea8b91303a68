"""Archive timestamps are renewed on schedule, before they end: a service, and years that pass.

The service signs today; then every process is started again with a clock that is moved on to
the day of the renewal. Nobody asks for it: the hourly sweep of the `house` worker orders it, a
seal worker does it.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.fixtures_installation import run_sohoa
from tests.running_service import ROOT, RunningService
from tests.storm import decision, download, submit

MARGIN = dt.timedelta(days=90)
SOURCE = ROOT / "tests" / "clock_shift" / "shift.c"


@dataclass
class Years:
    """The service at another time. `shift` is what its clock is ahead of ours."""

    service: RunningService
    module: Path
    auditor: str
    shift: dt.timedelta = dt.timedelta()

    def move(self, to: dt.datetime) -> None:
        """Stop everything and start it again at `to`."""
        assert self.service.stop() == 0
        self.shift = to - dt.datetime.now(dt.UTC)
        self.service.environ |= self.environ
        self.service.start()

    @property
    def environ(self) -> dict[str, str]:
        """For a process that lives at that time."""
        seconds = str(round(self.shift.total_seconds()))
        return {"LD_PRELOAD": str(self.module), "CLOCK_SHIFT_S": seconds}

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.shift

    def record(self, record_id: str) -> dict[str, Any]:
        answer = self.service.ask("GET", f"/v1/signatures/{record_id}")
        assert answer.status == 200, answer
        return dict(answer.json)

    def verified(self, path: Path) -> dict[str, Any]:
        """What the command line says at that time, with the embedded roots."""
        done = run_sohoa("verify", path, "--json", "--data", self.service.data, **self.environ)
        assert done.out, done.told
        return dict(done.json)


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Years]:
    folder = tmp_path_factory.mktemp("years")
    options = ["-Wall", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run(["gcc", *options, "-o", folder / "shift.so", SOURCE, "-ldl"], check=True)
    with RunningService(folder / "data") as service:
        signer = service.new_client()
        auditor = service.new_client(roles=("auditor",), keys=())
        service.secret = signer
        yield Years(service, folder / "shift.so", auditor)


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def test_a_record_is_renewed_before_its_timestamp_ends(years: Years, tmp_path: Path) -> None:
    service = years.service
    published = submit(service, "kept-long", decision(1), wait=50)
    assert published.status == 201, published
    record = published.json
    before = download(service, record)
    tsa = x509.load_pem_x509_certificate((service.data / "pki" / "tsa.pem").read_bytes())
    due, end = moment(record["renew_at"]), tsa.not_valid_after_utc
    assert abs(due - (end - MARGIN)) < dt.timedelta(seconds=1)

    years.move(due + dt.timedelta(hours=1))
    deadline = time.monotonic() + 60
    while years.record(record["id"])["result_sha256"] == record["result_sha256"]:
        assert time.monotonic() < deadline, service.told()[-3000:]
        time.sleep(0.1)
    assert years.now < end, "in time"
    renewed = years.record(record["id"])
    after = download(service, renewed)
    assert after.startswith(before)  # what was signed is there, byte for byte
    assert renewed["version"] == record["version"] + 1
    assert moment(renewed["renew_at"]) > due

    (tmp_path / "renewed.pdf").write_bytes(after)
    told = years.verified(tmp_path / "renewed.pdf")
    assert told["indication"] == "TOTAL-PASSED"
    stamps = sorted(stamp["time"] for stamp in told["document_timestamps"])
    assert len(stamps) == 2
    assert moment(stamps[1]) - moment(stamps[0]) > dt.timedelta(days=900)
    log = service.ask("GET", "/v1/audit", query={"limit": "200"}, authorised=years.auditor).json
    [event] = [e for e in log["items"] if e["event"] == "signature.renewed"]
    assert event["subject"] == record["id"]
    assert event["details"]["before_sha256"] == record["result_sha256"]
    assert event["details"]["result_sha256"] == renewed["result_sha256"]
