"""Follows something that moves, as server-sent events (WHATWG HTML, 9.2).

    return await follow(request, Followed(again, shown, mark, is_final), last_event_id)

Each event shows the whole thing, so a client that was away misses nothing by resuming. The stream
ends with the event ``done``; asking again after that gives 204, which stops a browser's
EventSource.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.web.doorway import blocking
from dossier.model import JSON

T = TypeVar("T")
_POLL_S = 0.3  # between two looks at something that somebody follows
HEARTBEAT_S = 15

EVENT_STREAM = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "required": ["event", "data"],
            "properties": {name: {"type": "string"} for name in ("event", "data", "id")},
        }
    }
}
"""How OpenAPI describes the stream."""


@dataclass(frozen=True, slots=True)
class Followed(Generic[T]):
    """What is followed. `again` blocks and reads it; `mark` names a moment of it."""

    again: Callable[[], T]
    shown: Callable[[T], Mapping[str, JSON]]
    mark: Callable[[T], str]
    is_final: Callable[[T], bool]


async def follow(request: Request, what: Followed[T], last_event_id: str | None) -> Response:
    """Events ``progress``, then ``done``; with `last_event_id` from the first change after it.

    Raises what `again` raises, before the stream begins.
    """
    first = await blocking(what.again)
    if what.is_final(first) and what.mark(first) == last_event_id:
        return Response(status_code=204)
    return EventSourceResponse(_events(request, what, first, last_event_id), ping=HEARTBEAT_S)


async def _events(
    request: Request, what: Followed[T], now: T, seen: str | None
) -> AsyncIterator[ServerSentEvent]:
    while True:
        mark, is_final = what.mark(now), what.is_final(now)
        if mark != seen:
            seen = mark
            text = json.dumps(what.shown(now), ensure_ascii=False, separators=(",", ":"))
            yield ServerSentEvent(text, event="done" if is_final else "progress", id=mark)
        if is_final or await request.is_disconnected():
            return
        await asyncio.sleep(_POLL_S)
        now = await blocking(what.again)
