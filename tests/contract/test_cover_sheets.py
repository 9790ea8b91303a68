"""Cover sheets in both databases: issued once, told in the audit log first, used once."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import (
    AccessRefused,
    AuditUnavailable,
    IdempotencyConflict,
    InvalidOrder,
    NotFound,
)
from dossier.intake.cover_sheet import AnnouncedComponent
from dossier.intake.sheets import CoverSheets, IssuedSheet, SheetRequest
from dossier.model import Caller, Role
from dossier.storage.database import Database
from dossier.storage.station_tables import cover_sheets
from dossier.storage.tables import agencies
from hsm.errors import DeviceError
from signer.coversheet import CoverSheetClaims, CoverSheetKeys
from tests.fakes import SoftwareKey
from tests.fixtures_digitizing import AGENCIES, scanner_of

REQUEST = SheetRequest(
    "000.00.15.H99-261123-0004",
    "quay-3",
    (
        AnnouncedComponent("1.004122-TP01", "Đơn đề nghị (mẫu)", 2),
        AnnouncedComponent("1.004122-TP02", "Bản sao giấy tờ (mẫu)", 1),
    ),
    "1.004122",
)


class SheetRoom:
    """Sheets over a database, with a key in memory that can be made to fail."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.audit = AuditLog(database)
        self.key = SoftwareKey(label="ma-in")
        self.contexts: list[dict[str, Any]] = []
        self.failing = 0
        self.sheets = CoverSheets(database, self.audit, self._key_for)
        with database.begin() as connection:
            for agency in AGENCIES:
                connection.execute(
                    sa.insert(agencies).values(
                        id=agency,
                        name="UBND xã Mẫu Sơn Thử",
                        policy={},
                        created_at=dt.datetime.now(dt.UTC),
                    )
                )

    def _key_for(self, context: Any) -> SoftwareKey:
        self.contexts.append(dict(context))
        if self.failing:
            self.failing -= 1
            raise DeviceError("the token is away", code="CKR_DEVICE_ERROR")
        return self.key

    def issue(
        self, request: SheetRequest = REQUEST, key: str | None = None, caller: Caller | None = None
    ) -> IssuedSheet:
        return self.sheets.issue(caller or scanner_of(), request, key)[0]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(e.event, dict(e.details)) for e in self.audit.entries(None, 0, 1000)]

    def use(self, sheet: IssuedSheet | CoverSheetClaims, stack: str) -> str | None:
        claims = sheet if isinstance(sheet, CoverSheetClaims) else self.claims(sheet)
        return self.database.together(lambda c: self.sheets.mark_used(c, claims, stack))

    def claims(self, sheet: IssuedSheet) -> CoverSheetClaims:
        return CoverSheetKeys([self.key.certificate]).verify(sheet.payload).claims


@pytest.fixture
def room(database: Database) -> SheetRoom:
    return SheetRoom(database)


def test_the_code_says_what_was_asked_for(room: SheetRoom) -> None:
    sheet = room.issue()
    claims = room.claims(sheet)
    assert claims.agency == AGENCIES[0]
    assert (claims.dossier, claims.station) == (REQUEST.dossier_code, "quay-3")
    assert [(c.code, c.pages) for c in claims.components] == [
        ("1.004122-TP01", 2),
        ("1.004122-TP02", 1),
    ]
    assert claims.serial.hex() == sheet.serial
    assert claims.valid_until - claims.issued_at == dt.timedelta(days=7)
    assert (sheet.issued_at, sheet.valid_until) == (claims.issued_at, claims.valid_until)
    assert sheet.procedure_code == "1.004122"
    assert room.sheets.get(scanner_of(), sheet.serial) == sheet


def test_the_audit_log_has_the_digest_before_the_key_is_used(room: SheetRoom) -> None:
    sheet = room.issue()
    (first, intent), (second, outcome) = room.events()
    assert (first, second) == ("cover-sheet.signing", "cover-sheet.issued")
    assert intent["digests"] == outcome["digests"] == [room.key.signed[0].hex()]
    [context] = room.contexts
    assert (context["purpose"], context["subject"]) == ("cover-sheet", sheet.serial)
    assert context["agency"] == AGENCIES[0]


def test_without_an_audit_log_the_key_is_not_used(
    room: SheetRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*events: object) -> int:
        raise AuditUnavailable("the log's disk is full")

    monkeypatch.setattr(room.audit, "write", full)
    with pytest.raises(AuditUnavailable):
        room.issue()
    assert room.key.calls == 0
    assert room.sheets.list(scanner_of()) == []


