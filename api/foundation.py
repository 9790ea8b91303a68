"""Opens what every process of the service stands on, and imports no more than that.

The workers of the queues `house` and `ocr` need nothing else, so they stay small.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from api.house import Foundation
from api.pinned import refuse_embedded_in_production
from api.settings import Settings
from api.telemetry import open_telemetry
from dossier.audit.log import AuditLog
from dossier.queue.jobs import JobQueue
from dossier.storage.blobs import open_blobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.store import BlobStore
from dossier.storage.uploads import Uploads
from dossier.webhooks.webhooks import Webhooks
from signer.remote import CSCClient


@contextmanager
def open_foundation(settings: Settings, process: str) -> Iterator[Foundation]:
    """Open it; closed when the context ends.

    `process` names this process in logs, metrics and traces (``web``, ``seal``). Opens no token
    and loads no PKCS#11 module: keys are the agent's. Raises `StoreError`, `SettingsError`,
    `ProductionRefused`.
    """
    refuse_embedded_in_production(settings)
    with ExitStack() as stack:
        database = Database(settings.database_url)
        stack.callback(database.close)
        name = f"{process}-{os.getpid()}@{socket.gethostname()}"
        telemetry = open_telemetry(settings, name, database)
        stack.callback(telemetry.close)
        agent = agent_client(settings)
        stack.callback(agent.close)
        blobs = SmallBlobs(database, open_files(settings))
        audit = AuditLog(database)
        jobs = JobQueue(database, audit)
        holdings = Holdings(database)
        uploads = Uploads(
            settings.data_dir / "uploads",
            blobs,
            database,
            holdings,
            max_bytes=settings.web.max_body_bytes,
        )
        private = settings.webhooks.private_networks
        yield Foundation(
            settings=settings,
            database=database,
            blobs=blobs,
            holdings=holdings,
            uploads=uploads,
            audit=audit,
            jobs=jobs,
            webhooks=Webhooks(database, jobs, audit, private_networks=private),
            agent=agent,
            telemetry=telemetry,
        )


def open_files(settings: Settings) -> BlobStore:
    """The blob store of the settings: a folder or a bucket. Raises `StoreError`."""
    return open_blobs(
        settings.blobs.url,
        settings.data_dir / "blobs",
        endpoint=settings.blobs.endpoint,
        region=settings.blobs.region,
        credentials_file=settings.blobs.credentials_file,
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
