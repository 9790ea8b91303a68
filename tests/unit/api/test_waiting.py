"""Clients that wait: one query for all, patience with a database that is away, nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from api.web.routes.verifications import Turns
from api.web.waiting import Waiting, settled
from dossier.errors import Overloaded, StoreError
from dossier.model import RecordState


class Staying:
    """A client that stays on the line."""

    async def receive(self) -> dict[str, str]:
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}


def test_many_wait_for_one_and_the_database_may_be_away() -> None:
    asked: list[list[str]] = []

    def states(ids: Sequence[str]) -> dict[str, bool]:
        asked.append(sorted(ids))
        if len(asked) == 2:
            raise StoreError("away")
        return {"a": len(asked) > 4, "b": False}

    async def wait() -> tuple[list[bool], int, int]:
        waiting = Waiting(states, interval_s=0.01)
        found = await asyncio.gather(
            waiting.settled("a", 5, Staying()),
            waiting.settled("a", 5, Staying()),
            waiting.settled("b", 0.2, Staying()),
        )
        await asyncio.sleep(0.05)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return found, waiting.count, len(others)

    found, count, tasks = asyncio.run(wait())
    assert found == [True, True, False]
    assert (count, tasks) == (0, 0)
    assert asked[0] == ["a", "b"]  # one question for all
    assert asked[-1] == ["b"]  # nobody asks for what is settled


def test_what_counts_as_settled() -> None:
    under_way = {RecordState.ACCEPTED, RecordState.SIGNING, RecordState.HELD}
    told = settled({state.value: state for state in RecordState})
    assert {RecordState(name) for name, done in told.items() if not done} == under_way


def test_verifications_take_turns_and_the_line_has_an_end() -> None:
    async def crowd() -> tuple[int, int, int]:
        turns = Turns(at_once=2, waiting=3)
        inside = most = refused = 0

        async def one() -> None:
            nonlocal inside, most, refused
            try:
                async with turns:
                    inside += 1
                    most = max(most, inside)
                    await asyncio.sleep(0.01)
                    inside -= 1
            except Overloaded:
                refused += 1

        await asyncio.gather(*(one() for _ in range(9)))
        given_up = asyncio.create_task(turns.__aenter__())
        await given_up
        line = [asyncio.create_task(turns.__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        line[1].cancel()  # a client that goes away gives its place in the line back
        with pytest.raises(asyncio.CancelledError):
            await line[1]
        return most, refused, turns._count

    assert asyncio.run(crowd()) == (2, 4, 2)
