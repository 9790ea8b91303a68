"""What is final and what is tried again; orders that contradict themselves; turns and groups."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time

import pytest

from dossier.errors import BlobDamaged, InvalidOrder, NotFound, StoreError
from dossier.queue.retrying import MAX_ATTEMPTS, Outcome, outcome_of
from dossier.signing.order import SignatureOrder
from dossier.storage.grouping import Group
from dossier.storage.turns import Turns
from hsm.errors import KeyNotFound, SignatureFault, TokenUnavailable
from signer.errors import (
    CertificateRefused,
    ClockRefused,
    KeyUseRefused,
    PolicyRefused,
    ProfileError,
    RevocationError,
    SignatureNotValid,
    TimestampError,
    UnsuitableDocument,
)
from signer.sealing.levels import Level


@pytest.mark.parametrize(
    "error",
    [
        UnsuitableDocument("x"),
        CertificateRefused("x"),
        PolicyRefused("x"),
        KeyUseRefused("x"),
        ProfileError("x"),
        SignatureNotValid("x", report=None),
        KeyNotFound("x"),
        NotFound("x"),
        InvalidOrder("x"),
    ],
)
def test_refusals_are_final(error):
    verdict = outcome_of(error, 1)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.error == {"kind": type(error).__name__, "message": "x"}


@pytest.mark.parametrize(
    "error",
    [
        TokenUnavailable("x"),
        TimestampError("x"),
        RevocationError("x"),
        StoreError("x"),
        ClockRefused("x"),
    ],
)
def test_what_is_away_is_waited_for_without_end(error):
    for attempt in (1, MAX_ATTEMPTS, 1000):
        verdict = outcome_of(error, attempt)
        assert verdict.outcome is Outcome.RETRY
        assert 0 < verdict.delay_s <= 30


@pytest.mark.parametrize("error", [SignatureFault("x"), BlobDamaged("x"), ZeroDivisionError("x")])
def test_what_is_doubtful_is_tried_some_times(error):
    for stumbles in range(MAX_ATTEMPTS - 1):
        verdict = outcome_of(error, 1 + stumbles, stumbles)
        assert verdict.outcome is Outcome.RETRY
        assert verdict.stumbled
    assert outcome_of(error, MAX_ATTEMPTS, MAX_ATTEMPTS - 1).outcome is Outcome.FAIL


def test_an_outage_uses_up_no_tries():
    """After hours of waiting for the token, one wrong signature is the first stumble."""
    assert not outcome_of(TokenUnavailable("x"), 500, 3).stumbled
    verdict = outcome_of(SignatureFault("x"), 500)
    assert verdict.outcome is Outcome.RETRY
    assert verdict.delay_s <= 0.5


def test_delays_grow_spread_and_mind_the_tokens_word():
    early = [outcome_of(StoreError("x"), 1).delay_s for _ in range(50)]
    late = [outcome_of(StoreError("x"), 5).delay_s for _ in range(50)]
    assert max(early) <= 0.5 < min(late)
    assert len(set(early)) > 10
    asked = outcome_of(TokenUnavailable("x", retry_after_s=8), 1).delay_s
    assert 4 <= asked <= 8


def test_an_unforeseen_error_keeps_its_text_to_the_log():
    verdict = outcome_of(ValueError("secret path /root"), 1)
    assert verdict.unexpected
    assert "secret" not in verdict.error["message"]


def test_an_order_survives_its_json():
    order = SignatureOrder(
        "seal", ("P4", "P6"), Level.B_LTA, 3, "QĐ-UBND", decided_on=dt.date(2026, 5, 1), annex=True
    )
    assert SignatureOrder.from_json(order.to_json()) == order
    assert SignatureOrder.from_json({"key": "seal"}) == SignatureOrder("seal")
    assert SignatureOrder("seal").to_json() == {"key": "seal"}


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        ({"key": ""}, "key"),
        ({"number": 1, "symbol": "Q", "from_book": True}, "number"),
        ({"number": 0, "symbol": "Q"}, "number"),
        ({"number": 1}, "symbol"),
        ({"from_book": True}, "symbol"),
        ({"supersedes": "rec_1"}, "supersedes"),
        ({"profiles": ["P1", "P2"], "field_name": "f"}, "field_name"),
        ({"copy_form": "XX"}, "copy_form"),
        ({"annex": True, "from_book": True, "symbol": "Q"}, "from_book"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_orders_that_contradict_themselves(entries, field):
    with pytest.raises(InvalidOrder) as refused:
        SignatureOrder.from_json({"key": "seal", **entries})
    assert refused.value.field == field


@pytest.mark.parametrize(
    "entries", [{"level": "B-X"}, {"decided_on": "soon"}, {"profiles": 3}, {"key": None}]
)
def test_orders_of_the_wrong_shape(entries):
    with pytest.raises(InvalidOrder):
        SignatureOrder.from_json({"key": "seal", **entries})


def test_a_group_takes_along_what_came_meanwhile():
    sizes: list[int] = []
    hold = threading.Event()

    def run(items):
        sizes.append(len(items))
        hold.wait(5)
        return [item * 2 for item in items]

    group = Group(run)
    results: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda n=n: results.__setitem__(n, group.do(n))) for n in range(9)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    hold.set()
    for thread in threads:
        thread.join(5)
    assert results == {n: 2 * n for n in range(9)}
    assert sizes[0] == 1
    assert sum(sizes) == 9
    assert len(sizes) <= 3


def test_neighbours_of_a_failure_are_done_again_alone():
    hold = threading.Event()

    def run(items):
        hold.wait(5)
        if "bad" in items:
            raise ValueError("bad")
        return list(items)

    group = Group(run)
    got: dict[str, object] = {}

    def one(item: str) -> None:
        try:
            got[item] = group.do(item)
        except ValueError as error:
            got[item] = error

    threads = [threading.Thread(target=one, args=(i,)) for i in ("first", "bad", "good", "fine")]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    hold.set()
    for thread in threads:
        thread.join(5)
    assert isinstance(got.pop("bad"), ValueError)
    assert got == {"first": "first", "good": "good", "fine": "fine"}


_HOLDER = """
import sys, time
from pathlib import Path
from dossier.storage.turns import Turns
with Turns(Path(sys.argv[1]), 5).taken():
    print("held", flush=True)
    time.sleep(30)
"""


def test_a_turn_is_one_process_at_a_time_and_ends_with_it(tmp_path):
    database = tmp_path / "house.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(database)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        short = Turns(database, 0.1)
        with pytest.raises(StoreError, match="busy"), short.taken():
            pass
        holder.kill()
        holder.wait(10)
        with Turns(database, 5).taken():
            pass
        short.close()
    finally:
        holder.kill()
        holder.wait(10)
        assert holder.stdout is not None
        holder.stdout.close()
