"""Blobs in a folder: one file a blob, named by its digest, in 256 folders by its first byte.

    FOLDER/3f/3f786850e387550fdab836ed7e6dc881de23001b…      mode 0400
    FOLDER/tmp/…                                             blobs being written

A blob is written under `tmp`, forced to the disk, linked to its name, and the folder that holds
the name is forced to the disk as well: only then does the name survive a power cut. A link
never replaces anything, so of many writers of one blob the first wins and the others agree.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dossier.errors import StoreError
from dossier.storage.store import (
    CHUNK_BYTES,
    BlobInfo,
    BlobStore,
    Source,
    checked,
    damaged,
    is_digest,
    missing,
    pieces_of,
    refused,
    require_digest,
)

_TMP = "tmp"
_ABANDONED_S = 24 * 3600.0  # no writer takes a day; older files of `tmp` belong to the dead
_ADVICE = {
    errno.ENOSPC: "ổ đĩa đầy, hãy giải phóng dung lượng / the disk is full, free some space",
    errno.EDQUOT: "hết hạn mức đĩa, hãy nới hạn mức / the disk quota is used up, raise it",
    errno.EROFS: "hệ thống tệp chỉ đọc / the file system is read-only",
    errno.EACCES: "không có quyền ghi / no permission to write there",
    errno.EPERM: "không có quyền ghi / no permission to write there",
}


def open_blobs(
    url: str,
    folder: Path,
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    credentials_file: Path | None = None,
) -> BlobStore:
    """The store that the settings name: ``s3://bucket/prefix``, or `folder` for an empty `url`.

    With S3, `folder` holds what passes through; it needs room for a few of the largest blobs.
    Raises `StoreError` when it cannot be opened.
    """
    if not url:
        return FolderBlobs(folder)
    from dossier.storage.s3blobs import S3Blobs  # a service with a folder needs no S3 client

    return S3Blobs(url, folder, endpoint=endpoint, region=region, credentials_file=credentials_file)


class FolderBlobs:
    """A `BlobStore` in a folder of a local disk. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is new, and remove what writers left that died a day ago."""
        self._folder = folder
        self._tmp = folder / _TMP
        with translated(folder):
            if not (folder / "ff").is_dir():  # made last, so the others are there
                _make_folders(folder)
            self._sweep()

    def put(self, source: Source, *, sha256: str | None = None) -> BlobInfo:
        """See `BlobStore`."""
        expected = None if sha256 is None else require_digest(sha256)
        with translated(self._folder):
            if isinstance(source, bytes):  # known at once, so a second put writes nothing
                found = hashlib.sha256(source).hexdigest()
                if expected is not None and found != expected:
                    raise refused(expected, found)
                info = BlobInfo(found, len(source))
                if self._holds(info):
                    return info
            part = self._tmp / secrets.token_hex(16)
            try:
                info = _write(part, source)
                if expected is not None and info.sha256 != expected:
                    raise refused(expected, info.sha256)
                self._publish(part, info)
            finally:
                part.unlink(missing_ok=True)
        return info

    def get(self, sha256: str) -> bytes:
        """See `BlobStore`."""
        with self._opening(sha256) as path:
            data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise damaged(sha256, found)
        return data

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `BlobStore`."""
        with self._opening(sha256) as path:
            stream = path.open("rb")  # here, so that NotFound comes before any piece
        pieces = self._pieces(stream, start, end)
        return checked(sha256, pieces) if start == 0 and end is None else pieces

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """See `BlobStore`. The path is the blob itself."""
        with self._opening(sha256) as path:
            found = _digest(path)
        if found != sha256:
            raise damaged(sha256, found)
        yield path

    def stat(self, sha256: str) -> BlobInfo | None:
        """See `BlobStore`."""
        if not is_digest(sha256):
            return None
        with translated(self._folder):
            try:
                return BlobInfo(sha256, self._path(sha256).stat().st_size)
            except FileNotFoundError:
                return None

    def check(self) -> None:
        """See `BlobStore`."""
        probe = self._tmp / secrets.token_hex(16)
        with translated(self._folder):
            try:
                _write(probe, b"probe")
            finally:
                probe.unlink(missing_ok=True)

    def all(self) -> Iterator[BlobInfo]:
        """See `BlobStore`."""
        with translated(self._folder):
            for byte in range(256):
                with os.scandir(self._folder / f"{byte:02x}") as entries:
                    for entry in entries:
                        if is_digest(entry.name):
                            yield BlobInfo(entry.name, entry.stat().st_size)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    @contextmanager
    def _opening(self, sha256: str) -> Iterator[Path]:
        """The path of the blob; reading it raises what the store promises."""
        if not is_digest(sha256):
            raise missing(sha256)
        with translated(self._folder):
            try:
                yield self._path(sha256)
            except FileNotFoundError as error:
                raise missing(sha256) from error

    def _pieces(self, stream: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
        with translated(self._folder), stream:
            stream.seek(start)
            left = None if end is None else max(0, end - start)
            while left is None or left > 0:
                piece = stream.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    def _holds(self, info: BlobInfo) -> bool:
        """Whether the blob is there, whole and durable."""
        path = self._path(info.sha256)
        try:
            whole = path.stat().st_size == info.size_bytes and _digest(path) == info.sha256
        except FileNotFoundError:
            return False
        if whole:
            sync_folder(path.parent)  # its writer may be about to do it, or have died just before
        return whole

    def _publish(self, part: Path, info: BlobInfo) -> None:
        """Give the finished file its name, durably; a damaged blob of that name is replaced."""
        path = self._path(info.sha256)
        try:
            os.link(part, path)
        except FileExistsError:
            if self._holds(info):
                return
            part.replace(path)
        sync_folder(path.parent)

    def _sweep(self) -> None:
        before = time.time() - _ABANDONED_S
        with os.scandir(self._tmp) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # somebody else sweeps too
                    if entry.stat().st_mtime < before:
                        Path(entry.path).unlink()


def _make_folders(folder: Path) -> None:
    """Make the folder and its parts, durable before the first blob is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(folder.parent)
    (folder / _TMP).mkdir(mode=0o700, exist_ok=True)
    for byte in range(256):
        (folder / f"{byte:02x}").mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder)


def _write(part: Path, source: Source) -> BlobInfo:
    """Write `source` to the new file `part` and force it to the disk."""
    digest = hashlib.sha256()
    size = 0
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    with os.fdopen(handle, "wb", buffering=0) as stream:
        for piece in pieces_of(source):
            digest.update(piece)
            size += len(piece)
            view = memoryview(piece)
            while view:
                view = view[stream.write(view) :]
        os.fsync(handle)
    return BlobInfo(digest.hexdigest(), size)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Force the names in `folder` to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or type(error).__name__)
        raise StoreError(
            f"Kho tệp {folder} không ghi hoặc đọc được: {advice}; không mất gì, hãy thử lại. / "
            f"The blob folder {folder} fails: {advice}; nothing is lost, try again."
        ) from error
