"""Outputs appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signer.errors import UnsuitableDocument


@contextmanager
def released(target: Path) -> Iterator[int]:
    """Give a descriptor (read and write) whose file becomes `target` when the block succeeds.

    The data is on the disk (fsync) before the name changes, and the name before this returns.
    When the block or the disk fails, the temporary file is removed and `target` is as it was.
    Raises `UnsuitableDocument` when nothing can be written there.
    """
    try:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise UnsuitableDocument(
            f"Không ghi được {target} ({error.strerror}); hãy chọn thư mục có thật và có quyền "
            "ghi. / It cannot be written; choose a folder that exists and may be written to."
        ) from error
    try:
        try:
            yield fd
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(target)
    except OSError as error:
        _forget(temporary)
        raise UnsuitableDocument(
            f"Không ghi được {target} ({error.strerror}); hãy giải phóng dung lượng hoặc chọn nơi "
            "khác. / It cannot be written; free some space or choose another place. Nothing was "
            "left behind."
        ) from error
    except BaseException:
        _forget(temporary)
        raise
    _sync_folder(target.parent)


@contextmanager
def opened(source: Path) -> Iterator[int]:
    """A descriptor for reading. Raises `UnsuitableDocument` when there is no such file."""
    try:
        fd = os.open(source, os.O_RDONLY)
    except OSError as error:
        raise UnsuitableDocument(
            f"Không đọc được {source} ({error.strerror}); hãy kiểm tra tên và quyền. / It cannot "
            "be read; check the name and the permissions."
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UnsuitableDocument(
                f"{source} không phải là tệp; hãy chọn một tệp PDF. / It is not a file; give "
                "a PDF file."
            )
        yield fd
    finally:
        os.close(fd)


@contextmanager
def memory_file() -> Iterator[int]:
    """A descriptor of an anonymous file in memory."""
    fd = os.memfd_create("sealing")
    try:
        yield fd
    finally:
        os.close(fd)


def _forget(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
