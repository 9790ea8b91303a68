"""CRLs and OCSP responses fetched beforehand, kept, and handed to the verifier.

    kept = RevocationShelf(database, blobs)
    RevocationRefresh(kept, fetcher, urls).run(store, now)     # by a job, where it is configured
    kept.evidence(at)                                          # what speaks at `at`, no network

A verification never causes a fetch (`security.md` 20): what is fetched is named by the settings and
by the trusted certificates themselves, never by a file that somebody sends. Each value is
checked before it is kept (issuer, signature, window), and judged again when it is used.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.model import new_id
from dossier.storage.database import insert_if_new
from dossier.storage.tables import revocation_values
from signer.algorithm_policy import AlgorithmPolicy
from signer.certificate_path import NoPath, find_issuer
from signer.fetch import Fetcher, FetchError
from signer.revocation import addresses_of
from signer.revocation_answers import (
    UnusableEvidence,
    Window,
    build_ocsp_request,
    read_crl,
    read_ocsp_response,
)
from signer.services import RevocationEvidence

if TYPE_CHECKING:
    from dossier.storage.database import Database
    from dossier.storage.store import BlobStore
    from signer.trust import TrustStore

_LOG = logging.getLogger(__name__)
_INSERT = insert_if_new(revocation_values, revocation_values.c.id)
_SKEW = timedelta(minutes=5)
_CRL, _OCSP = "crl", "ocsp"

_Errand = tuple[str, x509.Certificate | None, x509.Certificate | None]
"""An address; for OCSP the certificate that is asked about, and its issuer."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds of one fetch (`security.md` 20), and how long a value without an end speaks."""

    timeout_s: float = 3.0
    max_bytes: int = 1 << 20
    maximum_age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one round did. `failed` has an address and the reason for each."""

    asked: int
    new: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Value:
    url: str
    subject: str
    kind: str
    octets: bytes
    window: Window


class RevocationShelf:
    """The values of one database. Safe for threads and for several processes."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def keep(self, value: _Value, fetched_at: datetime) -> bool:
        """Keep a checked value; False when it was there already. Raises `StoreError`."""
        info = self._blobs.put(value.octets)
        row = {
            "id": new_id("rev"),
            "url": value.url,
            "subject_sha256": value.subject,
            "kind": value.kind,
            "sha256": info.sha256,
            "this_update": value.window.this_update,
            "next_update": value.window.next_update,
            "fetched_at": fetched_at,
        }
        with self._database.begin() as connection:
            return connection.execute(_INSERT[connection.dialect.name], row).first() is not None

    def evidence(self, at: datetime) -> RevocationEvidence:
        """Of each issuer and certificate the newest value made by `at` (aware).

        Raises `BlobDamaged`, `StoreError`.
        """
        values = revocation_values.c
        wanted = (
            sa.select(values.kind, values.subject_sha256, values.sha256)
            .where(values.this_update <= at + _SKEW)
            .order_by(values.this_update, values.fetched_at)
        )
        newest: dict[tuple[str, str], str] = {}
        with self._database.read() as connection:
            for row in connection.execute(wanted):
                newest[row.kind, row.subject_sha256] = row.sha256
        octets = {key: self._blobs.get(sha256) for key, sha256 in sorted(newest.items())}
        return RevocationEvidence(
            (),
            tuple(value for (kind, _), value in octets.items() if kind == _CRL),
            tuple(value for (kind, _), value in octets.items() if kind == _OCSP),
        )

    def newest(self) -> str:
        """Changes whenever a value is added. Raises `StoreError`."""
        with self._database.read() as connection:
            return str(connection.scalar(sa.select(sa.func.max(revocation_values.c.id))) or "")


class RevocationRefresh:
    """Fetches what trusted certificates and the settings name. One thread's at a time."""

    def __init__(
        self,
        shelf: RevocationShelf,
        fetcher: Fetcher,
        urls: Sequence[str] = (),
        limits: FetchLimits | None = None,
    ) -> None:
        """`urls` are addresses of CRLs beside those that the trusted certificates name."""
        self._shelf = shelf
        self._fetcher = fetcher
        self._urls = tuple(urls)
        self._limits = limits or FetchLimits()

    def run(self, store: TrustStore, now: datetime) -> Refreshed:
        """One round over everything. What fails is logged, counted and tried the next time.

        Raises `StoreError`.
        """
        known = [a.certificate for a in store.anchors] + list(store.intermediates)
        asked, new = 0, 0
        failed: list[str] = []
        for url, certificate, issuer in self._errands(known):
            asked += 1
            try:
                if certificate is None or issuer is None:
                    values = self._list(url, known, now)
                else:
                    values = [self._answer(url, certificate, issuer, now)]
            except (FetchError, UnusableEvidence) as error:
                _LOG.warning("revocation values were not renewed: %s: %s", url, error)
                failed.append(f"{url}: {error}")
                continue
            new += sum(self._shelf.keep(value, now) for value in values)
        return Refreshed(asked, new, tuple(failed))

    def _errands(self, known: Sequence[x509.Certificate]) -> list[_Errand]:
        """Addresses of lists, and of responders where a certificate names no list."""
        lists = dict.fromkeys(self._urls)
        answers: list[_Errand] = []
        for certificate in known:
            try:
                ocsp_urls, crl_urls = addresses_of(certificate)
            except NoPath as error:
                _LOG.warning("a trusted certificate is unreadable: %s", error)
                continue
            issuer = find_issuer(certificate, known)
            if issuer is None or issuer == certificate:
                continue
            lists.update(dict.fromkeys(crl_urls))
            if ocsp_urls and not crl_urls:
                answers.append((ocsp_urls[0], certificate, issuer))
        return [*((url, None, None) for url in lists), *answers]

    def _list(self, url: str, known: Iterable[x509.Certificate], now: datetime) -> list[_Value]:
        limits = self._limits
        octets = self._fetcher.get(url, timeout_s=limits.timeout_s, max_bytes=limits.max_bytes)
        reasons: list[str] = []
        found: list[_Value] = []
        for issuer in known:
            try:
                checked = read_crl(
                    octets, issuer, now,
                    skew=_SKEW, maximum_age=limits.maximum_age, policy=AlgorithmPolicy.default(),
                )  # fmt: skip
            except UnusableEvidence as error:
                reasons.append(str(error))
                continue
            found.append(_Value(url, _digest(issuer), _CRL, octets, checked.window))
        if not found:
            raise UnusableEvidence("; ".join(dict.fromkeys(reasons)) or "nobody issued it")
        return found

    def _answer(
        self, url: str, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> _Value:
        limits = self._limits
        octets = self._fetcher.post(
            url,
            build_ocsp_request(certificate, issuer, None),
            "application/ocsp-request",
            timeout_s=limits.timeout_s,
            max_bytes=limits.max_bytes,
        )
        checked = read_ocsp_response(
            octets, certificate, issuer, now, nonce=None,
            skew=_SKEW, maximum_age=limits.maximum_age, policy=AlgorithmPolicy.default(),
        )  # fmt: skip
        return _Value(url, _digest(certificate), _OCSP, octets, checked.window)


def _digest(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
