"""Whom this installation trusts, and the gate that production settings pass (S11).

Apart from `api.wiring`, so that a process that seals nothing need not load what seals.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cryptography import x509

from api.errors import ProductionRefused
from api.settings import Settings
from signer.coversheet import CoverSheetKeys
from signer.timestamp import TSAClient
from signer.trust import TEST_MARK, TrustDomain, TrustStore


def trust_store(settings: Settings) -> TrustStore:
    """The pinned anchors and intermediates of the settings.

    Raises `TrustError`; `ProductionRefused` for a test anchor in production.
    """
    domain = TrustDomain.TEST if settings.embedded else None
    store = TrustStore.from_files(settings.trust.anchors, domain)
    inner = TrustStore.from_files(settings.trust.intermediates)
    store = store.merged(
        TrustStore((), inner.intermediates + tuple(a.certificate for a in inner.anchors))
    )
    if settings.mode == "production":
        for anchor in store.anchors:
            name = anchor.certificate.subject.rfc4514_string()
            if anchor.domain is TrustDomain.TEST or TEST_MARK in name:
                raise ProductionRefused(f"{name} is a test anchor; pin the roots of your CA")
    return store


def refuse_embedded_in_production(settings: Settings) -> None:
    """Raise `ProductionRefused` for settings of production that name the test authority."""
    if settings.mode == "production" and settings.embedded is not None:
        raise ProductionRefused(
            "the settings name the embedded test authority; remove [embedded] for production"
        )


def timestamper_of(settings: Settings, anchors: Collection[x509.Certificate]) -> TSAClient | None:
    """The timestamp authority of the settings, if they name one."""
    if settings.trust.tsa_url is None:
        return None
    return TSAClient(
        settings.trust.tsa_url, timeout_s=settings.trust.tsa_timeout_s, anchors=anchors
    )


def proof_certificates(
    named: list[Path] | None, settings: Settings | None
) -> list[x509.Certificate]:
    """The keys whose codes on printouts are believed: those named, else those of the settings.

    Raises `TrustError`; `ProductionRefused` for a test key in production.
    """
    own = settings.trust.proof_keys if settings is not None else ()
    return _pinned(named or list(own), settings)


def sheet_certificates(
    named: list[Path] | None, settings: Settings | None
) -> list[x509.Certificate]:
    """The keys whose cover sheets are believed; as `proof_certificates`."""
    own: tuple[Path, ...] = ()
    if settings is not None:
        own = settings.trust.sheet_keys or settings.trust.proof_keys
    return _pinned(named or list(own), settings)


def cover_sheet_keys(settings: Settings) -> CoverSheetKeys:
    """The keys whose cover sheets split stacks here. Raises as `proof_certificates`."""
    return CoverSheetKeys(sheet_certificates(None, settings))


def _pinned(paths: list[Path], settings: Settings | None) -> list[x509.Certificate]:
    store = TrustStore.from_files(paths)
    found = [*(anchor.certificate for anchor in store.anchors), *store.intermediates]
    if settings is not None and settings.mode == "production":
        for certificate in found:
            name = certificate.subject.rfc4514_string()
            if TEST_MARK in name:
                raise ProductionRefused(f"{name} is a test key; pin the keys of your agencies")
    return found
