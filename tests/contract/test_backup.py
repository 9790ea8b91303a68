"""Backup and restore between SQLite and PostgreSQL: whole, proved, or not at all."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from dossier.audit.export import export
from dossier.audit.log import AuditLog
from dossier.audit.recompute import recompute
from dossier.audit.verify import verify_export
from dossier.backup import Installation, back_up, restore
from dossier.backup.make import NAMED_BLOBS
from dossier.model import AuditEvent
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.tables import metadata
from tests.fixtures_backup import empty_installation, is_empty, rows


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path, open_database) -> Installation:
    """An empty installation on either database."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres_url")
    return empty_installation(tmp_path / "target", open_database, url)


def test_everything_comes_back_on_either_database(backup_source, target, backup_file, test_pki):
    told = []
    summary = restore(backup_file, target, lambda *step: told.append(step))
    assert rows(target.house) == rows(backup_source.house)
    assert {b.sha256 for b in target.blobs.all()} == {b.sha256 for b in backup_source.blobs.all()}
    for info in backup_source.blobs.all():
        assert target.blobs.get(info.sha256) == backup_source.blobs.get(info.sha256)
    assert target.policy.read_bytes() == backup_source.policy.read_bytes()
    theirs, ours = Database(f"sqlite:///{backup_source.keys}"), Database(f"sqlite:///{target.keys}")
    assert rows(theirs) == rows(ours)
    theirs.close()
    assert summary.chains.keys() == {"service", "keys"}
    assert summary.blobs == 9
    for database, chain in ((target.house, "service"), (ours, "keys")):
        report = verify_export(export(AuditLog(database, chain)), test_pki.anchors).report
        report.require_sound()
        assert report.entries == summary.chains[chain].seq
    ours.close()
    # and the service goes on from there
    AuditLog(target.house).write(AuditEvent("e", "a", None, "s"))
    with target.house.read() as connection:
        assert recompute(connection, "service").seq == summary.chains["service"].seq + 1
    assert {step for step, _, _ in told} >= {"check", "blobs", "prove blobs", "house records"}


def test_secrets_of_the_token_are_not_in_it(backup_file):
    assert backup_file.stat().st_mode & 0o077 == 0
    with tarfile.open(backup_file) as tar:
        names = tar.getnames()
    kinds = {name.split("/")[0] for name in names}
    assert kinds == {*("backup.json", "house", "keys", "key-policy.toml", "blobs", "manifest.json")}


def test_a_backup_is_of_one_moment_while_the_service_runs(backup_source, tmp_path):
    """Writers never stop; the chain in the backup ends where its manifest says."""
    log = AuditLog(backup_source.house)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            log.write(AuditEvent("e", "a", "H22", "s"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        summaries = [back_up(tmp_path / f"{n}.tar", backup_source) for n in range(2)]
    finally:
        stop.set()
        writer.join()
    for n, summary in enumerate(summaries):
        other = Installation(
            Database(f"sqlite:///{tmp_path}/{n}.db"),
            FolderBlobs(tmp_path / f"{n}-blobs"),
            tmp_path / f"{n}-agent" / "keys.db",
        )
        assert restore(tmp_path / f"{n}.tar", other).chains == summary.chains
        other.house.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the file is the same
def test_a_restore_that_dies_leaves_no_row_and_can_be_repeated(
    backup_source, target, backup_file, tmp_path, open_database
):
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    probe = empty_installation(tmp_path / "probe", open_database)
    expected = restore(backup_file, probe, count)
    url = target.house.engine.url.render_as_string(hide_password=False)
    for number in sorted({1, *random.Random(7).sample(range(2, steps), 3), steps}):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.backup_victim", backup_file, url),
                *(tmp_path / "target" / "blobs", target.keys, str(number)),
            ],
            cwd=Path(__file__).parents[2],
            env={**os.environ},
            capture_output=True,
            check=False,
        )
        assert done.returncode == -9, done.stderr
        assert is_empty(target.house)
    assert restore(backup_file, target) == expected
    assert rows(target.house) == rows(backup_source.house)
    assert not list(target.keys.parent.glob("*.restoring*"))


def test_every_column_that_names_a_blob_is_known():
    """A new column of that kind has to be added to the list, or its blobs may go missing."""
    digests_of_no_blob = {
        *("principals.certificate_sha256", "api_keys.secret_sha256"),
        *("idempotency.request_sha256", "batches.list_sha256"),
        *("small_blobs.sha256", "audit_entries.entry_sha256", "audit_entries.link_sha256"),
        *("register_entries.leaf_sha256", "register_entries.document_sha256"),
        *("register_nodes.sha256", "revocation_values.subject_sha256"),
        # of documents that were looked at; those that are kept have a row in `blobs`
        *("verifications.sha256", "verification_items.sha256"),
    }
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("sha256")
    }
    assert found - digests_of_no_blob == {f"{c.table.name}.{c.name}" for c in NAMED_BLOBS}
