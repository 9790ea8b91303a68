"""The word before the deed: an intent is on the disk, for others to read, before C_Sign (15)."""

from __future__ import annotations

import secrets
import threading
import time

import sqlalchemy as sa

from dossier.storage.database import Database


def officers_calls(agent) -> int:
    """How often C_Sign was made with the key; the agent uses others by itself."""
    return sum("test-officer" in line for line in agent.calls())


def test_the_intent_is_committed_while_c_sign_is_still_held_back(faulty_agent) -> None:
    """The module waits before it signs; meanwhile another process reads the chain."""
    digest = secrets.token_bytes(32)
    key = faulty_agent.client().key("test-officer").bound(purpose="document", subject="rec_held")
    calls = officers_calls(faulty_agent)
    made: list[bytes] = []
    faulty_agent.fault(stall=1200, n=1)
    thread = threading.Thread(target=lambda: made.extend(key.sign_digests([digest])))
    thread.start()
    until = time.monotonic() + 10
    while not (mine := [e for e in faulty_agent.entries() if e.subject == "rec_held"]):
        assert time.monotonic() < until
        time.sleep(0.01)
    seen, called = [entry.event for entry in mine], officers_calls(faulty_agent) - calls
    thread.join()
    assert (seen, called) == (["key.intent"], 0)
    assert mine[0].details["digest"] == digest.hex()
    assert len(made) == 1
    assert officers_calls(faulty_agent) == calls + 1
    events = [e.event for e in faulty_agent.entries() if e.subject == "rec_held"]
    assert events == ["key.intent", "key.outcome"]


def test_a_commit_is_on_the_disk_before_it_is_answered(database: Database) -> None:
    """What every connection is told: the agent's chain and the service's use the same class."""
    with database.begin() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(sa.text("PRAGMA synchronous")) == 2  # FULL
        else:
            assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"
