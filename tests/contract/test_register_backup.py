"""A register comes back from a backup as it was, on either database, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dossier.audit.log import AuditLog
from dossier.backup import Installation, back_up, restore
from dossier.register import nodes
from dossier.register.checkpoints import Checkpointer, Checkpoints
from dossier.register.log import Register
from dossier.register.notes import NoteKey
from dossier.register.proof import check_proof, prove
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from tests.fakes import SoftwareKey
from tests.register_entries import annulled, issued

ORIGIN = "so.example.vn/ket-qua"


def checkpoint(database: Database, key: SoftwareKey) -> None:
    Checkpointer(Register(database), AuditLog(database), key, None, origin=ORIGIN).make()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_register_comes_back(
    database: Database,
    kind: str,
    tmp_path: Path,
    open_database: Callable[[str], Database],
    request: pytest.FixtureRequest,
) -> None:
    key = SoftwareKey(label="register")
    told = [issued(number) for number in range(1, 41)]
    with database.begin() as connection:
        Register(database).append(connection, [*told, annulled(told[3])])
    checkpoint(database, key)
    file = tmp_path / "house.tar"
    back_up(file, Installation(database, FolderBlobs(tmp_path / "blobs")))
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("empty_postgres_url")
    back = open_database(url)
    restore(file, Installation(back, FolderBlobs(tmp_path / "new-blobs")))

    register = Register(back)
    assert list(register.walk(0, 50)) == list(Register(database).walk(0, 50))
    newest = Checkpoints(back).newest()
    assert newest == Checkpoints(database).newest()
    assert newest is not None
    with back.read() as connection:
        assert nodes.root(connection, 41) == newest.checkpoint.root
    keys = [NoteKey.of(ORIGIN, key)]
    before = check_proof(prove(register, told[3].code), [], keys=keys)
    # it goes on: what follows is a continuation of the same log
    with back.begin() as connection:
        assert register.append(connection, [issued(41)]) == 42
    checkpoint(back, key)
    after = check_proof(prove(register, told[3].code), [], keys=keys)
    assert after.entries == before.entries
    assert after.signed.checkpoint.size == 42
