"""What the `house` worker does beside its queue: heads, checkpoints, renewals, watched folders.

Each chore is a thread that runs until the process is told to stop. What a chore cannot do now it
tries again; nothing here is in the way of a signature.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.pinned import timestamper_of, trust_store
from api.registering import make_checkpoints
from dossier.audit.head import PURPOSE, SUBJECT, Head
from dossier.audit.heads import HeadSealer, note_head
from dossier.errors import DossierError
from dossier.signing.renewals import RenewalDesk
from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer.errors import SignerError

if TYPE_CHECKING:
    from api.house import Foundation
    from api.settings import Role
    from dossier.inboxes.inbox import Inbox
    from signer.remote import RemoteKey
    from signer.services import Timestamper

_LOG = logging.getLogger(__name__)
_AGENT_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 60.0
_WITNESS_S = 2.0
_KEYS = "keys"  # the key agent's chain
_TIDY_S = 3600.0
_RENEWAL_S = 3600.0
_TIDY_AT_ONCE = 1000  # rows a transaction, so that nobody waits for it


@dataclass(frozen=True, slots=True)
class Chore:
    """`run` returns soon after the event is set."""

    name: str
    run: Callable[[threading.Event], None]


def chores_of(house: Foundation) -> list[Chore]:
    """The chores of one house; several machines may do them, each takes its own lease."""
    renewals = RenewalDesk(house.database, house.audit, house.jobs)
    return [
        Chore("audit-heads", lambda stop: _seal_heads(house, stop)),
        Chore("register", lambda stop: _register(house, stop)),
        Chore("witness", lambda stop: _witness(house, stop)),
        Chore("tidy", lambda stop: _every(_TIDY_S, stop, lambda: _tidy(house, stop))),
        Chore("renewal", lambda stop: _every(_RENEWAL_S, stop, renewals.sweep)),
        *_fetching(house),
        *_watching(house),
    ]


def _fetching(house: Foundation) -> list[Chore]:
    """Fetch revocation values for verification, where the settings ask for it."""
    trust = house.settings.trust
    if not trust.fetch_revocation:
        return []
    from api.trusting import live_trust  # late: other houses need neither verifier nor HTTP
    from dossier.trust.evidence import FetchLimits, RevocationRefresh, RevocationShelf
    from signer.fetch import Fetcher

    live = live_trust(house.settings, house.database, house.blobs)
    refresh = RevocationRefresh(
        RevocationShelf(house.database, house.blobs),
        Fetcher(public_only=not trust.fetch_private_networks),
        trust.crl_urls,
        FetchLimits(trust.fetch_timeout_s, trust.fetch_max_bytes),
    )

    def once() -> None:
        try:
            refresh.run(live.snapshot().store, datetime.now(UTC))
        except SignerError as error:
            _LOG.warning("revocation values are not renewed: %s", error)

    return [Chore("revocation", lambda stop: _every(trust.fetch_every_s, stop, once))]


def _watching(house: Foundation) -> list[Chore]:
    """Watch the folders that the settings name, each in a thread of its own."""
    if not house.settings.inboxes:
        return []
    from api.inboxes import inboxes_of  # late: other houses need neither stacks nor identity

    def watch(pause_s: float, inbox: Inbox) -> Callable[[threading.Event], None]:
        return lambda stop: _every(pause_s, stop, inbox.look)

    return [
        Chore(f"inbox-{name}", watch(house.settings.inboxes[name].rescan_s, inbox))
        for name, inbox in inboxes_of(house).items()
    ]


def _seal_heads(house: Foundation, stop: threading.Event) -> None:
    """Seal heads of the service's chain with the audit key, once the agent offers it."""
    key = _key(house, "audit", "the service's audit chain is not sealed", stop)
    if key is None:
        return

    def bind(_: SigningKey, digest: str) -> RemoteKey:
        return key.bound(purpose=PURPOSE, subject=SUBJECT, document_sha256=digest)

    settings = house.settings.audit
    HeadSealer(
        house.audit,
        key,
        _timestamper(house),
        bind=bind,
        every_entries=settings.every_entries,
        every_s=settings.every_s,
    ).run(stop)


def _register(house: Foundation, stop: threading.Event) -> None:
    """Sign checkpoints of the register of results, once the agent offers its key."""
    if _key(house, "results", "the register of results is not signed", stop) is not None:
        make_checkpoints(house, _timestamper(house), stop)


def _key(house: Foundation, role: Role, why: str, stop: threading.Event) -> RemoteKey | None:
    """The key of `role`, waited for; None when the process stops first. Logs `why` meanwhile."""
    pause_s = _AGENT_PAUSE_S
    while True:
        try:
            return house.agent.key(house.settings.key_label(role))
        except (HSMError, SignerError) as error:
            _LOG.warning("%s: %s", why, error)
        if stop.wait(pause_s):
            return None
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _timestamper(house: Foundation) -> Timestamper | None:
    anchors = [anchor.certificate for anchor in trust_store(house.settings).anchors]
    return timestamper_of(house.settings, anchors)


def _witness(house: Foundation, stop: threading.Event) -> None:
    """Put each new head of the key agent's chain into the service's: a cut there is found here."""
    known: object = None
    while not stop.wait(_WITNESS_S):
        try:
            said = house.agent.sealed_head()
            if said is None or said == known:
                continue
            head = Head.read(said)
            if head.chain != _KEYS:
                raise ValueError(f"it is of the chain {head.chain}")  # noqa: TRY301
            if note_head(house.audit, head):
                known = said
        except (HSMError, SignerError) as error:
            _LOG.info("the key agent's head was not seen: %s", error)
        except (ValueError, TypeError) as error:
            _LOG.warning("the key agent shows a head that is none: %s", error)


def _tidy(house: Foundation, stop: threading.Event) -> None:
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
