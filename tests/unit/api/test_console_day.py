"""The day's screen: figures of one's own agency, and days that are none."""

from __future__ import annotations

import pytest

from tests.checking_room import field_of
from tests.console_room import read_paper
from tests.fixtures_console import ConsoleRoom
from tests.fixtures_signing import OTHER_AGENCY


def test_the_figures_of_today(console: ConsoleRoom) -> None:
    thu = console.signed_in()
    fields = (field_of("doc_number", "12", doubtful=True),)
    _, paper, _ = read_paper(console.maker, thu.caller, fields=fields, doubtful=())
    thu.post(f"/console/papers/{paper}/take")
    thu.post(f"/console/papers/{paper}/confirm", target="field:doc_number", value="13")
    thu.post(f"/console/papers/{paper}/finish")
    shown = thu.get("/console/day").text
    assert "Papers: checked" in shown
    assert "1/1 (100.0 %)" in shown  # the field that was corrected
    assert '<th scope="row">Number</th>' in shown
    stranger = console.signed_in(agency=OTHER_AGENCY, name="Người xã khác")
    assert "Papers:" not in stranger.get("/console/day").text
    assert "Papers:" not in thu.get("/console/day?day=2020-01-01").text
    assert "Papers:" not in thu.get("/console/day?station=khong co").text


@pytest.mark.parametrize("day", ["x", "2026-13-01", "0001-01-01", "<script>alert(1)</script>"])
def test_days_that_are_none(day: str, console: ConsoleRoom) -> None:
    answer = console.signed_in().get(f"/console/day?day={day}")
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert 'aria-invalid="true"' in answer.text
