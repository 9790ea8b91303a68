"""The breaker, and the threads that may hang."""

from __future__ import annotations

import contextlib
import functools
import threading
import time

import pytest

from api.agent import breaker as breaker_module
from api.agent.breaker import STRIKES, Breaker, State
from api.agent.workers import TooLate, TooMany, Workers
from hsm.errors import DeviceError, SignatureFault, TokenUnavailable

GONE = TokenUnavailable("unplugged", retry_after_s=1)


class Token:
    def __init__(self) -> None:
        self.here = threading.Event()
        self.probes = 0
        self.at_once = 0
        self.most = 0

    def probe(self):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.probes += 1
        time.sleep(0.005)
        self.at_once -= 1
        if not self.here.is_set():
            raise DeviceError("still gone", code="CKR_DEVICE_REMOVED")


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setattr(breaker_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(breaker_module, "LONGEST_PAUSE_S", 0.02)
    return Token()


@pytest.fixture
def breaker(token):
    breaker = Breaker(token.probe)
    yield breaker
    breaker.close()


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_it_opens_refuses_at_once_and_closes_after_one_good_call(token, breaker):
    breaker.admit()
    for _ in range(8):
        threading.Thread(target=breaker.failed, args=(GONE,)).start()
    until(lambda: breaker.state is State.OPEN)
    with pytest.raises(TokenUnavailable, match=r"unplugged|still gone") as refused:
        breaker.admit()
    assert refused.value.retry_after_s >= 1
    until(lambda: token.probes > 3)
    assert token.most == 1  # one probe at a time
    assert breaker.trips == 1
    token.here.set()
    until(lambda: breaker.state is State.TRIAL)
    breaker.admit()  # this one tries
    with pytest.raises(TokenUnavailable):
        breaker.admit()  # the others wait for it
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    breaker.admit()
    probes = token.probes
    time.sleep(0.05)
    assert token.probes == probes


def test_a_trial_that_fails_opens_it_again(token, breaker):
    token.here.set()
    breaker.failed(GONE)
    until(lambda: breaker.state is State.TRIAL)
    breaker.admit()
    breaker.failed(SignatureFault("says nothing about the token's presence"))
    breaker.admit()  # so another one may try
    token.here.clear()
    breaker.failed(GONE)
    assert breaker.state is State.OPEN
    assert breaker.trips == 2


def test_faults_of_the_device_in_a_row(breaker):
    fault = DeviceError("x", code="CKR_HOST_MEMORY")
    for _ in range(STRIKES - 1):
        breaker.failed(fault)
    breaker.succeeded()
    for _ in range(STRIKES - 1):
        breaker.failed(fault)
    assert breaker.state is State.CLOSED
    breaker.failed(fault)
    assert breaker.state is State.OPEN


def test_a_trial_that_never_ends_is_given_up(token, breaker, monkeypatch):
    monkeypatch.setattr(breaker_module, "TRIAL_S", 0.02)
    token.here.set()
    breaker.failed(GONE)
    until(lambda: breaker.state is State.TRIAL)
    breaker.admit()
    time.sleep(0.03)
    breaker.admit()


def test_work_that_hangs_is_left_behind_and_finished():
    workers = Workers(2, 1)
    go = threading.Event()
    kept = {}

    def hang(call, name="left behind"):
        go.wait(10)
        kept[name] = call.keep()
        return "late"

    with pytest.raises(TooLate) as late:
        workers.do(hang, 0.02)
    assert late.value.started
    assert workers.late == 1
    assert workers.do(lambda _: "in time", 5) == "in time"
    waited_for = functools.partial(hang, name="waited for")
    threading.Thread(target=lambda: _swallow(workers, waited_for), daemon=True).start()
    until(lambda: workers._threads == 2 and workers._idle == 0)
    with pytest.raises(TooLate) as waiting:
        workers.do(lambda _: "never begun", 0.02)
    assert not waiting.value.started
    threading.Thread(target=lambda: _swallow(workers, lambda _: None), daemon=True).start()
    until(lambda: len(workers._waiting) == 1)
    with pytest.raises(TooMany):
        workers.do(lambda _: None, 1)
    assert not workers.drain(0.02)
    go.set()
    assert workers.drain(5)
    assert workers.late == 0
    assert kept == {"left behind": False, "waited for": True}


def _swallow(workers, work):
    with contextlib.suppress(TooLate, TooMany):
        workers.do(work, 10)


def test_a_result_that_is_being_recorded_is_waited_for():
    workers = Workers(1, 1)

    def slow(call):
        assert call.keep()
        time.sleep(0.1)
        return "recorded"

    assert workers.do(slow, 0.02) == "recorded"


def test_errors_come_back():
    with pytest.raises(ZeroDivisionError):
        Workers(1, 1).do(lambda _: 1 / 0, 5)
