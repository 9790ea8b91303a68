"""Small blobs in the database, beside a store for the others.

    blobs = SmallBlobs(database, open_blobs(…))
    blobs.keep(connection, [report, evidence])     # durable with the caller's transaction

A report of four kilobytes as a file of its own costs two forced writes, or a request to S3, and
more processor time than making it: for a signed page a third of all. In the transaction that
publishes the record it costs next to nothing, and is there exactly when the record is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from dossier.errors import NotFound
from dossier.storage.database import Database, insert_if_new
from dossier.storage.store import BlobInfo, BlobStore, Source, damaged, digest_of, missing
from dossier.storage.tables import small_blobs

SMALL_BYTES = 64 * 1024
"""The largest blob that `keep` takes into the database."""

_INSERT = insert_if_new(small_blobs)
_ONE = sa.select(small_blobs.c.data).where(small_blobs.c.sha256 == sa.bindparam("sha256_"))
_SIZE = sa.select(sa.func.length(small_blobs.c.data)).where(
    small_blobs.c.sha256 == sa.bindparam("sha256_")
)
_PAGE = (
    sa.select(small_blobs.c.sha256, sa.func.length(small_blobs.c.data).label("size"))
    .where(small_blobs.c.sha256 > sa.bindparam("after"))
    .order_by(small_blobs.c.sha256)
    .limit(1000)
)


class SmallBlobs:
    """A `BlobStore` over another one; small ones given to `keep` are in the database."""

    def __init__(self, database: Database, others: BlobStore) -> None:
        """`others` keeps what is large, and whatever was put there before."""
        self._database = database
        self._others = others

    def keep(self, connection: sa.Connection, items: Sequence[bytes]) -> list[BlobInfo]:
        """Keep small blobs in the caller's transaction, in one statement.

        Each has at most `SMALL_BYTES`; raises ValueError for a larger one.
        """
        if any(len(data) > SMALL_BYTES for data in items):
            raise ValueError(f"a small blob has at most {SMALL_BYTES} bytes")
        found = {digest_of(data): data for data in items}
        # in one order for everybody, so that two who keep the same do not wait for each other
        rows = [{"sha256": name, "data": data} for name, data in sorted(found.items())]
        if rows:
            connection.execute(_INSERT[connection.dialect.name], rows)
        return [BlobInfo(digest_of(data), len(data)) for data in items]

    def put(self, source: Source, *, sha256: str | None = None) -> BlobInfo:
        """See `BlobStore`: into the other store, whatever its size."""
        return self._others.put(source, sha256=sha256)

    def get(self, sha256: str) -> bytes:
        """See `BlobStore`."""
        try:
            return self._others.get(sha256)
        except NotFound:
            return self._small(sha256)

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `BlobStore`."""
        try:
            return self._others.read(sha256, start, end)
        except NotFound:
            return iter([self._small(sha256)[start:end]])

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """See `BlobStore`."""
        with ExitStack() as stack:
            try:
                path = stack.enter_context(self._others.local(sha256))
            except NotFound:
                data = self._small(sha256)
                file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="sohoa-"))
                file.write(data)
                file.flush()
                path = Path(file.name)
            yield path

    def stat(self, sha256: str) -> BlobInfo | None:
        """See `BlobStore`."""
        known = self._others.stat(sha256)
        if known is not None:
            return known
        with self._database.read() as connection:
            size = connection.execute(_SIZE, {"sha256_": sha256}).scalar()
        return None if size is None else BlobInfo(sha256, int(size))

    def check(self) -> None:
        """See `BlobStore`."""
        self._others.check()

    def all(self) -> Iterator[BlobInfo]:
        """See `BlobStore`."""
        yield from self._others.all()
        after = ""
        while True:
            with self._database.read() as connection:
                page = connection.execute(_PAGE, {"after": after}).all()
            if not page:
                return
            after = page[-1].sha256
            yield from (BlobInfo(row.sha256, int(row.size)) for row in page)

    def _small(self, sha256: str) -> bytes:
        """The checked bytes. Raises `NotFound`, `BlobDamaged`."""
        with self._database.read() as connection:
            data = connection.execute(_ONE, {"sha256_": sha256}).scalar()
        if data is None:
            raise missing(sha256)
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise damaged(sha256, found)
        return bytes(data)
