"""What the `house` worker does beside its queue: heads of the audit log, renewals, forgetting.

Each chore is a thread that runs until the process is told to stop. What a chore cannot do now it
tries again; nothing here is in the way of a signature.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dossier.audit.head import PURPOSE, SUBJECT
from dossier.audit.heads import HeadSealer
from dossier.errors import DossierError
from dossier.signing.renewal import RenewalDesk
from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer.errors import SignerError

if TYPE_CHECKING:
    from api.house import House
    from signer.remote import RemoteKey

_LOG = logging.getLogger(__name__)
_AGENT_PAUSE_S = 2.0
_TIDY_S = 3600.0
_RENEWAL_S = 3600.0
_TIDY_AT_ONCE = 1000  # rows a transaction, so that nobody waits for it


@dataclass(frozen=True, slots=True)
class Chore:
    """`run` returns soon after the event is set."""

    name: str
    run: Callable[[threading.Event], None]


def chores_of(house: House) -> list[Chore]:
    """The chores of one house; several machines may do them, each takes its own lease."""
    renewals = RenewalDesk(house.database, house.audit, house.jobs)
    return [
        Chore("audit-heads", lambda stop: _seal_heads(house, stop)),
        Chore("tidy", lambda stop: _every(_TIDY_S, stop, lambda: _tidy(house, stop))),
        Chore("renewal", lambda stop: _every(_RENEWAL_S, stop, renewals.sweep)),
    ]


def _seal_heads(house: House, stop: threading.Event) -> None:
    """Seal heads of the service's chain with the audit key, once the agent offers it."""
    label = house.settings.key_label("audit")
    while True:
        try:
            key = house.agent.key(label)
            break
        except (HSMError, SignerError) as error:
            _LOG.warning("the service's audit chain is not sealed: %s", error)
        if stop.wait(_AGENT_PAUSE_S):
            return

    def bind(_: SigningKey, digest: str) -> RemoteKey:
        return key.bound(purpose=PURPOSE, subject=SUBJECT, document_sha256=digest)

    settings = house.settings.audit
    HeadSealer(
        house.audit,
        key,
        house.timestamper,
        bind=bind,
        every_entries=settings.every_entries,
        every_s=settings.every_s,
    ).run(stop)


def _tidy(house: House, stop: threading.Event) -> None:
    """Forget finished jobs and deliveries, and uploads that nobody went on with."""
    while house.jobs.sweep(limit=_TIDY_AT_ONCE) == _TIDY_AT_ONCE and not stop.is_set():
        pass
    while house.webhooks.sweep(limit=_TIDY_AT_ONCE) == _TIDY_AT_ONCE and not stop.is_set():
        pass
    house.uploads.sweep()


def _every(seconds: float, stop: threading.Event, work: Callable[[], object]) -> None:
    while True:
        try:
            work()
        except DossierError as error:
            _LOG.warning("a chore was put off: %s", error)
        if stop.wait(seconds):
            return
