"""The kill storm at full count: python -m tests.proof_kill_storm [--decisions 500] [--kills 50]

Signs decisions at B-LTA through HTTP while all processes are killed (-9) at random moments, on
SQLite with a folder and on PostgreSQL with S3; then a flood of duplicates. Prints what it saw as
JSON; ends with an error when anything was lost, doubled or unexplained.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hsm import softhsm
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.fixtures_fault_module import compile_module
from tests.fixtures_s3 import S3Server, s3_program
from tests.running_service import RunningService
from tests.storm import decision, run_storm, submit
from tests.storm_judge import account, judge


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--duplicates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    wanted = parser.parse_args()
    kinds = ("sqlite", "postgresql") if wanted.on == "both" else (wanted.on,)
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="sohoa-storm-") as folder:
            told = prove(
                kind, Path(folder), wanted.decisions, wanted.kills, wanted.duplicates, wanted.seed
            )
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return 0


def prove(
    kind: str, folder: Path, decisions: int, kills: int, duplicates: int, seed: int
) -> dict[str, Any]:
    """One storm on one kind of database and blob store."""
    counter = folder / "c-sign"
    with stores(kind, folder) as environ:
        service = RunningService(
            folder / "data", {**environ, **counting(folder, counter), **_HASTE}
        )
        try:
            service.start()
            service.secret = service.new_client()
            result = run_storm(service, decisions=decisions, kills=kills, seed=seed)
            told = judge(service, result, counter, decisions=decisions, seed=seed)
            told["duplicates"] = flood(service, counter, duplicates, seed)
            service.stop()
        finally:
            if service.process is not None and service.process.poll() is None:
                service.kill()
    return {"on": kind, "seed": seed, **told}


_HASTE = {"SOHOA_AUDIT__EVERY_S": "5"}


def flood(service: RunningService, counter: Path, duplicates: int, seed: int) -> dict[str, int]:
    """One decision sent many times at once: one signature."""
    before = account(service, counter)
    body = decision(0, seed)
    with ThreadPoolExecutor(32) as pool:
        answers = list(
            pool.map(lambda _: _insist(service, f"flood-{seed}", body), range(duplicates))
        )
    after = account(service, counter)
    ids = {answer["id"] for answer in answers}
    results = {answer["result_sha256"] for answer in answers}
    assert len(ids) == len(results) == 1, (ids, results)
    assert None not in results
    uses = [use for use in after["explanation"].uses if use.subject in ids]
    assert len(uses) == 1, uses
    return {
        "sent": duplicates,
        "records": len(ids),
        "signatures": len(uses),
        "other_c_sign_meanwhile": after["calls"] - before["calls"] - 1,
    }


def _insist(service: RunningService, key: str, body: bytes) -> dict[str, Any]:
    while True:
        answer = submit(service, key, body, wait=20)
        if answer.status in (429, 503):
            time.sleep(0.2)
        elif answer.status == 202:
            continue
        else:
            assert answer.status in (200, 201), answer
            found: dict[str, Any] = answer.json
            return found


def counting(folder: Path, counter: Path) -> dict[str, str]:
    """Settings that put the counting PKCS#11 module before the token."""
    module = compile_module(folder / "fault.so")
    return {
        "FAULT_PKCS11_REAL": str(softhsm.module_path()),
        "FAULT_PKCS11_CONTROL": str(folder / "fault-control"),
        "FAULT_PKCS11_COUNT": str(counter),
        "SOHOA_TOKEN__MODULE": str(module),
    }


@contextlib.contextmanager
def stores(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """Settings of the database and the blob store, both started where they are servers."""
    if kind == "sqlite":
        yield {}
        return
    del folder
    cluster = PostgresCluster(postgres_programs())
    server = S3Server(s3_program())
    try:
        yield {
            "SOHOA_DATABASE__URL": cluster.url(cluster.new_database()),
            "SOHOA_BLOBS__URL": server.new_url(),
            "SOHOA_BLOBS__ENDPOINT": server.endpoint,
            "SOHOA_BLOBS__CREDENTIALS_FILE": str(server.credentials_file),
        }
    finally:
        server.close()
        cluster.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"a program of the proof failed: {error}")
