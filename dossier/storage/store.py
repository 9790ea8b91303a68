"""The blob store: bytes named by their SHA-256, kept for good.

What every store promises (architecture.md, style.md principle 15):

- durable: when `put` returns, the bytes survive a power cut and stand whole under their name;
- whole or nothing: nobody ever sees half a blob, however a writer dies;
- idempotent: the same bytes may be put again, by many at once; a damaged copy is healed by it;
- checked: `get`, `local` and a full `read` raise `BlobDamaged` rather than give wrong bytes.

The store knows nothing of agencies: `dossier.storage.holdings` says who may see which blob.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from dossier.errors import BlobDamaged, InvalidOrder, NotFound

CHUNK_BYTES = 1 << 20
_DIGEST = re.compile("[0-9a-f]{64}")

Source = bytes | Path | BinaryIO
"""What a blob is made of. A stream is read from where it stands to its end."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A blob's name, its SHA-256 in lower-case hex, and its size."""

    sha256: str
    size_bytes: int


class BlobStore(Protocol):
    """Where blobs are. Safe for threads, and for several processes on one store.

    Every method raises `StoreError` when the store itself fails; then it can be repeated.
    """

    def put(self, source: Source, *, sha256: str | None = None) -> BlobInfo:
        """Keep the bytes of `source`; they are durable when this returns.

        `sha256` is what the caller believes the bytes to be: raises `BlobDamaged` when they
        are not, and then keeps nothing.
        """
        ...

    def get(self, sha256: str) -> bytes:
        """The whole blob, checked. Raises `NotFound` and `BlobDamaged`."""
        ...

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end` (None: to the end), in pieces.

        Raises `NotFound` before the first piece is asked for. A full read is checked, and
        raises `BlobDamaged` instead of giving its last piece; a part cannot be checked.
        """
        ...

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A file with the checked bytes, for as long as the context lasts. Never write to it.

        Raises `NotFound` and `BlobDamaged`.
        """
        ...

    def stat(self, sha256: str) -> BlobInfo | None:
        """The blob's size, or None when there is no such blob. Does not read the bytes."""
        ...

    def check(self) -> None:
        """Raise `StoreError` unless the store takes a small object and gives it up again."""
        ...

    def all(self) -> Iterator[BlobInfo]:
        """Every blob, in no order; blobs that come meanwhile may be left out."""
        ...


def digest_of(data: bytes) -> str:
    """The name of the blob with these bytes."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Whether `text` can name a blob: 64 lower-case hexadecimal digits and nothing else."""
    return _DIGEST.fullmatch(text) is not None


def require_digest(sha256: str) -> str:
    """Return `sha256` unchanged. Raises `InvalidOrder` when it cannot name a blob."""
    if not is_digest(sha256):
        raise InvalidOrder(
            "Mã SHA-256 phải là 64 chữ số thập lục phân viết thường. / A SHA-256 is 64 lower-case "
            "hexadecimal digits.",
            field="sha256",
        )
    return sha256


def missing(sha256: str) -> NotFound:
    """The error for a blob that the store does not have."""
    return NotFound(
        f"Không có tệp {sha256}; hãy tải lên trước. / There is no blob {sha256}; upload it first."
    )


def damaged(sha256: str, found: str) -> BlobDamaged:
    """The error for bytes that are not those of their name."""
    return BlobDamaged(
        f"Tệp {sha256} bị hỏng (đọc được {found}); hãy khôi phục từ bản sao lưu hoặc tải lên lại. "
        f"/ The blob {sha256} is damaged (its bytes are {found}); restore it from a backup or "
        "upload it again."
    )


def refused(expected: str, found: str) -> BlobDamaged:
    """The error for received bytes that are not what was announced."""
    return BlobDamaged(
        f"Dữ liệu nhận được có SHA-256 {found}, không phải {expected}; hãy gửi lại. / The received "
        f"bytes have the SHA-256 {found}, not {expected}; send them again."
    )


def checked(sha256: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass the pieces of a whole blob on, the last one only when the digest is right."""
    digest = hashlib.sha256()
    last = b""
    for piece in pieces:
        digest.update(piece)
        if last:
            yield last
        last = piece
    if digest.hexdigest() != sha256:
        raise damaged(sha256, digest.hexdigest())
    if last:
        yield last


def pieces_of(source: Source) -> Iterator[bytes]:
    """The bytes of `source` in pieces of `CHUNK_BYTES`."""
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with source.open("rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece
    else:
        while piece := source.read(CHUNK_BYTES):
            yield piece
