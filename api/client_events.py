"""Server-sent events as the Python client reads them, across broken connections."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from api.client_values import Event

if TYPE_CHECKING:
    from api.client_transport import Transport

_SILENCE_S = 60.0  # the service sends a sign of life four times as often
_RECONNECT_S = 1.0


def events_of(transport: Transport, path: str) -> Iterator[Event]:
    """The events at `path`, until ``done``; goes on where a broken connection left off."""
    last = ""
    while True:
        headers = {"Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        with (
            contextlib.suppress(httpx.TransportError),
            transport.stream(path, headers=headers, read_s=_SILENCE_S) as response,
        ):
            for event in _parsed(response.iter_lines()):
                last = event.id or last
                yield event
                if event.name == "done":
                    return
        time.sleep(_RECONNECT_S)


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events (WHATWG HTML, "Interpreting an event stream")."""
    name, event_id = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(event_id, name, json.loads("\n".join(data)))
            name, data = "message", []
            continue
        entry, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if entry == "event":
            name = value
        elif entry == "data":
            data.append(value)
        elif entry == "id":
            event_id = value
