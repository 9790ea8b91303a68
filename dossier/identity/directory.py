"""`Identity`: the directory of who may ask, and the first start that puts somebody into it."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from dossier.identity.agencies import Agencies
from dossier.identity.apikeys import APIKeys
from dossier.identity.credentials import CACHE_S, Clock, Credentials, system_clock
from dossier.identity.office import Office
from dossier.identity.principals import Principals
from dossier.identity.rules import not_found
from dossier.identity.values import HOUSE, AgencyPolicy, AuditWriter, Limits
from dossier.model import AuditEvent, Caller, Role
from dossier.storage import tables
from dossier.storage.database import Database

_BOOTSTRAP = "identity.bootstrap"


class Identity:
    """Who may ask. One object a process; safe for threads.

    `agencies`, `principals` and `api_keys` administer; `credentials` admits.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditWriter,
        *,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` counts the seconds for which look-ups are kept."""
        self._database = database
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._policies: dict[str, tuple[float, AgencyPolicy]] = {}
        self.credentials = Credentials(database, clock=clock, monotonic=monotonic)
        office = Office(database, audit, clock, self._changed)
        self.agencies = Agencies(office)
        self.principals = Principals(office)
        self.api_keys = APIKeys(office, self.principals)

    def authenticate_key(self, text: str) -> tuple[Caller, Limits]:
        """Whose API key `text` is. Raises `CredentialRefused`."""
        return self.credentials.authenticate_key(text)

    def by_certificate(self, sha256: str) -> tuple[Caller, Limits]:
        """Whose client certificate has this SHA-256 (hex). Raises `CredentialRefused`."""
        return self.credentials.by_certificate(sha256)

    def by_oidc(self, issuer: str, subject: str) -> tuple[Caller, Limits]:
        """Who this subject is here. Raises `CredentialRefused`."""
        return self.credentials.by_oidc(issuer, subject)

    def policy(self, agency_id: str) -> AgencyPolicy:
        """The agency's policy, at most a second old. Raises `NotFound`."""
        now = self._monotonic()
        found = self._policies.get(agency_id)
        if found is not None and now - found[0] < CACHE_S:
            return found[1]
        query = sa.select(tables.agencies.c.policy).where(tables.agencies.c.id == agency_id)
        with self._database.read() as connection:
            row = connection.scalar(query)
        if row is None:
            raise not_found(f"agency {agency_id}")
        policy = AgencyPolicy.from_json(row, strict=False)
        self._policies[agency_id] = (now, policy)
        return policy

    def bootstrap(self) -> str | None:
        """At the first start: the house, its administrator and his API key; returns its text.

        Once an installation, whichever process is first; None from then on. Whoever loses the
        text makes another key on the machine itself: ``sohoa users key issue``.
        """
        try:
            with self._database.begin() as connection:
                if connection.scalar(
                    sa.select(tables.settings.c.name).where(tables.settings.c.name == _BOOTSTRAP)
                ):
                    return None
                return self._bootstrap(connection)
        except sa.exc.IntegrityError:  # another process was first (PostgreSQL lets both try)
            return None

    def _bootstrap(self, connection: sa.Connection) -> str:
        now = self._clock()
        connection.execute(
            sa.insert(tables.settings).values(name=_BOOTSTRAP, value={"at": now.isoformat()})
        )
        self.agencies.insert(connection, HOUSE, "Sohoa", AgencyPolicy())
        principal_id = self.principals.insert(
            connection,
            HOUSE,
            {
                "kind": "user",
                "name": "Quản trị hệ thống",
                "roles": [Role.ADMIN],
                "keys": (),
                "limits": Limits(),
            },
        )
        issued = self.api_keys.insert(connection, principal_id)
        told = AuditEvent(
            "house.bootstrapped", "house", HOUSE, principal_id, {"key": issued.key.id}
        )
        self._audit.append(connection, [told])
        return issued.text

    def _changed(self) -> None:
        self.credentials.forget()
        self._policies.clear()
