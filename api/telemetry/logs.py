"""Structured logs: one JSON object a line, without secrets, with the request that it is about."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from api.telemetry.redaction import redact

_about: ContextVar[Mapping[str, Any]] = ContextVar("sohoa_about")
_NOTHING: Mapping[str, Any] = {}
_STANDARD = frozenset(
    logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}
)
_SECRET_NAMES = frozenset(
    {"authorization", "secret", "pin", "password", "token", "api_key", "cookie", "signature"}
)
_LONGEST = 8000


@contextmanager
def about(**entries: object) -> Iterator[None]:
    """Whatever is logged inside (also in threads started by the event loop) has these entries."""
    token = _about.set({**_about.get(_NOTHING), **entries})
    try:
        yield
    finally:
        _about.reset(token)


class JSONLines(logging.Formatter):
    """time, level, event, process; what `about` said; the record's own extras; an error's trace."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        moment = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": redact(record.getMessage()),
            "logger": record.name,
            "process": self._process,
            **_about.get(_NOTHING),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                told[name] = _shown(name, value)
        if record.exc_info:
            told["trace"] = redact(self.formatException(record.exc_info))[-_LONGEST:]
        return _encode(told)


def configure_logging(level: str, process: str, stream: TextIO | None = None) -> None:
    """Send this process's logs to `stream` (standard error) as JSON lines; replaces handlers."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONLines(process))
    root = logging.getLogger()
    # a quarter of what a line costs: system calls for what no line shows
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries
    # whatever the level: these would put requests, and what they carry, into the log
    for name in ("uvicorn.access", "httpx", "httpcore", "urllib3", "multipart", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("sohoa", "api", "dossier", "signer", "hsm", "ocr"):
        logging.getLogger(name).setLevel(level.upper())


def _text(value: object) -> str:
    return redact(str(value))[:_LONGEST]


_encode = json.JSONEncoder(ensure_ascii=False, default=_text).encode


def _shown(name: str, value: object) -> object:
    if name.lower() in _SECRET_NAMES:
        return "[…]"
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return _text(value)
