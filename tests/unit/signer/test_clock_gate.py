"""The clock gate: steps of the wall clock, and disagreement with others."""

from __future__ import annotations

import datetime as dt

import pytest

from signer.clock import ClockDisagreement, ClockGate


class Clocks:
    def __init__(self):
        self.wall = 1_900_000_000.0
        self.running = 500.0

    def gate(self):
        return ClockGate(
            dt.timedelta(seconds=60), wall_s=lambda: self.wall, running_s=lambda: self.running
        )


def test_both_clocks_run_on():
    clocks = Clocks()
    gate = clocks.gate()
    clocks.wall += 86400 + 30  # slewed a little
    clocks.running += 86400
    assert gate.now() == dt.datetime.fromtimestamp(clocks.wall, dt.UTC)


@pytest.mark.parametrize("step_s", [61, -61, 7 * 3600])
def test_a_step_is_noticed(step_s):
    clocks = Clocks()
    gate = clocks.gate()
    clocks.wall += step_s
    with pytest.raises(ClockDisagreement, match="NTP"):
        gate.now()


def test_the_real_clocks_agree():
    assert abs(ClockGate().now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=5)


def test_another_clock_may_differ_by_the_bound():
    gate = Clocks().gate()
    start, end = (dt.datetime(2030, 1, 1, 0, minute, tzinfo=dt.UTC) for minute in (10, 20))
    for minute in (9, 15, 21):
        gate.compare(start.replace(minute=minute), start, end)
    for minute in (8, 22):
        with pytest.raises(ClockDisagreement, match="TSA"):
            gate.compare(start.replace(minute=minute), start, end)
