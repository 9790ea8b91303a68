"""Principals: users and client systems of an agency, with their roles, keys and limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder, StateConflict
from dossier.identity.agencies import named, stale
from dossier.identity.office import Office
from dossier.identity.rules import (
    known_roles,
    not_found,
    require_administrator,
    require_fitting,
    require_modest,
    require_reader,
)
from dossier.identity.values import (
    HOUSE,
    AgencyPolicy,
    Kind,
    Limits,
    Principal,
)
from dossier.model import Caller, Role, new_id
from dossier.storage import tables

_P = tables.principals
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Principals:
    """Administration of principals. Each change is one transaction with its audit entry."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def add(
        self,
        caller: Caller,
        agency_id: str,
        *,
        kind: Kind,
        name: str,
        roles: Iterable[str],
        keys: Iterable[str] = (),
        certificate_sha256: str | None = None,
        oidc_subject: str | None = None,
        limits: Limits | None = None,
        expires_at: datetime | None = None,
    ) -> Principal:
        """A new principal. `oidc_subject` is issuer and subject with a space between.

        Raises `InvalidOrder`, `NotFound` for an agency that is not the caller's, and
        `StateConflict` when certificate or subject are somebody's already.
        """
        require_administrator(caller, agency_id)
        require_modest(caller, limits or Limits(), Limits())
        values: dict[str, Any] = {
            "kind": kind,
            "name": name,
            "roles": roles,
            "keys": keys,
            "certificate_sha256": certificate_sha256,
            "oidc_subject": oidc_subject,
            "limits": limits or Limits(),
            "expires_at": expires_at,
        }
        with _Unique(), self._office.database.begin() as connection:
            principal_id = self.insert(connection, agency_id, values)
            self._note(connection, caller, "principal.created", principal_id, agency_id, values)
        self._office.changed()
        return self.get(caller, principal_id)

    def insert(self, connection: sa.Connection, agency_id: str, values: dict[str, Any]) -> str:
        """The row alone, in the caller's transaction; for `add` and the first start."""
        policy = _policy(connection, agency_id)
        row = _stored(values)
        require_fitting(agency_id, known_roles(row["roles"]), frozenset(row["keys"]), policy)
        principal_id = new_id("prn")
        connection.execute(
            sa.insert(_P).values(
                id=principal_id,
                agency_id=agency_id,
                created_at=self._office.clock(),
                version=1,
                **row,
            )
        )
        return principal_id

    def get(self, caller: Caller, principal_id: str) -> Principal:
        """Raises `NotFound`, also for another agency's reader; everybody may see himself."""
        with self._office.database.read() as connection:
            found = _read(connection, principal_id)
        if caller.principal_id != principal_id:
            _visible(caller, found, require_reader)
        return found

    def list(
        self,
        caller: Caller,
        agency_id: str | None = None,
        *,
        kind: Kind | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Principal]:
        """A page by id of one agency; None: the caller's own, or for the house all of them."""
        if agency_id is None and caller.agency_id != HOUSE:
            agency_id = caller.agency_id
        require_reader(caller, agency_id or HOUSE)
        query = sa.select(_P).order_by(_P.c.id).limit(limit)
        if agency_id is not None:
            query = query.where(_P.c.agency_id == agency_id)
        if kind is not None:
            query = query.where(_P.c.kind == kind)
        if after is not None:
            query = query.where(_P.c.id > after)
        with self._office.database.read() as connection:
            return [_principal(dict(row)) for row in connection.execute(query).mappings()]

    def change(
        self, caller: Caller, principal_id: str, *, version: int, **changes: object
    ) -> Principal:
        """Change entries as `add` takes them, all but the kind.

        Raises `VersionConflict`, `NotFound`, `InvalidOrder`, `StateConflict` as `add`.
        """
        if unknown := changes.keys() - _CHANGEABLE:
            raise InvalidOrder(
                f"Không sửa được: {', '.join(sorted(unknown))}. / These cannot be changed; "
                f"these can: {', '.join(sorted(_CHANGEABLE))}.",
                field=min(unknown),
            )
        return self._update(caller, principal_id, version, "principal.changed", changes)

    def disable(self, caller: Caller, principal_id: str, *, version: int) -> Principal:
        """It comes in by no credential any more. Raises `VersionConflict`, `NotFound`."""
        now = {"disabled_at": self._office.clock()}
        return self._update(caller, principal_id, version, "principal.disabled", now)

    def enable(self, caller: Caller, principal_id: str, *, version: int) -> Principal:
        """Undo `disable`. Raises `VersionConflict`, `NotFound`."""
        never: dict[str, object] = {"disabled_at": None}
        return self._update(caller, principal_id, version, "principal.enabled", never)

    def _update(
        self,
        caller: Caller,
        principal_id: str,
        version: int,
        event: str,
        changes: Mapping[str, object],
    ) -> Principal:
        with _Unique(), self._office.database.begin() as connection:
            present = _read(connection, principal_id)
            _visible(caller, present, require_administrator)
            wanted = changes.get("limits")
            if isinstance(wanted, Limits):
                require_modest(caller, wanted, present.limits)
            row = _stored(changes)
            require_fitting(
                present.agency_id,
                known_roles(row.get("roles", present.roles)),
                frozenset(row.get("keys", present.keys)),
                _policy(connection, present.agency_id),
            )
            swapped = connection.execute(
                sa.update(_P)
                .where(_P.c.id == principal_id, _P.c.version == version)
                .values(version=version + 1, **row)
            )
            if not swapped.rowcount:
                raise stale(version)
            self._note(connection, caller, event, principal_id, present.agency_id, changes)
        self._office.changed()
        return self.get(caller, principal_id)

    def _note(
        self,
        connection: sa.Connection,
        caller: Caller,
        event: str,
        principal_id: str,
        agency_id: str,
        values: Mapping[str, object],
    ) -> None:
        """Rights and limits go into the log; names of persons stay in the principal's row."""
        told: dict[str, Any] = {
            name: value
            for name, value in _stored(values).items()
            if name in ("kind", "roles", "keys", "limits", "certificate_sha256")
            and value is not None
        }
        if values.get("expires_at") is not None:
            told["expires_at"] = str(values["expires_at"])
        if values.get("oidc_subject") is not None:
            told["oidc"] = True
        self._office.note(connection, caller, event, agency_id, principal_id, told)


