"""Merkle trees: RFC 9162's rules applied literally, its example, and every small tree."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier.register import merkle
from dossier.register.merkle import Frontier, ProofWrong

# the leaves that implementations of RFC 6962 and 9162 have exchanged test vectors of since 2013,
# and the roots of the first n of them
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def by_the_book(leaves: list[bytes]) -> bytes:
    """MTH(D_n) as section 2.1.1 writes it, over the entries themselves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_the_book(leaves[:k]) + by_the_book(leaves[k:])).digest()


def path_by_the_book(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D_n) of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path_by_the_book(m, leaves[:k]), by_the_book(leaves[k:])]
    return [*path_by_the_book(m - k, leaves[k:]), by_the_book(leaves[:k])]


def subproof_by_the_book(m: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF(m, D_n, b) of section 2.1.4.1."""
    if m == len(leaves):
        return [] if known else [by_the_book(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof_by_the_book(m, leaves[:k], known=known), by_the_book(leaves[k:])]
    return [*subproof_by_the_book(m - k, leaves[k:], known=False), by_the_book(leaves[:k])]


def entries(count: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(count)]


class Stored:
    """Roots of complete subtrees, kept as a log keeps them."""

    def __init__(self, hashes: list[bytes]) -> None:
        self.nodes = {}
        tree = Frontier()
        for one in hashes:
            self.nodes |= dict(tree.add(one))
        self.asked = 0

    def __call__(self, node: merkle.Node) -> bytes:
        self.asked += 1
        return self.nodes[node]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert merkle.root_of(HASHES[:size]).hex() == ROOTS[size]
    assert by_the_book(LEAVES[:size]).hex() == ROOTS[size]


def test_example_of_the_rfc() -> None:
    # 2.1.5: the tree of seven leaves d0 … d6 with nodes a … m
    d = [b"d%d" % n for n in range(7)]
    a, b, c, e_, f, i = (hashlib.sha256(b"\x00" + d[n]).digest() for n in (0, 1, 2, 3, 4, 5))
    j = hashlib.sha256(b"\x00" + d[6]).digest()
    node = merkle.node_hash
    g, h, i_ = node(a, b), node(c, e_), node(f, i)
    k, l_ = node(g, h), node(i_, j)
    root = node(k, l_)
    stored = Stored([merkle.leaf_hash(one) for one in d])
    assert merkle.root_of([merkle.leaf_hash(one) for one in d]) == root
    proofs = {n: merkle.proof(merkle.inclusion_ranges(n, 7), stored) for n in (0, 3, 4, 6)}
    assert proofs == {0: [b, h, l_], 3: [c, g, l_], 4: [i, j, k], 6: [i_, k]}
    assert merkle.proof(merkle.consistency_ranges(3, 7), stored) == [c, e_, g, l_]
    assert merkle.proof(merkle.consistency_ranges(4, 7), stored) == [l_]
    assert merkle.proof(merkle.consistency_ranges(6, 7), stored) == [i_, j, k]


def test_every_proof_of_every_small_tree() -> None:
    leaves = entries(33)
    stored = Stored([merkle.leaf_hash(leaf) for leaf in leaves])
    roots = [by_the_book(leaves[:size]) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            path = merkle.proof(merkle.inclusion_ranges(index, size), stored)
            assert path == path_by_the_book(index, leaves[:size])
            merkle.require_inclusion(
                merkle.leaf_hash(leaves[index]), index, size, path, roots[size]
            )
        for old in range(size + 1):
            path = merkle.proof(merkle.consistency_ranges(old, size), stored)
            if 0 < old < size:
                assert path == subproof_by_the_book(old, leaves[:size])
            merkle.require_consistency(old, size, roots[old], roots[size], path)


@settings(max_examples=60)
@given(st.integers(1, 3000), st.data())
def test_proofs_of_larger_trees(size: int, data: st.DataObject) -> None:
    stored = Stored([merkle.leaf_hash(entry) for entry in entries(size)])
    root = merkle.folded([stored(node) for node in merkle.nodes_of((0, size))])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    old_root = merkle.folded([stored(node) for node in merkle.nodes_of((0, old))])
    stored.asked = 0
    path = merkle.proof(merkle.inclusion_ranges(index, size), stored)
    assert stored.asked <= 2 * size.bit_length()
    leaf = stored((0, index))
    merkle.require_inclusion(leaf, index, size, path, root)
    consistency = merkle.proof(merkle.consistency_ranges(old, size), stored)
    merkle.require_consistency(old, size, old_root, root, consistency)

    other = data.draw(st.binary(min_size=32, max_size=32).filter(lambda one: one != leaf))
    with pytest.raises(ProofWrong):
        merkle.require_inclusion(other, index, size, path, root)
    wrong = data.draw(st.integers(0, size - 1).filter(lambda one: one != index) | st.just(size))
    with pytest.raises(ProofWrong):
        merkle.require_inclusion(leaf, wrong, size, path, root)
    if old != size:
        with pytest.raises(ProofWrong):
            merkle.require_consistency(old, size, other, root, consistency)
        with pytest.raises(ProofWrong):
            merkle.require_consistency(old, size, old_root, other, consistency)
    if consistency:
        at = data.draw(st.integers(0, len(consistency) - 1))
        with pytest.raises(ProofWrong):
            merkle.require_consistency(
                old, size, old_root, root, [*consistency[:at], other, *consistency[at + 1 :]]
            )


@given(st.integers(2, 200), st.data())
def test_lengthened_and_shortened_proofs_are_wrong(size: int, data: st.DataObject) -> None:
    stored = Stored([merkle.leaf_hash(entry) for entry in entries(size)])
    root = merkle.root_of(stored((0, index)) for index in range(size))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    path = merkle.proof(merkle.inclusion_ranges(index, size), stored)
    for wrong in (path[:-1], [*path, root], [*path, path[-1]], [b"short", *path[1:]]):
        with pytest.raises(ProofWrong):
            merkle.require_inclusion(stored((0, index)), index, size, wrong, root)
    old_root = merkle.folded([stored(node) for node in merkle.nodes_of((0, old))])
    between = merkle.proof(merkle.consistency_ranges(old, size), stored)
    for wrong in (between[:-1] if between else [root], [*between, root], [*between, b"x"]):
        with pytest.raises(ProofWrong):
            merkle.require_consistency(old, size, old_root, root, wrong)


def test_a_tree_goes_on_from_its_roots() -> None:
    hashes = [merkle.leaf_hash(entry) for entry in entries(50)]
    for size in range(51):
        stored = Stored(hashes[:size])
        tree = Frontier(size, [stored(node) for node in merkle.nodes_of((0, size))])
        assert tree.root() == by_the_book(entries(size))
        for one in hashes[size:]:
            tree.add(one)
        assert tree.root() == by_the_book(entries(50))
    with pytest.raises(ValueError, match="as many roots"):
        Frontier(3, [b"x" * 32])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_what_is_not_in_a_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_ranges(index, size)
    with pytest.raises(ProofWrong):
        merkle.require_inclusion(HASHES[0], index, size, [], HASHES[0])


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 3)])
def test_a_tree_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency_ranges(old, new)
    with pytest.raises(ProofWrong):
        merkle.require_consistency(old, new, HASHES[0], HASHES[0], [])


def test_two_trees_of_one_size_have_one_root() -> None:
    merkle.require_consistency(3, 3, HASHES[0], HASHES[0], [])
    with pytest.raises(ProofWrong, match="different roots"):
        merkle.require_consistency(3, 3, HASHES[0], HASHES[1], [])
    with pytest.raises(ProofWrong, match="different roots"):
        merkle.require_consistency(0, 3, HASHES[0], HASHES[1], [])
    with pytest.raises(ProofWrong, match="too short"):
        merkle.require_consistency(2, 3, HASHES[0], HASHES[1], [])
