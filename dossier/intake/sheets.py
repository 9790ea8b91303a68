"""Cover sheets as a service: who printed which sheet for what dossier, and which stack it split.

    sheets = CoverSheets(database, audit, key_for)
    sheet, new = sheets.issue(caller, request, idempotency_key)     # one use of the key
    sheets.pdf(caller, sheet.serial)                                # the same bytes each time
    sheets.mark_used(connection, claims, stack_id)                  # None, or the stack before

    row committed, digest in the audit log > the key signs > payload stored, "issued" in the log

A crash in between leaves a row without a payload, which nobody sees; the same Idempotency-Key
completes it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dossier.audit.chain import canonical
from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound
from dossier.intake.cover_sheet import (
    AnnouncedComponent,
    CoverSheetOrder,
    claims_of,
    draw_cover_sheet,
)
from dossier.model import JSON, AuditEvent, Caller, Role
from dossier.signing.recordtable import claim_key
from dossier.storage.database import Database, insert_if_new
from dossier.storage.station_tables import cover_sheets
from dossier.storage.tables import agencies
from hsm.keys import SignatureScheme, SigningKey
from signer.coversheet import (
    SERIAL_BYTES,
    CoverSheetClaims,
    CoverSheetKeys,
    claims_payload,
    sign_cover_sheet,
)
from signer.errors import PolicyRefused

PURPOSE = "cover-sheet"
"""The purpose that the key agent is told."""

MAY_ISSUE = (Role.SCANNER, Role.OFFICER, Role.CLERK)
_ELSEWHERE = ""  # principal of a sheet that splits a stack here and was printed elsewhere
_INSERT = insert_if_new(cover_sheets)


@dataclass(frozen=True, slots=True)
class SheetRequest:
    """What a cover sheet should say. `procedure_code` is kept, not printed."""

    dossier_code: str
    station: str
    components: tuple[AnnouncedComponent, ...]
    procedure_code: str | None = None
    valid_for: dt.timedelta = dt.timedelta(days=7)

    def digest(self) -> str:
        """SHA-256 (hex) of all of it: the same request has the same."""
        told: dict[str, JSON] = {
            "dossier": self.dossier_code,
            "station": self.station,
            "components": _components_json(self.components),
            "procedure": self.procedure_code,
            "seconds": self.valid_for.total_seconds(),
        }
        return hashlib.sha256(canonical(told)).hexdigest()


@dataclass(frozen=True, slots=True)
class IssuedSheet:
    """A signed sheet. `serial` is hex; `stack_id` the first stack that it split."""

    serial: str
    agency_id: str
    agency_name: str
    principal_id: str
    dossier_code: str
    procedure_code: str | None
    station: str
    components: tuple[AnnouncedComponent, ...]
    payload: bytes
    issued_at: dt.datetime
    valid_until: dt.datetime
    stack_id: str | None
    used_at: dt.datetime | None

    @property
    def cursor(self) -> str:
        """Where the sheet stands in lists: newest first, then by serial."""
        return f"{int(self.issued_at.timestamp())}.{self.serial}"


KeyFor = Callable[[Mapping[str, Any]], SigningKey]
"""The key of cover sheets, bound to a context (`signer.csc.wire.Context`'s fields)."""


class CoverSheets:
    """The cover sheets of one database. Safe for threads."""

    def __init__(self, database: Database, audit: AuditLog, key_for: KeyFor) -> None:
        """`key_for` is asked when a sheet is signed, not before."""
        self._database = database
        self._audit = audit
        self._key_for = key_for

    def issue(
        self, caller: Caller, request: SheetRequest, idempotency_key: str | None = None
    ) -> tuple[IssuedSheet, bool]:
        """Sign a sheet with a serial of its own; the sheet, and whether it is new. Blocks.

        Raises `AccessRefused`, `InvalidOrder` (what does not fit into one code),
        `IdempotencyConflict`, `AuditUnavailable`, `StoreError`, `PolicyRefused` for a key that
        makes no codes, `KeyUseRefused` and `hsm.errors.HSMError`.
        """
        caller.require(*MAY_ISSUE)

        def intend(connection: sa.Connection) -> tuple[sa.Row[Any], bool]:
            now = self._database.now(connection)
            serial = secrets.token_bytes(SERIAL_BYTES)
            earlier = claim_key(
                connection,
                caller.principal_id,
                idempotency_key,
                request.digest(),
                serial.hex(),
                now,
            )
            if earlier is not None:
                return self._row(connection, caller.agency_id, earlier), False
            name = connection.execute(
                sa.select(agencies.c.name).where(agencies.c.id == caller.agency_id)
            ).scalar_one()
            claims = claims_of(_order(caller.agency_id, name, request), serial, now)
            _require_fitting(claims)
            connection.execute(
                sa.insert(cover_sheets).values(
                    serial=serial.hex(),
                    agency_id=caller.agency_id,
                    agency_name=name,
                    principal_id=caller.principal_id,
                    dossier_code=request.dossier_code,
                    procedure_code=request.procedure_code,
                    station=request.station,
                    components=_components_json(request.components),
                    issued_at=claims.issued_at,
                    valid_until=claims.valid_until,
                )
            )
            return self._row(connection, caller.agency_id, serial.hex()), True

        row, new = self._database.together(intend)
        return _sheet(row if row.payload is not None else self._signed(caller, row)), new

    def get(self, caller: Caller, serial: str) -> IssuedSheet:
        """One sheet. Raises `NotFound`, also for another agency's and for unsigned ones."""
        with self._database.read() as connection:
            row = self._row(connection, caller.agency_id, serial)
        if row.payload is None:
            raise _not_found(serial)
        return _sheet(row)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        dossier_code: str | None = None,
    ) -> list[IssuedSheet]:
        """Those of the caller's agency, newest first; `after` is the last one's `cursor`.

        Raises `InvalidOrder` for a cursor that is none.
        """
        wanted = sa.select(cover_sheets).where(
            cover_sheets.c.agency_id == caller.agency_id, cover_sheets.c.payload.is_not(None)
        )
        if dossier_code is not None:
            wanted = wanted.where(cover_sheets.c.dossier_code == dossier_code)
        if after is not None:
            at, serial = _cursor(after)
            wanted = wanted.where(
                sa.or_(
                    cover_sheets.c.issued_at < at,
                    sa.and_(cover_sheets.c.issued_at == at, cover_sheets.c.serial < serial),
                )
            )
        order = (cover_sheets.c.issued_at.desc(), cover_sheets.c.serial.desc())
        with self._database.read() as connection:
            return [_sheet(row) for row in connection.execute(wanted.order_by(*order).limit(limit))]

    def pdf(self, caller: Caller, serial: str) -> bytes:
        """The sheet as it prints: one A4 page, PDF/A-2u. Raises `NotFound`."""
        sheet = self.get(caller, serial)
        order = CoverSheetOrder(
            sheet.agency_id,
            sheet.agency_name,
            sheet.dossier_code,
            sheet.station,
            sheet.components,
            sheet.valid_until - sheet.issued_at,
        )
        claims = claims_of(order, bytes.fromhex(serial), sheet.issued_at)
        return draw_cover_sheet(order, claims, sheet.payload)

    def mark_used(
        self, connection: sa.Connection, claims: CoverSheetClaims, stack_id: str
    ) -> str | None:
        """Note that a genuine sheet splits a stack; the first stack, if it was another one.

        In the caller's transaction, with rows of stacks locked before. `claims` are verified: a
        sheet that was printed elsewhere under a key that is believed here is kept from now on.
        """
        serial = claims.serial.hex()
        known = cover_sheets.c.serial == serial
        if connection.execute(sa.select(cover_sheets.c.serial).where(known)).first() is None:
            connection.execute(_INSERT[connection.dialect.name], _foreign(claims))
        connection.execute(
            sa.update(cover_sheets)
            .where(known, cover_sheets.c.stack_id.is_(None))
            .values(stack_id=stack_id, used_at=self._database.now(connection))
        )
        first = str(
            connection.execute(sa.select(cover_sheets.c.stack_id).where(known)).scalar_one()
        )
        return None if first == stack_id else first

    # --- signing -------------------------------------------------------------------------

    def _signed(self, caller: Caller, row: sa.Row[Any]) -> sa.Row[Any]:
        """Sign what was committed, and store it; of two at once the first one stands."""
        claims = _claims(row)
        key = _AnnouncedKey(self._key_for(_context(caller, claims)), self._announcer(caller, row))
        payload = sign_cover_sheet(claims, key)
        CoverSheetKeys([key.certificate]).verify(payload)  # before it can be printed

        def publish(connection: sa.Connection) -> sa.Row[Any]:
            mine = cover_sheets.c.serial == row.serial
            changed = connection.execute(
                sa.update(cover_sheets)
                .where(mine, cover_sheets.c.payload.is_(None))
                .values(payload=payload)
            )
            if changed.rowcount == 1:
                details: dict[str, JSON] = {
                    "dossier": row.dossier_code,
                    "station": row.station,
                    "valid_until": claims.valid_until.isoformat(),
                    "payload_sha256": hashlib.sha256(payload).hexdigest(),
                    "digests": list(key.digests),
                    "request_id": caller.request_id,
                }
                self._audit.append(connection, [_event("issued", caller, row.serial, details)])
            return self._row(connection, caller.agency_id, row.serial)

        return self._database.together(publish)

    def _announcer(self, caller: Caller, row: sa.Row[Any]) -> Callable[[str, Sequence[str]], None]:
        def announce(label: str, digests: Sequence[str]) -> None:
            details: dict[str, JSON] = {
                "key": label,
                "digests": list(digests),
                "dossier": row.dossier_code,
                "request_id": caller.request_id,
            }
            self._audit.write(_event("signing", caller, row.serial, details))

        return announce

    @staticmethod
    def _row(connection: sa.Connection, agency_id: str, serial: str) -> sa.Row[Any]:
        row = connection.execute(
            sa.select(cover_sheets).where(
                cover_sheets.c.serial == serial, cover_sheets.c.agency_id == agency_id
            )
        ).first()
        if row is None:
            raise _not_found(serial)
        return row


