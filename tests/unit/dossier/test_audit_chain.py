"""The pure rules: canonical text, digests, links."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.audit.chain import (
    AuditEntry,
    MalformedEntry,
    canonical,
    digest_of,
    entry_text,
    genesis,
    moment_of,
    moment_text,
    next_link,
    parse_entry,
)
from dossier.model import AuditEvent, Role

AT = "2026-03-02T01:02:03.000004Z"
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def test_canonical_text_is_sorted_without_blanks_in_utf_8():
    assert canonical({"số": 1, "a": ["x", None, True]}) == '{"a":["x",null,true],"số":1}'.encode()


def test_canonical_text_takes_what_events_carry():
    moment = dt.datetime(2026, 3, 2, 8, 2, 3, 4, dt.timezone(dt.timedelta(hours=7)))
    assert canonical({"role": Role.CLERK, "at": moment}) == (
        b'{"at":"2026-03-02T01:02:03.000004Z","role":"clerk"}'
    )


def test_a_lone_surrogate_cannot_stop_the_log():
    assert json.loads(canonical({"reason": "a\ud800b"}))["reason"] == "a�b"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        canonical({"value": value})


@given(TEXT, TEXT, st.none() | TEXT, st.dictionaries(TEXT, VALUES, max_size=4))
def test_an_entry_is_read_as_it_was_written(event, actor, agency, details):
    text = entry_text("service", 7, AT, AuditEvent(event, actor, agency, "rec_1", details))
    entry = AuditEntry.read(text.decode(), "e", "l")
    assert (entry.event, entry.actor, entry.agency_id) == (event, actor, agency)
    assert (entry.seq, entry.chain, entry.subject) == (7, "service", "rec_1")
    assert entry.details == details
    assert moment_text(entry.at) == AT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":7', b'"seq": 7'),
        (b'"seq":7', b'"seq":"7"'),
        (b'"seq":7', b'"seq":true'),
        (b'"details":{}', b'"details":[]'),
        (b'"actor":"p"', b'"actor":3'),
        (b'"actor":"p"', b'"actor":"p","actor":"p"'),
        (b'"actor":"p",', b""),
        (b'"agency":null', b'"agency":1'),
        (b"04Z", b"04+00:00"),
        (b"2026", b"20X6"),
        (b"}", b""),
    ],
)
def test_other_forms_of_an_entry_are_refused(old, new):
    text = entry_text("service", 7, AT, AuditEvent("e", "p", None, "s"))
    assert old in text
    with pytest.raises(MalformedEntry):
        parse_entry(text.replace(old, new, 1).decode())


def test_times_have_one_form():
    assert moment_text(moment_of(AT)) == AT
    for other in ("2026-03-02T01:02:03Z", "2026-03-02T01:02:03.000004", "2026-03-02"):
        with pytest.raises(ValueError, match="2026"):
            moment_of(other)


def test_links_are_what_the_rules_say():
    """Written out once more, so that a change of the rules cannot pass as a change of the code."""
    start = hashlib.sha256(b"sohoa audit chain\0service\0abc").digest()
    assert genesis("service", "abc") == start
    digest = hashlib.sha256(b"{}").digest()
    assert digest_of(b"{}") == digest
    assert next_link(start, digest) == hashlib.sha256(start + digest).digest()
    assert genesis("keys", "abc") != start != genesis("service", "abd")
