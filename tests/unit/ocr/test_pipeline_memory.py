"""Memory stays flat: the small twin of the 300-page proof (bench/digitise_memory.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.digitise_memory import MOST, peak_mib
from tests.scans import TEXT, printed


@pytest.mark.tesseract
def test_more_pages_need_no_more_memory(tmp_path: Path) -> None:
    scan = tmp_path / "a.jpg"
    printed(TEXT[:2], dpi=300, size_inches=(8.27, 11.69)).save(scan, dpi=(300, 300))
    few, many = peak_mib(scan, 4, "faithful"), peak_mib(scan, 24, "faithful")
    assert many <= MOST * few
