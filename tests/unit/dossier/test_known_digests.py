"""Answers that are given again: at once, never stale, and in bounded memory."""

from __future__ import annotations

import datetime as dt
import json
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dossier.trust.snapshot import Snapshot
from dossier.verifying.checkers import Checkers
from dossier.verifying.known import WINDOW, KnownDigests, Question, digest_of
from signer.trust import TrustDomain, TrustStore

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def report(name: str, **more: object) -> bytes:
    return json.dumps(
        {"document": {"sha256": name}, "verified_at": NOW.isoformat(), **more}
    ).encode()


def asked(name: str = "a", trust: str = "t", at: dt.datetime | None = None) -> Question:
    return Question(name, trust, at)


def test_an_answer_is_given_again_for_a_while():
    known = KnownDigests()
    text = known.keep(asked(), report("a"))
    assert known.find(asked(), NOW) == text
    assert known.find(asked(), NOW + WINDOW - SECOND) == text
    assert known.find(asked(), NOW + WINDOW) is None
    assert known.bytes_held == 0


def test_whatever_is_changed_makes_another_question():
    known = KnownDigests()
    known.keep(asked(), report("a"))
    assert known.find(asked("b"), NOW) is None
    assert known.find(asked(trust="other"), NOW) is None
    assert known.find(asked(at=NOW), NOW) is None


def test_no_answer_outlives_a_certificate_that_it_names():
    known = KnownDigests()
    certificate = {
        "not_after": (NOW + 5 * SECOND).isoformat(),
        "not_before": "2026-01-01T00:00:00Z",
    }
    known.keep(asked(), report("a", signatures=[{"certificate": certificate}]))
    assert known.find(asked(), NOW + 4 * SECOND)
    assert known.find(asked(), NOW + 5 * SECOND) is None


def test_a_stated_time_has_one_answer_for_ever():
    known = KnownDigests()
    known.keep(asked(at=NOW), report("a"))
    assert known.find(asked(at=NOW), NOW + 1000 * WINDOW)


def test_a_clock_that_was_set_back_gives_no_answer_of_the_future():
    known = KnownDigests()
    known.keep(asked(), report("a"))
    assert known.find(asked(), NOW - SECOND) is None


def test_an_answer_on_another_file_is_not_remembered():
    """The file was replaced between the digest and the reading."""
    known = KnownDigests()
    known.keep(asked("a"), report("b"))
    assert known.find(asked("a"), NOW) is None
    assert known.find(asked("b"), NOW) is None


def test_memory_is_bounded_and_the_oldest_goes_first():
    known = KnownDigests(100_000)
    for number in range(500):
        known.keep(asked(str(number)), report(str(number), padding="x" * 1000))
        known.find(asked("0"), NOW)
        assert known.bytes_held <= 100_000
    assert known.find(asked("0"), NOW)  # asked for all the time
    assert known.find(asked("1"), NOW) is None
    assert known.find(asked("499"), NOW)
    known.keep(asked("large"), report("large", padding="x" * 200_000))
    assert known.find(asked("large"), NOW) is None


def test_nothing_is_remembered_without_memory():
    known = KnownDigests(0)
    known.keep(asked(), report("a"))
    assert known.find(asked(), NOW) is None


def test_threads_share_it():
    known = KnownDigests(50_000)

    def work(base: int) -> None:
        for number in range(300):
            name = str((base + number) % 40)
            known.keep(asked(name), report(name, padding="y" * 900))
            found = known.find(asked(name), NOW)
            assert found is None or json.loads(found)["document"]["sha256"] == name

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < known.bytes_held <= 50_000


# --- in the checkers ---------------------------------------------------------------------------


class Changing:
    """A trust that is changed between two files."""

    def __init__(self, store: TrustStore) -> None:
        self.now = Snapshot(store)

    def snapshot(self, at: dt.datetime | None = None) -> Snapshot:
        return self.now


@pytest.fixture(scope="module")
def trust(test_pki) -> Changing:
    return Changing(TrustStore.of(test_pki.anchors, TrustDomain.TEST))


@pytest.fixture(scope="module")
def checkers(trust: Changing) -> Iterator[Checkers]:
    with Checkers(trust, processes=1) as made:
        yield made


@pytest.fixture
def record(signed, tmp_path: Path) -> Path:
    path = tmp_path / "record.pdf"
    path.write_bytes(signed["B-LTA"])
    return path


def test_a_repeat_takes_less_than_five_milliseconds(checkers, record):
    first = checkers.verify(record)
    assert json.loads(first)["indication"] == "TOTAL-PASSED"
    took, hashing = [], []
    for _ in range(20):
        began = time.process_time()
        assert checkers.verify(record) == first
        took.append(time.process_time() - began)
        began = time.process_time()
        digest_of(record)
        hashing.append(time.process_time() - began)
    assert statistics.median(took) < 0.005 + statistics.median(hashing)


def test_other_trust_is_another_answer_at_once(checkers, trust, record):
    before = trust.now
    assert json.loads(checkers.verify(record))["indication"] == "TOTAL-PASSED"
    trust.now = Snapshot(TrustStore())
    assert json.loads(checkers.verify(record))["indication"] == "INDETERMINATE"
    trust.now = before
    assert json.loads(checkers.verify(record))["indication"] == "TOTAL-PASSED"


def test_another_file_under_the_same_name_is_read(checkers, record, signed):
    first = json.loads(checkers.verify(record))
    record.write_bytes(signed["B-B"])
    assert json.loads(checkers.verify(record))["document"] != first["document"]