_CHANGEABLE = frozenset(
    {"name", "roles", "keys", "certificate_sha256", "oidc_subject", "limits", "expires_at"}
)


class _Unique:
    """Gives the broken UNIQUE rules of the table their meaning."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sa.exc.IntegrityError):
            raise StateConflict(
                "Chứng thư hoặc chủ thể OIDC này đã gắn với người khác; hãy gỡ ở đó trước. / This "
                "certificate or OIDC subject is somebody's already; remove it there first."
            ) from error


def _visible(caller: Caller, principal: Principal, require: Callable[[Caller, str], None]) -> None:
    if caller.agency_id not in (principal.agency_id, HOUSE):
        raise not_found(f"principal {principal.id}")
    require(caller, principal.agency_id)


def _policy(connection: sa.Connection, agency_id: str) -> AgencyPolicy:
    found = connection.scalar(
        sa.select(tables.agencies.c.policy).where(tables.agencies.c.id == agency_id)
    )
    if found is None:
        raise not_found(f"agency {agency_id}")
    return AgencyPolicy.from_json(found, strict=False)


def _read(connection: sa.Connection, principal_id: str) -> Principal:
    row = connection.execute(sa.select(_P).where(_P.c.id == principal_id)).mappings().first()
    if row is None:
        raise not_found(f"principal {principal_id}")
    return _principal(dict(row))


def _stored(values: Mapping[str, object]) -> dict[str, Any]:
    """The entries as columns. Raises `InvalidOrder` for what no column may hold."""
    row: dict[str, Any] = dict(values)
    if "kind" in row and row["kind"] not in ("client", "user"):
        raise InvalidOrder("Loại là client hoặc user. / A kind is client or user.", field="kind")
    if "name" in row:
        row["name"] = named(row["name"])
    if "roles" in row:
        row["roles"] = sorted(role.value for role in known_roles(row["roles"]))
    if "keys" in row:
        row["keys"] = sorted(set(row["keys"]))
    if "limits" in row:
        row["limits"] = row["limits"].to_json()
    certificate = row.get("certificate_sha256")
    if certificate is not None:
        row["certificate_sha256"] = certificate.lower().replace(":", "")
        if _SHA256.fullmatch(row["certificate_sha256"]) is None:
            raise InvalidOrder(
                "Vân tay SHA-256 của chứng thư gồm 64 chữ số hex. / A certificate's SHA-256 "
                "fingerprint has 64 hex digits.",
                field="certificate_sha256",
            )
    subject = row.get("oidc_subject")
    if subject is not None and not all(subject.partition(" ")):
        raise InvalidOrder(
            "Chủ thể OIDC ghi là “ISSUER SUBJECT”. / An OIDC subject is written 'ISSUER SUBJECT'.",
            field="oidc_subject",
        )
    return row


def _principal(row: dict[str, Any]) -> Principal:
    roles = frozenset(Role(role) for role in row.pop("roles"))
    limits = Limits.from_json(row.pop("limits"), strict=False)
    return Principal(roles=roles, keys=frozenset(row.pop("keys")), limits=limits, **row)
