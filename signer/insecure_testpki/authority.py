"""The test certification authority: issues, revokes, publishes. CHỈ DÙNG THỬ / TEST ONLY."""

from __future__ import annotations

import copy
import datetime as dt
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID as AccessOID

from hsm.keys import SigningKey
from signer.errors import TrustError
from signer.insecure_testpki.certificates import (
    DigestSigner,
    RevokedEntry,
    build_certificate,
    build_crl,
)
from signer.insecure_testpki.keys import BareKey, KeyLoader, KeyMaker, PublicKey
from signer.insecure_testpki.ocsp_responder import OCSPResponder
from signer.insecure_testpki.roles import PROFILES, CertificateProfile, Role

_STATE = "INSECURE-TEST-PKI.json"
_FORMAT = 1
CRL_VALIDITY = dt.timedelta(days=7)
OCSP_VALIDITY = dt.timedelta(hours=12)
_ISSUERS = {Role.ROOT: Role.ROOT, Role.ISSUING: Role.ROOT}  # everybody else: the issuing CA


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


_LATER = (Role.AUDIT, Role.PROOF, Role.REGISTER)


class InsecureTestPKI:
    """Root, issuing CA and their subjects; state in one folder, keys wherever they were made.

    Safe for threads, and for processes that share the folder. `clock` gives aware datetimes.
    """

    def __init__(
        self, folder: Path, load_key: KeyLoader, *, clock: Callable[[], dt.datetime] = _utc_now
    ) -> None:
        """Open the PKI that `create` left in `folder`. Raises `TrustError`.

        Keys are loaded when they are first needed.
        """
        self._folder = folder
        self._load_key = load_key
        self._clock = clock
        self._lock = threading.RLock()
        self._keys: dict[Role, SigningKey] = {}
        self._crls: dict[Role, tuple[dt.datetime, bytes]] = {}
        self._revoked_in_crls: dict[str, Any] = {}
        try:
            self._state = _read_state(folder)
            self._certificates = {
                role: x509.load_pem_x509_certificate((folder / f"{role}.pem").read_bytes())
                for role in Role
                # installations of before the key was made
                if role not in _LATER or (folder / f"{role}.pem").exists()
            }
        except (OSError, ValueError, KeyError) as error:
            raise TrustError(
                f"PKI thử nghiệm trong {folder} thiếu hoặc hỏng; hãy chạy lại `sohoa init`. / "
                f"The test PKI in {folder} is missing or damaged; run `sohoa init` again."
            ) from error

    @classmethod
    def create(
        cls,
        folder: Path,
        make_key: KeyMaker,
        load_key: KeyLoader,
        *,
        base_url: str,
        clock: Callable[[], dt.datetime] = _utc_now,
    ) -> Self:
        """Make all keys and certificates; CDP and AIA point below `base_url` (loopback).

        The state file is written last, so a PKI whose making was cut short does not open.
        Raises `hsm.errors.HSMError` and `TrustError`.
        """
        if not base_url.startswith("http://127.0.0.1:"):
            raise TrustError(
                "PKI thử nghiệm chỉ phục vụ trên 127.0.0.1. / The test PKI serves on loopback "
                "only; give a base URL like http://127.0.0.1:8319."
            )
        folder.mkdir(parents=True, exist_ok=True)
        bare = {role: make_key(role.label, PROFILES[role].scheme) for role in Role}
        names = {role: PROFILES[role].subject for role in Role}
        certificates: dict[Role, x509.Certificate] = {}
        for role in Role:
            issuer = _ISSUERS.get(role, Role.ISSUING)
            certificates[role] = _certify(
                PROFILES[role],
                bare[role].public_key,
                issuer=issuer,
                issuer_name=names[issuer],
                issuer_key=bare[issuer].public_key,
                signer=bare[issuer],
                base_url=base_url,
                now=clock(),
            )
        keys: dict[Role, SigningKey] = {}
        for role, certificate in certificates.items():
            keys[role] = bare[role].install(certificate, _chain(role, certificates))
            pem = certificate.public_bytes(serialization.Encoding.PEM)
            _replace(folder / f"{role}.pem", pem)
        _write_state(
            folder,
            {
                "format": _FORMAT,
                "base_url": base_url,
                "crl_number": 0,
                "issued": {f"{c.serial_number:x}": role for role, c in certificates.items()},
                "revoked": {},
            },
        )
        pki = cls(folder, load_key, clock=clock)
        pki._keys = keys
        return pki

    @property
    def base_url(self) -> str:
        """Where CRLs, CA certificates, OCSP and TSA are served."""
        return str(self._state["base_url"])

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The root certificate: the one trust anchor. Production settings must refuse it."""
        return (self._certificates[Role.ROOT],)

    def certificate(self, role: Role) -> x509.Certificate:
        """The certificate of `role`. Raises KeyError where an older PKI has none (`AUDIT`)."""
        return self._certificates[role]

    def chain(self, role: Role) -> tuple[x509.Certificate, ...]:
        """The issuers of `role`'s certificate, nearest first, root last."""
        return _chain(role, self._certificates)

    def key(self, role: Role) -> SigningKey:
        """The signing key of `role`, loaded once. Raises `hsm.errors.HSMError`."""
        with self._lock:
            if role not in self._keys:
                self._keys[role] = self._load_key(
                    role.label, self._certificates[role], self.chain(role)
                )
            return self._keys[role]

    def issue(
        self, profile: CertificateProfile, key: BareKey, *, issuer: Role = Role.ISSUING
    ) -> SigningKey:
        """Certify one more key under `issuer`, as `profile` says, and install it."""
        with self._lock:
            issuer_certificate = self._certificates[issuer]
            certificate = _certify(
                profile,
                key.public_key,
                issuer=issuer,
                issuer_name=issuer_certificate.subject,
                issuer_key=cast(PublicKey, issuer_certificate.public_key()),
                signer=self.key(issuer),
                base_url=self.base_url,
                now=self._clock(),
            )
            with self._changing() as state:
                state["issued"][f"{certificate.serial_number:x}"] = issuer.value
        return key.install(certificate, (issuer_certificate, *self.chain(issuer)))

    def revoke(
        self,
        certificate: x509.Certificate,
        *,
        at: dt.datetime | None = None,
        reason: x509.ReasonFlags | None = None,
    ) -> None:
        """Revoke `certificate` (or put it on hold) as from `at`, now by default; persisted."""
        entry = {
            "at": (at or self._clock()).isoformat(timespec="seconds"),
            "reason": reason.value if reason else None,
            "issuer": certificate.issuer.public_bytes().hex(),
        }
        with self._changing() as state:
            state["revoked"][f"{certificate.serial_number:x}"] = entry

    def unrevoke(self, certificate: x509.Certificate) -> None:
        """Take a revocation back; a test's convenience that no real CA has."""
        with self._changing() as state:
            state["revoked"].pop(f"{certificate.serial_number:x}", None)

    def crl(self, issuer: Role) -> bytes:
        """The DER CRL of `issuer`, made anew after a change or half of its validity."""
        with self._lock:
            self._refresh()
            now = self._clock()
            made = self._crls.get(issuer)
            if made is None or not made[0] <= now <= made[0] + CRL_VALIDITY / 2:
                with self._changing() as state:
                    state["crl_number"] += 1
                made = self._crls[issuer] = (now, self._build_crl(issuer, now))
            return made[1]

    def ocsp_responder(self) -> OCSPResponder:
        """The delegated responder of the issuing CA."""
        return OCSPResponder(
            self.key(Role.OCSP),
            self._certificates[Role.ISSUING],
            self._status_of,
            validity=OCSP_VALIDITY,
            clock=self._clock,
        )

    def _status_of(self, serial: int) -> RevokedEntry | None:
        with self._lock:
            self._refresh()
            if f"{serial:x}" not in self._state["issued"]:
                raise KeyError(serial)
            return self._revoked().get(serial)

    def _revoked(self, issuer: x509.Name | None = None) -> dict[int, RevokedEntry]:
        return {
            int(serial, 16): RevokedEntry(
                int(serial, 16),
                dt.datetime.fromisoformat(entry["at"]),
                x509.ReasonFlags(entry["reason"]) if entry["reason"] else None,
            )
            for serial, entry in self._state["revoked"].items()
            if issuer is None or entry["issuer"] == issuer.public_bytes().hex()
        }

    def _build_crl(self, issuer: Role, now: dt.datetime) -> bytes:
        certificate = self._certificates[issuer]
        return build_crl(
            issuer=certificate.subject,
            signer=self.key(issuer),
            this_update=now,
            next_update=now + CRL_VALIDITY,
            revoked=list(self._revoked(certificate.subject).values()),
            values=[
                (_authority_key_identifier(cast(PublicKey, certificate.public_key())), False),
                (x509.CRLNumber(self._state["crl_number"]), False),
            ],
        )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The newest state, for a change that no other process can come between; then saved."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            with self._lock:
                fcntl.flock(folder, fcntl.LOCK_EX)
                self._refresh()
                yield self._state
                _write_state(self._folder, self._state)
        finally:
            os.close(folder)

    def _refresh(self) -> None:
        """Take over what another process, or this one, has changed."""
        state = _read_state(self._folder)
        if state["revoked"] != self._revoked_in_crls:
            self._revoked_in_crls = copy.deepcopy(state["revoked"])
            self._crls.clear()
        self._state = state


