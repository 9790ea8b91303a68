"""Answers of the page, kept in memory for minutes: so they have an address.

An address lets a reader switch the language, go back, print, and fetch pictures and downloads,
all without sending the file again; and nothing reaches a disk. The address holds 256 random bits
and is the only way to an answer: whoever was given the link may read it until it expires.

The uploaded document itself is not kept, only what was found in it. With several web processes
behind one balancer a visitor has to meet the same one again (docs/deployment.md); who does not is
told to send the file again.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dossier.verifying.pages import PagePictures

KEPT_S = 15 * 60
MOST_BYTES = 96 << 20
"""Of all answers together; the oldest go first."""
MOST_RESULTS = 512
_REPORT_BYTES = 2 << 20
"""A larger report is shown, but cannot be downloaded: the API gives it."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Result:
    """What was found. `report` is the report's JSON, `raw` its bytes as they came.

    `issued` is what the register says of the document; None where it says nothing.
    """

    report: Mapping[str, Any]
    raw: bytes
    pictures: PagePictures | None = None
    issued: Mapping[str, Any] | None = None

    @property
    def can_be_downloaded(self) -> bool:
        """True when the report is kept as it came."""
        return bool(self.raw)

    @property
    def size(self) -> int:
        """Bytes, about: the parsed report counts as much again as its text."""
        pages = self.pictures.pages if self.pictures else ()
        return 4 * len(self.raw) + sum(len(page.now) + len(page.before) for page in pages) + 4096


class Results:
    """Answers by token. For one event loop."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: OrderedDict[str, tuple[float, Result]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, result: Result) -> str:
        """Keep an answer; its token."""
        if len(result.raw) > _REPORT_BYTES:
            result = Result(result.report, b"", result.pictures, result.issued)
        token = secrets.token_urlsafe(32)
        self._kept[token] = (self._monotonic() + KEPT_S, result)
        self._bytes += result.size
        self._forget_old()
        return token

    def get(self, token: str) -> Result | None:
        """The answer; None when it expired or never was."""
        self._forget_old()
        if not _TOKEN.fullmatch(token):
            return None
        found = self._kept.get(token)
        return found[1] if found else None

    def forget(self, token: str) -> None:
        """Drop an answer now, if it is there."""
        found = self._kept.pop(token, None)
        if found is not None:
            self._bytes -= found[1].size

    def _forget_old(self) -> None:
        now = self._monotonic()
        while self._kept:
            token, (until, _) = next(iter(self._kept.items()))
            if until > now and self._bytes <= MOST_BYTES and len(self._kept) <= MOST_RESULTS:
                return
            self.forget(token)
