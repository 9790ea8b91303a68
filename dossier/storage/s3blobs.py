"""Blobs in an S3 bucket, by obstore.

    s3://BUCKET/PREFIX/3f/3f786850e387550fdab836ed7e6dc881de23001b…

Objects are created, never overwritten (If-None-Match: *), except a damaged one by its healing.
What is larger than one part goes up in parts, which S3 makes an object all at once; it cannot
be create-only, but two writers of one name bring the same bytes. Parts of an upload that was
cut off stay hidden in the bucket: give it a lifecycle rule that aborts multipart uploads after
a day.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import stat
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from dossier.errors import BlobDamaged, NotFound, StoreError
from dossier.storage.store import (
    BlobInfo,
    Source,
    checked,
    damaged,
    is_digest,
    missing,
    pieces_of,
    refused,
    require_digest,
)

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 3
_COPIES = "local-"
_ABANDONED_S = 24 * 3600.0
_RETRY: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=3)},
}


class S3Blobs:
    """A `BlobStore` in a bucket. Safe for threads and processes; holds a connection pool.

    Large blobs pass through files in `spool`, on a local disk, never through memory.
    """

    def __init__(
        self,
        url: str,
        spool: Path,
        *,
        endpoint: str | None = None,
        region: str = "us-east-1",
        credentials_file: Path | None = None,
    ) -> None:
        """The store at `url`, ``s3://bucket/prefix``.

        `endpoint` is the server's address, None for Amazon's. `credentials_file` is TOML with
        ``access_key_id`` and ``secret_access_key``; None leaves it to the machine's identity.
        Makes `spool`, and removes copies there whose readers died a day ago; asks the server
        nothing yet. Raises `StoreError` for settings that cannot work.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise StoreError(
                "Địa chỉ kho tệp phải có dạng s3://bucket/prefix. / The blob store's URL has the "
                "form s3://bucket/prefix; correct blobs.url."
            )
        self._url = url
        self._spool = spool
        self._prefix = parts.path.strip("/")
        with _translated(url):
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in spool.glob(f"{_COPIES}*"):
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(left, ignore_errors=True)
        options: ClientConfig = {
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),  # of one part, so it bounds no large blob
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        }
        config: S3Config = {} if credentials_file is None else _credentials(credentials_file)
        config["region"] = region
        if endpoint is not None:
            config["endpoint"] = endpoint
        try:
            self._store = S3Store(
                parts.netloc, config=config, client_options=options, retry_config=_RETRY
            )
        except (BaseError, ValueError) as error:
            raise StoreError(
                f"Không mở được kho tệp {url}. / The blob store cannot be opened; correct the "
                "section [blobs] of the settings."
            ) from error

    def put(self, source: Source, *, sha256: str | None = None) -> BlobInfo:
        """See `BlobStore`."""
        expected = None if sha256 is None else require_digest(sha256)
        if isinstance(source, bytes) and len(source) <= PART_BYTES:
            info = BlobInfo(hashlib.sha256(source).hexdigest(), len(source))
            _require_expected(info, expected)
            self._create(info, source)
            return info
        with _translated(self._url), tempfile.TemporaryFile(dir=self._spool) as spool:
            digest = hashlib.sha256()
            for piece in pieces_of(source):
                digest.update(piece)
                spool.write(piece)
            info = BlobInfo(digest.hexdigest(), spool.tell())
            _require_expected(info, expected)
            spool.seek(0)
            if info.size_bytes <= PART_BYTES:
                self._create(info, spool.read())
            elif not self._holds(info):
                obstore.put(
                    self._store,
                    self._key(info.sha256),
                    pieces_of(spool),
                    chunk_size=PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        return info

    def get(self, sha256: str) -> bytes:
        """See `BlobStore`."""
        with self._opening(sha256):
            data = bytes(obstore.get(self._store, self._key(sha256)).bytes())
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise damaged(sha256, found)
        return data

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `BlobStore`. Asks for part after part, so a slow reader holds no connection."""
        info = self.stat(sha256)
        if info is None:
            raise missing(sha256)
        last = info.size_bytes if end is None else min(end, info.size_bytes)
        pieces = self._pieces(sha256, start, last)
        return checked(sha256, pieces) if start == 0 and end is None else pieces

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """See `BlobStore`. The path is a copy that goes with the context."""
        pieces = self.read(sha256)
        with _translated(self._url):
            folder = tempfile.TemporaryDirectory(prefix=_COPIES, dir=self._spool)
        with folder as name:
            path = Path(name) / sha256
            with _translated(self._url), path.open("xb") as stream:
                for piece in pieces:
                    stream.write(piece)
            yield path

    def stat(self, sha256: str) -> BlobInfo | None:
        """See `BlobStore`."""
        if not is_digest(sha256):
            return None
        with _translated(self._url):
            try:
                return BlobInfo(sha256, obstore.head(self._store, self._key(sha256))["size"])
            except FileNotFoundError:
                return None

    def check(self) -> None:
        """See `BlobStore`."""
        probe = self._path(f"tmp/{secrets.token_hex(16)}")
        with _translated(self._url):
            obstore.put(self._store, probe, b"probe", use_multipart=False)
            obstore.delete(self._store, probe)

    def all(self) -> Iterator[BlobInfo]:
        """See `BlobStore`."""
        with _translated(self._url):
            for found in obstore.list(self._store, self._prefix or None):
                for entry in found:
                    name = entry["path"].rpartition("/")[2]
                    if is_digest(name) and entry["path"] == self._key(name):
                        yield BlobInfo(name, entry["size"])

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _key(self, sha256: str) -> str:
        return self._path(f"{sha256[:2]}/{sha256}")

    def _create(self, info: BlobInfo, data: bytes) -> None:
        """Store a blob of one part; of many writers the first wins and the others agree."""
        key = self._key(info.sha256)
        with _translated(self._url):
            try:
                obstore.put(self._store, key, data, mode="create")
            except AlreadyExistsError:
                if not self._holds(info):
                    obstore.put(self._store, key, data, use_multipart=False)

    def _holds(self, info: BlobInfo) -> bool:
        """Whether the blob is there and whole."""
        found = self.stat(info.sha256)
        if found != info:
            return False
        with suppress(BlobDamaged, NotFound):
            for _ in self.read(info.sha256):
                pass
            return True
        return False

    def _pieces(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            until = min(end, start + PART_BYTES)
            with self._opening(sha256):
                piece = bytes(
                    obstore.get_range(self._store, self._key(sha256), start=start, end=until)
                )
            if not piece:  # shorter than it was: it was damaged meanwhile
                return
            yield piece
            start += len(piece)

    @contextmanager
    def _opening(self, sha256: str) -> Iterator[None]:
        if not is_digest(sha256):
            raise missing(sha256)
        with _translated(self._url):
            try:
                yield
            except FileNotFoundError as error:
                raise missing(sha256) from error


def _credentials(path: Path) -> S3Config:
    """The key of the bucket, read from a file that only its owner may read."""
    try:
        mode = path.stat().st_mode
        entries = tomllib.loads(path.read_text("utf-8"))
        found: S3Config = {
            "access_key_id": str(entries["access_key_id"]),
            "secret_access_key": str(entries["secret_access_key"]),
        }
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise StoreError(
            f"Không đọc được tệp khóa {path}. / Cannot read {path}: write access_key_id and "
            "secret_access_key into it, as TOML."
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(
            f"Tệp khóa {path} mở cho người khác; hãy chạy chmod 600. / The credentials file is "
            "open to others: chmod 600 it."
        )
    if "session_token" in entries:
        found["session_token"] = str(entries["session_token"])
    return found


def _require_expected(info: BlobInfo, expected: str | None) -> None:
    if expected is not None and info.sha256 != expected:
        raise refused(expected, info.sha256)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        first = str(error).partition("\n")[0][:200]
        raise StoreError(
            f"Kho tệp {url} không ghi hoặc đọc được; không mất gì, hãy thử lại. / The blob store "
            f"fails; nothing is lost, try again ({type(error).__name__}: {first})."
        ) from error
