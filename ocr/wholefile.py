"""Files that appear whole or not at all.

The bytes go to a hidden neighbour of the target, are forced to the disk, and take the
target's name in one step. Whatever goes wrong before that leaves the target as it was and
nothing beside it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ocr.errors import OutputError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the file would be larger than allowed here; raise the limit and run again",
    errno.EACCES: "no permission to write there; choose another folder or change its rights",
    errno.EPERM: "no permission to write there; choose another folder or change its rights",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "there is no such folder; make it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EISDIR: "a folder has this name; choose another name",
}


def output_error(target: Path, cause: OSError) -> OutputError:
    """Say which file could not be written, why, and what to do next."""
    advice = _ADVICE.get(cause.errno or 0, cause.strerror or str(cause))
    return OutputError(f"{target} cannot be written: {advice}")


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """Open a new file that becomes `target` when the block ends without an error.

    An existing `target` is replaced in one step. An `OSError` of opening, of the block or of
    finishing becomes `OutputError`; other errors of the block pass. The file is durable
    (fsync of file and folder) when the block has been left.
    """
    part = target.parent / f".{target.name}.{secrets.token_hex(6)}.part"
    try:
        if target.is_dir():  # os.replace would say so too, but only after all the work
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        stream = part.open("xb")
    except OSError as error:
        raise output_error(target, error) from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable (a rename lives in the folder)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
