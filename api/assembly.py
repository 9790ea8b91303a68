"""Puts the service together: the house of web and workers, and what workers do with their jobs.

One-shot commands are put together in `api.wiring`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

from api.house import House
from api.settings import Role, Settings
from api.telemetry import open_telemetry
from api.web.verifying import Checkers
from api.wiring import (
    images_of,
    profiles_of,
    refuse_embedded_in_production,
    revocation_of,
    timestamper_of,
    trust_services,
    trust_store,
)
from dossier.audit.log import AuditLog
from dossier.batches.batches import Batches
from dossier.clerical.sequences import Sequences
from dossier.digitizing.digitizations import Digitizations
from dossier.identity import Identity
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.records import Records
from dossier.signing.renewal import renewal_schedule
from dossier.signing.workshop import Desk
from dossier.storage.blobs import open_blobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.uploads import Uploads
from dossier.webhooks.webhooks import Webhooks
from hsm.keys import SigningKey
from signer.remote import CSCClient

Handler = Callable[[Job], None]


@contextmanager
def open_house(settings: Settings, process: str) -> Iterator[House]:
    """Everything that web and workers work with; closed when the context ends.

    `process` names this process in logs, metrics and traces (``web``, ``seal``). Opens no token
    and loads no PKCS#11 module: keys are the agent's. Raises `StoreError`, `TrustError`,
    `SettingsError`.
    """
    refuse_embedded_in_production(settings)
    store = trust_store(settings)
    with ExitStack() as stack:
        database = Database(settings.database_url)
        stack.callback(database.close)
        name = f"{process}-{os.getpid()}@{socket.gethostname()}"
        telemetry = open_telemetry(settings, name, database)
        stack.callback(telemetry.close)
        agent = agent_client(settings)
        stack.callback(agent.close)
        files = open_blobs(
            settings.blobs.url,
            settings.data_dir / "blobs",
            endpoint=settings.blobs.endpoint,
            region=settings.blobs.region,
            credentials_file=settings.blobs.credentials_file,
        )
        blobs = SmallBlobs(database, files)
        audit = AuditLog(database)
        jobs = JobQueue(database, audit)
        holdings = Holdings(database)
        identity = Identity(database, audit)
        records = Records(
            database, blobs, holdings, audit, jobs, max_backlog=settings.web.max_backlog
        )
        yield House(
            settings=settings,
            database=database,
            blobs=blobs,
            holdings=holdings,
            uploads=Uploads(
                settings.data_dir / "uploads",
                blobs,
                database,
                holdings,
                max_bytes=settings.web.max_body_bytes,
            ),
            audit=audit,
            identity=identity,
            jobs=jobs,
            records=records,
            sequences=Sequences(database, holdings, audit, jobs, records, identity.policy),
            batches=Batches(database, audit, jobs, records, identity.policy),
            digitizations=Digitizations(database, blobs, holdings, audit, jobs),
            webhooks=Webhooks(
                database, jobs, audit, private_networks=settings.webhooks.private_networks
            ),
            agent=agent,
            verifier=stack.enter_context(Checkers(store)),
            profiles=profiles_of(settings),
            timestamper=timestamper_of(settings, [a.certificate for a in store.anchors]),
            telemetry=telemetry,
        )


def agent_client(settings: Settings) -> CSCClient:
    """The way to the key agent that the settings name."""
    return CSCClient(
        settings.agent_address,
        timeout_s=settings.agent.timeout_s,
        server_ca=settings.agent.server_ca,
        client_certificate=settings.agent.client_certificate,
        client_key=settings.agent.client_key,
    )


def signing_desk(house: House) -> Desk:
    """What signing works with beside the database. Raises `TrustError`."""
    settings = house.settings
    store = trust_store(settings)
    anchors = [anchor.certificate for anchor in store.anchors]
    revocation = revocation_of(settings, store, anchors)
    images = images_of(settings)
    roles: tuple[Role, ...] = ("officer", "leader", "seal")
    by_label = {settings.key_label(role): images[role] for role in roles}
    telemetry = house.telemetry

    def key_for(label: str, context: Mapping[str, Any]) -> SigningKey:
        key = house.agent.key(label).bound(**context)
        return telemetry.traced(key, context.get("request_id", "")) if telemetry else key

    return Desk(
        services=trust_services(settings, store, anchors, house.timestamper, revocation),
        key_for=key_for,
        timestamper=house.timestamper,
        images_for=by_label.get,
        revocation=revocation,
        renew_at=renewal_schedule(timedelta(days=settings.trust.renewal_margin_days)),
    )


def worker_handlers(house: House, queue: str) -> Mapping[str, Handler]:
    """What the jobs of `queue` are done with, by their kind; imports what that queue needs."""
    handlers = {"seal": _sealing, "ocr": _digitizing, "house": _errands}[queue](house)
    return house.telemetry.observed(handlers) if house.telemetry else handlers


def _sealing(house: House) -> dict[str, Handler]:
    from dossier.batches.work import BatchWork
    from dossier.clerical.work import SequenceWork
    from dossier.signing.renewal import RenewalWork
    from dossier.signing.work import SigningWork

    tools = (house.database, house.blobs, house.holdings, house.audit, house.jobs, house.records)
    desk = signing_desk(house)
    hooks = (house.telemetry.published,) if house.telemetry else ()
    return {
        "signature": SigningWork(*tools, desk, on_published=hooks),
        "sequence-step": SequenceWork(*tools, desk, on_published=hooks),
        "batch": BatchWork(*tools, desk, house.batches, on_published=hooks),
        "renewal": RenewalWork(
            *tools[:5],
            desk.services,
            margin=timedelta(days=house.settings.trust.renewal_margin_days),
        ),
    }


def _digitizing(house: House) -> dict[str, Handler]:
    from dossier.digitizing.work import DigitizingWork
    from ocr.settings import DigitiseSettings

    folder = house.settings.data_dir / "digitizing"
    work = DigitizingWork(house.digitizations, house.blobs, folder, DigitiseSettings())
    return {"digitize": work}


def _errands(house: House) -> dict[str, Handler]:
    from dossier.webhooks.delivery import WebhookSender

    private = house.settings.webhooks.private_networks
    sender = WebhookSender(house.database, house.jobs, house.audit, private_networks=private)
    return {"webhook": sender}
