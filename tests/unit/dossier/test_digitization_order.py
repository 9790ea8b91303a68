"""What a digitization order has to say (TT 01/2023/TT-VPCP, articles 7 and 8)."""

from __future__ import annotations

import json

import pytest

from dossier.digitizing.order import DigitizationOrder
from dossier.errors import InvalidOrder

ENTRIES = {
    "scans": ["ab" * 32],
    "title": "Quyết định mẫu",
    "dossier_code": "H22.12-260301-0001",
    "component_code": "KQ.01",
    "station": "tram-01",
    "officer": "Nguyễn Văn Mẫu",
}


def test_as_json_and_back() -> None:
    order = DigitizationOrder.from_json(ENTRIES | {"mode": "compact", "page_count": 3})
    assert DigitizationOrder.from_json(json.loads(json.dumps(order.to_json()))) == order
    assert (order.mode, order.languages, order.page_count) == ("compact", "vie", 3)


def test_digest_tells_orders_apart() -> None:
    orders = [
        DigitizationOrder.from_json(ENTRIES | change)
        for change in ({}, {"title": "Khác"}, {"mode": "compact"}, {"scans": ["cd" * 32]})
    ]
    assert len({order.digest() for order in orders}) == 4
    assert orders[0].digest() == DigitizationOrder.from_json(dict(ENTRIES)).digest()


@pytest.mark.parametrize("field", sorted(set(ENTRIES) - {"scans"}))
@pytest.mark.parametrize("value", [None, "", "  ", 7, "a\x00b", "x" * 501, "\ud800"])
def test_demanded_entries(field: str, value: object) -> None:
    with pytest.raises(InvalidOrder) as caught:
        DigitizationOrder.from_json(ENTRIES | {field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scans", None),
        ("scans", []),
        ("scans", "ab" * 32),
        ("scans", [1]),
        ("scans", ["ab" * 32] * 1001),
        ("mode", "pretty"),
        ("mode", ["faithful"]),
        ("languages", "../../vie"),
        ("page_count", 0),
        ("page_count", 5001),
        ("page_count", "3"),
        ("page_count", True),
    ],
)
def test_what_cannot_be(field: str, value: object) -> None:
    with pytest.raises(InvalidOrder) as caught:
        DigitizationOrder.from_json(ENTRIES | {field: value})
    assert caught.value.field == field


def test_scans_are_digests() -> None:
    with pytest.raises(InvalidOrder):
        DigitizationOrder.from_json(ENTRIES | {"scans": ["../secret"]})
