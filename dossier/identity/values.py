"""The values of identity: agencies and their policy, principals and their limits, API keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from dossier.errors import InvalidOrder
from dossier.model import JSON, AuditEvent, Caller, Role

if TYPE_CHECKING:
    import sqlalchemy as sa

HOUSE = "*"
"""The agency of the installation itself: its administrators administer the agencies."""

Kind = Literal["client", "user"]


class AuditWriter(Protocol):
    """What identity needs of the audit log."""

    def append(self, connection: sa.Connection, events: Sequence[AuditEvent]) -> int:
        """Append in the caller's transaction. Raises `AuditUnavailable`."""
        ...


class _JSONValue:
    """A frozen dataclass of flags, numbers and sets of names that is stored as JSON."""

    __slots__ = ()

    @classmethod
    def from_json(cls, value: Mapping[str, JSON], *, strict: bool = True) -> Self:
        """Missing entries take their default. Raises `InvalidOrder` that names the entry.

        `strict` refuses unknown entries; rows that a newer version wrote are read without.
        """
        fields: dict[str, Any] = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type] # subclasses are dataclasses
        found: dict[str, object] = {}
        for name, entry in value.items():
            if name in fields:
                found[name] = _entry(name, entry, fields[name].default)
            elif strict:
                raise InvalidOrder(
                    f"Không có mục “{name}”; các mục: {', '.join(fields)}. / There is no entry "
                    f"{name!r}; there are: {', '.join(fields)}.",
                    field=name,
                )
        return cls(**found)

    def to_json(self) -> dict[str, JSON]:
        """As it is stored and shown."""
        value = dataclasses.asdict(self)  # type: ignore[call-overload] # subclasses are dataclasses
        return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in value.items()}


def _entry(name: str, value: JSON, default: object) -> object:
    if isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, frozenset):
        good = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
        value = frozenset(value) if good else value
    else:
        kinds = (int, float) if isinstance(default, float) else (int,)
        good = isinstance(value, kinds) and not isinstance(value, bool) and value >= 0
    if not good:
        raise InvalidOrder(
            f"Giá trị của “{name}” không đúng kiểu (ví dụ {default!r}). / The value of {name!r} "
            f"is of the wrong kind (an example: {default!r}).",
            field=name,
        )
    return value


@dataclass(frozen=True, slots=True)
class AgencyPolicy(_JSONValue):
    """What an agency may do, and which rules it set itself. The house sets it."""

    keys: frozenset[str] = frozenset()
    """Labels of the signing keys that are this agency's; its principals can be given no other."""
    separation_of_duties: bool = True
    """Leader, clerk and seal steps of one sequence need different persons (Decree 30/2020)."""
    two_person_batches: bool = False
    """A batch's list is approved by one person and released by another."""
    blob_quota_bytes: int = 100 * 2**30
    batch_documents: int = 50_000
    """Documents in one batch, at most."""
    open_batches: int = 50
    """Batches that are neither done nor cancelled, at most."""


@dataclass(frozen=True, slots=True)
class Limits(_JSONValue):
    """What one principal may ask for. Rates hold for each web process."""

    requests_per_s: float = 500.0
    burst: int = 2000
    """Requests that may come at once after a pause."""
    body_bytes: int = 200 * 2**20
    open_jobs: int = 50_000
    """Signatures and digitizations accepted and not finished, at most."""
    require_signed_requests: bool = False
    """Accept requests signed by RFC 9421 alone: the secret then never travels."""

    def __post_init__(self) -> None:
        if self.requests_per_s <= 0 or self.burst < 1:
            raise InvalidOrder(
                "requests_per_s phải lớn hơn 0 và burst ít nhất là 1. / requests_per_s has to be "
                "above 0 and burst at least 1.",
                field="requests_per_s",
            )


@dataclass(frozen=True, slots=True)
class Agency:
    """A tenant: a unit that signs in its own name."""

    id: str
    name: str
    policy: AgencyPolicy
    created_at: datetime
    closed_at: datetime | None
    version: int

    def to_json(self) -> dict[str, JSON]:
        """As administrators see it."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a client system of one agency."""

    id: str
    agency_id: str
    kind: Kind
    name: str
    roles: frozenset[Role]
    keys: frozenset[str]
    certificate_sha256: str | None
    oidc_subject: str | None
    """Issuer and subject with one space between them."""
    limits: Limits
    created_at: datetime
    expires_at: datetime | None
    disabled_at: datetime | None
    version: int

    def to_json(self) -> dict[str, JSON]:
        """As administrators see it."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class APIKey:
    """What is known of an API key; the secret is not."""

    id: str
    principal_id: str
    roles: frozenset[Role] | None
    """None: all that the principal has."""
    keys: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def to_json(self) -> dict[str, JSON]:
        """As administrators see it; there is no secret in it."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new API key with its text, which exists nowhere else and is never shown again."""

    key: APIKey
    text: str = dataclasses.field(repr=False)


def _plain(value: Agency | Principal | APIKey) -> dict[str, JSON]:
    """The fields of a value: times as ISO 8601, sets sorted."""
    told: dict[str, JSON] = {}
    for entry in dataclasses.fields(value):
        found = getattr(value, entry.name)
        if isinstance(found, datetime):
            found = found.isoformat()
        elif isinstance(found, frozenset):
            found = sorted(found)
        elif isinstance(found, (AgencyPolicy, Limits)):
            found = found.to_json()
        told[entry.name] = found
    return told


def local_administrator(user: str) -> Caller:
    """Whoever runs commands on the machine itself: reads the database anyway, is audited."""
    return Caller(
        principal_id=f"local:{user}"[:48],
        name=user,
        agency_id=HOUSE,
        roles=frozenset({Role.ADMIN}),
        method="local",
    )
