"""A process's figures on their way to the page of the web: one row, rewritten now and then.

Workers have no port to be asked on. Each keeps one row of `house_settings` up to date while its
figures change; the page reads these few rows, so its cost depends on the number of processes.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from api.telemetry.metrics import Metrics
from dossier.errors import DossierError
from dossier.storage import tables
from dossier.storage.database import Database

_LOG = logging.getLogger("sohoa.metrics")
PREFIX = "metrics/"
EVERY_S = 5.0
_IDLE_S = 30.0  # a process whose figures do not change still says that it is there
ALIVE = timedelta(seconds=90)
_FORGOTTEN = timedelta(minutes=5)
_TIDY_S = 60.0
_S = tables.settings


class Reporter:
    """Reports the figures of one process. `start` it, `close` it; not for several processes."""

    def __init__(
        self, database: Database, metrics: Metrics, process: str, *, every_s: float = EVERY_S
    ) -> None:
        """`process` names the process among all that share the database, as ``seal-1@host``."""
        self._database = database
        self._metrics = metrics
        self._name = f"{PREFIX}{process}"[:64]
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last = ""
        self._last_at = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        """Report from a thread until `close`."""
        self._thread = threading.Thread(target=self._run, name="sohoa-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Report for the last time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            self.report()

    def report(self) -> None:
        """Write the row if there is something new to say. Errors are logged: figures can wait."""
        families = self._metrics.snapshot()
        text = json.dumps(families)
        now = datetime.now(UTC)
        if text == self._last and (now - self._last_at).total_seconds() < _IDLE_S:
            return
        try:
            value = {"at": now.isoformat(), "families": families}
            self._database.together(lambda connection: _put(connection, self._name, value))
        except (DossierError, sa.exc.SQLAlchemyError):
            _LOG.warning("figures cannot be reported yet")
            return
        self._last, self._last_at = text, now

    def _run(self) -> None:
        tidied_at = -_TIDY_S
        while True:
            if time.monotonic() - tidied_at >= _TIDY_S:
                self._forget_the_dead()
                tidied_at = time.monotonic()
            if self._stop.wait(self._every_s):
                return
            self.report()

    def _forget_the_dead(self) -> None:
        try:
            with self._database.begin() as connection:
                dead = [
                    name
                    for name, value in rows(connection)
                    if datetime.now(UTC) - datetime.fromisoformat(value["at"]) > _FORGOTTEN
                ]
                if dead:
                    connection.execute(sa.delete(_S).where(_S.c.name.in_(dead)))
        except DossierError:
            _LOG.warning("figures cannot be tidied yet")


def rows(connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
    """The rows of all processes: a walk along the primary key."""
    query = sa.select(_S.c.name, _S.c.value).where(
        _S.c.name >= PREFIX, _S.c.name < PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1)
    )
    return [(name, value) for name, value in connection.execute(query)]


def _put(connection: sa.Connection, name: str, value: dict[str, Any]) -> None:
    changed = connection.execute(sa.update(_S).where(_S.c.name == name).values(value=value))
    if not changed.rowcount:
        connection.execute(sa.insert(_S).values(name=name, value=value))
