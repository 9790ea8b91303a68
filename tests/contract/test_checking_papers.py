"""What is typed, confirmed and decided about papers, on both databases."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
import sqlalchemy as sa

from dossier.checking.completeness import Lack
from dossier.checking.looking import ItemState, ReuseGround
from dossier.checking.values import Target
from dossier.errors import (
    InvalidOrder,
    LeaseLost,
    NotFound,
    StateConflict,
    VersionConflict,
)
from dossier.intake.alarms import Alarm, AlarmKind
from dossier.intake.catalogues import Exclusion
from dossier.stacks.edits import Rotate, SetAside
from dossier.stacks.proposals import PageFinding
from dossier.stacks.reports import StackAlarm
from dossier.stacks.values import PaperState, StackState
from dossier.storage.station_tables import cover_sheets, stacks
from ocr.fields.proposals import UnreadField
from tests.checking_room import (
    AGENCY,
    BLOCKED,
    DU,
    MAU,
    OWNER_ID,
    VI,
    CheckingRoom,
    card_of,
    field_of,
    reading_of,
    word_box,
)

OWNER = ["field:owner_id", "field:owner_name", "field:owner_born"]
NUMBER = Target.parse("field:doc_number")
ABSTRACT = Target.parse("field:abstract")


@pytest.fixture
def room(database, tmp_path) -> CheckingRoom:
    return CheckingRoom(database, tmp_path).found()


def lacks(room: CheckingRoom, paper_id: str) -> list[tuple[Lack, str]]:
    return [(one.kind, one.target) for one in room.desk.missing(MAU, paper_id)]


def finished(room: CheckingRoom, **of_paper: object) -> str:
    """A paper that was checked."""
    paper_id = room.paper(**of_paper)
    room.desk.take(MAU, paper_id)
    room.desk.finish(MAU, paper_id)
    return paper_id


def filed(room: CheckingRoom, **of_paper: object) -> str:
    """A paper whose record is there."""
    paper_id = finished(room, **of_paper)
    room.set(paper_id, state=PaperState.FILED, sealed_sha256="e" * 64, digitization_code=paper_id)
    return paper_id


def sheet(room: CheckingRoom, serial: str, pages: int, procedure: str | None = None) -> None:
    """A cover sheet was printed."""
    with room.database.begin() as connection:
        now = room.database.now(connection)
        connection.execute(
            sa.insert(cover_sheets).values(
                serial=serial,
                agency_id=AGENCY,
                agency_name="Mẫu",
                principal_id="prn_mau",
                dossier_code="H22.12-260301-0001",
                procedure_code=procedure,
                station="quầy 1",
                components=[{"code": "TP1", "name": "Đơn", "pages": pages}],
                issued_at=now,
                valid_until=now,
            )
        )


def alarmed(room: CheckingRoom, paper_id: str, *alarms: StackAlarm) -> None:
    """Splitting raised these alarms."""
    stack_id = room.desk.get(MAU, paper_id).stack_id
    with room.database.begin() as connection:
        connection.execute(
            sa.update(stacks)
            .where(stacks.c.id == stack_id)
            .values(alarms=[alarm.to_json() for alarm in alarms])
        )


# --- what is typed ---------------------------------------------------------------------------


def test_a_late_repeat_never_overwrites_what_was_typed_after_it(room):
    paper_id = room.paper()
    room.desk.take(MAU, paper_id)
    for version, value in ((1, "Q"), (3, "Quyế"), (2, "Qu"), (3, "khác"), (1, "Q")):
        kept = room.desk.type(MAU, paper_id, ABSTRACT, value, version)
        assert kept.version == max(version, kept.version)
    entry = room.desk.entries(MAU, paper_id)[str(ABSTRACT)]
    assert (entry.value, entry.version, entry.is_confirmed) == ("Quyế", 3, False)
    assert room.desk.type(MAU, paper_id, ABSTRACT, "Quyết").version == 4
    room.desk.confirm(MAU, paper_id, ABSTRACT, "Quyết định", version=5)
    late = room.desk.type(MAU, paper_id, ABSTRACT, "Quyết đ", 5)
    assert late.is_confirmed
    with pytest.raises(VersionConflict):
        room.desk.confirm(MAU, paper_id, ABSTRACT, "Quy", version=4)


def test_decomposed_letters_are_kept_composed_and_hidden_ones_refused(room):
    paper_id = room.paper()
    room.desk.take(MAU, paper_id)
    text = "Quyết định về việc nâng lương"
    kept = room.desk.type(MAU, paper_id, ABSTRACT, unicodedata.normalize("NFD", text))
    assert kept.value == text
    for bad in ("a\x00b", "a\nb", "a\u202eb", "a\ud800", "x" * 2001, "\u1ebf" * 2001):
        with pytest.raises(InvalidOrder):
            room.desk.type(MAU, paper_id, ABSTRACT, bad)
    assert room.desk.type(MAU, paper_id, ABSTRACT, "ế" * 2000).value == "ế" * 2000
    with pytest.raises(InvalidOrder):
        room.desk.type(MAU, paper_id, room.word(paper_id, 1), "hai  từ")
    for none in (room.word(paper_id, 3), room.word(paper_id, 1, gap=True)):
        with pytest.raises(InvalidOrder, match="has no"):
            room.desk.type(MAU, paper_id, none, "x")
    with pytest.raises(InvalidOrder):
        room.desk.type(MAU, paper_id, Target.parse("finding:x"), "x")


def test_a_confirmation_is_a_correction_only_when_it_says_more_than_the_machine(room):
    paper_id = room.paper(
        fields=[field_of("doc_number", "12", doubtful=True), field_of("doc_symbol", "QĐ-UBND")]
    )
    symbol = Target.parse("field:doc_symbol")
    room.desk.take(MAU, paper_id)
    room.desk.confirm(MAU, paper_id, symbol, "QĐ-UBND")
    assert room.desk.corrections(MAU, paper_id) == []
    room.desk.confirm(MAU, paper_id, NUMBER, "12")
    room.desk.confirm(MAU, paper_id, symbol, "QĐ-HĐND", "đọc nhầm")
    room.desk.confirm(MAU, paper_id, symbol, "QĐ-UBND")
    found = room.desk.corrections(MAU, paper_id)
    assert [(str(c.target), c.machine, c.before, c.after) for c in found] == [
        ("field:doc_number", "12", "12", "12"),
        ("field:doc_symbol", "QĐ-UBND", "QĐ-UBND", "QĐ-HĐND"),
        ("field:doc_symbol", "QĐ-UBND", "QĐ-HĐND", "QĐ-UBND"),
    ]
    said = found[1]
    assert (said.name, said.by, said.station, said.reason) == (
        "Nguyễn Thị Mẫu",
        "prn_mau",
        "quầy 1",
        "đọc nhầm",
    )
    draft = room.desk.take_back(MAU, paper_id, symbol)
    assert draft is not None
    assert not draft.is_confirmed
    assert len(room.desk.corrections(MAU, paper_id)) == 3


def test_what_was_typed_for_a_word_goes_with_its_page(room):
    readings = [reading_of(("một",), number=1), reading_of(("hai",), number=2)]
    stack_id, [paper_id], pages = room.stack(readings)
    room.propose(paper_id, list(zip(pages, readings, strict=True)))
    room.desk.take(MAU, paper_id)
    word = Target.parse(f"word:{pages[1]}:1")
    room.desk.confirm(MAU, paper_id, word, "hai!")
    after = room.arranging.edit(MAU, stack_id, SetAside(pages[0]))
    assert after.seq == 2
    assert room.desk.get(MAU, paper_id).state is PaperState.PROPOSING
    room.propose(paper_id, [(pages[1], readings[1])])
    room.desk.take(MAU, paper_id)
    assert room.desk.entries(MAU, paper_id)[str(word)].value == "hai!"


# --- the end of a check ----------------------------------------------------------------------


def test_a_check_ends_when_all_that_is_doubtful_is_confirmed(room):
    paper_id = room.paper(
        ("Số:", "l2/QD-UBND", "ngày"),
        doubtful=(2,),
        gaps=1,
        fields=[
            field_of("doc_number", "l2", doubtful=True),
            field_of("recipients", "Như trên"),
            field_of("recipients", "Lưu: VT", doubtful=True),
        ],
        unread=[UnreadField("issued_date", "handwritten", word_box(2), 1)],
    )
    word, gap = room.word(paper_id, 2), room.word(paper_id, 1, gap=True)
    room.desk.take(MAU, paper_id)
    assert lacks(room, paper_id) == [
        (Lack.FIELD, "field:doc_number"),
        (Lack.FIELD, "field:recipients:2"),
        (Lack.FIELD, "field:issued_date"),
        (Lack.WORD, str(word)),
        (Lack.WORD, str(gap)),
    ]
    with pytest.raises(StateConflict, match="field:recipients:2"):
        room.desk.finish(MAU, paper_id)
    room.desk.type(MAU, paper_id, NUMBER, "12")
    assert (Lack.FIELD, "field:doc_number") in lacks(room, paper_id), "a draft is nobody's word"
    room.desk.confirm(MAU, paper_id, NUMBER, "12")
    room.desk.confirm(MAU, paper_id, Target.parse("field:recipients:2"), "Lưu: VT")
    room.desk.confirm(MAU, paper_id, Target.parse("field:issued_date"), "2026-03-01")
    room.desk.confirm(MAU, paper_id, word, "12/QĐ-UBND")
    room.desk.confirm(MAU, paper_id, gap, "")
    done = room.desk.finish(MAU, paper_id)
    assert (done.state, done.lease_by, done.doc_number) == (PaperState.CHECKED, None, "12")
    assert done.checks[0].changed == 4
    assert room.waiting("draft-paper") == [paper_id]
    with pytest.raises(StateConflict, match="reopen"):
        room.desk.type(MAU, paper_id, NUMBER, "13")


def test_a_page_that_was_read_anew_asks_for_its_confirmations_again(room):
    paper_id = room.paper(fields=[field_of("doc_number", "12", doubtful=True)])
    stack_id, page = room.desk.get(MAU, paper_id).stack_id, room.page(paper_id)
    room.desk.take(MAU, paper_id)
    room.desk.confirm(MAU, paper_id, NUMBER, "12")
    room.arranging.edit(MAU, stack_id, Rotate(page, 2))
    reading = reading_of(("Số:", "72"), number=7)
    room.propose(paper_id, [(page, reading)], [field_of("doc_number", "72", doubtful=True)])
    room.desk.take(MAU, paper_id)
    assert lacks(room, paper_id) == [(Lack.FIELD, "field:doc_number")]
    assert room.desk.entries(MAU, paper_id)["field:doc_number"].value == "12"


def test_the_owner_is_asked_for_before_the_check_ends(room):
    """What filing would hold the paper for is asked while it is being checked."""
    paper_id = room.paper(card=None, codes=("H22.12-260301-0002", "TP1"))
    room.desk.take(MAU, paper_id)
    assert lacks(room, paper_id) == [(Lack.OWNER, one) for one in OWNER]
    with pytest.raises(StateConflict, match="số định danh"):
        room.desk.finish(MAU, paper_id)
    number, name, born = map(Target.parse, OWNER)
    for target, wrong in ((number, "00119000000"), (name, "12"), (born, "31/02/1990")):
        with pytest.raises(InvalidOrder, match=" / "):
            room.desk.confirm(MAU, paper_id, target, wrong)
    room.desk.confirm(MAU, paper_id, number, "")
    assert lacks(room, paper_id) == [(Lack.OWNER, one) for one in OWNER[1:]]
    room.desk.confirm(MAU, paper_id, name, "Lê Văn Thử")
    assert room.desk.confirm(MAU, paper_id, born, "02/01/1990").value == "1990-01-02"
    assert room.desk.finish(MAU, paper_id).state is PaperState.CHECKED


def test_an_owner_who_is_only_read_in_print_is_proposed_and_confirmed(room):
    codes = ("H22.12-260301-0003", "TP1")
    room.paper(card=card_of(source="print"), codes=codes)
    paper_id = room.paper(card=None, codes=codes)
    room.desk.take(MAU, paper_id)
    [asked] = room.desk.missing(MAU, paper_id)
    assert (asked.kind, asked.target, asked.proposed) == (Lack.OWNER, OWNER[0], OWNER_ID)
    assert "thẻ căn cước duy nhất trong hồ sơ" in asked.vi
    room.desk.confirm(MAU, paper_id, Target.parse(asked.target), asked.proposed)
    assert room.desk.finish(MAU, paper_id).state is PaperState.CHECKED


def test_codes_and_the_announced_page_count_are_asked_for(room):
    sheet(room, "a" * 20, pages=2)
    short = room.paper(serial="a" * 20)
    unnamed = room.paper(codes=("", ""))
    for paper_id in (short, unnamed):
        room.desk.take(MAU, paper_id)
    assert lacks(room, short) == [(Lack.PAGE_COUNT, "")]
    with pytest.raises(StateConflict, match="cover sheet says 2 pages, there are 1"):
        room.desk.finish(MAU, short)
    assert lacks(room, unnamed) == [(Lack.DOSSIER, ""), (Lack.COMPONENT, "")]


def test_blocking_findings_and_alarms_wait_for_a_person_and_a_reason(room):
    paper_id = room.paper(findings=[PageFinding(1, BLOCKED)])
    page = room.page(paper_id)
    here = StackAlarm.of(Alarm(AlarmKind.GAP, (0,)), [page], [])
    elsewhere = StackAlarm.of(Alarm(AlarmKind.GAP, (0,)), ["pg_" + "0" * 26], [])
    twice = StackAlarm.of(Alarm(AlarmKind.DUPLICATE_PAGE, (0, 1)), [page, "pg_" + "0" * 26], [])
    alarmed(room, paper_id, here, elsewhere, twice)
    room.desk.take(MAU, paper_id)
    found = room.desk.missing(MAU, paper_id)
    assert [one.kind for one in found] == [Lack.FINDING, Lack.FINDING], "the copy is not shown"
    with pytest.raises(StateConflict):
        room.desk.finish(MAU, paper_id)
    keys = [one.target.removeprefix("finding:") for one in found]
    with pytest.raises(InvalidOrder):
        room.desk.resolve(MAU, paper_id, keys[0], " ")
    with pytest.raises(NotFound):
        room.desk.resolve(MAU, paper_id, "gap-0000", "không có")
    with pytest.raises(LeaseLost):
        room.desk.resolve(VI, paper_id, keys[0], "của người khác")
    for key in keys:
        room.desk.resolve(MAU, paper_id, key, "bản gốc vốn mờ")
    assert room.desk.finish(MAU, paper_id).state is PaperState.CHECKED
    noted = [e for e in room.audit_events("paper.finding-resolved") if e.subject == paper_id]
    assert [e.details["finding"] for e in noted] == ["BLURRED", "gap"]
    assert noted[0].details["reason"] == "bản gốc vốn mờ"


def test_where_the_machine_failed_people_work_without_it(room):
    _, [paper_id], [page] = room.stack([reading_of(("một",))])
    with pytest.raises(StateConflict, match="still being read"):
        room.desk.missing(MAU, paper_id)
    room.set(paper_id, state=PaperState.TO_CHECK, error={"kind": "X", "message": "y"})
    alarmed(room, paper_id, StackAlarm.of(Alarm(AlarmKind.GAP, (0,)), [page], []))
    room.desk.take(MAU, paper_id)
    (kind, target), *of_owner = lacks(room, paper_id)
    assert kind is Lack.FINDING
    assert [one for _, one in of_owner] == OWNER
    room.desk.confirm(MAU, paper_id, Target.parse("field:owner_id"), OWNER_ID)
    room.desk.resolve(MAU, paper_id, target.removeprefix("finding:"), "đủ trang")
    room.desk.confirm(MAU, paper_id, NUMBER, "12")
    assert room.desk.suggestions(MAU, paper_id) == {}
    done = room.desk.finish(MAU, paper_id)
    assert (done.state, done.doc_number) == (PaperState.CHECKED, "12")


# --- what becomes of it ----------------------------------------------------------------------


def test_a_held_paper_waits_with_its_reason_until_it_is_resumed(room):
    paper_id = room.paper()
    with pytest.raises(LeaseLost):
        room.desk.hold(MAU, paper_id, "chờ bổ sung")
    room.desk.take(MAU, paper_id)
    with pytest.raises(InvalidOrder):
        room.desk.hold(MAU, paper_id, "")
    held = room.desk.hold(MAU, paper_id, "chờ bổ sung")
    assert (held.state, held.hold["why"], held.lease_by) == (PaperState.HELD, "chờ bổ sung", None)
    assert room.desk.next(VI) is None
    assert room.desk.health(MAU).held == 1
    assert room.desk.resume(VI, paper_id).state is PaperState.TO_CHECK
    with pytest.raises(StateConflict):
        room.desk.resume(VI, paper_id)


def test_what_is_held_while_it_is_read_is_read_again(room):
    _, [paper_id], _ = room.stack([reading_of(("một",))])
    assert room.waiting("propose") == [paper_id]
    room.desk.hold(MAU, paper_id, "chờ")
    assert room.waiting("propose") == []
    assert room.desk.resume(MAU, paper_id).state is PaperState.PROPOSING
    assert room.waiting("propose") == [paper_id]


def test_reopening_discards_what_was_made_and_asks_for_a_check_again(room):
    paper_id = finished(room, fields=[field_of("doc_number", "12")])
    room.set(
        paper_id,
        state=PaperState.MARKED,
        draft_sha256="a" * 64,
        marked_sha256="b" * 64,
        mark={"by": "x"},
        digitization_code="MA.1",
    )
    version = room.desk.get(MAU, paper_id).version
    with pytest.raises(VersionConflict):
        room.desk.reopen(DU, paper_id, "sai số", version - 1)
    again = room.desk.reopen(DU, paper_id, "sai số", version)
    assert (again.state, again.checks) == (PaperState.TO_CHECK, ())
    assert (again.draft_sha256, again.marked_sha256, again.mark) == (None, None, None)
    assert again.digitization_code == "MA.1", "the code was given and stays its own"
    assert room.waiting("draft-paper") == [], "the record is not made any more"
    room.desk.take(MAU, paper_id)
    room.desk.confirm(MAU, paper_id, NUMBER, "13")
    assert room.desk.finish(MAU, paper_id).doc_number == "13"
    room.set(paper_id, state=PaperState.ACCEPTED)
    with pytest.raises(StateConflict):
        room.desk.reopen(DU, paper_id, "muộn")


@pytest.mark.parametrize("ground", list(Exclusion))
def test_a_paper_that_is_not_to_be_digitized_is_refused_on_a_ground(room, ground):
    paper_id = room.paper()
    stack_id = room.desk.get(MAU, paper_id).stack_id
    room.desk.take(MAU, paper_id)
    refused = room.desk.refuse(MAU, paper_id, ground, "xem D7")
    assert refused.state is PaperState.REFUSED
    assert refused.hold["ground"] == ground.value
    assert "TT 01/2023/TT-VPCP" in refused.hold["legal_basis"]
    assert room.stacks.get(MAU, stack_id)[0].state is StackState.DONE
    room.desk.reopen(DU, paper_id, "nhầm")
    assert room.stacks.get(MAU, stack_id)[0].state is StackState.ARRANGED


def test_an_earlier_record_serves_instead_of_a_new_one(room):
    numbered = [
        field_of("doc_number", "12"),
        field_of("doc_symbol", "QĐ-UBND"),
        field_of("agency", "UBND xã Mẫu"),
    ]
    other_agency = [*numbered[:2], field_of("agency", "Sở Thử")]
    earlier = filed(room, fields=numbered)
    filed(room, fields=other_agency)
    same_bytes = filed(room, words=("khác",))
    unfinished = room.paper()
    paper_id = room.paper(fields=numbered)
    room.set(paper_id, doc_number="12", doc_symbol="QĐ-UBND", doc_agency="Ủy ban nhân dân xã Mẫu")
    found = room.desk.candidates_for_reuse(MAU, paper_id)
    assert [(one.paper.id, one.ground) for one in found] == [(earlier, ReuseGround.NUMBER)]
    digest = reading_of((), number=3).page.image.source_sha256
    twin = replace(reading_of(("khác",)), codes=())
    twin_image = replace(twin.page.image, source_sha256=digest)
    twin = replace(twin, page=replace(twin.page, image=twin_image))
    _, [copy_id], [page] = room.stack([twin])
    room.propose(copy_id, [(page, twin)])
    found = room.desk.candidates_for_reuse(MAU, copy_id)
    assert [(one.paper.id, one.ground) for one in found] == [(same_bytes, ReuseGround.BYTES)]
    room.desk.take(MAU, paper_id)
    with pytest.raises(StateConflict, match="filed"):
        room.desk.reuse(MAU, paper_id, unfinished)
    with pytest.raises(NotFound):
        room.desk.reuse(MAU, paper_id, "ppr_" + "0" * 26)
    reused = room.desk.reuse(MAU, paper_id, earlier)
    assert (reused.state, reused.reuses, reused.is_reused) == (PaperState.REUSED, earlier, True)
    [event] = room.audit_events("paper.reused")
    assert event.details["sealed_sha256"] == "e" * 64


def test_the_checklist_says_what_a_dossier_still_needs(room):
    sheet(room, "b" * 20, pages=1, procedure="MAU.DD.01")
    paper_id = room.paper(serial="b" * 20)
    other = room.paper(codes=("H22.12-260301-0001", "LẠ"))
    form = room.paper(codes=("H22.12-260301-0001", "DD01-DON"))
    room.set(form, state=PaperState.FILED)
    found = room.desk.checklist(MAU, "H22.12-260301-0001")
    assert found.procedure is not None
    assert found.procedure.code == "MAU.DD.01"
    states = {item.code: item.state for item in found.items}
    assert states["TP1"] is ItemState.TO_CHECK
    assert states["DD01-DON"] is ItemState.FILED
    assert states["DD01-GCN"] is ItemState.MISSING
    assert "DD01-GCN" in found.missing
    assert [paper.id for paper in found.others] == [other]
    assert [item.pages for item in found.items if item.code == "TP1"] == [1]
    room.desk.take(MAU, paper_id)
    room.desk.hold(MAU, paper_id, "chờ")
    again = room.desk.checklist(MAU, "H22.12-260301-0001")
    assert {i.code: i.state for i in again.items}["TP1"] is ItemState.SCANNED


def test_health_counts_what_waits_is_in_hand_held_and_failed(room):
    assert room.desk.health(MAU).oldest_s is None
    first, second, third = (room.paper() for _ in range(3))
    room.desk.take(MAU, first)
    room.desk.take(VI, second)
    room.desk.hold(VI, second, "chờ")
    room.set(third, error={"kind": "X", "message": "y"})
    health = room.desk.health(MAU)
    assert (health.waiting, health.being_checked, health.held, health.failed) == (1, 1, 1, 1)
    assert health.oldest_s is not None
    assert health.oldest_s >= 0
