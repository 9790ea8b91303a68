"""What decoders and the file system throw at bad files, as typed errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ocr.errors import DamagedFile, LimitExceeded, OCRError, UnreadableFile


@contextmanager
def reading_of(name: str, page: int | None = None) -> Iterator[None]:
    """Whatever a decoder throws at bad bytes becomes a typed error with its place.

    Decoders of hostile files raise nearly anything, so the net is wide on purpose; errors of
    this package pass untouched.
    """
    try:
        yield
    except OCRError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise UnreadableFile(
            f"cannot be read ({error.strerror}): check that it exists and its permissions",
            source=name,
            page=page,
        ) from error
    except MemoryError as error:
        raise LimitExceeded(
            "decoding needs more memory than allowed: the file may be built to exhaust it",
            source=name,
            page=page,
        ) from error
    except Exception as error:
        if _is_bomb(error):
            raise LimitExceeded(
                "far too many pixels: scan at a lower resolution", source=name, page=page
            ) from error
        what = "page" if page is not None else "file"
        raise DamagedFile(
            f"the {what} is broken or cut short ({_cause(error, name)}): scan it again",
            source=name,
            page=page,
        ) from error


def _is_bomb(error: Exception) -> bool:
    """Pillow is asked only once something went wrong: whoever decodes nothing never loads it."""
    from PIL import Image

    return isinstance(error, Image.DecompressionBombError)


def _cause(error: Exception, name: str) -> str:
    """The decoder's own words, without the path that it may have put before them."""
    text = re.sub(rf"'?/.*?{re.escape(name)}'?:?\s*", "", " ".join(str(error).split()))
    return text[:120] or type(error).__name__
