"""API keys of principals: issued, rotated with an overlap, revoked. Secrets are never stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder, NotFound, StateConflict
from dossier.identity.keytext import key_text, new_key_id, new_secret, secret_digest
from dossier.identity.office import Office
from dossier.identity.principals import Principals
from dossier.identity.rules import known_roles, not_found, require_administrator
from dossier.identity.values import APIKey, IssuedKey, Principal
from dossier.model import Caller, Role
from dossier.storage import tables

_K = tables.api_keys


class APIKeys:
    """Administration of API keys. Each change is one transaction with its audit entry."""

    def __init__(self, office: Office, principals: Principals) -> None:
        self._office = office
        self._principals = principals

    def issue(
        self,
        caller: Caller,
        principal_id: str,
        *,
        roles: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """A new key; `roles` and `keys` narrow it below its principal's rights.

        Raises `InvalidOrder` for rights that the principal lacks, `NotFound`.
        """
        principal = self._administered(caller, principal_id)
        narrowed = None if roles is None else known_roles(roles)
        labels = None if keys is None else frozenset(keys)
        _require_narrower(principal, narrowed, labels)
        if expires_at is not None and expires_at <= self._office.clock():
            raise InvalidOrder(
                "Hạn dùng phải ở tương lai. / The expiry has to be in the future.",
                field="expires_at",
            )
        with self._office.database.begin() as connection:
            issued = self.insert(
                connection, principal_id, roles=narrowed, keys=labels, expires_at=expires_at
            )
            self._office.note(
                connection,
                caller,
                "api-key.issued",
                principal.agency_id,
                principal.id,
                _told(issued.key),
            )
        return issued

    def insert(
        self,
        connection: sa.Connection,
        principal_id: str,
        *,
        roles: frozenset[Role] | None = None,
        keys: frozenset[str] | None = None,
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """The row alone, in the caller's transaction; for `issue` and the first start."""
        secret = new_secret()
        row: dict[str, Any] = {
            "id": new_key_id(),
            "principal_id": principal_id,
            "roles": None if roles is None else sorted(roles),
            "keys": None if keys is None else sorted(keys),
            "created_at": self._office.clock(),
            "expires_at": expires_at,
        }
        digest = secret_digest(secret).hex()
        connection.execute(sa.insert(_K).values(secret_sha256=digest, **row))
        return IssuedKey(_key({**row, "revoked_at": None}), key_text(row["id"], secret))

    def list(self, caller: Caller, principal_id: str) -> list[APIKey]:
        """The keys of one principal, the oldest first. Raises `NotFound`."""
        self._principals.get(caller, principal_id)
        query = sa.select(*_COLUMNS).where(_K.c.principal_id == principal_id).order_by(_K.c.id)
        with self._office.database.read() as connection:
            return [_key(dict(row)) for row in connection.execute(query).mappings()]

    def revoke(self, caller: Caller, key_id: str) -> APIKey:
        """End the key at once (here) or within a second (other processes). Repeatable."""
        key, principal = self._key_of(caller, key_id)
        if key.revoked_at is None:
            with self._office.database.begin() as connection:
                connection.execute(
                    sa.update(_K)
                    .where(_K.c.id == key_id, _K.c.revoked_at.is_(None))
                    .values(revoked_at=self._office.clock())
                )
                self._office.note(
                    connection,
                    caller,
                    "api-key.revoked",
                    principal.agency_id,
                    principal.id,
                    {"key": key_id},
                )
            self._office.changed()
        return self._key_of(caller, key_id)[0]

    def rotate(self, caller: Caller, key_id: str, *, overlap: timedelta) -> IssuedKey:
        """A new key of the same scope and lifetime; the old one ends after `overlap`.

        Raises `StateConflict` for a key that is revoked or expired already, `NotFound`.
        """
        old, principal = self._key_of(caller, key_id)
        now = self._office.clock()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise StateConflict(
                "Khóa này đã hết hiệu lực; hãy cấp khóa mới. / This key has ended; issue a new one."
            )
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        end = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
        with self._office.database.begin() as connection:
            issued = self.insert(
                connection,
                principal.id,
                roles=old.roles,
                keys=old.keys,
                expires_at=None if lifetime is None else now + lifetime,
            )
            connection.execute(sa.update(_K).where(_K.c.id == key_id).values(expires_at=end))
            told = {**_told(issued.key), "replaces": key_id, "replaced_ends": end.isoformat()}
            self._office.note(
                connection, caller, "api-key.rotated", principal.agency_id, principal.id, told
            )
        self._office.changed()
        return issued

    def _administered(self, caller: Caller, principal_id: str) -> Principal:
        principal = self._principals.get(caller, principal_id)
        require_administrator(caller, principal.agency_id)
        return principal

    def _key_of(self, caller: Caller, key_id: str) -> tuple[APIKey, Principal]:
        with self._office.database.read() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(_K.c.id == key_id)).mappings()
            found = row.first()
        if found is None:
            raise not_found(f"API key {key_id}")
        try:
            return _key(dict(found)), self._administered(caller, found["principal_id"])
        except NotFound as error:  # a neighbour must not learn that the key exists, or whose
            raise not_found(f"API key {key_id}") from error


_COLUMNS = tuple(column for column in _K.c if column.name != "secret_sha256")


def _require_narrower(
    principal: Principal, roles: frozenset[Role] | None, keys: frozenset[str] | None
) -> None:
    beyond = sorted((roles or frozenset()) - principal.roles) + sorted(
        (keys or frozenset()) - principal.keys
    )
    if beyond:
        raise InvalidOrder(
            f"Khóa API không rộng hơn quyền của chủ: {', '.join(beyond)}. / An API key has no "
            "right that its principal lacks; change the principal first.",
            field="roles",
        )


def _told(key: APIKey) -> dict[str, Any]:
    return {
        "key": key.id,
        "roles": None if key.roles is None else sorted(key.roles),
        "keys": None if key.keys is None else sorted(key.keys),
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
    }


def _key(row: dict[str, Any]) -> APIKey:
    roles, keys = row.pop("roles"), row.pop("keys")
    return APIKey(
        roles=None if roles is None else frozenset(Role(role) for role in roles),
        keys=None if keys is None else frozenset(keys),
        **row,
    )
