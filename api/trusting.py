"""Whom this installation believes now: what the settings pin, and the lists it has imported.

The pinned part alone is `api.pinned`; here the database joins it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from cryptography import x509

from api.errors import SettingsError
from api.foundation import open_files
from api.pinned import trust_store
from api.settings import Settings
from dossier.audit.log import AuditLog
from dossier.storage.database import Database
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.store import BlobStore
from dossier.storage.tables import trust_versions
from dossier.trust.evidence import RevocationShelf
from dossier.trust.history import TrustHistory
from dossier.trust.live import LiveTrust
from dossier.trust.snapshot import Snapshot
from signer.trust import TrustStore


def live_trust(settings: Settings, database: Database, blobs: BlobStore) -> LiveTrust:
    """For a process that runs on. Raises `TrustError`, `SettingsError`, `ProductionRefused`."""
    return LiveTrust(
        trust_store(settings),
        TrustHistory(database, blobs, AuditLog(database)),
        RevocationShelf(database, blobs),
        rules=rules_of(settings),
        refuse_tests=settings.mode == "production",
    )


def rules_of(settings: Settings) -> str:
    """The rule sets of the settings as TOML; empty: the program's. Raises `SettingsError`."""
    path = settings.trust.rules
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"trust.rules: cannot read {path}: {error}") from error


def list_signers(settings: Settings, more: tuple[Path, ...] = ()) -> tuple[x509.Certificate, ...]:
    """The certificates that may sign lists. Raises `TrustError`."""
    store = TrustStore.from_files((*settings.trust.list_signers, *more))
    return (*(anchor.certificate for anchor in store.anchors), *store.intermediates)


@dataclass(frozen=True, slots=True)
class TrustDesk:
    """What `sohoa trust` works on."""

    settings: Settings
    history: TrustHistory
    shelf: RevocationShelf
    live: LiveTrust


@contextmanager
def open_trust_desk(settings: Settings) -> Iterator[TrustDesk]:
    """Open the installation's versions; the schema is brought up to date."""
    from dossier.storage.migrations import upgrade  # late: only the commands need it

    database = Database(settings.database_url)
    try:
        upgrade(database)
        blobs = SmallBlobs(database, open_files(settings))
        live = live_trust(settings, database, blobs)
        history = TrustHistory(database, blobs, AuditLog(database))
        yield TrustDesk(settings, history, RevocationShelf(database, blobs), live)
    finally:
        database.close()


def snapshot_of(
    settings: Settings, at: datetime | None = None, versions: Sequence[str] | None = None
) -> Snapshot:
    """Whom a one-shot command believes at `at` (aware; None: now).

    `versions` name lists as ``government/7`` instead of those in force then. An installation
    without a database, or with one from before lists were kept, believes what its settings pin.
    Raises `TrustError`, `SettingsError`, `ProductionRefused`, `NotFound`, `StoreError`.
    """
    if versions:
        with open_trust_desk(settings) as desk:
            found = [desk.history.get(name) for name in versions]
            return desk.live.of(found, at or datetime.now(UTC))
    pinned = Snapshot(trust_store(settings), rules=rules_of(settings))
    url = settings.database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return pinned
    database = Database(url)
    try:
        with database.read() as connection:
            if not sa.inspect(connection).has_table(trust_versions.name):
                return pinned
        blobs = SmallBlobs(database, open_files(settings))
        return live_trust(settings, database, blobs).snapshot(at)
    finally:
        database.close()
