"""The register in the database: appended once, in order, with proofs; SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import sqlalchemy as sa

from dossier.errors import RegisterBroken
from dossier.register import merkle, nodes
from dossier.register.codes import new_code
from dossier.register.entry import Event, Registration
from dossier.register.log import Register
from dossier.storage.database import Database
from dossier.storage.tables import register_entries, register_nodes
from tests.register_entries import annulled, digest, issued, renewed


@pytest.fixture
def register(database: Database) -> Iterator[Register]:
    return Register(database)


def enter(register: Register, *told: Registration) -> int:
    with register.database.begin() as connection:
        return register.append(connection, told)


def built(register: Register, count: int) -> list[bytes]:
    """A log of `count` entries with its inner nodes; the hashes of its leaves."""
    enter(register, *(issued(number) for number in range(1, count + 1)))
    with register.database.begin() as connection:
        nodes.build(connection, count)
    return [entry.leaf_hash for entry in register.walk(0, count)]


def test_entries_are_kept_in_their_order(register: Register) -> None:
    told = [issued(number) for number in range(1, 6)]
    assert register.size() == 0
    assert register.entries(0, 10) == []
    assert enter(register, *told[:2]) == 2
    assert enter(register) == 2
    assert enter(register, *told[2:]) == 5
    found = register.entries(0, 10)
    assert [(entry.index, entry.told) for entry in found] == list(enumerate(told))
    assert [entry.told for entry in register.entries(1, 3)] == told[1:3]
    assert list(register.walk(0, 5)) == found
    assert sorted(entry.at for entry in found) == [entry.at for entry in found]


def test_a_transaction_that_is_undone_enters_nothing(register: Register) -> None:
    def killed() -> None:
        with register.database.begin() as connection:
            register.append(connection, [issued(1)])
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        killed()
    assert register.size() == 0


def test_a_code_is_issued_once(register: Register) -> None:
    first = issued(1)
    enter(register, first)
    with pytest.raises(sa.exc.IntegrityError):
        enter(register, issued(2), issued(3, first.code))
    assert register.size() == 1
    enter(register, renewed(first), renewed(first), annulled(first))
    assert [entry.told.event for entry in register.of_code(first.code)] == [
        Event.ISSUED, Event.RENEWED, Event.RENEWED, Event.ANNULLED,
    ]  # fmt: skip
    assert register.of_code(new_code()) == []


def test_results_are_found_by_the_digest_of_any_of_their_documents(register: Register) -> None:
    first = issued(1)
    later = renewed(first)
    enter(register, first, later, annulled(first))
    assert register.code_of(first.document_sha256) == first.code
    assert register.code_of(later.document_sha256) == first.code
    assert register.code_of(digest("another")) is None
    assert register.code_of(first.source_sha256 or "") is None  # what was handed in is no result


def test_many_append_at_once_without_gap_or_loss(register: Register) -> None:
    gate = threading.Barrier(8)

    def work(worker: int) -> None:
        gate.wait()
        for turn in range(10):
            enter(register, *(issued(worker * 1000 + turn * 10 + n) for n in range(1, 4)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    found = register.entries(0, 1000)
    assert [entry.index for entry in found] == list(range(240))
    assert len({entry.told.number for entry in found}) == 240
    assert all(a.at <= b.at for a, b in pairwise(found))


def test_time_never_runs_backwards(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(register, issued(1))
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=400)
    with register.database.begin() as connection:
        connection.execute(sa.update(register_entries).values(at=ahead))
    enter(register, issued(2), issued(3))
    assert [entry.at for entry in register.entries(1, 3)] == [ahead, ahead]


@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 17, 255, 256, 300])
def test_every_size_has_its_root(register: Register, size: int) -> None:
    leaves = built(register, size)
    with register.database.read() as connection:
        assert nodes.root(connection, size) == merkle.root_of(leaves)


def test_proofs_hold(register: Register) -> None:
    leaves = built(register, 300)
    roots = {size: merkle.root_of(leaves[:size]) for size in (1, 16, 17, 100, 256, 299, 300)}
    with register.database.read() as connection:
        for size, root in roots.items():
            for index in {0, size // 2, size - 1}:
                path = nodes.inclusion(connection, index, size)
                merkle.require_inclusion(leaves[index], index, size, path, root)
            path = nodes.consistency(connection, size, 300)
            merkle.require_consistency(size, 300, root, roots[300], path)
        assert nodes.consistency(connection, 0, 300) == []


def test_nodes_are_built_piece_by_piece(register: Register) -> None:
    for size in (5, 16, 40, 41, 290):
        enter(register, *(issued(number) for number in range(register.size(), size)))
        for _ in range(2):  # a second process does the same
            with register.database.begin() as connection:
                nodes.build(connection, size)
    with register.database.read() as connection:
        kept = connection.execute(sa.select(register_nodes.c.level, register_nodes.c.place)).all()
        assert sorted(tuple(row) for row in kept) == [
            *((4, place) for place in range(18)),
            (8, 0),
        ]
        leaves = [entry.leaf_hash for entry in register.walk(0, 290)]
        assert nodes.root(connection, 290) == merkle.root_of(leaves)


def test_an_altered_leaf_changes_the_root_and_a_missing_one_is_told(register: Register) -> None:
    leaves = built(register, 40)
    row = register_entries.c.seq == 37
    with register.database.begin() as connection:
        changed = sa.update(register_entries).where(row).values(leaf_sha256="0" * 64)
        connection.execute(changed)
    with register.database.read() as connection:
        assert nodes.root(connection, 40) != merkle.root_of(leaves)
    with register.database.begin() as connection:
        connection.execute(sa.delete(register_entries).where(row))
    with register.database.read() as connection, pytest.raises(RegisterBroken, match="missing"):
        nodes.root(connection, 40)
    with register.database.begin() as connection:
        connection.execute(sa.update(register_entries).where(~row).values(entry="{}"))
    with pytest.raises(RegisterBroken, match="register audit"):
        register.entries(0, 5)
