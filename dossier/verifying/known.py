"""Answers that were given a moment ago, so that the same file need not be read again.

    known = KnownDigests()
    known.find(question, now) or known.keep(question, answer)

A question names all that the answer follows from: the file by its SHA-256, everything that is
believed by its fingerprint (`Snapshot.fingerprint`: trust store, evidence, rules), and the time
that was asked for. So there is nothing to invalidate: whatever is changed makes another question.
Who asks for no time asks for now; such an answer is given again for `WINDOW` and never beyond a
moment that it names itself (the end of a certificate). It says as of when it was given.

In memory only, and bounded in bytes: what was not asked for longest is forgotten first.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WINDOW = dt.timedelta(seconds=60)
MOST_BYTES = 32 << 20
_OVERHEAD = 600  # bytes of a question and its place, generously


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: `at` is None for now."""

    sha256: str
    trust: str
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    text: bytes
    since: dt.datetime
    until: dt.datetime | None  # None: for a stated time the answer is always the same


class KnownDigests:
    """Answers by question; safe for threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """0 bytes: nothing is ever remembered."""
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._answers: OrderedDict[Question, _Answer] = OrderedDict()

    @property
    def bytes_held(self) -> int:
        """Of all answers, with what it takes to find them."""
        return self._held

    def find(self, question: Question, now: dt.datetime) -> bytes | None:
        """The answer (JSON) that still holds at `now` (aware); None when there is none."""
        with self._lock:
            answer = self._answers.get(question)
            if answer is None:
                return None
            # a clock that was set back makes an answer of the future: it is not given either
            if answer.until is not None and not answer.since <= now < answer.until:
                self._forget(question)
                return None
            self._answers.move_to_end(question)
            return answer.text

    def keep(self, question: Question, text: bytes) -> bytes:
        """Remember `text`, a report as JSON; returns it.

        A report on another file than the question names (it was replaced while it was read) is
        not remembered.
        """
        report = json.loads(text)
        size = len(text) + _OVERHEAD
        if report["document"]["sha256"] != question.sha256 or size > self._most:
            return text
        since, until = dt.datetime.fromisoformat(report["verified_at"]), None
        if question.at is None:
            until = min([since + WINDOW, *(m for m in _moments(report) if m > since)])
        with self._lock:
            self._forget(question)
            self._answers[question] = _Answer(text, since, until)
            self._held += size
            while self._held > self._most:
                self._forget(next(iter(self._answers)))
        return text

    def _forget(self, question: Question) -> None:
        answer = self._answers.pop(question, None)
        if answer is not None:
            self._held -= len(answer.text) + _OVERHEAD


def digest_of(path: Path) -> str:
    """SHA-256 of a file (hex). Raises `OSError`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _moments(value: Any) -> Iterator[dt.datetime]:  # noqa: ANN401 - any JSON
    """Every aware time anywhere in a report."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str) and len(item) >= 20 and item[4:5] == item[7:8] == "-":
            try:
                moment = dt.datetime.fromisoformat(item)
            except ValueError:
                continue
            if moment.tzinfo is not None:
                yield moment
