"""Each part by name, asked once however many ask; the clock as a part of its own."""

from __future__ import annotations

import asyncio
import time

import pytest

from api.web import readiness
from api.web.readiness import Readiness, probes_of
from dossier.errors import Overloaded, StoreError
from hsm.errors import TokenUnavailable
from signer.clock import ClockGate
from tests.fixtures_web import Web


def test_every_part_is_named(web: Web) -> None:
    answer = web.ask("GET", "/readyz")
    assert answer.status_code == 200, answer.text
    parts = answer.json()["parts"]
    assert parts == dict.fromkeys(("token", "database", "blobs", "clock", "tsa"), "ok")


def test_what_does_not_work_is_named_in_plain_words(web: Web) -> None:
    web.agent.gone = True
    answer = web.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["parts"]["token"] == "No token"
    assert answer.json()["parts"]["database"] == "ok"
    assert web.ask("GET", "/healthz").status_code == 200


def test_a_stepped_clock_and_a_tsa_of_another_time(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset = [0.0]

    class Stepped(ClockGate):
        def __init__(self) -> None:
            super().__init__(wall_s=lambda: time.time() + offset[0])

    monkeypatch.setattr(readiness, "ClockGate", Stepped)
    ready = Readiness(probes_of(web.house))
    offset[0] = 3600.0
    parts = asyncio.run(ready.parts())
    assert not parts["clock"].is_ok
    assert "3600" in parts["clock"].state
    assert not parts["tsa"].is_ok


def test_however_many_ask_a_part_is_asked_once() -> None:
    asked = []

    def slow() -> None:
        asked.append(True)
        time.sleep(0.05)

    async def many() -> None:
        ready = Readiness({"part": (slow, 1.0)})
        await asyncio.gather(*(ready.parts() for _ in range(20)))
        await ready.parts()

    asyncio.run(many())
    assert len(asked) == 1


def test_a_part_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE_S", 0.05)

    async def ask() -> None:
        ready = Readiness({"part": (lambda: time.sleep(0.3), 1.0)})
        parts = await ready.parts()
        assert parts["part"].state == "No answer in time"
        with pytest.raises(Overloaded):
            await ready.require("part")

    asyncio.run(ask())


def test_who_is_refused_does_not_wait_for_a_part_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one finds out; the others are told at once, until the part answers again."""
    monkeypatch.setattr(readiness, "_BAD_S", 0.0)
    monkeypatch.setattr(readiness, "_DOUBT_S", 0.02)
    pause_s = 0.0

    def probe() -> None:
        time.sleep(pause_s)
        if pause_s or not took:
            raise TokenUnavailable("gone")

    took: list[float] = []

    async def ask() -> None:
        nonlocal pause_s
        ready = Readiness({"token": (probe, 0.0)})
        with pytest.raises(TokenUnavailable):
            await ready.require("token")
        pause_s = 0.4
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(TokenUnavailable):
                await ready.require("token")
            took.append(time.monotonic() - began)
        assert max(took) < 0.3
        pause_s = 0.0
        await asyncio.sleep(0.5)
        await ready.require("token")

    asyncio.run(ask())


def test_requests_are_refused_while_a_part_is_gone_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "_BAD_S", 0.05)
    wrong: list[Exception] = [TokenUnavailable("gone")]

    def probe() -> None:
        if wrong:
            raise wrong[0]

    async def ask() -> None:
        ready = Readiness({"token": (probe, 0.0)})
        with pytest.raises(TokenUnavailable):
            await ready.require("token")
        wrong.clear()
        with pytest.raises(TokenUnavailable):  # believed for a moment
            await ready.require("token")
        await asyncio.sleep(0.06)
        await ready.require("token")
        wrong.append(StoreError("away"))
        await ready.require("token")  # a good answer serves while the next one is on its way
        await asyncio.sleep(0.05)
        with pytest.raises(StoreError):
            await ready.require("token")

    asyncio.run(ask())
