"""What a backup or restore refuses: damaged, forged and foreign files, installations in use."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.backup import Installation, back_up, restore
from dossier.errors import BackupError, BlobDamaged, ChainBroken
from dossier.model import AuditEvent
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from dossier.storage.tables import audit_entries
from dossier.storage.tables import blobs as holdings
from tests.fixtures_backup import is_empty, rows


@pytest.fixture
def database(sqlite_url, open_database):
    """The file is the same from every database: one is enough."""
    return open_database(sqlite_url)


def test_any_flipped_bit_is_named(backup_file, sqlite_target, tmp_path):
    data = backup_file.read_bytes()
    places = random.Random(11).sample(range(len(data) * 8), 30)
    with tarfile.open(backup_file) as tar:
        members = [(m.name, m.offset, m.offset_data, m.size) for m in tar]
    for _, header, start, size in members[::3]:  # and in headers and contents of members
        places += [header * 8 + 3, (start + size // 2) * 8, (header + 511) * 8]
    for place in places:
        spoilt = bytearray(data)
        spoilt[place // 8] ^= 1 << place % 8
        path = tmp_path / "spoilt.tar"
        path.write_bytes(spoilt)
        with pytest.raises(BackupError) as told:
            restore(path, sqlite_target)
        near = [
            n
            for n, header, start, size in members
            if header - 1024 <= place // 8 <= start + size + 1024
        ]
        text = str(told.value)
        # in the manifest, a bit may make another member's digest wrong; zeros are behind it
        assert any(n in text for n in near) or "manifest.json" in f"{near} {text}"
    assert is_empty(sqlite_target.house)
    assert not list(sqlite_target.blobs.all())


def test_a_file_cut_anywhere_is_refused(backup_file, sqlite_target, tmp_path):
    data = backup_file.read_bytes()
    path = tmp_path / "cut.tar"
    for size in [0, 1, 511, 512, *random.Random(3).sample(range(len(data)), 30), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(BackupError):
            restore(path, sqlite_target)
    assert is_empty(sqlite_target.house)


def rebuilt(backup_file: Path, path: Path, change) -> Path:
    """The archive again, its members as `change` gives them."""
    with (
        tarfile.open(backup_file) as old,
        tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as new,
    ):
        members = {m.name: old.extractfile(m).read() for m in old}
        for name, data in change(members).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return path


def test_a_missing_or_strange_member_is_named(backup_file, sqlite_target, tmp_path):
    with tarfile.open(backup_file) as tar:
        names = tar.getnames()
    for name in names:
        path = rebuilt(
            backup_file,
            tmp_path / "less.tar",
            lambda m, name=name: {k: v for k, v in m.items() if k != name},
        )
        with pytest.raises(BackupError, match=name.rpartition("/")[2]):
            restore(path, sqlite_target)
    path = rebuilt(backup_file, tmp_path / "more.tar", lambda m: {**m, "blobs/x": b"1"})
    with pytest.raises(BackupError, match="blobs/x"):
        restore(path, sqlite_target)
    assert is_empty(sqlite_target.house)


def forged(backup_file: Path, path: Path, name: str, old: bytes, new: bytes) -> Path:
    """A member changed, and the manifest with it, as somebody who knows the format would."""

    def change(members):
        assert old in members[name]
        members[name] = members[name].replace(old, new, 1)
        manifest = json.loads(members["manifest.json"])
        for entry in manifest["members"]:
            if entry["name"] == name:
                entry["sha256"] = hashlib.sha256(members[name]).hexdigest()
                entry["size"] = len(members[name])
        return {**members, "manifest.json": json.dumps(manifest).encode()}

    return rebuilt(backup_file, path, change)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("house/audit_entries.jsonl", b"rec_3", b"rec_4"),
        ("house/audit_heads.jsonl", b"30", b"31"),
        ("keys/audit_entries.jsonl", b"rec_3", b"rec_4"),
        ("house/records.jsonl", b"[", b"{"),
        ("house/small_blobs.jsonl", b"0001", b"0002"),
    ],
)
def test_rows_that_do_not_prove_themselves_are_refused(
    backup_file, sqlite_target, tmp_path, name, old, new
):
    path = forged(backup_file, tmp_path / "forged.tar", name, old, new)
    with pytest.raises((BackupError, BlobDamaged)):
        restore(path, sqlite_target)
    assert is_empty(sqlite_target.house)


def test_a_later_version_is_not_guessed_at(backup_file, sqlite_target, tmp_path):
    with tarfile.open(backup_file) as tar:
        schema = json.load(tar.extractfile("backup.json"))["schema"]
    path = forged(
        backup_file, tmp_path / "later.tar", "backup.json", schema.encode(), b"9" * len(schema)
    )
    with pytest.raises(BackupError, match="phiên bản mới hơn"):
        restore(path, sqlite_target)


def test_what_is_no_backup_is_refused(sqlite_target, tmp_path):
    with pytest.raises(BackupError, match="Không mở được"):
        restore(tmp_path / "nothing.tar", sqlite_target)
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"))
    with pytest.raises(BackupError):
        restore(path, sqlite_target)


def test_no_backup_of_a_damaged_installation(backup_source, tmp_path):
    with backup_source.house.read() as connection:
        named = connection.execute(sa.select(holdings.c.sha256)).scalars().all()
    folder = tmp_path / "source-blobs"
    [victim] = folder.glob(f"*/{named[0]}")
    path = tmp_path / "none.tar"
    whole = victim.read_bytes()
    victim.chmod(0o600)
    victim.write_bytes(whole[:-1] + b"?")
    with pytest.raises(BlobDamaged, match=named[0]):
        back_up(path, backup_source)
    victim.unlink()
    with pytest.raises(BackupError, match=named[0]):
        back_up(path, backup_source)
    victim.write_bytes(whole)
    with backup_source.house.begin() as connection:
        connection.execute(
            sa.update(audit_entries).where(audit_entries.c.seq == 3).values(entry="{}")
        )
    with pytest.raises(ChainBroken, match="mục 3"):
        back_up(path, backup_source)
    assert list(tmp_path.glob("none.tar*")) == []


def test_an_existing_file_is_never_overwritten(backup_source, backup_file):
    before = backup_file.read_bytes()
    with pytest.raises(BackupError, match="đã có"):
        back_up(backup_file, backup_source)
    assert backup_file.read_bytes() == before


def test_a_place_that_cannot_be_written(backup_source, tmp_path):
    with pytest.raises(BackupError, match="Không ghi được"):
        back_up(tmp_path / "no" / "where.tar", backup_source)


def test_an_old_schema_is_brought_up_first(backup_source, tmp_path):
    with backup_source.house.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'older'"))
    with pytest.raises(BackupError, match="khởi động dịch vụ"):
        back_up(tmp_path / "x.tar", backup_source)


def test_an_installation_in_use_is_left_alone(backup_source, sqlite_target, backup_file):
    upgrade(sqlite_target.house)
    AuditLog(sqlite_target.house).write(AuditEvent("e", "a", None, "s"))
    before = rows(sqlite_target.house)
    with pytest.raises(BackupError, match="trống"):
        restore(backup_file, sqlite_target)
    assert rows(sqlite_target.house) == before
    assert not sqlite_target.keys.exists()


def test_another_chain_of_the_agent_is_left_alone(sqlite_target, backup_file):
    sqlite_target.keys.parent.mkdir()
    keys = Database(f"sqlite:///{sqlite_target.keys}")
    upgrade(keys)
    AuditLog(keys, "keys").write(AuditEvent("e", "a", None, "s"))
    keys.close()
    with pytest.raises(BackupError, match="nhật ký khóa khác"):
        restore(backup_file, sqlite_target)
    assert is_empty(sqlite_target.house)


def test_a_running_agent_is_noticed(sqlite_target, backup_file):
    sqlite_target.keys.parent.mkdir()
    with sqlite_target.keys.with_name("keys.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="đang chạy"):
            restore(backup_file, sqlite_target)
    assert is_empty(sqlite_target.house)


def test_a_policy_in_force_stays(sqlite_target, backup_file):
    sqlite_target.policy.write_text("[keys.other]\n", "utf-8")
    restore(backup_file, sqlite_target)
    assert sqlite_target.policy.read_text("utf-8") == "[keys.other]\n"
    assert sqlite_target.policy.with_name("key-policy.toml.restored").exists()


def test_a_machine_without_the_agent(backup_source, sqlite_target, tmp_path):
    path = tmp_path / "web.tar"
    summary = back_up(path, Installation(backup_source.house, backup_source.blobs))
    assert (summary.has_keys, summary.has_policy) == (False, False)
    restore(path, Installation(sqlite_target.house, sqlite_target.blobs))
    assert rows(sqlite_target.house) == rows(backup_source.house)


def test_a_backup_with_keys_needs_a_place_for_them(sqlite_target, backup_file):
    with pytest.raises(BackupError, match=r"agent\.database"):
        restore(backup_file, Installation(sqlite_target.house, sqlite_target.blobs))
    assert is_empty(sqlite_target.house)
