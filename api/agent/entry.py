"""`sohoa agent`: puts the key agent together, serves, drains."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import Final

from api import lifeline
from api.agent.desk import Desk
from api.agent.keyring import Keyring, KeyringState
from api.agent.ledger import Ledger
from api.agent.policy import load_policy
from api.agent.routes import Routes
from api.agent.server import AgentServer
from api.errors import ProductionRefused
from api.settings import Settings
from api.telemetry.logs import configure_logging
from api.tokens import open_token
from dossier.audit.head import PURPOSE, SUBJECT
from dossier.audit.heads import HeadSealer
from dossier.errors import AuditUnavailable, StoreError
from hsm.errors import HSMError
from hsm.keys import SigningKey
from hsm.secrecy import forbid_dumps
from signer.csc.wire import Context
from signer.errors import SignerError
from signer.timestamp import TSAClient

_LOG = logging.getLogger(__name__)

DRAIN_S: Final = 3.0  # the supervisor's patience is four seconds
_RETRY_S: Final = 2.0


def run_agent(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop` is set; then finish what is under way and return.

    The token is opened in the background: while it is absent, or its PIN was refused, calls are
    answered with 503 and what to do. Raises `SettingsError` for a policy, database or address
    that cannot be used, `ProductionRefused` for an embedded authority in production, `HSMError`
    when the kernel does not keep the process's memory to itself.
    """
    forbid_dumps()
    configure_logging(settings.telemetry.log_level, "agent")
    if settings.mode == "production" and settings.embedded is not None:
        raise ProductionRefused(
            "the settings name the embedded test authority; remove [embedded] for production"
        )
    agent = settings.agent
    policy = load_policy(agent.policy)
    timestamper = None
    if settings.trust.tsa_url is not None:
        timestamper = TSAClient(settings.trust.tsa_url, timeout_s=settings.trust.tsa_timeout_s)
    with ExitStack() as stack:
        ledger = Ledger(agent.database)
        stack.callback(ledger.close)
        keyring = Keyring(policy, ledger, lambda: open_token(settings))
        stack.callback(keyring.close)
        # the client waits longer than we do: it is to hear from us why nothing was signed
        desk = Desk(policy, ledger, keyring, answer_within_s=agent.timeout_s / 2)
        server = AgentServer(
            settings.agent_address,
            Routes(policy, keyring, desk, timestamper),
            policy,
            certificate=agent.tls_certificate,
            key=agent.tls_key,
            client_ca=agent.tls_client_ca,
        )
        chores = threading.Thread(
            target=_chores,
            args=(settings, ledger, keyring, desk, timestamper, stop),
            name="agent-chores",
            daemon=True,
        )
        server.start()
        chores.start()
        lifeline.ready()
        stop.wait()
        server.drain(DRAIN_S)
        if not desk.drain(DRAIN_S):
            _LOG.warning("calls still hang in the token; the next start records their outcome")
        chores.join(DRAIN_S)
        try:
            ledger.settle([])
        except AuditUnavailable as error:
            _LOG.warning("the next start records what is open: %s", error)


def _chores(
    settings: Settings,
    ledger: Ledger,
    keyring: Keyring,
    desk: Desk,
    timestamper: TSAClient | None,
    stop: threading.Event,
) -> None:
    """Close what a crash left, then open the token, then seal heads of the chain."""
    while True:
        try:
            unknown = ledger.open()
        except AuditUnavailable as error:
            keyring.message = str(error)
            _LOG.warning("%s", error)
        else:
            break
        if stop.wait(_RETRY_S):
            return
    if unknown:
        _LOG.warning("%d intents of an earlier run have no known outcome", unknown)
    keyring.start()
    while keyring.state is not KeyringState.READY:
        if stop.wait(_RETRY_S / 10):
            return
    label = settings.key_label("audit")
    if label not in keyring.labels():
        _LOG.warning("the key chain is not sealed: there is no key %s", label)
        return

    def bound(key: SigningKey, statement_sha256: str) -> SigningKey:
        context = Context(purpose=PURPOSE, subject=SUBJECT, document_sha256=statement_sha256)
        return desk.signer(key.label, context)

    try:
        key = desk.signer(label, Context(purpose=PURPOSE, subject=SUBJECT))
        HeadSealer(
            ledger.log,
            key,
            timestamper,
            bind=bound,
            every_entries=settings.audit.every_entries,
            every_s=settings.audit.every_s,
            worker="agent",
        ).run(stop)
    except (HSMError, SignerError, StoreError) as error:
        _LOG.warning("the key chain is not sealed: %s", error)
