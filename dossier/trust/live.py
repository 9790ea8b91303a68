"""The snapshot in force, for processes that run for months.

    live = LiveTrust(pinned, history, shelf)
    live.snapshot()             # now; looks at the database at most every two seconds
    live.snapshot(at)           # as of then
    live.of([version, …])       # of versions that kept evidence names

Anchors that the settings pin always belong to it; lists are added version by version, and each
machine sees a new one, or one whose day has come, without a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dossier.errors import StoreError
from dossier.trust.history import in_force, refuse_test_anchors
from dossier.trust.snapshot import Snapshot

if TYPE_CHECKING:
    from dossier.trust.evidence import RevocationShelf
    from dossier.trust.history import TrustHistory
    from dossier.trust.values import TrustVersion
    from signer.trust import TrustStore

_LOG = logging.getLogger(__name__)
_LOOK_S = 2.0


class LiveTrust:
    """Whom one process believes. Safe for threads."""

    def __init__(
        self,
        pinned: TrustStore,
        history: TrustHistory,
        shelf: RevocationShelf,
        *,
        rules: str = "",
        refuse_tests: bool = False,
        look_s: float = _LOOK_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rules` is TOML that takes the place of the program's; `refuse_tests`: production."""
        self._pinned = pinned
        self._history = history
        self._shelf = shelf
        self._rules = rules
        self._refuse_tests = refuse_tests
        self._look_s = look_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: tuple[tuple[str, ...], Snapshot] | None = None
        self._looked = float("-inf")

    def snapshot(self, at: datetime | None = None) -> Snapshot:
        """What is in force now, or was at `at` (aware).

        While the database is away the last one known stands. Raises `TrustError` when a kept list
        cannot be used, and `StoreError` when nothing is known yet.
        """
        if at is not None:
            return self._made(in_force(self._history.all(), at), at)
        with self._lock:
            if self._known is not None and self._monotonic_s() < self._looked + self._look_s:
                return self._known[1]
            try:
                now = datetime.now(UTC)
                versions = in_force(self._history.all(), now)
                state = (*(one.id for one in versions), self._shelf.newest())
                if self._known is None or self._known[0] != state:
                    self._known = (state, self._made(versions, now))
                    _LOG.info("trust in force: %s", self._known[1].fingerprint)
            except StoreError as error:
                if self._known is None:
                    raise
                _LOG.warning("the last trust store known is used: %s", error)
            self._looked = self._monotonic_s()
            return self._known[1]

    def of(self, versions: Iterable[TrustVersion], at: datetime) -> Snapshot:
        """The pinned anchors and exactly these versions, with the evidence of `at`."""
        return self._made(list(versions), at)

    def _made(self, versions: list[TrustVersion], at: datetime) -> Snapshot:
        store = self._pinned.merged(self._history.store(versions))
        if self._refuse_tests:
            refuse_test_anchors(store)
        return Snapshot(store, self._shelf.evidence(at), self._rules)
