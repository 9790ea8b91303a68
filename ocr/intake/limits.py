"""How much a scan may ask for. Checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one dossier's scans.

    `page_pixels`: width × height of one page (A3 at 600 dpi has 70 million);
    `page_side_px`: longest side; `file_bytes`, `file_pages`: one file; `pages`: all files
    together; `content_bytes`: what a PDF page's drawing instructions may unpack to.
    """

    page_pixels: int = 100_000_000
    page_side_px: int = 30_000
    file_bytes: int = 2_000_000_000
    file_pages: int = 2_000
    pages: int = 5_000
    content_bytes: int = 50_000_000


ORDINARY = Limits()
"""Fits any office scanner; a service may set its own."""
