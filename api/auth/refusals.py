"""Refusals on their way into the audit log: alike ones as one entry with a count.

A flood of bad logins must not become a flood of commits. So refusals wait for a moment in a
bounded table, alike ones together, and one thread writes them; how many entries a minute it may
write is bounded too, and what finds no place is counted in one entry of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from api.auth.rates import source_of
from api.telemetry.redaction import redact
from dossier.errors import CredentialRefused, NotFound
from dossier.model import AuditEvent

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.problems import Report

_LOG = logging.getLogger("sohoa.refusals")
_AUDITED = frozenset({401, 403, 409, 422, 429})
_KINDS = 128  # different refusals that wait at once; the rest is counted together
_BURST = 100  # entries that may be written at once after a quiet time …
_PER_S = 0.5  # … and how many a second from then on
_GATHER_S = 0.2  # how long the first of a kind waits for others alike
_PAUSE_S = 1.0  # between two commits
_PATH = 160
_MANY = ("many",)


class AuditWriter(Protocol):
    """What refusals need of the audit log."""

    def write(self, *events: AuditEvent) -> int:
        """Append in a commit of its own. Raises `AuditUnavailable`."""
        ...


@dataclass(slots=True)
class _Alike:
    event: AuditEvent
    count: int = 1
    first: float = field(default_factory=time.time)


class Refusals:
    """Takes refusals from the event loop and from threads; writes them from a thread of its own."""

    def __init__(
        self, audit: AuditWriter, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._audit = audit
        self._monotonic = monotonic
        self._waiting: dict[tuple[str, ...], _Alike] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._allowed = float(_BURST)
        self._filled_at = monotonic()
        self.refused_total = 0

    async def refused(self, scope: Scope, error: BaseException, told: Report) -> None:
        """What `api.web.door.Door` calls for each error that leaves a route.

        What is another agency's is answered like what does not exist, so both are written
        alike: an agency may read its own refusals, and must not learn from them what others
        have. HEAD, by which uploads ask what is still to be sent, is no refusal.
        """
        state = scope.get("state", {})
        admitted = state.get("admitted")
        if told.problem.status not in _AUDITED and not (
            admitted is not None and isinstance(error, NotFound) and scope["method"] != "HEAD"
        ):
            return
        cause = error if isinstance(error, CredentialRefused) else error.__cause__
        reason = cause.reason if isinstance(cause, CredentialRefused) else told.code
        client = scope.get("client")
        source = source_of(client[0] if client else None)
        if admitted is not None:
            actor, agency = admitted.caller.principal_id, admitted.caller.agency_id
        elif isinstance(cause, CredentialRefused) and cause.principal_id:
            actor, agency = cause.principal_id, cause.agency_id
        else:
            actor, agency = "anonymous", None
        self.note(
            AuditEvent(
                "request.refused",
                actor,
                agency,
                actor,
                {
                    "status": told.problem.status,
                    "code": told.code,
                    "reason": reason,
                    "source": source,
                    "method": scope["method"],
                    "path": redact(scope["path"])[:_PATH],
                    "request_id": state.get("request_id", ""),
                },
            )
        )

    def note(self, event: AuditEvent) -> None:
        """Have `event` written soon; alike ones (all but path and request id) become one."""
        details = event.details
        place: tuple[str, ...] = (
            event.event,
            event.actor,
            str(event.agency_id),
            str(details.get("code")),
            str(details.get("reason")),
            str(details.get("source")),
            str(details.get("method")),
        )
        with self._lock:
            self.refused_total += 1
            alike = self._waiting.get(place)
            if alike is None and len(self._waiting) >= _KINDS:
                place = _MANY
                alike = self._waiting.get(place)
                event = _many(event.event)
            if alike is None:
                self._waiting[place] = _Alike(event)
            else:
                alike.count += 1
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="sohoa-refusals", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def flush(self, *, all_of_them: bool = False) -> int:
        """Write what may be written now; returns the number of entries. Errors are logged.

        With `all_of_them` the rest is counted in one entry.
        """
        with self._writing:
            with self._lock:
                now = self._monotonic()
                gained = (now - self._filled_at) * _PER_S
                self._allowed, self._filled_at = min(_BURST, self._allowed + gained), now
                places = list(self._waiting)[: int(self._allowed)]
                taken = {place: self._waiting.pop(place) for place in places}
                self._allowed -= len(taken)
                if all_of_them and self._waiting:
                    rest = list(self._waiting.values())
                    self._waiting.clear()
                    many = taken.setdefault(_MANY, _Alike(_many(rest[0].event.event), 0))
                    many.count += sum(alike.count for alike in rest)
            if not taken:
                return 0
            try:
                self._audit.write(*(_entry(alike) for alike in taken.values()))
            except Exception as error:  # noqa: BLE001 - whatever it is: they wait, the thread lives
                _LOG.warning(
                    "refusals cannot be written yet",
                    extra={"waiting": len(taken), "error": type(error).__name__},
                )
                self._put_back(taken)
                return 0
            return len(taken)

    def close(self) -> None:
        """Write the rest, as far as the log takes it, and end the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)
        self.flush(all_of_them=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            if self._stopped.wait(_GATHER_S):
                return
            self._wake.clear()
            self.flush()
            if self._waiting:
                self._wake.set()
            self._stopped.wait(_PAUSE_S)

    def _put_back(self, taken: dict[tuple[str, ...], _Alike]) -> None:
        with self._lock:
            self._allowed += len(taken)
            for place, alike in taken.items():
                present = self._waiting.get(place)
                if present is not None:
                    present.count += alike.count
                    present.first = min(present.first, alike.first)
                elif len(self._waiting) <= _KINDS:
                    self._waiting[place] = alike


def _entry(alike: _Alike) -> AuditEvent:
    details: dict[str, Any] = dict(alike.event.details)
    if alike.count > 1:
        details.update(count=alike.count, over_s=round(time.time() - alike.first, 1))
    event = alike.event
    return AuditEvent(event.event, event.actor, event.agency_id, event.subject, details)


def _many(event: str) -> AuditEvent:
    """The entry that counts what found no place: no attacker chooses how much is kept of him."""
    return AuditEvent(event, "anonymous", None, "many", {"code": "many", "reason": "many"})
