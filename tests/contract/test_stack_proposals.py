"""What is proposed for the papers of a stack, on both databases, from pages really read."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from dossier.intake.cover_sheet import AnnouncedComponent
from dossier.intake.duplicates import DuplicateGround
from dossier.intake.sheets import SheetRequest
from dossier.stacks.edits import Assign, Insert, Rotate, SetAside
from dossier.stacks.history import PROPOSE
from dossier.stacks.proposals import KnownAs, PaperProposals
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import paper_entries, papers
from tests.reading_room import (
    AGENCY,
    CALLER,
    ORDER,
    STATION,
    ReadingRoom,
    RememberingWorkplace,
    decision_page,
    jpeg,
    page,
)

pytestmark = pytest.mark.tesseract

BACK = page("Điều 2. Quyết định này có hiệu lực kể từ ngày ký.", "Nơi nhận: như trên")
DOSSIER = replace(ORDER, dossier_code="H22.12-260301-0001")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RememberingWorkplace]:
    with RememberingWorkplace(tmp_path_factory.mktemp("reading")) as made:
        yield made


@pytest.fixture
def room(
    database_url: str, tmp_path: Path, workplace: RememberingWorkplace
) -> Iterator[ReadingRoom]:
    made = ReadingRoom(database_url, tmp_path, workplace)
    yield made
    made.database.close()


def row_of(room: ReadingRoom, stack: str, number: int = 0):
    wanted = sa.select(papers).where(papers.c.stack_id == stack).order_by(papers.c.id)
    with room.database.read() as connection:
        return connection.execute(wanted).all()[number]


def proposals_of(room: ReadingRoom, stack: str, number: int = 0) -> PaperProposals:
    return PaperProposals.from_bytes(room.blobs.get(row_of(room, stack, number).proposals_sha256))


def proposed(room: ReadingRoom, files: list[bytes], order=DOSSIER) -> str:
    stack = room.stack(files, order)
    room.work(but=[])
    return stack


def procedure_known(room: ReadingRoom) -> None:
    """A cover sheet says which procedure the dossier is of."""
    request = SheetRequest(
        DOSSIER.dossier_code, STATION, (AnnouncedComponent("TP-09", "Giấy tờ", 1),), "MAU.DD.01",
        dt.timedelta(days=7),
    )  # fmt: skip
    room.sheets.issue(CALLER, request)


def test_a_paper_comes_to_be_checked_with_what_was_read(room):
    stack = proposed(room, [decision_page(), BACK])
    row, found = row_of(room, stack), proposals_of(room, stack)
    assert row.state == PaperState.TO_CHECK
    assert (row.doc_number, row.doc_symbol) == ("127", "QĐ-UBND")
    assert found.fields.get("doc_number").page == 1
    assert row.summary == found.summary()
    assert row.summary["type"] == "QĐ"
    assert row.checks_required == found.depth.people
    assert [p.page for p in found.pages] == [p.id for p in room.pages(stack)]
    assert found.words == sum(room.reading(p).word_count for p in room.pages(stack))
    assert found.field_findings == ()
    assert found.arrangement_seq == row.arrangement_seq
    assert {f.page for f in found.page_findings} <= {1, 2}


def test_the_same_paper_again_is_a_possible_duplicate(room):
    first = proposed(room, [decision_page()])
    second = proposed(room, [decision_page(quality=80)])
    third = proposed(room, [decision_page()])
    paper = row_of(room, first).id
    by_look = {(d.ground, d.reference) for d in proposals_of(room, second).duplicates}
    assert by_look == {(DuplicateGround.NUMBER, paper), (DuplicateGround.PAGE_IMAGE, paper)}
    found = proposals_of(room, third).duplicates
    same = [d for d in found if d.ground is DuplicateGround.BYTES]
    assert [(d.known_as, d.reference) for d in same] == [(KnownAs.STACK, first)]
    assert same[0].pages == ((room.pages(third)[0].id, room.pages(first)[0].id),)
    alike = [d for d in found if d.ground is DuplicateGround.PAGE_IMAGE and d.reference == paper]
    assert alike[0].pages == same[0].pages
    assert row_of(room, third).summary["duplicates"] == len(found) == 5


def test_a_cancelled_stack_is_nothing_to_compare_with(room):
    first = proposed(room, [decision_page()])
    room.stacks.cancel(CALLER, first)
    assert proposals_of(room, proposed(room, [decision_page()])).duplicates == ()


def test_another_number_or_dossier_is_no_duplicate(room):
    proposed(room, [decision_page()])
    other = replace(DOSSIER, dossier_code="H22.12-260301-0002")
    found = proposals_of(room, proposed(room, [decision_page("128", year=2098)], other))
    assert found.duplicates == ()
    assert [f.code for f in found.field_findings] == ["DATE_FUTURE"]
    assert found.warnings == 1


def test_the_component_is_proposed_for_a_dossier_whose_procedure_is_known(room):
    procedure_known(room)
    choice = proposals_of(room, proposed(room, [decision_page()])).component
    assert choice.asked
    assert choice.chosen or choice.why_none
    known = replace(DOSSIER, component_code="TP-01")
    assert not proposals_of(room, proposed(room, [decision_page("99")], known)).component.asked


def test_a_paper_that_is_held_stays_held(room):
    stack = room.stack([BACK], DOSSIER)
    room.work()
    with room.database.begin() as connection:
        connection.execute(sa.update(papers).values(hold={"why": "chờ", "by": "x"}))
    room.work(but=[])
    assert row_of(room, stack).state == PaperState.HELD


def test_what_people_typed_stays_and_names_the_paper(room):
    stack = room.stack([decision_page()], DOSSIER)
    room.work()
    with room.database.begin() as connection:
        connection.execute(
            sa.insert(paper_entries).values(
                paper_id=row_of(room, stack).id, target="field:doc_number", value="721",
                state="draft", by="prn_1", at=room.database.now(connection),
            )
        )  # fmt: skip
    room.work(but=[])
    assert row_of(room, stack).doc_number == "721"
    assert proposals_of(room, stack).fields.get("doc_number").value == "127"
    with room.database.read() as connection:
        assert connection.execute(sa.select(paper_entries.c.value)).scalars().all() == ["721"]


def test_an_edit_of_the_images_makes_new_proposals_and_old_ones_are_dropped(room):
    stack = room.stack([decision_page(), BACK], DOSSIER)
    room.work()
    job = room.claim()
    pages = [p.id for p in room.pages(stack)]
    room.arranging.edit(CALLER, stack, SetAside(pages[1]))
    room.handlers[PROPOSE](job)
    found = proposals_of(room, stack)
    assert [p.page for p in found.pages] == pages[:1]
    digest = row_of(room, stack).proposals_sha256
    assert room.work(but=[]) == [PROPOSE]  # the edit's own: nothing is left to do
    assert row_of(room, stack).proposals_sha256 == digest


def test_what_depends_on_the_component_is_asked_again_once_it_is_assigned(room):
    procedure_known(room)
    sheet = Image.open(io.BytesIO(decision_page())).convert("RGB")
    sheet.paste((40, 70, 200), (1100, 900, 1400, 1000))  # in colour, and without a red seal
    stack = proposed(room, [jpeg(sheet)])
    before = row_of(room, stack)
    first = proposals_of(room, stack)
    assert (first.missing_seal, first.component.asked) == (None, True)
    check = {"by": "prn_1", "name": "Mẫu", "at": "2026-03-02T00:00:00+00:00", "changed": 0,
             "values": {}, "disputed": []}  # fmt: skip
    with room.database.begin() as connection:
        connection.execute(sa.update(papers).values(checks=[check]))
    room.arranging.edit(CALLER, stack, Assign(before.id, DOSSIER.dossier_code, "DD01-GCN"))
    assert row_of(room, stack).state == PaperState.PROPOSING
    assert room.work(but=[]) == [PROPOSE]
    now, found = row_of(room, stack), proposals_of(room, stack)
    assert (now.state, now.component_code, now.checks) == ("to-check", "DD01-GCN", [check])
    assert found.missing_seal is not None
    assert not found.component.asked
    room.arranging.undo(CALLER, stack)
    assert room.work(but=[]) == [PROPOSE]
    assert row_of(room, stack).component_code == ""
    assert proposals_of(room, stack) == first
    room.arranging.redo(CALLER, stack)
    room.work(but=[])
    assert proposals_of(room, stack).missing_seal == found.missing_seal


def test_proposals_count_in_the_agencys_quota(room):
    stack = proposed(room, [decision_page()])
    digest = row_of(room, stack).proposals_sha256
    with room.database.read() as connection:
        assert room.holdings.require(connection, AGENCY, digest).sha256 == digest
        assert room.holdings.media_type(connection, AGENCY, digest) == "application/zlib"


def test_proposals_that_are_overtaken_are_made_anew(room, monkeypatch):
    stack = room.stack([decision_page(), BACK], DOSSIER)
    room.work()
    job = room.claim()
    proposing = room.handlers[PROPOSE].__self__
    original, calls = proposing._made, []

    def overtaken(*args):
        made = original(*args)
        if not calls:
            paper = room.arrangement(stack).papers[0]
            room.arranging.edit(CALLER, stack, Assign(paper.id, "H22.12-260301-0009", "TP-01"))
        calls.append(args)
        return made

    monkeypatch.setattr(proposing, "_made", overtaken)
    room.handlers[PROPOSE](job)
    assert len(calls) == 2
    assert row_of(room, stack).state == PaperState.TO_CHECK
    assert proposals_of(room, stack).arrangement_seq == room.get(stack).seq


def test_a_job_that_fails_for_good_leaves_the_paper_to_two_people(room):
    stack = room.stack([BACK], DOSSIER)
    room.work()
    room.fail(room.claim(), LookupError("gone"))
    row = row_of(room, stack)
    assert (row.state, row.checks_required, row.proposals_sha256) == ("to-check", 2, None)
    assert row.error["kind"] == "Unexpected"


def test_a_faulty_page_is_a_page_without_words(room):
    stack = room.stack([b"no picture", BACK], DOSSIER)
    room.work(but=[])
    found = proposals_of(room, stack)
    assert [p.reading_sha256 is None for p in found.pages] == [True, False]
    assert {f.page for f in found.fields.fields} <= {2}


def test_an_inserted_page_moves_the_places_of_fields(room):
    stack = room.stack([decision_page()], DOSSIER)
    room.work(but=[])
    paper = room.arrangement(stack).papers[0]
    room.again(stack, BACK, Insert(paper.id, "", ""))
    room.work(but=[])
    found = proposals_of(room, stack)
    assert found.fields.get("doc_number") is None or found.fields.get("doc_number").page == 2
    assert len(found.pages) == 2


def test_a_page_that_a_person_turns_is_read_as_they_say(room):
    stack = room.stack([decision_page()], DOSSIER)
    room.work(but=[])
    page_id = room.pages(stack)[0].id
    room.arranging.edit(CALLER, stack, Rotate(page_id, 2))
    room.work(but=[])
    turned = room.reading(room.pages(stack)[0])
    assert (turned.machine_turns, turned.page.turns) == (0, 2)
    room.arranging.undo(CALLER, stack)
    room.work(but=[])
    assert room.reading(room.pages(stack)[0]).page.turns == 0
    assert row_of(room, stack).doc_number == "127"
