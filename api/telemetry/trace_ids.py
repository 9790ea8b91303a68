"""Request ids and trace ids, each from the other (W3C Trace Context, RFC-free ids of clients).

A request id that we make is the trace id and the span id of the request's root span. Of an id
that a client chose both are hashes. Either way any process that knows the request id knows the
root span, and can hang its own spans under it.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

_OURS = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_CLIENTS = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True, slots=True)
class SpanIDs:
    """A trace (128 bits) and a span of it (64 bits); neither is 0."""

    trace: int
    span: int


@dataclass(frozen=True, slots=True)
class RequestIDs:
    """The id of one request, its root span, and the caller's span that it hangs under."""

    request_id: str
    root: SpanIDs
    parent: SpanIDs | None


def request_ids(request_id: str | None, traceparent: str | None) -> RequestIDs:
    """The ids of a new request by what its headers say; what is not well formed is passed over.

    X-Request-Id is kept as it is. Without it, `traceparent` gives the trace to belong to.
    """
    parent = _parent(traceparent)
    if request_id is not None and _CLIENTS.fullmatch(request_id):
        # the id has to lead to the trace by itself, so a foreign trace cannot be joined
        return RequestIDs(request_id, root_of(request_id), None)
    made = random.getrandbits(192)  # unique, not secret: spares two system calls
    root = SpanIDs(parent.trace if parent else made >> 64 or 1, made & (2**64 - 1) or 1)
    return RequestIDs(f"{root.trace:032x}-{root.span:016x}", root, parent)


def root_of(request_id: str) -> SpanIDs:
    """The root span of a request."""
    ours = _OURS.fullmatch(request_id)
    if ours and int(ours[1], 16) and int(ours[2], 16):
        return SpanIDs(int(ours[1], 16), int(ours[2], 16))
    digest = hashlib.sha256(request_id.encode("utf-8", "replace")).digest()
    return SpanIDs(
        int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:24], "big") or 1
    )


def _parent(traceparent: str | None) -> SpanIDs | None:
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    trace, span = int(match[2], 16), int(match[3], 16)
    return SpanIDs(trace, span) if trace and span else None