def test_the_same_request_gives_the_same_sheet_and_pages_of_the_same_bytes(
    room: SheetRoom,
) -> None:
    sheet = room.issue(key="k")
    assert room.issue(key="k") == sheet
    assert room.key.calls == 1
    with pytest.raises(IdempotencyConflict):
        room.issue(replace(REQUEST, station="quay-4"), "k")
    assert room.sheets.pdf(scanner_of(), sheet.serial) == room.sheets.pdf(
        scanner_of(), sheet.serial
    )
    with room.database.begin() as connection:  # what was printed stays as it was
        connection.execute(sa.update(agencies).values(name="Phường Mới (mẫu)"))
    assert room.sheets.get(scanner_of(), sheet.serial).agency_name == "UBND xã Mẫu Sơn Thử"


def test_what_failed_in_the_middle_is_completed_by_the_same_key(room: SheetRoom) -> None:
    room.failing = 1
    with pytest.raises(DeviceError):
        room.issue(key="k")
    assert room.sheets.list(scanner_of()) == []
    [context] = room.contexts
    with pytest.raises(NotFound):  # unsigned: there is nothing to print
        room.sheets.get(scanner_of(), context["subject"])
    sheet = room.issue(key="k")
    assert sheet.serial == context["subject"]
    assert room.sheets.list(scanner_of()) == [sheet]


def test_many_at_once_with_one_key_are_one_sheet(room: SheetRoom) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: room.issue(key="k"), range(12)))
    assert len({(sheet.serial, sheet.payload) for sheet in found}) == 1
    assert [event for event, _ in room.events()].count("cover-sheet.issued") == 1
    told = {digest for _, details in room.events() for digest in details["digests"]}
    assert told == {digest.hex() for digest in room.key.signed}


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, dossier_code="một\u202emã"),
        replace(REQUEST, components=()),
        replace(
            REQUEST,
            components=tuple(AnnouncedComponent("x" * 64, "dài", 9) for _ in range(40)),
        ),
        replace(REQUEST, components=(AnnouncedComponent("a", "b", 0),)),
        replace(REQUEST, valid_for=dt.timedelta(0)),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_kept(
    room: SheetRoom, request_: SheetRequest
) -> None:
    with pytest.raises(InvalidOrder):
        room.issue(request_)
    with room.database.read() as connection:
        assert connection.execute(sa.select(cover_sheets)).all() == []
    assert room.key.calls == 0


def test_who_may_print_and_whose_sheets_are_seen(room: SheetRoom) -> None:
    for role in (Role.SCANNER, Role.OFFICER, Role.CLERK):
        room.issue(caller=scanner_of(AGENCIES[0], role))
    for role in (Role.LEADER, Role.AUDITOR, Role.ADMIN):
        with pytest.raises(AccessRefused):
            room.issue(caller=scanner_of(AGENCIES[0], role))
    ours = room.sheets.list(scanner_of())
    assert len(ours) == 3
    theirs = scanner_of(AGENCIES[1])
    assert room.sheets.list(theirs) == []
    with pytest.raises(NotFound):
        room.sheets.get(theirs, ours[0].serial)
    with pytest.raises(NotFound):
        room.sheets.pdf(theirs, ours[0].serial)


def test_lists_page_by_page_and_by_dossier(room: SheetRoom) -> None:
    made = [room.issue() for _ in range(7)]
    other = room.issue(replace(REQUEST, dossier_code="H99-khac"))
    caller, seen, after = scanner_of(), list[IssuedSheet](), None
    while page := room.sheets.list(caller, after, 3):
        seen += page
        after = page[-1].cursor
    assert sorted(s.serial for s in seen) == sorted(s.serial for s in [*made, other])
    assert [s.issued_at for s in seen] == sorted((s.issued_at for s in seen), reverse=True)
    assert room.sheets.list(caller, dossier_code="H99-khac") == [other]
    with pytest.raises(InvalidOrder):
        room.sheets.list(caller, "hôm qua")


def test_a_sheet_that_splits_a_second_stack_tells_of_the_first(room: SheetRoom) -> None:
    sheet = room.issue()
    assert room.use(sheet, "stk_1") is None
    assert room.use(sheet, "stk_1") is None  # the same stack, split again
    used = room.sheets.get(scanner_of(), sheet.serial)
    assert used.stack_id == "stk_1"
    assert used.used_at is not None
    assert room.use(sheet, "stk_2") == "stk_1"
    assert room.sheets.get(scanner_of(), sheet.serial) == used


def test_a_sheet_that_was_printed_elsewhere_is_kept_from_its_first_use(room: SheetRoom) -> None:
    """As by `sohoa sheet make` on the key's machine, which has no database."""
    claims = replace(room.claims(room.issue()), serial=b"elsewhere!")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: room.use(claims, f"stk_{n}"), range(8)))
    first = {stack for stack in found if stack is not None}
    assert len(first) == 1
    assert found.count(None) == 1
    assert len(room.sheets.list(scanner_of())) == 1  # there is nothing of it to print here
