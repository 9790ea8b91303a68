"""One measured run of our digitizing: `python -m bench.ocr_ours SCANS OUT PAGES MODE`.

Writes the record to OUT and the recognised pages (pickled) to PAGES. Like the command line, it is
imported again by every worker process, and so imports nothing before it runs.
"""

from __future__ import annotations

import datetime
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from ocr.page import RecognisedPage


def main(scans: str, out: str, pages: str, mode: str) -> None:
    """Digitise and keep the pages."""
    from bench.ocr_programs import WORKERS
    from ocr.pipeline import Station, digitise
    from ocr.record.manifest import RecordMetadata
    from ocr.settings import DigitiseSettings

    kept: list[RecognisedPage] = []
    now = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
    meta = RecordMetadata(title="bench", creator="Người Thử", record_id="bench-1", created=now)
    settings = DigitiseSettings(mode=cast('Literal["faithful", "compact"]', mode), workers=WORKERS)
    digitise(
        [Path(scans)],
        Path(out),
        meta,
        Station("Người Thử", "bench", now),
        settings,
        lambda page, _total: kept.append(page),
    )
    Path(pages).write_bytes(pickle.dumps(kept))


if __name__ == "__main__":
    main(*sys.argv[1:5])