def _chain(role: Role, certificates: dict[Role, x509.Certificate]) -> tuple[x509.Certificate, ...]:
    if role is Role.ROOT:
        return ()
    if role is Role.ISSUING:
        return (certificates[Role.ROOT],)
    return (certificates[Role.ISSUING], certificates[Role.ROOT])


def _authority_key_identifier(key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _certify(
    profile: CertificateProfile,
    public_key: PublicKey,
    *,
    issuer: Role,
    issuer_name: x509.Name,
    issuer_key: PublicKey,
    signer: DigestSigner,
    base_url: str,
    now: dt.datetime,
) -> x509.Certificate:
    is_ca = profile.path_length is not None
    values: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(is_ca, profile.path_length), True),
        (profile.uses.extension(), True),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (_authority_key_identifier(issuer_key), False),
    ]
    if profile.extended_key_usage:
        values.append((x509.ExtendedKeyUsage(profile.extended_key_usage), True))
    if profile.ocsp_no_check:
        values.append((x509.OCSPNoCheck(), False))
    if profile.has_crl:
        point = x509.DistributionPoint([_uri(f"{base_url}/crl/{issuer}.crl")], None, None, None)
        values.append((x509.CRLDistributionPoints([point]), False))
    if profile.subject != issuer_name:
        access = [x509.AccessDescription(AccessOID.CA_ISSUERS, _uri(f"{base_url}/ca/{issuer}.cer"))]
        if profile.has_ocsp:
            access.insert(0, x509.AccessDescription(AccessOID.OCSP, _uri(f"{base_url}/ocsp")))
        values.append((x509.AuthorityInformationAccess(access), False))
    not_before = now + profile.starts_after
    return build_certificate(
        subject=profile.subject,
        public_key=public_key,
        issuer=issuer_name,
        signer=signer,
        serial=secrets.randbits(127) | 1 << 126,
        not_before=not_before,
        not_after=not_before + profile.lifetime,
        values=values,
    )


def _uri(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)


def _read_state(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    if state["format"] != _FORMAT:
        raise ValueError("the state is of another format")
    return state


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    _replace(folder / _STATE, json.dumps(state, indent=1, ensure_ascii=False).encode())


def _replace(path: Path, content: bytes) -> None:
    """Write `content` whole or not at all."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with scratch.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
