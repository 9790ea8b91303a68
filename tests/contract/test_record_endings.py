"""Annulling and superseding published records, on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dossier.errors import (
    AccessRefused,
    InvalidOrder,
    NotFound,
    NumberTaken,
    StateConflict,
    VersionConflict,
)
from dossier.model import RecordState, Role
from dossier.register.entry import Status
from dossier.register.statuses import look_up
from dossier.signing.endings import Endings
from dossier.signing.recordtable import Record
from tests.fixtures_signing import AGENCY, OTHER_AGENCY, SigningRoom, caller_of

DAY = dt.date(2026, 3, 2)
LEADER = caller_of(AGENCY, Role.LEADER)
WHY = "Ban hành không đúng thẩm quyền (mẫu)"


@pytest.fixture
def endings(signing_room: SigningRoom) -> Endings:
    return Endings(signing_room.database, signing_room.audit)


def published(room: SigningRoom, *numbers: int) -> list[Record]:
    made = [room.order(number=number, symbol="QĐ-UBND", decided_on=DAY)[0].id for number in numbers]
    room.work_off()
    return [room.record(record_id) for record_id in made]


def test_an_annulled_record_stays_and_the_register_says_so(
    signing_room: SigningRoom, endings: Endings
):
    [record] = published(signing_room, 5)
    done = endings.annul(LEADER, record.id, WHY)
    assert (done.state, done.version) == (RecordState.ANNULLED, record.version + 1)
    assert done.ending["event"] == "annulled"
    assert (done.ending["reason"], done.ending["principal"]) == (WHY, LEADER.principal_id)
    assert (done.result_sha256, done.published_at) == (record.result_sha256, record.published_at)
    found = look_up(signing_room.records.register, record.code)
    assert (found.status, found.deciding.told.reason) == (Status.ANNULLED, WHY)
    assert found.deciding.told.document_sha256 == record.result_sha256
    event = signing_room.events(record.id)[-1]
    assert (event.event, event.actor) == ("signature.annulled", LEADER.principal_id)
    assert (event.details["code"], event.details["reason"]) == (record.code, WHY)
    with pytest.raises(NumberTaken):  # its number is not free again
        signing_room.order(number=5, symbol="QĐ-UBND", decided_on=DAY)


def test_the_same_request_again_changes_nothing(signing_room: SigningRoom, endings: Endings):
    [record] = published(signing_room, 5)
    done = endings.annul(LEADER, record.id, WHY)
    assert endings.annul(LEADER, record.id, WHY) == done
    assert signing_room.records.register.size() == 2
    with pytest.raises(StateConflict, match="annulled"):
        endings.annul(LEADER, record.id, "Lý do khác (mẫu)")
    with pytest.raises(StateConflict):
        endings.annul(replace(LEADER, principal_id="prn-another"), record.id, WHY)


def test_fifty_at_once_annul_once(signing_room: SigningRoom, endings: Endings):
    [record] = published(signing_room, 5)
    gate = threading.Barrier(10)

    def one(turn: int) -> str:
        gate.wait()
        try:
            return endings.annul(LEADER, record.id, f"Lý do {turn} (mẫu)").state
        except StateConflict:
            return "refused"

    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(one, range(10)))
    assert sorted(told) == ["annulled", *["refused"] * 9]
    assert signing_room.records.register.size() == 2


def test_another_result_takes_its_place(signing_room: SigningRoom, endings: Endings):
    old, new, third = published(signing_room, 5, 6, 7)
    done = endings.supersede(LEADER, old.id, new.id, WHY)
    assert done.state is RecordState.SUPERSEDED
    assert done.ending["by"] == new.id
    found = look_up(signing_room.records.register, old.code)
    assert (found.status, found.deciding.told.by) == (Status.SUPERSEDED, new.code)
    assert look_up(signing_room.records.register, new.code).status is Status.IN_FORCE
    assert endings.supersede(LEADER, old.id, new.id, WHY) == done
    with pytest.raises(StateConflict):
        endings.supersede(LEADER, old.id, third.id)
    with pytest.raises(StateConflict, match="in force"):
        endings.supersede(LEADER, third.id, old.id)
    with pytest.raises(NumberTaken):  # both numbers are held
        signing_room.order(number=5, symbol="QĐ-UBND", decided_on=DAY)
    # what is superseded can still be annulled
    assert endings.annul(LEADER, old.id, WHY).state is RecordState.ANNULLED
    assert look_up(signing_room.records.register, old.code).status is Status.ANNULLED


def test_what_is_being_superseded_waits(signing_room: SigningRoom, endings: Endings):
    [old, other] = published(signing_room, 5, 6)
    new, _ = signing_room.order(number=5, symbol="QĐ-UBND", decided_on=DAY, supersedes=old.id)
    with pytest.raises(StateConflict, match=new.id):
        endings.annul(LEADER, old.id, WHY)
    with pytest.raises(StateConflict, match=new.id):
        endings.supersede(LEADER, old.id, other.id)
    signing_room.work_off()
    assert endings.annul(LEADER, old.id, WHY).state is RecordState.ANNULLED
    names = [name for name in signing_room.event_names(old.id) if name != "signature.accepted"]
    assert names == ["signature.published", "signature.superseded", "signature.annulled"]


def test_only_what_is_published_ends(signing_room: SigningRoom, endings: Endings):
    [done] = published(signing_room, 5)
    waiting, _ = signing_room.order(number=6, symbol="QĐ-UBND", decided_on=DAY)
    with pytest.raises(StateConflict, match="accepted"):
        endings.annul(LEADER, waiting.id, WHY)
    with pytest.raises(StateConflict):
        endings.supersede(LEADER, done.id, waiting.id)
    with pytest.raises(NotFound):
        endings.supersede(LEADER, done.id, "rec_none")
    with pytest.raises(InvalidOrder):
        endings.supersede(LEADER, done.id, done.id)
    assert signing_room.records.register.size() == 1


def test_only_the_agencys_leader_or_clerk_may(signing_room: SigningRoom, endings: Endings):
    [record] = published(signing_room, 5)
    for role in (Role.OFFICER, Role.SCANNER, Role.AUDITOR, Role.ADMIN):
        with pytest.raises(AccessRefused):
            endings.annul(caller_of(AGENCY, role), record.id, WHY)
        with pytest.raises(AccessRefused):
            endings.supersede(caller_of(AGENCY, role), record.id, record.id)
    with pytest.raises(NotFound):
        endings.annul(caller_of(OTHER_AGENCY, Role.LEADER), record.id, WHY)
    with pytest.raises(VersionConflict):
        endings.annul(LEADER, record.id, WHY, version=record.version - 1)
    assert signing_room.record(record.id) == record
    clerk = caller_of(AGENCY, Role.CLERK)
    assert endings.annul(clerk, record.id, WHY, record.version).state is RecordState.ANNULLED


@pytest.mark.parametrize("reason", ["", "   ", "hai\ndòng", "x" * 501])
def test_a_reason_is_one_line(signing_room: SigningRoom, endings: Endings, reason: str):
    with pytest.raises(InvalidOrder) as raised:
        endings.annul(LEADER, "rec_1", reason)
    assert raised.value.field == "reason"
