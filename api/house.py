"""The house: what the processes of the service work with, built once a process.

    Foundation   database, blobs, audit, jobs, webhooks, agent    `api.foundation`    house, ocr
    House        and records, sequences, batches, trust, …        `api.assembly`      web, seal

Types only; nothing is imported at run time, so that a process loads no more than it uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.settings import Settings
    from api.telemetry import Telemetry
    from dossier.audit.log import AuditLog
    from dossier.batches.batches import Batches
    from dossier.checking.desk import CheckingDesk
    from dossier.clerical.sequences import Sequences
    from dossier.digitizing.digitizations import Digitizations
    from dossier.filing.filing import Filing
    from dossier.identity import Identity
    from dossier.intake.sheets import CoverSheets
    from dossier.queue.jobs import JobQueue
    from dossier.register.checkpoints import Checkpoints
    from dossier.register.log import Register
    from dossier.register.statuses import StatusSigner
    from dossier.search.index import SearchIndex
    from dossier.signing.endings import Endings
    from dossier.signing.records import Records
    from dossier.stacks.arranging import Arranging
    from dossier.stacks.stacks import Stacks
    from dossier.storage.database import Database
    from dossier.storage.holdings import Holdings
    from dossier.storage.store import BlobStore
    from dossier.storage.uploads import Uploads
    from dossier.trust.live import LiveTrust
    from dossier.verifying.bulk import BulkVerifications
    from dossier.verifying.checkers import Checkers
    from dossier.verifying.kept import KeptVerifications
    from dossier.verifying.receipts import Receipts
    from dossier.webhooks.webhooks import Webhooks
    from signer.remote import CSCClient
    from signer.sealing.appearance.profiles import ProfileSet
    from signer.services import Timestamper


@dataclass(frozen=True, slots=True)
class ResultRegister:
    """The register of issued results; safe for threads."""

    log: Register
    checkpoints: Checkpoints
    statuses: StatusSigner
    endings: Endings
    origin: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What every process of the service stands on; safe for several threads."""

    settings: Settings
    database: Database
    blobs: BlobStore
    holdings: Holdings  # which agency may see which blob
    uploads: Uploads
    audit: AuditLog
    jobs: JobQueue
    webhooks: Webhooks
    agent: CSCClient
    telemetry: Telemetry | None = None  # None: nothing is logged, counted or traced


@dataclass(frozen=True, slots=True, kw_only=True)
class House(Foundation):
    """All of it: what web and the seal worker work with."""

    identity: Identity
    records: Records
    sequences: Sequences
    batches: Batches
    digitizations: Digitizations
    sheets: CoverSheets
    stacks: Stacks
    arranging: Arranging
    checking: CheckingDesk
    filing: Filing
    search: SearchIndex
    register: ResultRegister
    verifier: Checkers
    trust: LiveTrust
    kept: KeptVerifications
    bulk: BulkVerifications
    receipts: Receipts
    profiles: ProfileSet
    timestamper: Timestamper | None
