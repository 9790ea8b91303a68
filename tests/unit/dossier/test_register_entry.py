"""Entries of the register: their canonical text, and what follows from them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.audit.chain import moment_text
from dossier.register.codes import new_code
from dossier.register.entry import (
    Entry,
    Event,
    MalformedEntry,
    Registration,
    Status,
    status_of,
)
from tests.register_entries import annulled, digest, issued, renewed, superseded

AT = dt.datetime(2026, 11, 23, 8, 30, 0, 123456, dt.UTC)


def entry(told: Registration, index: int = 0) -> Entry:
    return Entry.read(index, AT, told.text().decode())


@given(
    st.integers(1, 10**9),
    st.text(max_size=40),
    st.timedeltas(dt.timedelta(0), dt.timedelta(days=30_000)).map(lambda later: AT + later),
)
def test_what_is_written_is_read(number: int, reason: str, at: dt.datetime) -> None:
    first = issued(number)
    for told in (first, renewed(first), annulled(first, reason), superseded(first, issued(2))):
        text = told.text()
        read = Entry.read(7, at, text.decode())
        assert read == Entry(7, at, told, text.decode())
        leaf = f"sohoa register leaf 1\n{moment_text(at)}\n{hashlib.sha256(text).hexdigest()}\n"
        assert read.leaf_hash == hashlib.sha256(b"\x00" + leaf.encode()).digest()


def test_the_text_is_canonical() -> None:
    told = issued(12, "1NPJNEK2VA9GEW9E")
    assert told.text().decode() == (
        '{"agency":"H22.12","code":"1NPJNEK2VA9GEW9E",'
        f'"decided_on":"2026-11-23","document_sha256":"{digest("published 12")}","event":"issued",'
        f'"number":12,"source_sha256":"{digest("handed in 12")}","symbol":"QĐ-UBND",'
        '"type":"sohoa register entry 1","year":2026}'
    )


@pytest.mark.parametrize(
    "change",
    [
        {"type": "sohoa register entry 2"},
        {"type": None},
        {"event": "forgotten"},
        {"code": "1NPJ-NEK2-VA9G-EW9E"},
        {"number": "12"},
        {"number": True},
        {"year": 2026.0},
        {"document_sha256": "A" * 64},
        {"document_sha256": 5},
        {"source_sha256": None},
        {"agency": 7},
        {"at": "2026-11-23T08:30:00.123456Z"},
        {"decided_on": "23/11/2026"},
        {"holder": "Nguyễn Văn Mẫu"},
    ],
)
def test_other_texts_are_no_entries(change: dict[str, Any]) -> None:
    value = json.loads(issued(12).text()) | change
    left = {name: entry for name, entry in value.items() if entry is not None}
    text = json.dumps(left, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    with pytest.raises(MalformedEntry):
        Entry.read(0, AT, text)


@pytest.mark.parametrize("text", ["", "[]", "null", "1", "{", "[" * 100_000, '{"type":1}'])
def test_what_is_no_object_is_no_entry(text: str) -> None:
    with pytest.raises(MalformedEntry):
        Entry.read(0, AT, text)


def test_another_form_of_the_same_text_is_no_entry() -> None:
    value = json.loads(issued(12).text())
    with pytest.raises(MalformedEntry, match="canonical"):
        Entry.read(0, AT, json.dumps(value, ensure_ascii=False, sort_keys=True))


@pytest.mark.parametrize("event", list(Event))
def test_each_event_says_what_it_has_to(event: Event) -> None:
    bare = Registration(event, new_code(), "H22.12", digest("x"))
    with pytest.raises(MalformedEntry, match="lacks"):
        entry(bare)


def test_the_status_follows_from_all_entries() -> None:
    first, second = issued(1), issued(1)
    assert status_of([entry(first)]) is Status.IN_FORCE
    assert status_of([entry(first), entry(renewed(first))]) is Status.IN_FORCE
    assert status_of([entry(first), entry(superseded(first, second))]) is Status.SUPERSEDED
    ended = [entry(first), entry(annulled(first)), entry(superseded(first, second))]
    assert status_of(ended) is Status.ANNULLED
