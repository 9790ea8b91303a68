"""The frozen list: what it takes, what it refuses, and its digest."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.batches.order import (
    BatchOrder,
    ListedItem,
    Policy,
    canonical,
    checked_items,
    entries_of_lines,
)
from dossier.errors import InvalidOrder, QuotaExceeded
from dossier.signing.order import SignatureOrder

ORDER = BatchOrder(SignatureOrder(key="seal", from_book=True, symbol="QĐ-X"))
A, B = "a" * 64, "b" * 64


def read(entries, order=ORDER, most=100):
    return checked_items(order, entries, most)


def test_the_digest_is_over_the_order_and_every_item_in_its_place():
    entries = [
        {"source_sha256": A, "reference": "một"},
        {"source_sha256": B, "overrides": {"reason": "khác"}},
    ]
    _, digest = read(entries)
    lines = [
        {"order": {"key": "seal", "from_book": True, "symbol": "QĐ-X"}, "policy": "each",
         "title": ""},
        {"position": 1, "source_sha256": A, "reference": "một", "overrides": {}},
        {"position": 2, "source_sha256": B, "reference": None, "overrides": {"reason": "khác"}},
    ]  # fmt: skip
    text = "".join(
        json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        for line in lines
    )
    assert digest == hashlib.sha256(text.encode()).hexdigest()


_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"source_sha256": st.sampled_from([A, B])},
        optional={"overrides": st.fixed_dictionaries({}, optional={"reason": st.text(max_size=5)})},
    ),
    min_size=1,
    max_size=6,
)


@given(first=_ITEMS, second=_ITEMS)
def test_two_lists_have_one_digest_only_if_they_are_the_same(first, second):
    def plain(items):
        return [(i["source_sha256"], i.get("overrides", {})) for i in items]

    assert (read(first)[1] == read(second)[1]) == (plain(first) == plain(second))


def test_the_policy_and_the_order_are_part_of_what_is_signed():
    digests = {
        read([{"source_sha256": A}], order)[1]
        for order in (
            ORDER,
            BatchOrder(ORDER.order, Policy.ALL),
            BatchOrder(ORDER.order, title="Đợt 2"),
            BatchOrder(SignatureOrder(key="leader")),
        )
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("x", "JSON object"),
        ({}, "source_sha256"),
        ({"source_sha256": "A" * 64}, "lower-case"),
        ({"source_sha256": A, "reference": ""}, "1 to 256"),
        ({"source_sha256": A, "reference": "x" * 257}, "1 to 256"),
        ({"source_sha256": A, "overrides": [1]}, "overrides is an object"),
        ({"source_sha256": A, "overrides": {"key": "leader"}}, "no such entry"),
        ({"source_sha256": A, "overrides": {"level": "B-B"}}, "no such entry"),
        ({"source_sha256": A, "colour": "red"}, "no such entry"),
        ({"source_sha256": A, "overrides": {"decided_on": "yesterday"}}, "cannot be read"),
    ],
)
def test_a_wrong_entry_is_named_by_its_position(entry, told):
    with pytest.raises(InvalidOrder, match=told) as caught:
        read([{"source_sha256": B}, entry])
    assert "Entry 2" in str(caught.value)
    assert caught.value.field is not None
    assert caught.value.field.startswith("items[1]")


def test_references_and_given_numbers_are_unique():
    with pytest.raises(InvalidOrder, match="Entry 2 has the same reference as entry 1"):
        read([{"source_sha256": A, "reference": "x"}, {"source_sha256": B, "reference": "x"}])
    twice = [{"source_sha256": d, "overrides": {"number": 7}} for d in (A, B)]
    with pytest.raises(InvalidOrder, match="Entry 2 has the same number as entry 1"):
        read(twice)


def test_a_given_number_is_not_taken_from_the_book():
    (item,), _ = read([{"source_sha256": A, "overrides": {"number": 7}}])
    order = item.order_of(ORDER)
    assert (order.number, order.from_book, order.symbol) == (7, False, "QĐ-X")
    assert ListedItem(A).order_of(ORDER) is ORDER.order


def test_lists_are_bounded_and_never_empty():
    with pytest.raises(QuotaExceeded, match="more than 2"):
        read(({"source_sha256": A} for _ in range(3)), most=2)
    with pytest.raises(InvalidOrder, match="empty"):
        read([])


def test_the_list_is_read_no_further_than_the_bound():
    seen = []

    def entries():
        for n in range(1_000_000):
            seen.append(n)
            yield {"source_sha256": A}

    with pytest.raises(QuotaExceeded):
        read(entries(), most=10)
    assert len(seen) == 11


@pytest.mark.parametrize("entry", ["number", "supersedes", "field_name"])
def test_what_belongs_to_one_document_is_not_ordered_for_all(entry):
    value = {"number": 3, "supersedes": "rec_1", "field_name": "x"}[entry]
    more = {} if entry == "field_name" else {"symbol": "QĐ-X", "number": 3}
    with pytest.raises(InvalidOrder):
        BatchOrder(SignatureOrder(**{"key": "seal", **more, entry: value}))


@pytest.mark.parametrize(
    "value",
    [{}, {"order": 3}, {"order": {"key": "a"}, "policy": "some"}, {"order": {"key": "a"}, "x": 1},
     {"order": {"key": "a"}, "title": 5}, {"order": {"key": "a"}, "title": "x" * 300}],
)  # fmt: skip
def test_an_order_that_cannot_be_read_is_refused(value):
    with pytest.raises(InvalidOrder):
        BatchOrder.from_json(value)


def test_an_order_survives_json():
    order = BatchOrder(ORDER.order, Policy.ALL, "Đợt 1")
    assert BatchOrder.from_json(json.loads(canonical(order.to_json()))) == order


def test_json_lines_are_read_one_by_one():
    assert list(entries_of_lines([b'{"a": 1}\n', b"\n", b" 2"])) == [{"a": 1}, 2]
    with pytest.raises(InvalidOrder, match="Line 2 is no JSON"):
        list(entries_of_lines([b"1", b"{"]))
    with pytest.raises(InvalidOrder, match="Line 1 is too long"):
        list(entries_of_lines([b" " * 70_000]))
