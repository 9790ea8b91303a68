"""A checked paper becomes a sealed record: draft, officer's mark, acceptance, seal, index."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pikepdf
import pytest
import sqlalchemy as sa

from dossier.errors import StateConflict
from dossier.filing.faithfulness import Likeness
from dossier.model import RecordState
from dossier.stacks.stackrows import one_stack
from dossier.stacks.values import PaperState, StackState
from dossier.storage.station_tables import papers
from dossier.storage.tables import register_entries
from ocr.conformance import require_conformant
from signer.sealing.levels import Level
from signer.verification.report import Indication
from tests.filing_room import COMPONENT, DOSSIER, OFFICER, FilingRoom, Scan, scan_of
from tests.fixtures_signed import plain_pdf, seal_three
from tests.record_pages import PageSpec

OWNER = {"field:owner_id": "001190000001"}


@pytest.fixture
def room(sqlite_url, open_database, tmp_path, test_pki) -> Iterator[FilingRoom]:
    found = FilingRoom(open_database(sqlite_url), tmp_path, test_pki)
    yield found
    found.close()


def manifest_of(pdf: bytes) -> dict:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return json.loads(opened.attachments["provenance.json"].get_file().read_bytes())


def test_a_checked_paper_is_filed(room, tmp_path):
    scans = [
        scan_of(tmp_path, PageSpec(dpi=100, seal=True), "trang-1.jpg"),
        scan_of(tmp_path, PageSpec(dpi=100, turns=1, number=2), "trang-2.jpg"),
    ]
    blank = scan_of(tmp_path, PageSpec(dpi=100, lines=(), number=3), "mat-sau.jpg")
    typed = OWNER | {"word:1:18": "0124/QĐ-UBND", "field:abstract": "Cấp giấy phép xây dựng"}
    paper_id = room.checked(scans, typed, aside=[blank])
    with pytest.raises(StateConflict, match="Điều 8"):
        room.filing.accept(OFFICER, paper_id)
    room.file()

    paper = room.paper(paper_id)
    assert paper.state is PaperState.FILED, (paper.error, paper.hold)
    assert paper.error is None
    assert paper.digitization_code == f"001190000001.{COMPONENT}.1"
    assert paper.accepted["name"] == "Nguyễn Thị Mẫu"
    record = room.filing.record_of(OFFICER, paper_id)
    assert record.state is RecordState.PUBLISHED
    assert record.source_sha256 == paper.marked_sha256
    files = room.filing.files_of(OFFICER, paper_id)
    assert files.name == f"{DOSSIER}.001.pdf"
    assert files.record == paper.sealed_sha256 == record.result_sha256

    sealed = tmp_path / "sealed.pdf"
    sealed.write_bytes(room.blobs.get(paper.sealed_sha256))
    require_conformant(sealed)
    report = room.desk().services.verifier.verify(sealed)
    assert report.indication is Indication.TOTAL_PASSED
    assert [s.field_name for s in report.signatures] == ["officer-P7", "seal-P6"]
    with pikepdf.open(sealed) as pdf:
        boxes = {str(w.T): [float(v) for v in w.Rect] for w in pdf.pages[0].Annots if "/V" in w}
        height = float(pdf.pages[0].MediaBox[3])
    assert boxes["officer-P7"][0] < 60 < height - 80 < boxes["officer-P7"][3]
    assert boxes["seal-P6"][0] > 200

    manifest = manifest_of(sealed.read_bytes())
    (correction,) = manifest["pages"][0]["corrections"]
    assert (correction["machine"], correction["person"]) == ("0123/QĐ-UBND", "0124/QĐ-UBND")
    assert manifest["checked"]["digitization_code"] == paper.digitization_code
    assert manifest["checked"]["set_aside"] == [
        {"source": "mat-sau.jpg", "source_page": 1, "why": "blank",
         "source_sha256": room.blobs.put(blank.data).sha256}
    ]  # fmt: skip
    assert manifest["digitised"]["time"] == "2026-03-02T08:15:30+07:00"
    assert [p["source"] for p in manifest["pages"]] == ["trang-1.jpg", "trang-2.jpg"]
    assert [p["kept_is_original"] for p in manifest["pages"]] == [True, True]

    found = room.search.search(OFFICER, "0124/QĐ-UBND")
    assert [hit.document.title for hit in found.hits] == ["Cấp giấy phép xây dựng"]
    with room.database.read() as connection:
        stack = one_stack(connection, paper.agency_id, paper.stack_id)
        entered = connection.execute(
            sa.select(sa.func.count()).select_from(register_entries)
        ).scalar()
    assert stack.state is StackState.DONE
    assert entered == 0  # a digitised paper is no result that was issued
    assert room.event_names(paper_id) == [
        "paper.coded", "paper.drafted", "paper.marked", "paper.accepted", "paper.filed",
    ]  # fmt: skip


def test_a_signed_pdf_stays_as_it_is_and_is_named_under_the_seal(room, test_pki, tmp_path):
    signed = seal_three(test_pki, plain_pdf(), tmp_path, Level.B_T)
    paper_id = room.checked([Scan("giay-phep.pdf", signed, None)])
    room.file()
    paper = room.paper(paper_id)
    assert paper.state is PaperState.FILED, (paper.error, paper.hold)
    assert room.blobs.get(paper.original_sha256) == signed
    assert paper.link_sha256 == paper.sealed_sha256 != paper.original_sha256
    manifest = manifest_of(room.blobs.get(paper.sealed_sha256))
    assert manifest["checked"]["originals"] == [
        {"source": "giay-phep.pdf", "sha256": paper.original_sha256, "signatures": 3}
    ]


def test_a_record_that_is_not_faithful_is_held_and_never_sealed(room, tmp_path, monkeypatch):
    wrong = Likeness(1, 3.0, 20.0, 30.0)
    monkeypatch.setattr(
        "dossier.filing.drafting.DraftWork._compare", lambda self, record, page: wrong
    )
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=100))])
    room.file()
    paper = room.paper(paper_id)
    assert paper.state is PaperState.HELD
    assert "20 × 30 mm" in paper.hold["why"]
    assert paper.checks == ()
    assert paper.draft_sha256 is None
    assert room.signatures == 0


def test_without_an_owner_the_paper_waits_for_describing_data(room, tmp_path):
    scan = scan_of(tmp_path, PageSpec(dpi=100))
    paper_id = room.checked([scan], {"field:owner_name": "Lê Văn Thử"})
    room.ocr()
    held = room.paper(paper_id)
    assert held.state is PaperState.HELD
    assert "owner_born" in held.hold["why"]
    described = {"field:owner_name": "Lê Văn Thử", "field:owner_born": "1990-01-02"}
    other = room.checked([scan], described)
    room.ocr()
    assert room.paper(other).digitization_code == f".{COMPONENT}.1"


def test_a_paper_that_was_opened_again_gets_no_mark(room, tmp_path):
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=100))])
    room.ocr()
    drafted = room.paper(paper_id)
    with room.database.begin() as connection:
        connection.execute(
            sa.update(papers).where(papers.c.id == paper_id)
            .values(state=PaperState.TO_CHECK, draft_sha256=None, checks=[])
        )  # fmt: skip
    room.seal()
    assert room.paper(paper_id).state is PaperState.TO_CHECK
    assert room.signatures == 0
    with room.database.begin() as connection:
        room.station.finish(connection, paper_id)
    room.file()
    again = room.paper(paper_id)
    assert again.state is PaperState.FILED
    assert again.digitization_code == drafted.digitization_code
    assert again.draft_sha256 == drafted.draft_sha256  # the same bytes


def test_a_paper_that_the_machine_failed_on_is_filed_with_what_people_typed(room, tmp_path):
    typed = OWNER | {"field:abstract": "Cấp giấy phép xây dựng"}
    paper_id = room.checked([scan_of(tmp_path, PageSpec(dpi=100))], typed)
    with room.database.begin() as connection:
        connection.execute(sa.update(papers).values(proposals_sha256=None))
    room.file()

    paper = room.paper(paper_id)
    assert paper.state is PaperState.FILED, (paper.error, paper.hold)
    fields = manifest_of(room.blobs.get(paper.sealed_sha256))["checked"]["fields"]
    found = [one["value"] for one in fields if one["name"] == "abstract"]
    assert found == ["Cấp giấy phép xây dựng"]
