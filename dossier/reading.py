"""What is kept of the pages while a record is made: all text on disk, a few pages in memory."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from ocr.fields import DocumentFields, extract_fields
from ocr.page import RecognisedPage
from ocr.textlayer import page_text

_HEAD = 6
_TAIL = 4


class PageLog:
    """Writes each page's text to a file and remembers the pages that fields stand on.

    A document's head is on its first pages and its signer on its last ones, so the first six
    and the last four pages are kept, however long the record is. A context manager; not
    thread-safe. Pages are separated by a form feed, as pdftotext does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: list[RecognisedPage] = []
        self._tail: deque[RecognisedPage] = deque(maxlen=_TAIL)
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        self._stream = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def page(self, page: RecognisedPage) -> None:
        """Take note of the next page. Raises `OSError` when the disk is full."""
        if self._stream is not None:
            self._stream.write(page_text(page) + "\n\f")
        if len(self._head) < _HEAD:
            self._head.append(self._kept(page))
            return
        if len(self._tail) == _TAIL:
            self._tail[0].image.kept.path.unlink(missing_ok=True)
        self._tail.append(self._kept(page))

    def fields(self) -> DocumentFields:
        """The fields found on the remembered pages."""
        return extract_fields([*self._head, *self._tail])

    def _kept(self, page: RecognisedPage) -> RecognisedPage:
        """The page with an image of its own: the pipeline's goes when the next page comes."""
        kept = page.image.kept
        copy = self._path.with_name(f"page-{page.image.number}")
        shutil.copyfile(kept.path, copy)
        return replace(page, image=replace(page.image, kept=replace(kept, path=copy)))
