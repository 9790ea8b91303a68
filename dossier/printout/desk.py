"""Checks printouts in processes of their own, which may be killed.

    with PrintoutDesk(certificates) as desk:
        report = desk.check(photo)

A photograph is a stranger's file and costs that file alone, whatever it does to the process that
reads it. Processes start with the first photo; they hold no keys and ask no network.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.printout.check import check_printout
from dossier.printout.report import PrintoutReport
from ocr.workers import Workers

SECONDS = 120.0
MEMORY_BYTES = 3 << 30


class PrintoutDesk:
    """Reads photographs and scans of printouts; safe for threads."""

    def __init__(
        self,
        certificates: Sequence[x509.Certificate],
        *,
        processes: int = 1,
        seconds: float = SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """`certificates`: of the keys whose codes are believed. The bounds are those of a photo."""
        self._certificates = [c.public_bytes(Encoding.DER) for c in certificates]
        self._bounds = (processes, seconds, memory_bytes)
        self._lock = threading.Lock()
        self._workers: Workers | None = None
        self._open = ExitStack()

    def check(
        self,
        photo: Path,
        record: Path | None = None,
        *,
        at: dt.datetime | None = None,
        crops: Path | None = None,
    ) -> PrintoutReport:
        """What the printout is worth as of `at` (aware; None: now). Blocks.

        With a record the words are compared too; `crops` is a folder for pictures of places that
        differ. Raises `ocr.errors.OCRError`: a file that cannot be read, or that exceeds a bound.
        """
        moment = at or dt.datetime.now(dt.UTC)
        with tempfile.TemporaryDirectory(prefix="sohoa-printout-") as work:
            pending = self._started().submit(
                check_printout, photo, self._certificates, moment, Path(work), record, crops
            )
            return pending.result()

    def close(self) -> None:
        """End all processes at once."""
        with self._lock:
            self._workers = None
            self._open.close()

    def _started(self) -> Workers:
        with self._lock:
            if self._workers is None:
                self._workers = self._open.enter_context(Workers(*self._bounds))
            return self._workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
