"""Agencies: the tenants. The house administers them, each may see itself."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder, StateConflict, VersionConflict
from dossier.identity.office import Office
from dossier.identity.rules import not_found, require_house_administrator, require_reader
from dossier.identity.values import HOUSE, Agency, AgencyPolicy
from dossier.model import Caller
from dossier.storage import tables

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_A = tables.agencies


class Agencies:
    """Administration of agencies. Each change is one transaction with its audit entry."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def add(
        self, caller: Caller, agency_id: str, name: str, policy: AgencyPolicy | None = None
    ) -> Agency:
        """A new agency. Raises `InvalidOrder`, and `StateConflict` when the id is taken."""
        require_house_administrator(caller)
        if _ID.fullmatch(agency_id) is None:
            raise InvalidOrder(
                "Mã cơ quan gồm chữ, số, dấu chấm, gạch, tối đa 32 ký tự (như H00.01). / An "
                "agency's code has letters, digits, dots and dashes, 32 at most (as H00.01).",
                field="id",
            )
        policy = policy or AgencyPolicy()
        try:
            with self._office.database.begin() as connection:
                self.insert(connection, agency_id, name, policy)
                self._office.note(
                    connection, caller, "agency.created", agency_id, agency_id, policy.to_json()
                )
        except sa.exc.IntegrityError as error:
            raise StateConflict(
                f"Cơ quan {agency_id} đã có. / The agency {agency_id} exists already; change it "
                f"with: sohoa agencies policy {agency_id}."
            ) from error
        self._office.changed()
        return self.get(caller, agency_id)

    def insert(
        self, connection: sa.Connection, agency_id: str, name: str, policy: AgencyPolicy
    ) -> None:
        """The row alone, in the caller's transaction; for `add` and the first start."""
        connection.execute(
            sa.insert(_A).values(
                id=agency_id,
                name=named(name),
                policy=policy.to_json(),
                created_at=self._office.clock(),
                version=1,
            )
        )

    def get(self, caller: Caller, agency_id: str) -> Agency:
        """Raises `NotFound`, also for another agency's reader."""
        if caller.agency_id != agency_id:
            require_reader(caller, agency_id)
        with self._office.database.read() as connection:
            row = connection.execute(sa.select(_A).where(_A.c.id == agency_id)).mappings().first()
        if row is None:
            raise not_found(f"agency {agency_id}")
        return _agency(dict(row))

    def list(self, caller: Caller, *, after: str | None = None, limit: int = 100) -> list[Agency]:
        """A page by id: all of them for the house, else the caller's own."""
        query = sa.select(_A).order_by(_A.c.id).limit(limit)
        if caller.agency_id != HOUSE:
            query = query.where(_A.c.id == caller.agency_id)
        if after is not None:
            query = query.where(_A.c.id > after)
        with self._office.database.read() as connection:
            return [_agency(dict(row)) for row in connection.execute(query).mappings()]

    def change(
        self,
        caller: Caller,
        agency_id: str,
        *,
        version: int,
        name: str | None = None,
        policy: AgencyPolicy | None = None,
    ) -> Agency:
        """Rename it, or give it another policy. Raises `VersionConflict`, `NotFound`."""
        require_house_administrator(caller)
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = named(name)
        if policy is not None:
            values["policy"] = policy.to_json()
        return self._update(caller, agency_id, version, "agency.changed", values)

    def close(self, caller: Caller, agency_id: str, *, version: int) -> Agency:
        """Nobody of the agency comes in any more; its records stay. Raises `VersionConflict`."""
        require_house_administrator(caller)
        if agency_id == HOUSE:
            raise StateConflict(
                "Không đóng được hệ thống (*). / The house (*) itself cannot be closed."
            )
        return self._update(
            caller, agency_id, version, "agency.closed", {"closed_at": self._office.clock()}
        )

    def reopen(self, caller: Caller, agency_id: str, *, version: int) -> Agency:
        """Undo `close`. Raises `VersionConflict`."""
        require_house_administrator(caller)
        return self._update(caller, agency_id, version, "agency.reopened", {"closed_at": None})

    def _update(
        self, caller: Caller, agency_id: str, version: int, event: str, values: dict[str, Any]
    ) -> Agency:
        with self._office.database.begin() as connection:
            swapped = connection.execute(
                sa.update(_A)
                .where(_A.c.id == agency_id, _A.c.version == version)
                .values(version=version + 1, **values)
            )
            if not swapped.rowcount:
                present = connection.scalar(sa.select(_A.c.version).where(_A.c.id == agency_id))
                raise not_found(f"agency {agency_id}") if present is None else stale(version)
            told = {k: v for k, v in values.items() if k != "closed_at"}
            self._office.note(connection, caller, event, agency_id, agency_id, told)
        self._office.changed()
        return self.get(caller, agency_id)


def stale(version: int) -> VersionConflict:
    """The error for a change that was made on an old reading."""
    return VersionConflict(
        f"Đã có người sửa từ khi đọc (bản {version}); hãy đọc lại rồi sửa. / This was changed "
        f"since version {version} was read; read it again, then change it."
    )


def named(name: str) -> str:
    """A name as it is stored: trimmed, one line. Raises `InvalidOrder`."""
    text = name.strip()
    if not 0 < len(text) <= 200 or not text.isprintable():
        raise InvalidOrder(
            "Tên có từ 1 đến 200 ký tự, trên một dòng. / A name has 1 to 200 characters on one "
            "line.",
            field="name",
        )
    return text


def _agency(row: dict[str, Any]) -> Agency:
    policy = AgencyPolicy.from_json(row.pop("policy"), strict=False)
    return Agency(policy=policy, **row)
