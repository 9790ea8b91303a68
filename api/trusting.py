"""Whom this installation believes now: what the settings pin, and the lists it has imported.

The pinned part alone is `api.pinned`; here the database joins it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
from signer.trust import Service, TrustStore
from signer.verification.report import VerificationReport
from signer.verification.verify import Verifier


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


class CertificatesInForce(Collection[x509.Certificate]):
    """Certificates of the trust in force, asked for anew whenever it is looked at.

    Given to what seals and asks timestamp authorities, so that a new list reaches it without a
    restart.
    """

    def __init__(
        self, live: LiveTrust, choose: Callable[[TrustStore], Iterable[x509.Certificate]]
    ) -> None:
        self._live = live
        self._choose = choose

    def __iter__(self) -> Iterator[x509.Certificate]:
        return iter(self._choose(self._live.snapshot().store))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, certificate: object) -> bool:
        return any(one == certificate for one in self)


def granted_anchors(store: TrustStore) -> list[x509.Certificate]:
    """The anchors that are believed for anything now."""
    now = datetime.now(UTC)
    return [
        anchor.certificate
        for anchor in store.anchors
        if any(anchor.is_granted(service, now) for service in Service)
    ]


def chain_parts(store: TrustStore) -> list[x509.Certificate]:
    """Whatever may complete a chain."""
    return [*store.intermediates, *(anchor.certificate for anchor in store.anchors)]


class VerifierInForce(Verifier):
    """A verifier by the trust, rules and evidence in force. Safe for threads."""

    def __init__(self, live: LiveTrust) -> None:
        super().__init__(TrustStore())
        self._live = live
        self._made: tuple[str, Verifier] | None = None

    def verify(self, pdf: bytes | Path, at: datetime | None = None) -> VerificationReport:
        """See `Verifier`; as of `at`, by what was in force then. Raises what the trust raises."""
        snapshot = self._live.snapshot(at)
        made = self._made
        if made is None or made[0] != snapshot.fingerprint:
            made = (snapshot.fingerprint, snapshot.verifier())
            if at is None:
                self._made = made
        return made[1].verify(pdf, at)


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
