"""The versions of lists of trust: imported with proof, dated, never changed (K2, K13).

    history = TrustHistory(database, blobs, audit)
    version = history.add("government", octets, Credentials(sha256=pin), actor="local:root")
    history.in_force(at)                       # of each list the version that holds at `at`
    history.store([version.id])                # the trust store that some versions make up

A list has a name of the operator's choosing; below it sequence numbers rise. A version holds
from `effective_from` on, until one with a higher number does; one that was imported ahead of its
day waits. What is older than what was imported already is refused and said in the audit log: a
withdrawn authority must not come back with an old list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.errors import InvalidOrder, NotFound, StateConflict
from dossier.model import JSON, AuditEvent, new_id
from dossier.storage.store import digest_of
from dossier.storage.tables import trust_versions
from dossier.trust.values import TrustVersion
from signer.errors import TrustError
from signer.trust import TEST_MARK, TrustDomain, TrustStore
from signer.trust_lists.content import ListUnreadable, read_json, write_json
from signer.trust_lists.proof import Credentials
from signer.trust_lists.reading import ProvedList, read_trust_list

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.storage.database import Database
    from dossier.storage.store import BlobStore

_NAME = re.compile(r"[a-z][a-z0-9.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Importing:
    """How a list is to be taken in. Times are aware; None: as the list says, else now.

    `domain` is for forms that name none. `sequence` is for forms without a number (PEM).
    """

    domain: TrustDomain | None = None
    effective_from: datetime | None = None
    sequence: int | None = None
    refuse_tests: bool = False  # production: no anchor of a test authority


class TrustHistory:
    """The versions of one database. Safe for threads and for several processes."""

    def __init__(self, database: Database, blobs: BlobStore, audit: AuditLog) -> None:
        self._database = database
        self._blobs = blobs
        self._audit = audit

    def add(
        self,
        list_name: str,
        octets: bytes,
        credentials: Credentials,
        *,
        actor: str,
        how: Importing | None = None,
    ) -> TrustVersion:
        """Import one version of `list_name`; the same file again changes nothing.

        Raises `TrustError` for what is not proved, unreadable, expired or a test authority's,
        `StateConflict` for a rollback, `InvalidOrder` for an unusable name, `StoreError`,
        `AuditUnavailable`. What is refused is audited too.
        """
        if not _NAME.fullmatch(list_name):
            raise InvalidOrder(
                f"Tên danh sách “{list_name}” không dùng được: chữ thường, số, dấu chấm, gạch "
                "ngang. / The name of a list is lower-case letters, digits, dots and hyphens.",
                field="list",
            )
        wanted = how or Importing()
        try:
            with self._database.read() as connection:
                now = self._database.now(connection)
            proved = read_trust_list(octets, credentials, at=now, domain=wanted.domain)
            if wanted.refuse_tests:
                refuse_test_anchors(proved.content.store)
            return self._keep(list_name, octets, proved, wanted, actor)
        except (TrustError, StateConflict) as error:
            details: dict[str, JSON] = {
                "list": list_name,
                "source_sha256": digest_of(octets),
                "reason": type(error).__name__,
            }
            self._audit.write(AuditEvent("trust.refused", actor, None, list_name, details))
            raise

    def _keep(
        self, list_name: str, octets: bytes, proved: ProvedList, how: Importing, actor: str
    ) -> TrustVersion:
        source = self._blobs.put(octets)
        with self._database.begin() as connection:
            newest = self._newest(connection, list_name)
            if newest is not None and newest.source_sha256 == source.sha256:
                return newest
            now = self._database.now(connection)
            content = proved.content
            sequence = _sequence(list_name, content.sequence, how.sequence, newest)
            issued_at = content.issued_at or now
            if newest is not None and issued_at < newest.issued_at:
                raise _rollback(
                    f"issued at {issued_at.isoformat()}, before {newest.label} "
                    f"({newest.issued_at.isoformat()})"
                )
            kept = self._blobs.put(
                write_json(
                    content.store,
                    sequence=sequence,
                    issued_at=issued_at,
                    next_update=content.next_update,
                )
            )
            version = TrustVersion(
                id=new_id("trv"),
                list_name=list_name,
                sequence=sequence,
                kind=content.kind.value,
                operator=content.operator,
                source_sha256=source.sha256,
                content_sha256=kept.sha256,
                proof_kind=proved.proof.kind.value,
                proof_by=proved.proof.by,
                proof_name=proved.proof.name,
                anchors=len(content.store.anchors),
                intermediates=len(content.store.intermediates),
                issued_at=issued_at,
                next_update=content.next_update,
                effective_from=how.effective_from or issued_at,
                imported_at=now,
                imported_by=actor,
            )
            row = {column.name: getattr(version, column.name) for column in trust_versions.c}
            try:
                connection.execute(sa.insert(trust_versions), row)
            except sa.exc.IntegrityError as error:
                raise _rollback(f"{version.label} was imported by somebody else now") from error
            self._audit.append(
                connection,
                [AuditEvent("trust.imported", actor, None, version.id, version.to_json())],
            )
        return version

    def all(self, list_name: str | None = None) -> list[TrustVersion]:
        """Every version, by list and sequence. Raises `StoreError`."""
        wanted = sa.select(trust_versions)
        if list_name is not None:
            wanted = wanted.where(trust_versions.c.list_name == list_name)
        ordered = wanted.order_by(trust_versions.c.list_name, trust_versions.c.sequence)
        with self._database.read() as connection:
            return [TrustVersion.of(row) for row in connection.execute(ordered)]

    def get(self, name: str) -> TrustVersion:
        """By id, or as ``government/7``. Raises `NotFound`, `StoreError`."""
        found = next((one for one in self.all() if name in (one.id, one.label)), None)
        if found is None:
            raise NotFound(
                f"Không có phiên bản tin cậy “{name}”; xem “sohoa trust history”. / There is no "
                "such version of a list of trust; see sohoa trust history."
            )
        return found

    def in_force(self, at: datetime) -> list[TrustVersion]:
        """Of each list the version that holds at `at` (aware), by name. Raises `StoreError`."""
        return in_force(self.all(), at)

    def source(self, version: TrustVersion) -> bytes:
        """The file as it was published. Raises `NotFound`, `BlobDamaged`, `StoreError`."""
        return self._blobs.get(version.source_sha256)

    def content(self, version: TrustVersion) -> bytes:
        """What is believed of it, in our own form. Raises as `source`."""
        return self._blobs.get(version.content_sha256)

    def store(self, versions: Iterable[TrustVersion]) -> TrustStore:
        """The trust store that `versions` make up.

        Raises `TrustError` when a kept list cannot be read, `BlobDamaged`, `StoreError`.
        """
        store = TrustStore()
        for version in versions:
            try:
                content = read_json(self.content(version))
            except ListUnreadable as error:
                raise TrustError(
                    f"Danh sách tin cậy {version.label} đã lưu không đọc được; hãy khôi phục từ "
                    "bản sao lưu. / A kept list of trust cannot be read; restore it from a "
                    f"backup: {error}"
                ) from error
            store = store.merged(content.labelled(version.label))
        return store

    def _newest(self, connection: sa.Connection, list_name: str) -> TrustVersion | None:
        row = connection.execute(
            sa.select(trust_versions)
            .where(trust_versions.c.list_name == list_name)
            .order_by(trust_versions.c.sequence.desc())
            .limit(1)
        ).first()
        return None if row is None else TrustVersion.of(row)


def in_force(versions: Sequence[TrustVersion], at: datetime) -> list[TrustVersion]:
    """Of each list the version with the highest number among those that hold at `at`."""
    found: dict[str, TrustVersion] = {}
    for version in sorted(versions, key=lambda one: (one.list_name, one.sequence)):
        if version.effective_from <= at:
            found[version.list_name] = version
    return list(found.values())


def refuse_test_anchors(store: TrustStore) -> None:
    """Raise `TrustError` when an anchor is a test authority's (S11)."""
    for anchor in store.anchors:
        name = anchor.certificate.subject.rfc4514_string()
        if anchor.domain is TrustDomain.TEST or TEST_MARK in name:
            raise TrustError(
                f"{name} là gốc thử nghiệm, không dùng cho vận hành. / {name} is a test anchor; "
                "production does not take it."
            )


def _sequence(
    list_name: str, said: int | None, wanted: int | None, newest: TrustVersion | None
) -> int:
    if said is not None and wanted is not None and said != wanted:
        raise InvalidOrder(
            f"Danh sách tự ghi số {said}, không phải {wanted}. / The list itself says number "
            f"{said}, not {wanted}.",
            field="sequence",
        )
    sequence = said if said is not None else wanted
    if sequence is None:
        return newest.sequence + 1 if newest else 1
    if newest is not None and sequence <= newest.sequence:
        raise _rollback(f"number {sequence} of {list_name} is not above {newest.sequence}")
    return sequence


def _rollback(why: str) -> StateConflict:
    return StateConflict(
        f"Không lùi danh sách tin cậy về bản cũ: {why}. Hãy nhập bản mới hơn. / A list of trust "
        f"is not rolled back: {why}. Import a newer one."
    )
