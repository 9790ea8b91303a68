"""Puts the register of issued results together: for the web, for the house worker's chore.

The register's key is asked of the agent when something is signed, so that everything else goes on
where there is none.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from api.house import ResultRegister
from dossier.audit.log import AuditLog
from dossier.register import checkpoints, statuses
from dossier.register.checkpoints import Checkpointer, Checkpoints
from dossier.register.log import Register
from dossier.register.statuses import StatusSigner
from dossier.signing.endings import Endings
from dossier.storage.database import Database

if TYPE_CHECKING:
    from api.house import Foundation
    from api.settings import Settings
    from hsm.keys import SigningKey
    from signer.remote import CSCClient
    from signer.services import Timestamper

_NOWHERE = "sohoa.invalid"  # RFC 2606: never a real host
_ID_DIGITS = 16


def open_register(
    settings: Settings, database: Database, audit: AuditLog, agent: CSCClient
) -> ResultRegister:
    """The register of this installation. Nothing is asked yet."""
    kept = Checkpoints(database)

    def origin() -> str:
        return kept.origin(origin_of(settings, audit))

    return ResultRegister(
        log=Register(database),
        checkpoints=kept,
        statuses=StatusSigner(
            audit,
            lambda: agent.key(settings.key_label("results")),
            origin=origin,
            validity_s=settings.results.status_validity_s,
            bind=_binder(agent, settings, statuses.PURPOSE),
        ),
        endings=Endings(database, audit),
        origin=origin,
    )


def origin_of(settings: Settings, audit: AuditLog) -> str:
    """The log's name, as long as no checkpoint has pinned one."""
    if settings.results.origin:
        return settings.results.origin
    host = urlsplit(settings.web.public_url).netloc or _NOWHERE
    return f"{host}/{audit.installation()[:_ID_DIGITS]}"


def make_checkpoints(
    house: Foundation, timestamper: Timestamper | None, stop: threading.Event
) -> None:
    """The chore: checkpoints on schedule, until `stop`. Raises `HSMError`, `SignerError` when the
    agent does not offer the key.
    """
    settings = house.settings
    Checkpointer(
        Register(house.database),
        house.audit,
        house.agent.key(settings.key_label("results")),
        timestamper if settings.results.timestamps else None,
        origin=origin_of(settings, house.audit),
        bind=_binder(house.agent, settings, checkpoints.PURPOSE),
        every_entries=settings.results.every_entries,
        every_s=settings.results.every_s,
    ).run(stop)


def _binder(agent: CSCClient, settings: Settings, purpose: str) -> checkpoints.Bind:
    def bind(_: SigningKey, sha256: str) -> SigningKey:
        key = agent.key(settings.key_label("results"))
        return key.bound(purpose=purpose, subject=checkpoints.SUBJECT, document_sha256=sha256)

    return bind
