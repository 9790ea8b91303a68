"""Which agency may see which blob, and how much an agency may keep.

The blob store is one for all agencies and names bytes by their digest; a digest alone opens
nothing. An agency holds a blob once it has brought the bytes, or a record of its own was made
of them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from dossier.errors import InvalidOrder, NotFound, QuotaExceeded
from dossier.storage.database import Database, insert_if_new
from dossier.storage.store import BlobInfo, missing
from dossier.storage.tables import agencies, blobs

_INSERT = insert_if_new(blobs)
_HELD = sa.select(blobs.c.size_bytes, blobs.c.media_type).where(
    blobs.c.agency_id == sa.bindparam("agency"), blobs.c.sha256 == sa.bindparam("sha256")
)
_SUM = sa.select(sa.func.coalesce(sa.func.sum(blobs.c.size_bytes), 0)).where(
    blobs.c.agency_id == sa.bindparam("agency"),
    blobs.c.created_at > sa.bindparam("after"),
    blobs.c.created_at <= sa.bindparam("until"),
)
_POLICY = sa.select(agencies.c.policy).where(agencies.c.id == sa.bindparam("agency"))
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")

_SETTLED = timedelta(minutes=2)  # rows older than this are all committed: none comes in between
_FRESH_S = 5.0  # how long a sum may serve while the quota is far away …
_POLICY_S = 1.0  # how long an agency's quota is remembered
_FAR_BYTES = 1 << 30  # … which is more than arrives in that time


@dataclass(frozen=True, slots=True)
class _Usage:
    """Bytes of rows up to `until`, and of all rows when it was `looked_at` (monotonic)."""

    settled: int
    until: datetime
    total: int
    looked_at: float


class Holdings:
    """The table `blobs`. Safe for threads and processes.

    The sum of an agency's bytes goes on from where it stood: asking costs what arrived in the
    last two minutes, not what was ever stored, and no counter is locked by those who store.
    """

    def __init__(self, database: Database) -> None:
        """Holdings in `database`."""
        self._database = database
        self._lock = threading.Lock()  # guards _usage
        self._usage: dict[str, _Usage] = {}
        self._quotas: dict[str, tuple[float, int | None]] = {}  # and when they were looked up

    def register(
        self, connection: sa.Connection, agency_id: str, info: BlobInfo, media_type: str
    ) -> None:
        """Note, in the caller's transaction, that the agency holds the blob.

        The bytes must be in the blob store already. A blob that is held keeps its media type.
        Raises `InvalidOrder` for a malformed media type. No quota is asked: see `require_room`.
        """
        self.register_all(connection, agency_id, ((info, media_type),))

    def register_all(
        self, connection: sa.Connection, agency_id: str, items: Iterable[tuple[BlobInfo, str]]
    ) -> None:
        """`register` for several blobs, in one statement."""
        now = datetime.now(UTC)
        rows = [
            {
                "agency_id": agency_id,
                "sha256": info.sha256,
                "size_bytes": info.size_bytes,
                "media_type": require_media_type(media_type),
                "created_at": now,
            }
            # in one order for everybody, so that two who store the same do not wait for each other
            for info, media_type in sorted(items, key=lambda item: item[0].sha256)
        ]
        if rows:
            connection.execute(_INSERT[connection.dialect.name], rows)

    def release(self, connection: sa.Connection, agency_id: str, sha256: str) -> None:
        """Note, in the caller's transaction, that the agency holds the blob no more.

        The bytes stay in the blob store, where nobody finds them by this agency any longer.
        """
        connection.execute(
            sa.delete(blobs).where(blobs.c.agency_id == agency_id, blobs.c.sha256 == sha256)
        )
        with self._lock:
            self._usage.pop(agency_id, None)  # the sum only ever went on

    def find(self, connection: sa.Connection, agency_id: str, sha256: str) -> BlobInfo | None:
        """The blob if the agency holds it."""
        row = connection.execute(_HELD, {"agency": agency_id, "sha256": sha256}).first()
        return None if row is None else BlobInfo(sha256, row.size_bytes)

    def require(self, connection: sa.Connection, agency_id: str, sha256: str) -> BlobInfo:
        """The blob. Raises `NotFound` unless the agency holds it."""
        info = self.find(connection, agency_id, sha256)
        if info is None:
            raise missing(sha256)
        return info

    def media_type(self, connection: sa.Connection, agency_id: str, sha256: str) -> str:
        """What kind of bytes they are. Raises `NotFound` unless the agency holds the blob."""
        row = connection.execute(_HELD, {"agency": agency_id, "sha256": sha256}).first()
        if row is None:
            raise missing(sha256)
        found: str = row.media_type
        return found

    def require_room(
        self, agency_id: str, size_bytes: int, connection: sa.Connection | None = None
    ) -> None:
        """Raise `QuotaExceeded` unless the agency may store `size_bytes` more.

        The allowance is ``blob_quota_bytes`` of the agency's policy; none means no bound. Blobs
        on their way are not counted, so callers at the same moment may pass it together.
        Whoever is in a transaction gives its `connection`. Raises `NotFound` for an unknown
        agency.
        """
        if self._has_plenty(agency_id, size_bytes):
            return
        with self._database.read() if connection is None else nullcontext(connection) as asked:
            row = asked.execute(_POLICY, {"agency": agency_id}).first()
            if row is None:
                raise NotFound(
                    f"Không có cơ quan {agency_id}. / There is no agency {agency_id}; ask an "
                    "administrator to create it."
                )
            quota = row.policy.get("blob_quota_bytes")
            with self._lock:
                self._quotas[agency_id] = (time.monotonic(), quota)
            if quota is None:
                return
            used = self._used(asked, agency_id, room_bytes=quota - size_bytes)
        if used + size_bytes > quota:
            raise QuotaExceeded(
                f"Hết dung lượng lưu trữ của cơ quan ({used} trên {quota} byte); hãy nhờ quản trị "
                f"nới hạn mức. / The agency's storage is used up ({used} of {quota} bytes, "
                f"{size_bytes} more were asked for); ask an administrator to raise it."
            )

    def _has_plenty(self, agency_id: str, size_bytes: int) -> bool:
        """Whether what was looked up a moment ago leaves no doubt; asks nobody."""
        now = time.monotonic()
        with self._lock:
            looked_at, quota = self._quotas.get(agency_id, (-_POLICY_S, 0))
            known = self._usage.get(agency_id)
        if now - looked_at >= _POLICY_S:
            return False
        if quota is None:
            return True
        return known is not None and _is_far(known, now, quota - size_bytes)

    def used_bytes(self, agency_id: str) -> int:
        """How many bytes the agency holds, now."""
        with self._database.read() as connection:
            return self._used(connection, agency_id, room_bytes=0)

    def _used(self, connection: sa.Connection, agency_id: str, *, room_bytes: int) -> int:
        """The agency's bytes; an older sum serves while it is far below `room_bytes`."""
        with self._lock:
            known = self._usage.get(agency_id)
        clock = time.monotonic()
        if known is not None and _is_far(known, clock, room_bytes):
            return known.total
        settled, since = (0, datetime.min.replace(tzinfo=UTC))
        if known is not None:
            settled, since = known.settled, known.until
        border = max(since, datetime.now(UTC) - _SETTLED)
        end = datetime.max.replace(tzinfo=UTC)
        settled += _sum(connection, agency_id, since, border)
        total = settled + _sum(connection, agency_id, border, end)
        with self._lock:
            self._usage[agency_id] = _Usage(settled, border, total, clock)
        return total


def _is_far(known: _Usage, now: float, room_bytes: int) -> bool:
    return now - known.looked_at < _FRESH_S and known.total < room_bytes - _FAR_BYTES


def require_media_type(text: str) -> str:
    """Return `text` in lower case without parameters (RFC 9110 8.3.1).

    Raises `InvalidOrder` when it is no media type.
    """
    bare = text.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(bare) is None:
        raise InvalidOrder(
            "Kiểu nội dung không hợp lệ; ví dụ đúng: application/pdf. / This is no media type; "
            "write for example application/pdf.",
            field="media_type",
        )
    return bare


def _sum(connection: sa.Connection, agency_id: str, after: datetime, until: datetime) -> int:
    found = connection.execute(_SUM, {"agency": agency_id, "after": after, "until": until})
    return int(found.scalar_one())
