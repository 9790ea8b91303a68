"""Errors of the `ocr` package.

OCRError
├── IntakeError            a scan cannot be taken in (`.source`, `.page`)
│   ├── UnreadableFile         missing, no permission, a folder where a file should be
│   ├── UnsupportedFile        not a PDF, TIFF, JPEG or PNG, whatever its name says
│   ├── DamagedFile            empty, truncated or broken
│   ├── EncryptedFile          needs a password
│   └── LimitExceeded          more pixels, pages or bytes than allowed
├── RecognitionError       the engine failed on a page
│   ├── EngineMissing          Tesseract or a language model is not installed
│   ├── EngineCrashed          the worker died (signal, out of memory)
│   └── EngineTimedOut         the worker was stopped at its time limit
├── ConformanceError       a produced PDF is not the PDF/A it claims to be
├── QualityProfileError    thresholds of scan quality are unusable, or the profile is unknown
├── ManifestError          a provenance manifest or page proof is malformed or does not hold
└── OutputError            the record cannot be written (disk full, no permission)
"""

from __future__ import annotations


class OCRError(Exception):
    """Root of all errors that leave `ocr`."""


class IntakeError(OCRError):
    """A scan cannot be taken in.

    `source` is the file's name, `page` the 1-based page in it (None: the whole file).
    """

    def __init__(self, message: str, *, source: str, page: int | None = None) -> None:
        where = source if page is None else f"{source}, page {page}"
        super().__init__(f"{where}: {message}")
        self.source = source
        self.page = page

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.source, self.page))


def _rebuild(kind: type[IntakeError], text: str, source: str, page: int | None) -> IntakeError:
    """Make the error again in another process without repeating the place in its text."""
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    error.source, error.page = source, page
    return error


class UnreadableFile(IntakeError):
    """The file is missing, is a folder, or may not be read."""


class UnsupportedFile(IntakeError):
    """The bytes are not a PDF, TIFF, JPEG or PNG, whatever the name says."""


class DamagedFile(IntakeError):
    """The file is empty, truncated or broken."""


class EncryptedFile(IntakeError):
    """The PDF needs a password."""


class LimitExceeded(IntakeError):
    """The file has more pixels, pages or bytes than the limits allow."""


class RecognitionError(OCRError):
    """The recognition engine failed on a page."""


class EngineMissing(RecognitionError):
    """The engine or one of its language models is not installed."""


class EngineCrashed(RecognitionError):
    """The worker process died: a signal, or no memory."""


class EngineTimedOut(RecognitionError):
    """The worker process was stopped because the page took too long."""


class ConformanceError(OCRError):
    """A produced PDF is not the PDF/A that it claims to be."""


class QualityProfileError(OCRError):
    """The thresholds of scan quality cannot be used, or no profile has the name asked for."""


class ManifestError(OCRError):
    """A provenance manifest or a proof of one page is malformed, or does not hold."""


class OutputError(OCRError):
    """The record cannot be written: disk full, no permission, no such folder."""
