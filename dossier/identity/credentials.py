"""From a credential to a `Caller`: indexed look-ups, kept for at most a second.

What a process changes itself it forgets at once; what another process changes it sees within
`CACHE_S`. Entries hold ready `Caller`s, so that a request costs a hash and a comparison.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from dossier.errors import CredentialRefused
from dossier.identity.keytext import secret_digest, split_key_text
from dossier.identity.values import AgencyPolicy, Limits
from dossier.model import Caller, Role
from dossier.storage import tables
from dossier.storage.database import Database

CACHE_S = 1.0
_ENTRIES = 10_000  # what is looked up least recently goes first
_NOBODYS_SECRET = secrets.token_bytes(32)  # an unknown key is compared, too: with this

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time of this machine, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    caller: Caller
    limits: Limits
    secret: bytes
    refused: str | None  # why nobody may come in with it any more
    until: datetime | None


class Credentials:
    """Looks credentials up. Safe for threads; at most `_ENTRIES` are remembered."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], tuple[float, _Entry]] = OrderedDict()

    def authenticate_key(self, text: str) -> tuple[Caller, Limits]:
        """Whose API key `text` is. Raises `CredentialRefused`."""
        parts = split_key_text(text)
        if parts is None:
            raise CredentialRefused("malformed")
        key_id, secret = parts
        entry = self._find("key", key_id)
        expected = _NOBODYS_SECRET if entry is None else entry.secret
        matches = hmac.compare_digest(secret_digest(secret), expected)
        return self._admitted(entry, matches=matches)

    def verify_signature(
        self, key_id: str, message: bytes, signature: bytes
    ) -> tuple[Caller, Limits]:
        """Whose API key made `signature`, an HMAC-SHA256 over `message`.

        The HMAC key is `secret_digest` of the key's secret. Raises `CredentialRefused`.
        """
        entry = self._find("key", key_id)
        secret = _NOBODYS_SECRET if entry is None else entry.secret
        matches = hmac.compare_digest(hmac.digest(secret, message, "sha256"), signature)
        return self._admitted(entry, matches=matches)

    def seal(self, key_id: str, message: bytes) -> bytes:
        """What `verify_signature` accepts for `message`: for what we hand out to be brought back.

        It ends with the key: whoever revokes the one revokes the other. Raises
        `CredentialRefused` for a key that is unknown or has ended.
        """
        entry = self._find("key", key_id)
        self._admitted(entry, matches=True)
        assert entry is not None  # noqa: S101 - _admitted raised else
        return hmac.digest(entry.secret, message, "sha256")

    def by_certificate(self, sha256: str) -> tuple[Caller, Limits]:
        """Whose client certificate this is. Raises `CredentialRefused`."""
        return self._admitted(self._find("certificate", sha256), matches=True)

    def by_oidc(self, issuer: str, subject: str) -> tuple[Caller, Limits]:
        """Who this subject of this issuer is here. Raises `CredentialRefused`."""
        return self._admitted(self._find("oidc", f"{issuer} {subject}"), matches=True)

    def is_fresh(self, kind: str, value: str) -> bool:
        """Whether the next look-up of this credential needs no database."""
        found = self._known.get((kind, value))
        return found is not None and self._monotonic() - found[0] < CACHE_S

    def is_known(self, kind: str, value: str) -> bool:
        """Whether this credential existed when it was last looked up here, lately or not."""
        return (kind, value) in self._known

    def forget(self) -> None:
        """Look everything up anew; after a change."""
        with self._lock:
            for place, (_, entry) in self._known.items():
                self._known[place] = (-CACHE_S - 1e9, entry)

    def _admitted(self, entry: _Entry | None, *, matches: bool) -> tuple[Caller, Limits]:
        if entry is None:
            raise CredentialRefused("unknown")
        reason = entry.refused
        if entry.until is not None and self._clock() >= entry.until:
            reason = reason or "expired"
        if not matches:
            reason = "wrong"
        if reason is not None:
            raise CredentialRefused(
                reason, principal_id=entry.caller.principal_id, agency_id=entry.caller.agency_id
            )
        return entry.caller, entry.limits

    def _find(self, kind: str, value: str) -> _Entry | None:
        place = (kind, value)
        now = self._monotonic()
        found = self._known.get(place)
        if found is not None and now - found[0] < CACHE_S:
            return found[1]
        entry = self._read(kind, value)
        with self._lock:
            if entry is None:
                self._known.pop(place, None)  # what does not exist is not remembered: no flooding
            else:
                self._known[place] = (now, entry)
                self._known.move_to_end(place)
                if len(self._known) > _ENTRIES:
                    self._known.popitem(last=False)
        return entry

    def _read(self, kind: str, value: str) -> _Entry | None:
        agencies, principals, api_keys = tables.agencies.c, tables.principals.c, tables.api_keys.c
        columns: tuple[sa.Column[Any], ...] = (*_PRINCIPAL, agencies.policy, agencies.closed_at)
        tied = tables.principals.join(tables.agencies)
        if kind == "key":
            query = sa.select(*columns, *_KEY).select_from(tied.join(tables.api_keys))
            query = query.where(api_keys.id == value)
        elif kind == "certificate":
            query = sa.select(*columns).select_from(tied)
            query = query.where(principals.certificate_sha256 == value)
        else:
            query = sa.select(*columns).select_from(tied)
            query = query.where(principals.oidc_subject == value)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _entry(dict(row), _METHODS[kind])


_METHODS = {"key": "api-key", "certificate": "mtls", "oidc": "oidc"}
_P, _K = tables.principals.c, tables.api_keys.c
_PRINCIPAL: tuple[sa.Column[Any], ...] = (
    _P.id,
    _P.name,
    _P.agency_id,
    _P.roles,
    _P["keys"],
    _P.limits,
    _P.disabled_at,
    _P.expires_at,
)
_KEY = (
    _K.secret_sha256,
    _K.roles.label("key_roles"),
    _K["keys"].label("key_keys"),
    _K.expires_at.label("key_expires_at"),
    _K.revoked_at,
)


def _entry(row: dict[str, Any], method: str) -> _Entry:
    """The rights are what agency, principal and API key all allow."""
    roles, keys = set(row["roles"]), set(row["keys"])
    keys &= AgencyPolicy.from_json(row["policy"], strict=False).keys
    if row.get("key_roles") is not None:
        roles &= set(row["key_roles"])
    if row.get("key_keys") is not None:
        keys &= set(row["key_keys"])
    refused = None
    for column, reason in (
        ("revoked_at", "revoked"),
        ("disabled_at", "disabled"),
        ("closed_at", "closed"),
    ):
        if row.get(column) is not None:
            refused = refused or reason
    ends = [end for end in (row["expires_at"], row.get("key_expires_at")) if end is not None]
    limits = Limits.from_json(row["limits"], strict=False)
    return _Entry(
        caller=Caller(
            principal_id=row["id"],
            name=row["name"],
            agency_id=row["agency_id"],
            roles=frozenset(Role(role) for role in roles),
            keys=frozenset(keys),
            method=method,
            open_jobs=limits.open_jobs,
        ),
        limits=limits,
        secret=bytes.fromhex(row.get("secret_sha256") or "00" * 32),
        refused=refused,
        until=min(ends, default=None),
    )
