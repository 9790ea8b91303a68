"""What the workers do with a stack, on both databases: pages read once, then split."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from dossier.errors import QuotaExceeded, StoreError
from dossier.stacks.arrangement import Why
from dossier.stacks.edits import Insert, Replace, SetAside
from dossier.stacks.history import PROPOSE
from dossier.stacks.page_work import READ
from dossier.stacks.stackrows import SPLIT
from dossier.stacks.stacks import LOOK, PAGE_ROOM_BYTES
from dossier.stacks.values import PageState, StackState, Way
from dossier.storage.station_tables import papers
from dossier.storage.tables import agencies, jobs
from tests.reading_room import (
    AGENCY,
    CALLER,
    ORDER,
    ReadingRoom,
    RememberingWorkplace,
    page,
    read_or_die,
)

pytestmark = pytest.mark.tesseract

ONE = page("ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ", "Căn cứ Luật Đất đai ngày 18 tháng 01")
TWO = page("Điều 2. Quyết định này có hiệu lực kể từ ngày ký.", "Nơi nhận: như trên")
THREE = page("Kính gửi: Sở Nông nghiệp và Môi trường", "Xét đề nghị của Trưởng phòng")
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


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


def test_a_stack_is_read_and_split(room):
    stack = room.stack([ONE, TWO], replace(ORDER, pages=3, dossier_code="HS-1"))
    assert room.work() == [LOOK, LOOK, READ, READ, SPLIT]
    pages = room.pages(stack)
    assert [p.state for p in pages] == [PageState.READ] * 2
    reading = room.reading(pages[0])
    assert "MẪU SƠN" in reading.page.text
    assert pages[0].summary == reading.summary()
    picture = Image.open(io.BytesIO(room.blobs.get(pages[0].picture_sha256)))
    assert (picture.format, max(picture.size)) == ("WEBP", 1240)
    assert room.get(stack).state is StackState.ARRANGED
    arrangement = room.arrangement(stack)
    assert arrangement.papers[0].page_ids == tuple(p.id for p in pages)
    assert arrangement.papers[0].dossier_code == "HS-1"
    kinds = {alarm["kind"]: alarm for alarm in room.get(stack).alarms}
    assert (kinds["announced-count"]["expected"], kinds["announced-count"]["found"]) == ("3", "2")
    assert kinds["pages-before-sheet"]["paper"] == arrangement.papers[0].id
    assert room.claim().kind == PROPOSE


def test_what_was_read_is_not_read_again(room, monkeypatch):
    first = room.stack([ONE])
    room.work()

    monkeypatch.setattr("dossier.stacks.page_work.read_page", read_or_die)
    second = room.stack([ONE])
    room.work()
    assert room.pages(second)[0].reading_sha256 == room.pages(first)[0].reading_sha256


def test_what_is_learnt_of_a_page_is_its_agencys_and_counts(room):
    stack = room.stack([ONE, ONE, TWO])
    room.work()
    one, again, two = room.pages(stack)
    assert (one.reading_sha256, one.picture_sha256) == (again.reading_sha256, again.picture_sha256)
    made = {sha: room.blobs.stat(sha).size_bytes for page in (one, two) for sha in named(page)}
    assert room.holdings.used_bytes(AGENCY) == len(ONE) + len(TWO) + sum(made.values())
    with room.database.read() as connection:
        kinds = [room.holdings.media_type(connection, AGENCY, sha) for sha in named(one)]
    assert kinds == ["application/zlib", "image/webp"]


def test_a_used_up_quota_refuses_a_file_and_reads_what_was_taken(room):
    allow(room, len(ONE) + len(TWO) + PAGE_ROOM_BYTES)  # for one page and its reading, no more
    stack, _ = room.stacks.open(CALLER, Way.HTTP, ORDER)
    first, second = room.bring(ONE), room.bring(TWO)
    room.stacks.add_scan(CALLER, stack.id, first, "một.jpg", position=0)
    room.work()
    with pytest.raises(QuotaExceeded, match=r"hạn mức.+ask an administrator"):
        room.stacks.add_scan(CALLER, stack.id, second, "hai.jpg", position=1)
    with pytest.raises(QuotaExceeded):
        room.stacks.open(CALLER, Way.HTTP, ORDER)
    assert [scan.sha256 for scan in room.stacks.scans(CALLER, stack.id)] == [first]
    assert room.stacks.list(CALLER) == [room.get(stack.id)]
    assert room.stacks.add_scan(CALLER, stack.id, first, "một.jpg", position=0)[1] is False
    allow(room, 1 << 30)
    room.stacks.add_scan(CALLER, stack.id, second, "hai.jpg", position=1)
    allow(room, 1)  # used up while the page waits
    room.stacks.close(CALLER, stack.id)
    assert room.work() == [LOOK, READ, SPLIT]
    pages = room.pages(stack.id)
    assert [page.state for page in pages] == [PageState.READ] * 2
    assert all(room.blobs.stat(sha) is not None for page in pages for sha in named(page))


def allow(room, quota_bytes):
    with room.database.begin() as connection:
        connection.execute(sa.update(agencies).values(policy={"blob_quota_bytes": quota_bytes}))


def named(page):
    return page.reading_sha256, page.picture_sha256


def test_another_profile_reads_again(room):
    first, second = room.stack([ONE]), room.stack([ONE], replace(ORDER, profile="archive"))
    room.work()
    one, two = room.pages(first)[0], room.pages(second)[0]
    assert one.reading_sha256 != two.reading_sha256
    assert room.reading(two).quality.profile == "archive"


def test_a_worker_that_dies_repeats_that_page_only(room):
    stack = room.stack([ONE, TWO])
    looking, reading = [], []
    while (job := room.claim()) is not None:
        (looking if job.kind == LOOK else reading).append(job)
        if len(looking) == 1 or job.kind == READ:
            continue  # its worker is killed
        room.handlers[LOOK](job)
    assert [len(looking), len(reading)] == [2, 1]
    with room.database.begin() as connection:
        connection.execute(sa.update(jobs).values(lease_until=jobs.c.created_at))
    assert room.work() == [LOOK, READ, READ, SPLIT]
    assert [p.state for p in room.pages(stack)] == [PageState.READ] * 2


def test_a_job_that_was_done_twice_changes_nothing(room):
    stack = room.stack([ONE])
    room.work()
    before = room.pages(stack), room.arrangement(stack), room.get(stack).version
    page_id, scan = room.pages(stack)[0].id, room.stacks.scans(CALLER, stack)[0].id
    with room.database.begin() as connection:
        for kind, subject in ((LOOK, scan), (READ, page_id), (SPLIT, stack)):
            room.jobs.enqueue(
                connection, queue="ocr", kind=kind, subject=subject, agency_id=CALLER.agency_id,
                payload={"kind": "jpeg", "pages": 1},
            )  # fmt: skip
    room.work()
    assert (room.pages(stack), room.arrangement(stack), room.get(stack).version) == before


def test_a_file_that_cannot_be_read_is_one_faulty_page(room):
    stack = room.stack([ONE, b"\xff\xd8\xff no picture", b"text"])
    room.work()
    pages = room.pages(stack)
    assert [p.state for p in pages] == [PageState.READ, PageState.FAULTY, PageState.FAULTY]
    assert "quét-3.jpg" in pages[2].error["message"]
    assert room.arrangement(stack).every_page == {p.id for p in pages}
    faulty = [a for a in room.get(stack).alarms if a["kind"] == "faulty-page"]
    assert faulty[0]["pages"] == [pages[1].id, pages[2].id]


@ON_ONE_DATABASE
def test_a_page_that_kills_its_worker_keeps_its_picture(room, monkeypatch):
    monkeypatch.setattr("dossier.stacks.page_work.read_page", read_or_die)
    stack = room.stack([ONE])
    room.work()
    [found] = room.pages(stack)
    assert (found.state, found.error["kind"]) == (PageState.FAULTY, "EngineCrashed")
    assert room.blobs.get(found.picture_sha256)[:4] == b"RIFF"
    assert room.reading(found).page.lines == ()
    assert room.get(stack).state is StackState.ARRANGED


def test_a_job_that_fails_for_good_leaves_a_faulty_page(room):
    stack = room.stack([ONE, TWO])
    failed = []
    while (job := room.claim()) is not None:
        if job.kind == PROPOSE:
            break
        if len(failed) < 2 and job.kind not in failed:
            failed.append(job.kind)
            room.fail(job, StoreError("gone"))
        else:
            room.handlers[job.kind](job)
    assert failed == [LOOK, READ]
    assert [p.state for p in room.pages(stack)] == [PageState.FAULTY] * 2
    assert room.get(stack).state is StackState.ARRANGED


def test_a_stack_that_cannot_be_split_says_why(room):
    stack = room.stack([b"text"])
    room.work(but=[SPLIT])
    room.fail(room.claim(), StoreError("Không được. / It cannot be."))
    assert "It cannot be" in room.get(stack).error["message"]


def test_the_pages_of_a_cancelled_stack_are_not_read(room):
    stack = room.stack([ONE, TWO])
    while (job := room.claim()) is not None and job.kind == LOOK:
        room.handlers[LOOK](job)
    room.stacks.cancel(CALLER, stack)
    room.handlers[READ](job)
    assert room.work() == [READ]
    assert [p.state for p in room.pages(stack)] == [PageState.WAITING] * 2


def test_a_page_scanned_again_takes_its_place(room):
    stack = room.stack([ONE, TWO])
    room.work()
    old = room.pages(stack)[1].id
    room.again(stack, THREE, Replace(old, ""))
    assert room.work() == [LOOK, READ]
    arrangement = room.arrangement(stack)
    new = room.pages(stack)[2].id
    assert arrangement.papers[0].page_ids[1] == new
    assert [(one.placed.page, one.why) for one in arrangement.aside] == [(old, Why.REPLACED)]
    room.arranging.undo(CALLER, stack)
    assert room.arrangement(stack).papers[0].page_ids[1] == old


def test_pages_scanned_later_are_inserted_in_their_order(room):
    stack = room.stack([ONE, TWO])
    room.work()
    paper = room.arrangement(stack).papers[0]
    out = io.BytesIO()
    first, *rest = (Image.open(io.BytesIO(data)).convert("L") for data in (THREE, ONE, THREE))
    first.save(
        out, "TIFF", save_all=True, append_images=rest, compression="tiff_lzw", dpi=(200, 200)
    )
    room.again(stack, out.getvalue(), Insert(paper.id, paper.page_ids[0], ""))
    assert room.work() == [LOOK, READ, READ, READ]
    new = [p.id for p in room.pages(stack)[2:]]
    placed = room.arrangement(stack).papers[0].page_ids
    assert placed == (paper.page_ids[0], *new, paper.page_ids[1])


def test_a_page_whose_place_is_gone_is_set_aside_with_an_alarm(room):
    stack = room.stack([ONE, TWO])
    room.work()
    old = room.pages(stack)[1].id
    room.again(stack, THREE, Replace(old, ""))
    room.arranging.edit(CALLER, stack, SetAside(old))
    room.work()
    new = room.pages(stack)[2].id
    arrangement = room.arrangement(stack)
    assert {one.placed.page: one.why for one in arrangement.aside} == {
        old: Why.PERSON, new: Why.UNPLACED,
    }  # fmt: skip
    assert arrangement.every_page == {p.id for p in room.pages(stack)}
    alarm = room.get(stack).alarms[-1]
    assert (alarm["kind"], alarm["pages"]) == ("place-gone", [new])


def test_a_paper_in_other_hands_is_not_changed_by_a_rescan(room):
    stack = room.stack([ONE])
    room.work()
    room.again(stack, TWO, Replace(room.pages(stack)[0].id, ""))
    with room.database.begin() as connection:
        later = room.database.now(connection).replace(year=2099)
        connection.execute(sa.update(papers).values(lease_by="prn_other", lease_until=later))
    before = room.arrangement(stack).papers
    room.work()
    assert room.arrangement(stack).papers == before
    assert room.arrangement(stack).aside[0].why is Why.UNPLACED


def test_a_rescan_of_which_nothing_can_be_seen_replaces_nothing(room):
    stack = room.stack([ONE])
    room.work()
    room.again(stack, b"text", Replace(room.pages(stack)[0].id, ""))
    room.work()
    arrangement = room.arrangement(stack)
    assert arrangement.papers[0].page_ids == (room.pages(stack)[0].id,)
    assert room.get(stack).alarms[-1]["kind"] == "faulty-page"


def test_a_killed_split_gives_the_same_papers_again(room, monkeypatch):
    stack = room.stack([ONE, TWO])
    room.work(but=[SPLIT, PROPOSE])
    job = room.claim()
    killed = []

    def kill_before_commit(work):
        with room.database.begin() as connection:
            work(connection)
            killed.append(connection.execute(sa.select(papers.c.id)).scalars().all())
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(room.database, "together", kill_before_commit)
        with pytest.raises(KeyboardInterrupt):
            room.handlers[SPLIT](job)
    assert room.arranging.arrangement(CALLER, stack) is None
    room.handlers[SPLIT](job)
    assert killed == [[paper.id for paper in room.arrangement(stack).papers]]


@ON_ONE_DATABASE
def test_pages_wait_when_the_engine_is_away(room, monkeypatch):
    monkeypatch.setattr(
        room.workplace, "settings", replace(room.workplace.settings, models=Path("/nowhere"))
    )
    stack = room.stack([ONE])
    room.handlers[LOOK](room.claim())
    with pytest.raises(StoreError, match="tried again"):
        room.handlers[READ](room.claim())
    assert room.pages(stack)[0].state is PageState.WAITING
