"""The inner nodes of the register's tree, kept so that a proof reads little.

Of the complete subtrees those of 16, 256, 4096 … leaves are rows; whatever lies between is
computed from at most 16 of the next smaller ones. So a proof in a tree of n entries reads about
16 · 2 · log16(n) hashes, and an entry costs 1/15 of a row. They follow from the leaves alone:
whoever doubts them computes them again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from dossier.errors import RegisterBroken
from dossier.register.merkle import (
    Node,
    Range,
    consistency_ranges,
    folded,
    inclusion_ranges,
    node_hash,
    nodes_of,
    proof,
    root_of,
)
from dossier.storage.database import insert_if_new
from dossier.storage.tables import register_entries, register_nodes

STEP = 4
"""Levels from one kept size of subtree to the next."""

_AT_ONCE = 256  # nodes made in one statement
_LAST = sa.select(sa.func.max(register_nodes.c.place)).where(
    register_nodes.c.level == sa.bindparam("level_")
)
_IN_LEAVES = (
    sa.select(register_entries.c.leaf_sha256)
    .where(register_entries.c.seq.between(sa.bindparam("start"), sa.bindparam("last")))
    .order_by(register_entries.c.seq)
)
_IN_NODES = (
    sa.select(register_nodes.c.sha256)
    .where(
        register_nodes.c.level == sa.bindparam("level_"),
        register_nodes.c.place.between(sa.bindparam("start"), sa.bindparam("last")),
    )
    .order_by(register_nodes.c.place)
)
_INSERT = insert_if_new(register_nodes)


def build(connection: sa.Connection, size: int) -> None:
    """Keep the subtrees of the first `size` leaves that are complete and not kept yet.

    In the caller's writing transaction; several processes may, for they keep the same.
    """
    level = STEP
    while size >> level:
        last: int | None = connection.execute(_LAST, {"level_": level}).scalar()
        first = 0 if last is None else last + 1
        for start in range(first, size >> level, _AT_ONCE):
            end = min(start + _AT_ONCE, size >> level)
            below = _between(connection, level - STEP, start << STEP, end << STEP)
            made = [
                {
                    "level": level,
                    "place": start + at,
                    "sha256": root_of(below[at << STEP : (at + 1) << STEP]).hex(),
                }
                for at in range(end - start)
            ]
            connection.execute(_INSERT[connection.dialect.name], made)
        level += STEP


def built(connection: sa.Connection) -> int:
    """Of how many leaves the smallest kept subtrees are there."""
    last: int | None = connection.execute(_LAST, {"level_": STEP}).scalar()
    return 0 if last is None else (last + 1) << STEP


def root(connection: sa.Connection, size: int) -> bytes:
    """The root of the tree of the first `size` leaves, whose subtrees are kept."""
    nodes = nodes_of((0, size))
    subtree = _fetch(connection, nodes)
    return folded([subtree(node) for node in nodes])


def inclusion(connection: sa.Connection, index: int, size: int) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size`. Raises `ValueError`."""
    return _proof(connection, inclusion_ranges(index, size))


def consistency(connection: sa.Connection, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` begins that of `new`. Raises `ValueError`."""
    return _proof(connection, consistency_ranges(old, new))


def _between(connection: sa.Connection, level: int, start: int, end: int) -> Sequence[bytes]:
    """The roots of the kept subtrees of one level from `start` up to, not including, `end`."""
    values = {"start": start, "last": end - 1}
    if level:
        found = connection.execute(_IN_NODES, values | {"level_": level}).scalars().all()
    else:
        found = connection.execute(_IN_LEAVES, values).scalars().all()
    if len(found) != end - start:
        raise _missing((level, start))
    return [bytes.fromhex(sha256) for sha256 in found]


def _proof(connection: sa.Connection, ranges: list[Range]) -> list[bytes]:
    subtree = _fetch(connection, [node for leaves in ranges for node in nodes_of(leaves)])
    return proof(ranges, subtree)


def _fetch(connection: sa.Connection, wanted: Iterable[Node]) -> Callable[[Node], bytes]:
    """What gives the roots of these subtrees: all that they need is read at once."""
    below: defaultdict[int, set[int]] = defaultdict(set)
    for level, index in wanted:
        kept = level - level % STEP
        below[kept].update(range(index << level - kept, (index + 1) << level - kept))
    known: dict[Node, bytes] = {}
    if below:
        for level, place, sha256 in connection.execute(_all_of(below)):
            known[level, place] = bytes.fromhex(sha256)

    def subtree(node: Node) -> bytes:
        if node not in known:
            level, index = node
            if level % STEP == 0:
                raise _missing(node)
            children = (subtree((level - 1, 2 * index)), subtree((level - 1, 2 * index + 1)))
            known[node] = node_hash(*children)
        return known[node]

    return subtree


def _all_of(wanted: Mapping[int, Collection[int]]) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Leaves and kept subtrees in one statement: a round trip costs more than all of them."""
    parts = []
    for level, places in sorted(wanted.items()):
        if level:
            columns = (register_nodes.c.level, register_nodes.c.place, register_nodes.c.sha256)
            found = sa.select(*columns).where(
                register_nodes.c.level == level, register_nodes.c.place.in_(sorted(places))
            )
        else:
            seq = register_entries.c.seq
            found = sa.select(sa.literal(0), seq, register_entries.c.leaf_sha256).where(
                seq.in_(sorted(places))
            )
        parts.append(found)
    return sa.union_all(*parts) if len(parts) > 1 else parts[0]


def _missing(node: Node) -> RegisterBroken:
    level, index = node
    return RegisterBroken(
        f"Sổ đăng ký kết quả thiếu nút {index} ở tầng {level}; hãy khôi phục từ bản sao lưu. / A "
        "node of the register's tree is missing; restore the database from a backup.",
        findings=(f"level {level}, index {index}",),
    )
