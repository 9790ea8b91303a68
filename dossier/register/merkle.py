"""Merkle trees in the shapes of RFC 9162 section 2.1: pure functions, no storage, no clock.

    leaf hash   SHA-256(0x00 ‖ entry)                      node hash   SHA-256(0x01 ‖ left ‖ right)

A tree of n > 1 leaves has the largest power of two below n on its left. Proofs are made from
*ranges* [start, end) of leaves, each either a complete subtree or the ragged right edge; whoever
stores the roots of complete subtrees needs about log2(n) of them for a proof.

    inclusion    leaf `index` is in the tree of `size`           (2.1.3)
    consistency  the tree of `old` is the beginning of that of `new`   (2.1.4)

Verification follows the RFC's own algorithms (2.1.3.2, 2.1.4.2), not those that make the proofs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves (2.1.1)."""

Range = tuple[int, int]
"""Leaves from `start` up to, not including, `end`."""

Node = tuple[int, int]
"""A complete subtree: `level` and `index`; its leaves begin at index · 2^level."""


class ProofWrong(ValueError):
    """A proof does not prove what it is meant to."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows leaf by leaf and remembers only its complete subtrees' roots."""

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        """Go on with a tree of `size`; `roots` are those of `nodes_of((0, size))`, in order."""
        self.size = size
        self._roots = list(roots)
        if len(self._roots) != size.bit_count():
            raise ValueError("as many roots are needed as the size has bits")

    def add(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Append the leaf with this hash; which subtrees it completed, smallest first.

        The leaf itself is the first of them, at level 0.
        """
        index, level, completed = self.size, 0, leaf
        found: list[tuple[Node, bytes]] = [((0, index), leaf)]
        while index & 1:
            completed = node_hash(self._roots.pop(), completed)
            index >>= 1
            level += 1
            found.append(((level, index), completed))
        self._roots.append(completed)
        self.size += 1
        return found

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return folded(self._roots)


def folded(roots: Sequence[bytes]) -> bytes:
    """The root over complete subtrees of falling size, as `nodes_of` names them."""
    if not roots:
        return EMPTY_ROOT
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree over these leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def nodes_of(leaves: Range) -> list[Node]:
    """The complete subtrees that a range of a tree falls into, from left to right.

    `leaves` starts where a subtree of its own size could (all ranges of proofs do).
    """
    start, end = leaves
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots are the inclusion proof of leaf `index`, in its order.

    Raises `ValueError` unless 0 ≤ index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no leaf {index}")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    found.reverse()
    return found


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots are the consistency proof between two sizes, in its order.

    None are needed when one of them is empty or both are the same. Raises `ValueError` unless
    0 ≤ old ≤ new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    if old in (0, new):
        return []
    found: list[Range] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:  # else the verifier has it: the old root itself
        found.append((start, end))
    found.reverse()
    return found


def proof(ranges: Iterable[Range], subtree: Callable[[Node], bytes]) -> list[bytes]:
    """The hashes of a proof; `subtree` gives the root of a complete subtree."""
    return [folded([subtree(node) for node in nodes_of(leaves)]) for leaves in ranges]


def require_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Raise `ProofWrong` unless `path` proves leaf hash `leaf` at `index` under `root`."""
    if not 0 <= index < size:
        raise ProofWrong(f"a tree of {size} has no leaf {index}")
    place, last, found = index, size - 1, leaf
    for sibling in _hashes(path):
        if last == 0:
            raise ProofWrong("the inclusion proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofWrong("the inclusion proof is too short")
    if found != root:
        raise ProofWrong("the inclusion proof does not lead to the root")


def require_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raise `ProofWrong` unless the tree of `old` is the beginning of the tree of `new`."""
    if not 0 <= old <= new:
        raise ProofWrong(f"a tree of {new} does not begin with one of {old}")
    hashes = _hashes(path)
    if old in (0, new):
        if hashes:
            raise ProofWrong("the consistency proof is too long")
        if (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofWrong("two trees of one size have different roots")
        return
    if not hashes:
        raise ProofWrong("the consistency proof is too short")
    if old & (old - 1) == 0:
        hashes = [old_root, *hashes]
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofWrong("the consistency proof is too long")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofWrong("the consistency proof is too short")
    if before != old_root:
        raise ProofWrong("the consistency proof does not lead to the older root")
    if after != new_root:
        raise ProofWrong("the consistency proof does not lead to the newer root")


def _split(size: int) -> int:
    """The largest power of two below `size` (2.1.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _hashes(path: Sequence[bytes]) -> list[bytes]:
    if any(len(one) != HASH_BYTES for one in path):
        raise ProofWrong("a hash of the proof has another length than SHA-256")
    return list(path)
