"""Whether the service can work: each part by name, asked at most once a second.

The clock is a part of its own (security.md 22): a wall clock that was stepped while the process
ran, or that disagrees with the TSA's, makes every signature doubtful.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool

from api import problems
from dossier.errors import Overloaded
from hsm.errors import TokenUnavailable
from signer.clock import ClockDisagreement, ClockGate
from signer.errors import ClockRefused
from signer.timestamp_token import read_token

if TYPE_CHECKING:
    from api.house import House
    from dossier.storage.database import Database
    from signer.services import Timestamper

Probe = Callable[[], None]
"""Returns when a part works, raises when it does not."""

_PATIENCE_S = 10.0
_STALE_S = 5.0
_BAD_S = 1.0  # a bad answer is believed for so long
_DOUBT_S = 0.25  # who comes then waits so long for the next answer, and is refused by the last one
_HANGS_S = 2.0  # a request waits so long for the first answer; then the part is taken to hang


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one part. `state` is "ok" or a headline that says what is wrong."""

    state: str
    asked_at: float
    error: Exception | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the part worked when it was asked."""
        return self.state == "ok"


class Readiness:
    """Asks the parts of one process. For one event loop; the probes run in threads."""

    def __init__(self, probes: Mapping[str, tuple[Probe, float]]) -> None:
        """`probes` by name, each with the seconds for which its good answer is believed."""
        self._probes = dict(probes)
        self._known: dict[str, Part] = {}
        self._asking: dict[str, asyncio.Task[Part]] = {}

    async def parts(self) -> dict[str, Part]:
        """Each part by name, none older than it may be."""
        found = await asyncio.gather(*(self._part(name) for name in self._probes))
        return dict(zip(self._probes, found, strict=True))

    async def require(self, name: str) -> None:
        """Raise what is wrong with a part, if that is known or can be found out.

        Meant for the head of requests that need the part: a good answer that is a little old
        serves while the next one is on its way, so nobody waits for a part that works, and hardly
        anybody for one that does not: a part that hangs is asked in the background.
        """
        known = self._known.get(name)
        if known is not None and known.is_ok and time.monotonic() - known.asked_at < _STALE_S:
            if time.monotonic() - known.asked_at >= self._probes[name][1]:
                self._asked(name)
            return
        if known is not None and not known.is_ok:
            part = await self._soon(name, _DOUBT_S, known)
        else:
            part = await self._soon(name, _HANGS_S, None)
        if part.error is not None:
            raise part.error.with_traceback(None)  # it is raised again and again: no long tail

    async def _soon(self, name: str, patience_s: float, known: Part | None) -> Part:
        """The part, or what was `known` of it when the answer is long in coming."""
        try:
            async with asyncio.timeout(patience_s):
                return await self._part(name)
        except TimeoutError:
            return known or _silent(name)

    async def _part(self, name: str) -> Part:
        _, fresh_s = self._probes[name]
        known = self._known.get(name)
        if known is not None:
            believed_s = fresh_s if known.is_ok else _BAD_S
            if time.monotonic() - known.asked_at < believed_s:
                return known
        return await asyncio.shield(self._asked(name))

    def _asked(self, name: str) -> asyncio.Task[Part]:
        """The question that is under way; however many ask at once, a part is asked once."""
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._ask(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

    async def _ask(self, name: str) -> Part:
        wrong: Exception | None = None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await run_in_threadpool(self._probes[name][0])
            state = "ok"
        except TimeoutError:
            part = self._known[name] = _silent(name)
            return part
        except ClockDisagreement as error:
            state, wrong = str(error), ClockRefused(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means: not ready
            state, wrong = problems.report(error).problem.headline_en, error
        part = self._known[name] = Part(state, time.monotonic(), wrong)
        return part


def _silent(name: str) -> Part:
    """A part that did not answer."""
    wrong = Overloaded(
        f"Phần “{name}” không trả lời kịp; hãy thử lại sau. / A part of the service did not "
        f"answer in time ({name}); try again later.",
        retry_after_s=2,
    )
    return Part("No answer in time", time.monotonic(), wrong)


def probes_of(house: House) -> dict[str, tuple[Probe, float]]:
    """The parts of a web process: token, database, blobs, clock, and the TSA if there is one."""
    clock = ClockGate()
    found: dict[str, tuple[Probe, float]] = {
        "token": (lambda: _token(house), 1.0),
        "database": (lambda: _database(house.database), 1.0),
        "blobs": (house.blobs.check, 1.0),
        "clock": (lambda: _discard(clock.now()), 1.0),
    }
    timestamper = house.timestamper
    if timestamper is not None:
        # a timestamp costs the authority a signature, so a good one is believed for longer
        found["tsa"] = (lambda: _timestamp(timestamper, clock), 10.0)
    return found


def _token(house: House) -> None:
    health = house.agent.health()
    if not health.ok:
        raise TokenUnavailable(health.message, retry_after_s=health.retry_after_s or 1)


def _database(database: Database) -> None:
    with database.read() as connection:
        connection.execute(sa.select(1))


def _timestamp(timestamper: Timestamper, clock: ClockGate) -> None:
    """Ask for one timestamp and compare its time with the wall clock."""
    earliest = clock.now()
    imprint = secrets.token_bytes(32)  # as good as a digest, and never the same twice
    token = read_token(timestamper.timestamp(imprint), imprint, "sha256")
    clock.compare(token.gen_time, earliest, clock.now())


def _discard(moment: datetime) -> None:
    """A probe wants to know that the clock can be trusted, not what it shows."""
    del moment