class _AnnouncedKey:
    """A `SigningKey` whose every use is in the audit log before it happens."""

    def __init__(self, key: SigningKey, announce: Callable[[str, Sequence[str]], None]) -> None:
        self._key = key
        self._announce = announce
        self.digests: list[str] = []
        self.label = key.label
        self.is_hardware = key.is_hardware
        self.certificate = key.certificate
        self.chain = key.chain
        self.scheme: SignatureScheme = key.scheme

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """Raises `AuditUnavailable`; then the key was not used."""
        self.digests += [digest.hex() for digest in digests]
        self._announce(self.label, self.digests)
        return self._key.sign_digests(digests)


def _context(caller: Caller, claims: CoverSheetClaims) -> dict[str, Any]:
    return {
        "agency": caller.agency_id,
        "principal": caller.principal_id,
        "purpose": PURPOSE,
        "subject": claims.serial.hex(),
        "attempt": 1,
        "document_sha256": hashlib.sha256(claims_payload(claims)).hexdigest(),
        "request_id": caller.request_id,
    }


def _event(what: str, caller: Caller, serial: str, details: Mapping[str, JSON]) -> AuditEvent:
    return AuditEvent(f"cover-sheet.{what}", caller.principal_id, caller.agency_id, serial, details)


def _require_fitting(claims: CoverSheetClaims) -> None:
    try:
        claims_payload(claims)
    except PolicyRefused as error:
        raise InvalidOrder(str(error), field="components") from error


