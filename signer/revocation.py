"""OCSP and CRL client: a `signer.services.RevocationSource` with a cache.

Within the validity window of what it has, nothing is asked. OCSP comes first, then the CRL.
A certificate without usable evidence is an error, never a silent pass (requirement K3).
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID as AccessOID

from signer.algorithm_policy import AlgorithmPolicy
from signer.certificate_parts import certificate_parts
from signer.certificate_path import NoPath, extensions_of, find_issuer
from signer.errors import CertificateRefused, RevocationError
from signer.fetch import Fetcher, FetchError
from signer.revocation_answers import (
    CheckedCRL,
    OCSPAnswer,
    Revoked,
    UnusableEvidence,
    Window,
    build_ocsp_request,
    read_crl,
    read_ocsp_response,
)
from signer.revocation_cache import RevocationCache
from signer.services import RevocationEvidence

_log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_OCSP_REQUEST = "application/ocsp-request"
_NONCE_BYTES = 16
_REMEMBERED = 4096  # certificates and CRLs in memory


@dataclass(frozen=True, slots=True)
class RevocationLimits:
    """Bounds of one fetch, and how times are judged."""

    timeout_s: float = 10.0
    max_ocsp_bytes: int = 64 * 1024
    max_crl_bytes: int = 16 * 1024 * 1024
    skew: dt.timedelta = dt.timedelta(minutes=5)
    maximum_age: dt.timedelta = dt.timedelta(hours=1)  # of evidence without nextUpdate
    failure_memory_s: float = 10.0  # an address that failed is left alone for so long


@dataclass(frozen=True, slots=True)
class _Status:
    """What is known about one certificate, with the value that proves it."""

    window: Window
    revoked: Revoked | None
    proof: OCSPAnswer | CheckedCRL


class RevocationClient:
    """Collects and caches revocation evidence. Thread-safe; one fetch at a time a target."""

    def __init__(
        self,
        anchors: Collection[x509.Certificate],
        *,
        intermediates: Collection[x509.Certificate] = (),
        fetcher: Fetcher | None = None,
        cache_folder: Path | None = None,
        limits: RevocationLimits | None = None,
        policy: AlgorithmPolicy | None = None,
        use_nonce: bool = False,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`anchors` need no evidence; `intermediates` complete chains that lack issuers. Both are
        looked at anew each time, so that they may follow a list of trust.

        With `cache_folder`, answers outlive the process. `use_nonce` asks for fresh answers;
        responders that prepare theirs in advance leave the nonce out, which is accepted.
        """
        self._anchors = anchors
        self._intermediates = intermediates
        self._fetcher = fetcher or Fetcher()
        self._cache = RevocationCache(cache_folder) if cache_folder else None
        self._limits = limits or RevocationLimits()
        self._policy = policy or AlgorithmPolicy.default()
        self._use_nonce = use_nonce
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._flights: dict[Hashable, tuple[threading.Lock, int]] = {}
        self._statuses: dict[tuple[x509.Certificate, bool], _Status] = {}
        self._crls: dict[tuple[str, x509.Certificate], CheckedCRL] = {}
        self._issuer_of: dict[x509.Certificate, x509.Certificate] = {}
        self._collected: dict[tuple[x509.Certificate, ...], tuple[Window, RevocationEvidence]] = {}
        self._failures: dict[str, tuple[float, str]] = {}

    @property
    def requests(self) -> int:
        """Requests sent so far through this client's fetcher."""
        return self._fetcher.requests

    def collect(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> RevocationEvidence:
        """Evidence for `chain` (end entity first) and its issuers up to an anchor, at `at`.

        Raises `RevocationError` where a certificate has none, `CertificateRefused` where one
        is revoked or on hold by `at`.
        """
        whole = tuple(chain)
        known = self._collected.get(whole)
        if known is not None and known[0].contains(at, self._limits.skew):
            return known[1]
        certificates: dict[x509.Certificate, None] = dict.fromkeys(whole)
        crls: dict[bytes, None] = {}
        ocsps: dict[bytes, None] = {}
        statuses: list[_Status] = []
        # A responder's own status is taken from a CRL: its OCSP answer would be its own word.
        waiting = [(certificate, True) for certificate in whole]
        done: set[x509.Certificate] = set()
        while waiting:
            certificate, may_use_ocsp = waiting.pop(0)
            if certificate in self._anchors or certificate in done:
                continue
            done.add(certificate)
            issuer = self._find_issuer(certificate, whole)
            status = self._status(certificate, issuer, at, may_use_ocsp=may_use_ocsp)
            _refuse_revoked(certificate, status.revoked, at)
            statuses.append(status)
            certificates[issuer] = None
            waiting.append((issuer, True))
            if isinstance(status.proof, CheckedCRL):
                crls[status.proof.encoded] = None
                continue
            ocsps[status.proof.encoded] = None
            if status.proof.responder is not None:
                certificates[status.proof.responder] = None
                if status.proof.responder_needs_evidence:
                    waiting.append((status.proof.responder, False))
        encoded = tuple(certificate_parts(certificate).encoded for certificate in certificates)
        evidence = RevocationEvidence(encoded, tuple(crls), tuple(ocsps))
        if statuses and not any(status.revoked for status in statuses):
            window = Window(
                max(status.window.this_update for status in statuses),
                min(status.window.next_update for status in statuses),
            )
            self._remember(self._collected, whole, (window, evidence))
        return evidence

    def _find_issuer(
        self, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
    ) -> x509.Certificate:
        known = self._issuer_of.get(certificate)
        if known is not None:
            return known
        issuer = find_issuer(certificate, (*chain, *self._intermediates, *self._anchors))
        if issuer is None or issuer == certificate:
            name = certificate.subject.rfc4514_string()
            raise RevocationError(
                f"Không biết chứng thư của bên cấp cho “{name}”; hãy thêm chứng thư CA trung gian "
                "hoặc ghim gốc tin cậy. / The issuer of this certificate is not known: add the "
                "intermediate CA's certificate, or pin its root as an anchor."
            )
        self._remember(self._issuer_of, certificate, issuer)
        return issuer

    def _status(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        at: dt.datetime,
        *,
        may_use_ocsp: bool,
    ) -> _Status:
        key = (certificate, may_use_ocsp)
        with self._only_one(key):
            known = self._statuses.get(key)
            if known is not None and known.window.contains(at, self._limits.skew):
                return known
            status = self._find_status(certificate, issuer, at, may_use_ocsp=may_use_ocsp)
            if status.revoked is None:  # a hold may be lifted: ask again
                self._remember(self._statuses, key, status)
            return status

    def _find_status(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        at: dt.datetime,
        *,
        may_use_ocsp: bool,
    ) -> _Status:
        reasons: list[str] = []
        try:
            ocsp_urls, crl_urls = addresses_of(certificate)
        except NoPath as error:
            raise RevocationError(str(error)) from error
        for url in ocsp_urls if may_use_ocsp else ():
            try:
                answer = self._ask_ocsp(url, certificate, issuer, at)
            except (FetchError, UnusableEvidence) as error:
                reasons.append(f"OCSP {url}: {error}")
                continue
            return _Status(answer.window, answer.revoked, answer)
        for url in crl_urls:
            try:
                crl = self._load_crl(url, issuer, at)
                return _Status(crl.window, crl.status(certificate), crl)
            except (FetchError, UnusableEvidence) as error:
                reasons.append(f"CRL {url}: {error}")
        detail = "; ".join(reasons) or "no OCSP or CRL address in the certificate"
        name = certificate.subject.rfc4514_string()
        raise RevocationError(
            f"Không kiểm tra được trạng thái thu hồi của “{name}”: {detail}. Hãy kiểm tra mạng "
            "tới OCSP/CRL của CA rồi thử lại. / The revocation status cannot be checked: "
            f"{detail}. Check the way to the CA's OCSP and CRL servers, then try again."
        )

    def _ask_ocsp(
        self,
        url: str,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        at: dt.datetime,
    ) -> OCSPAnswer:
        limits = self._limits

        def judge(encoded: bytes, nonce: bytes | None) -> OCSPAnswer:
            return read_ocsp_response(
                encoded,
                certificate,
                issuer,
                at,
                nonce=nonce,
                skew=limits.skew,
                maximum_age=limits.maximum_age,
                policy=self._policy,
            )

        parts = certificate_parts(certificate)
        key = b"ocsp" + parts.encoded + certificate_parts(issuer).encoded
        stored = self._cache.load(key, max_bytes=limits.max_ocsp_bytes) if self._cache else None
        if stored is not None:
            try:
                return judge(stored, None)
            except UnusableEvidence as error:
                _log.debug("A stored OCSP response is of no use any more: %s", error)
        nonce = secrets.token_bytes(_NONCE_BYTES) if self._use_nonce else None
        request = build_ocsp_request(certificate, issuer, nonce)
        with self._remembering_failure(url):
            encoded = self._fetcher.post(
                url,
                request,
                _OCSP_REQUEST,
                timeout_s=limits.timeout_s,
                max_bytes=limits.max_ocsp_bytes,
            )
        answer = judge(encoded, nonce)
        if self._cache and answer.revoked is None:
            self._cache.store(key, encoded)
        return answer

    def _load_crl(self, url: str, issuer: x509.Certificate, at: dt.datetime) -> CheckedCRL:
        limits = self._limits

        def judge(encoded: bytes) -> CheckedCRL:
            return read_crl(
                encoded,
                issuer,
                at,
                skew=limits.skew,
                maximum_age=limits.maximum_age,
                policy=self._policy,
            )

        place = (url, issuer)
        with self._only_one(place):
            known = self._crls.get(place)
            if known is not None and known.window.contains(at, limits.skew):
                return known
            key = b"crl" + url.encode() + b"\0" + certificate_parts(issuer).encoded
            stored = self._cache.load(key, max_bytes=limits.max_crl_bytes) if self._cache else None
            if stored is not None:
                try:
                    crl = judge(stored)
                except UnusableEvidence as error:
                    _log.debug("A stored CRL is of no use any more: %s", error)
                else:
                    self._remember(self._crls, place, crl)
                    return crl
            with self._remembering_failure(url):
                encoded = self._fetcher.get(
                    url, timeout_s=limits.timeout_s, max_bytes=limits.max_crl_bytes
                )
            crl = judge(encoded)
            self._remember(self._crls, place, crl)
            if self._cache:
                self._cache.store(key, encoded)
            return crl

    @contextmanager
    def _only_one(self, key: Hashable) -> Iterator[None]:
        """Threads that want the same evidence wait for the one that fetches it."""
        with self._lock:
            flight, users = self._flights.get(key, (threading.Lock(), 0))
            self._flights[key] = (flight, users + 1)
        try:
            with flight:
                yield
        finally:
            with self._lock:
                flight, users = self._flights[key]
                if users == 1:
                    del self._flights[key]
                else:
                    self._flights[key] = (flight, users - 1)

    @contextmanager
    def _remembering_failure(self, url: str) -> Iterator[None]:
        """A dead server costs one time limit, not one for every waiting thread."""
        until, reason = self._failures.get(url, (0.0, ""))
        if self._monotonic_s() < until:
            raise FetchError(f"{reason} (just now; not asked again)")
        try:
            yield
        except FetchError as error:
            until = self._monotonic_s() + self._limits.failure_memory_s
            self._remember(self._failures, url, (until, str(error)))
            raise

    def _remember(self, memory: dict[K, V], key: K, value: V) -> None:
        """Store, and forget the oldest entry of a full memory."""
        with self._lock:
            memory.pop(key, None)
            if len(memory) >= _REMEMBERED:
                del memory[next(iter(memory))]
            memory[key] = value


def _refuse_revoked(
    certificate: x509.Certificate, revoked: Revoked | None, at: dt.datetime
) -> None:
    if revoked is None or revoked.at > at:
        return
    name = certificate.subject.rfc4514_string()
    raise CertificateRefused(
        f"Chứng thư “{name}” đã bị thu hồi hoặc tạm dừng từ {revoked.at:%d/%m/%Y %H:%M:%S} UTC "
        f"({revoked.reason}); hãy dùng chứng thư khác hoặc hỏi CA. / The certificate has been "
        "revoked or is on hold: use another one, or ask its CA."
    )


def addresses_of(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """OCSP addresses (AIA) and CRL addresses (CDP), as the issuer ordered them.

    Raises `NoPath` for unreadable extensions.
    """
    extensions = extensions_of(certificate)
    ocsp_urls: list[str] = []
    crl_urls: list[str] = []
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.AuthorityInformationAccess):
            ocsp_urls += [
                access.access_location.value
                for access in value
                if access.access_method == AccessOID.OCSP
                and isinstance(access.access_location, x509.UniformResourceIdentifier)
            ]
        elif isinstance(value, x509.CRLDistributionPoints):
            crl_urls += [
                name.value
                for point in value
                if point.crl_issuer is None and point.reasons is None
                for name in point.full_name or ()
                if isinstance(name, x509.UniformResourceIdentifier)
            ]
    return ocsp_urls, crl_urls
