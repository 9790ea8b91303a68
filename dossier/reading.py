"""What is kept of the pages while a record is made: their text on disk, their words for fields."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from ocr.fields.extract import DocumentFields, FieldCollector
from ocr.page import RecognisedPage
from ocr.record.textlayer import page_text


class PageLog:
    """Writes each page's text to a file and gathers what fields are read from.

    A context manager; not thread-safe. Pages are separated by a form feed, as pdftotext does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: TextIO | None = None
        self._collector = FieldCollector()

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
        self._collector.see(page)

    def fields(self) -> DocumentFields:
        """The fields found on the pages so far: proposals until a person confirms them."""
        return self._collector.fields()