def _order(agency: str, name: str, request: SheetRequest) -> CoverSheetOrder:
    return CoverSheetOrder(
        agency, name, request.dossier_code, request.station, request.components, request.valid_for
    )


def _sheet(row: sa.Row[Any]) -> IssuedSheet:
    return IssuedSheet(
        row.serial,
        row.agency_id,
        row.agency_name,
        row.principal_id,
        row.dossier_code,
        row.procedure_code,
        row.station,
        tuple(AnnouncedComponent(**entry) for entry in row.components),
        bytes(row.payload),
        row.issued_at,
        row.valid_until,
        row.stack_id,
        row.used_at,
    )


def _claims(row: sa.Row[Any]) -> CoverSheetClaims:
    components = tuple(AnnouncedComponent(**entry) for entry in row.components)
    request = SheetRequest(
        row.dossier_code, row.station, components, None, row.valid_until - row.issued_at
    )
    order = _order(row.agency_id, row.agency_name, request)
    return claims_of(order, bytes.fromhex(row.serial), row.issued_at)


def _foreign(claims: CoverSheetClaims) -> dict[str, Any]:
    return {
        "serial": claims.serial.hex(),
        "agency_id": claims.agency,
        "agency_name": claims.agency,
        "principal_id": _ELSEWHERE,
        "dossier_code": claims.dossier[:64],
        "station": claims.station[:200],
        "components": [{"code": c.code, "name": "", "pages": c.pages} for c in claims.components],
        "issued_at": claims.issued_at,
        "valid_until": claims.valid_until,
    }


def _components_json(components: Sequence[AnnouncedComponent]) -> list[JSON]:
    return [{"code": c.code, "name": c.name, "pages": c.pages} for c in components]


def _cursor(after: str) -> tuple[dt.datetime, str]:
    seconds, _, serial = after.partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        raise InvalidOrder(
            "Con trỏ trang không đúng; hãy dùng `next` của trang trước. / This is no cursor; use "
            "`next` of the last page.",
            field="query.after",
        )
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC), serial


def _not_found(serial: str) -> NotFound:
    return NotFound(
        f"Không có tờ bìa {serial}. / There is no cover sheet {serial}; look it up in the list."
    )
