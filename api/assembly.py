"""Puts the service together: the house of web and seal worker, and what is sealed with.

It stands on `api.foundation`. One-shot commands are put together in `api.wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from datetime import timedelta
from typing import Any

from api.filing import filing_of, marking
from api.foundation import open_foundation
from api.house import Foundation, House
from api.pinned import timestamper_of
from api.registering import open_register
from api.settings import Role, Settings
from api.trusting import (
    CertificatesInForce,
    VerifierInForce,
    chain_parts,
    granted_anchors,
    live_trust,
)
from api.wiring import (
    images_of,
    profiles_of,
    revocation_of,
    trust_services,
)
from dossier.batches.batches import Batches
from dossier.checking.desk import CheckingDesk
from dossier.clerical.sequences import Sequences
from dossier.digitizing.digitizations import Digitizations
from dossier.identity import Identity
from dossier.intake.sheets import CoverSheets, KeyFor
from dossier.printout.issuing import CodePrinter, Printing
from dossier.queue.jobs import Job
from dossier.search.index import SearchIndex
from dossier.signing.records import Records
from dossier.signing.renewal import renewal_schedule
from dossier.signing.workshop import Desk
from dossier.stacks.arranging import Arranging
from dossier.stacks.stacks import Stacks
from dossier.trust.live import LiveTrust
from dossier.verifying.bulk import BulkVerifications
from dossier.verifying.checkers import Checkers
from dossier.verifying.kept import KeptVerifications
from dossier.verifying.receipts import Receipts
from hsm.keys import SigningKey
from signer.sealing.levels import Level
from signer.services import Timestamper

Handler = Callable[[Job], None]


@contextmanager
def open_house(settings: Settings, process: str) -> Iterator[House]:
    """Everything that web and the seal worker work with; closed when the context ends.

    Raises `TrustError`, and what `api.foundation.open_foundation` raises.
    """
    with ExitStack() as stack:
        below = stack.enter_context(open_foundation(settings, process))
        live = live_trust(settings, below.database, below.blobs)
        verifier = stack.enter_context(Checkers(live))
        parts = {field.name: getattr(below, field.name) for field in fields(below)}
        database, audit, jobs = below.database, below.audit, below.jobs
        identity = Identity(database, audit)
        records = Records(
            database,
            below.blobs,
            below.holdings,
            audit,
            jobs,
            max_backlog=settings.web.max_backlog,
        )
        timestamper = timestamper_of(settings, CertificatesInForce(live, granted_anchors))
        yield House(
            **parts,
            identity=identity,
            records=records,
            sequences=Sequences(database, below.holdings, audit, jobs, records, identity.policy),
            batches=Batches(database, audit, jobs, records, identity.policy),
            digitizations=Digitizations(database, below.blobs, below.holdings, audit, jobs),
            sheets=CoverSheets(database, audit, sheet_key(below)),
            checking=CheckingDesk(
                database, audit, jobs, below.blobs, lease_s=settings.checking.lease_s
            ),
            filing=filing_of(below, records, long_term=timestamper is not None),
            stacks=Stacks(database, below.holdings, audit, jobs),
            arranging=Arranging(database, audit, jobs),
            search=SearchIndex(database),
            register=open_register(settings, database, audit, below.agent),
            verifier=verifier,
            trust=live,
            profiles=profiles_of(settings),
            timestamper=timestamper,
            kept=KeptVerifications(database, below.blobs, below.holdings, audit, live),
            bulk=BulkVerifications(database, below.holdings, audit, jobs),
            receipts=Receipts(
                audit,
                lambda: signing_desk(below, live, timestamper),
                own_key=settings.verification.receipt_key or None,
                maker=settings.record.agency,
                level=Level.B_B if timestamper is None else Level.B_LTA,
            ),
        )


def sheet_key(house: Foundation) -> KeyFor:
    """The key of cover sheets, asked of the agent each time."""
    label = house.settings.sheet_label
    return lambda context: house.agent.key(label).bound(**context)


def signing_desk(house: Foundation, live: LiveTrust, timestamper: Timestamper | None) -> Desk:
    """What signing works with beside the database. Raises `TrustError`."""
    settings = house.settings
    anchors = CertificatesInForce(live, granted_anchors)
    inner = CertificatesInForce(live, lambda store: store.intermediates)
    revocation = revocation_of(settings, anchors, inner)
    images = images_of(settings)
    roles: tuple[Role, ...] = ("officer", "leader", "seal")
    by_label = {settings.key_label(role): images[role] for role in roles}
    telemetry = house.telemetry

    def key_for(label: str, context: Mapping[str, Any]) -> SigningKey:
        key = house.agent.key(label).bound(**context)
        return telemetry.traced(key, context.get("request_id", "")) if telemetry else key

    return Desk(
        services=trust_services(
            settings,
            anchors,
            CertificatesInForce(live, chain_parts),
            timestamper,
            revocation,
            VerifierInForce(live),
        ),
        key_for=key_for,
        timestamper=timestamper,
        images_for=by_label.get,
        revocation=revocation,
        renew_at=renewal_schedule(timedelta(days=settings.trust.renewal_margin_days)),
        code_printer=CodePrinter(
            Printing(settings.lookup_url, settings.proof.system, settings.proof.masking),
            settings.key_label("proof"),
            settings.proof.always,
        ),
    )


def sealing(house: House) -> dict[str, Handler]:
    """What the jobs of the queue ``seal`` are done with, by their kind."""
    from dossier.batches.work import BatchWork
    from dossier.clerical.work import SequenceWork
    from dossier.signing.renewal import RenewalWork
    from dossier.signing.work import SigningWork

    tools = (house.database, house.blobs, house.holdings, house.audit, house.jobs, house.records)
    desk = signing_desk(house, house.trust, house.timestamper)
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
        **marking(house, desk),
    }
