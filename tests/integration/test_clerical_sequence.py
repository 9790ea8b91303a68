"""A decision from draft to issue: leader, number and date, seal; five signatures' worth of proof.

What it shows is domain.md 5.8, made here with SHA-256 and PAdES baseline; what it refuses S5–S7.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from dossier.clerical.order import Claim, Numbering, Place, SequenceOrder, Step
from dossier.errors import (
    AccessRefused,
    IdempotencyConflict,
    InvalidOrder,
    LeaseLost,
    NotFound,
    NumberTaken,
    StateConflict,
    StoreError,
    VersionConflict,
)
from dossier.identity.values import AgencyPolicy
from dossier.model import RecordState, Role, SequenceState
from signer.sealing.levels import Level
from signer.trust import TrustStore
from signer.verification.report import Indication, Integrity
from signer.verification.verify import Verifier
from tests.clerical import decision
from tests.fakes import SoftwareKey
from tests.fixtures_clerical import DAY, SYMBOL, ClericalRoom, person
from tests.fixtures_signing import KEYS, OTHER_AGENCY, caller_of
from tests.foreign import asn1_certificate
from tests.sealed import pdfsig_verdicts

MM = 72 / 25.4


@pytest.fixture
def office(sqlite_office: ClericalRoom) -> ClericalRoom:
    return sqlite_office


def document(office: ClericalRoom, sequence_id: str) -> bytes:
    return office.blobs.get(office.sequence(sequence_id).current_sha256)


def rects(pdf: bytes) -> dict[str, tuple[float, float, float, float]]:
    """The widgets by field name."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return {
            str(f.T): tuple(float(side) for side in f.Rect) for f in opened.Root.AcroForm.Fields
        }


def shown_text(pdf: bytes, rect: tuple[float, float, float, float]) -> str:
    """What a renderer shows within `rect` of page 1, widgets drawn in."""
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        opened.init_forms()
        opened[0].flatten()
        text: str = opened[0].get_textpage().get_text_bounded(*rect)
        return text


def test_a_decision_is_signed_numbered_and_sealed(clerical_room, tmp_path):
    office = clerical_room
    verifier = Verifier(TrustStore.of(office.pki.anchors))
    begun = office.begin(expected_agency=None)
    expected = [["leader-P1"], ["leader-P1", "number-SO", "date-NGAY"]]
    expected.append([*expected[-1], "seal-P2"])
    steps = [
        (office.leader, Step.LEADER, SequenceState.SIGNED),
        (office.clerk, Step.NUMBER, SequenceState.NUMBERED),
        (office.sealer, Step.SEAL, SequenceState.ISSUED),
    ]
    for count, (who, step, state) in enumerate(steps):
        now = office.do(who, begun.id, step)
        assert now.error is None
        assert now.state is state
        pdf = document(office, begun.id)
        report = verifier.verify(pdf)
        assert [s.field_name for s in report.signatures] == expected[count]
        assert report.integrity is Integrity.INTACT
        assert report.indication is not Indication.TOTAL_FAILED
        path = tmp_path / f"{step}.pdf"
        path.write_bytes(pdf)
        verdicts = pdfsig_verdicts(path)  # S7: the first signature stays valid
        assert verdicts == ["Signature is Valid."] * len(expected[count])
    report = verifier.verify(pdf).require_passed()
    assert [s.level for s in report.signatures][-1] == "B-LTA"
    assert all(s.algorithm.lower().find("sha256") >= 0 or "SHA" in s.algorithm.upper()
               for s in report.signatures)  # fmt: skip
    record = office.record(now.record_id)
    assert record.state is RecordState.PUBLISHED
    assert (record.number, record.symbol, record.year) == (1, SYMBOL, 2026)
    assert record.sequence_id == begun.id
    assert record.result_sha256 == now.current_sha256
    names = office.event_names(begun.id)
    assert names == [
        "sequence.created",
        *(f"sequence.{step}.{what}" for _, step, _ in steps for what in ("accepted", "done")),
    ]
    assert office.event_names(record.id) == ["signature.published"]
    assert {c["purpose"] for c in office.contexts} == {"sequence"}


def test_the_issued_page_shows_what_the_decree_asks(office, tmp_path):
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    office.do(office.clerk, begun.id, Step.NUMBER, number=7, day=date(2026, 2, 5))
    office.do(office.sealer, begun.id, Step.SEAL)
    pdf = document(office, begun.id)
    place = rects(pdf)
    assert shown_text(pdf, place["number-SO"]).strip() == "07"
    words = shown_text(pdf, place["date-NGAY"]).split()
    assert sorted(words) == sorted(["05", "tháng", "02", "năm", "2026"])
    leader, seal = place["leader-P1"], place["seal-P2"]
    assert seal[2] - seal[0] == pytest.approx(38.8 * MM, abs=0.5 * MM)  # S3, real size
    covered = (seal[2] - leader[0]) / (leader[2] - leader[0])
    assert covered == pytest.approx(1 / 3, abs=0.05)
    assert seal[0] < leader[0]
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        text = opened[0].get_textpage()
        title, name = text.search("CHỦ TỊCH"), text.search(office.signer_name())
        boxes = [text.get_charbox(found.get_next()[0]) for found in (title, name)]
    assert boxes[1][3] <= leader[1] + 2  # over the name
    assert leader[3] <= boxes[0][1] + 2  # under the title
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        fields = {str(f.T): f for f in opened.Root.AcroForm.Fields}
        assert {int(f.F) for f in fields.values() if str(f.T) in place} <= {132}
        made = [str(fields[n].V.SubFilter) for n in ("leader-P1", "number-SO", "seal-P2")]
        assert made == ["/ETSI.CAdES.detached"] * 3
        assert "+07'00'" in str(fields["seal-P2"].V.M)


def test_another_implementation_agrees(office, tmp_path):
    begun = office.begin(level=Level.B_T)
    office.do(office.leader, begun.id, Step.LEADER)
    first = document(office, begun.id)
    office.do(office.clerk, begun.id, Step.NUMBER)
    office.do(office.sealer, begun.id, Step.SEAL)
    assert document(office, begun.id).startswith(first)  # incremental: nothing was rewritten
    reader = PdfFileReader(io.BytesIO(document(office, begun.id)))
    context = ValidationContext(
        trust_roots=[asn1_certificate(anchor) for anchor in office.pki.anchors]
    )
    found = [validate_pdf_signature(s, context) for s in reader.embedded_regular_signatures]
    assert [(s.intact, s.valid) for s in found] == [(True, True)] * 4
    allowed = {
        ModificationLevel.NONE,
        ModificationLevel.FORM_FILLING,
        ModificationLevel.LTA_UPDATES,
    }
    assert {s.modification_level for s in found} <= allowed


def test_all_fields_are_made_before_the_first_signature(office):
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    pdf = document(office, begun.id)
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        fields = {str(f.T): "/V" in f for f in opened.Root.AcroForm.Fields}
    assert fields == {
        "leader-P1": True, "number-SO": False, "date-NGAY": False, "seal-P2": False,
    }  # fmt: skip
    office.do(office.clerk, begun.id, Step.NUMBER)
    assert rects(document(office, begun.id)) == rects(pdf)


def test_one_clerk_may_issue_in_one_go_where_the_agency_lets_him(office):
    office.policy = AgencyPolicy(keys=KEYS, separation_of_duties=False)
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    now = office.do(office.clerk, begun.id, Step.ISSUE)
    assert now.state is SequenceState.ISSUED
    assert [(p.step, p.by) for p in now.steps] == [
        (Step.LEADER, "prn-leader"), (Step.NUMBER, "prn-clerk"), (Step.SEAL, "prn-clerk"),
    ]  # fmt: skip
    assert {p.at for p in now.steps[1:]} == {now.steps[1].at}  # in the same second, as in practice
    assert office.record(now.record_id).state is RecordState.PUBLISHED


# --- refused before anything is signed --------------------------------------------------------


def test_out_of_order_nothing_is_signed(office):
    begun = office.begin()
    for step in (Step.NUMBER, Step.SEAL, Step.ISSUE):
        with pytest.raises((StateConflict, AccessRefused)) as caught:
            office.ask(office.clerk, begun.id, step)
        assert "leader-signature" in str(caught.value)
    office.do(office.leader, begun.id, Step.LEADER)
    with pytest.raises(StateConflict, match="the next step is number"):
        office.ask(office.sealer, begun.id, Step.SEAL)
    assert office.signatures == 1
    assert office.records.list(office.clerk) == []  # no number was given


def test_the_same_person_does_not_do_two_parts(office):
    everybody = person("all", Role.LEADER, Role.CLERK)
    begun = office.begin()
    office.do(everybody, begun.id, Step.LEADER)
    with pytest.raises(AccessRefused, match="duties are separated"):
        office.ask(everybody, begun.id, Step.NUMBER)
    with pytest.raises(AccessRefused, match="number and seal apart"):
        office.ask(office.clerk, begun.id, Step.ISSUE)
    office.policy = AgencyPolicy(keys=KEYS, separation_of_duties=False)
    assert office.do(everybody, begun.id, Step.NUMBER).state is SequenceState.NUMBERED


@pytest.mark.parametrize(
    ("who", "step"),
    [
        (person("x", Role.CLERK), Step.LEADER),
        (person("x", Role.LEADER, keys=frozenset({"seal"})), Step.LEADER),
        (person("x", Role.AUDITOR), Step.LEADER),
    ],
)
def test_role_and_right_to_the_key_are_asked_for(office, who, step):
    begun = office.begin()
    with pytest.raises(AccessRefused):
        office.ask(who, begun.id, step)


def test_what_is_another_agencys_is_not_there(office):
    begun = office.begin()
    stranger = caller_of(OTHER_AGENCY, Role.LEADER, Role.CLERK)
    for ask in (
        lambda: office.sequences.get(stranger, begun.id),
        lambda: office.ask(stranger, begun.id, Step.LEADER),
        lambda: office.sequences.cancel(stranger, begun.id),
        lambda: office.sequences.attachments.list(stranger, begun.id),
        lambda: office.sequences.attachments.annex(stranger, begun.id, "0" * 64, Claim(None, "")),
    ):
        with pytest.raises(NotFound):
            ask()
    assert office.sequences.list(stranger) == []


def test_keys_of_others_and_documents_of_others_are_refused(office):
    office.policy = AgencyPolicy(keys=frozenset({"leader"}))
    with pytest.raises(InvalidOrder, match="not the agency's") as caught:
        office.begin()
    assert caught.value.field == "agency_key"
    office.policy = AgencyPolicy(keys=KEYS)
    with pytest.raises(NotFound):
        office.begin(source="f" * 64)


def test_a_date_goes_with_the_step_that_gives_it(office):
    begun = office.begin()
    with pytest.raises(InvalidOrder) as caught:
        office.sequences.step(office.clerk, begun.id, Step.NUMBER, Claim(None, "0" * 64))
    assert caught.value.field == "decided_on"
    with pytest.raises(InvalidOrder):
        office.sequences.step(
            office.leader, begun.id, Step.LEADER, Claim(None, "0" * 64), numbering=Numbering(DAY)
        )


def test_a_date_that_contradicts_the_typed_one_is_refused_at_once(office):
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    with pytest.raises(InvalidOrder, match="typed with “2026”"):
        office.ask(office.clerk, begun.id, Step.NUMBER, day=date(2027, 1, 5))
    assert office.records.list(office.clerk) == []


# --- numbers ------------------------------------------------------------------------------------


def signed(office: ClericalRoom) -> str:
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    return begun.id


def test_the_book_gives_its_numbers_without_a_gap(office):
    first, second, third = signed(office), signed(office), signed(office)
    assert office.do(office.clerk, first, Step.NUMBER).number == 1
    assert office.do(office.clerk, second, Step.NUMBER, number=2).number == 2
    with pytest.raises(NumberTaken, match="belongs to record"):
        office.ask(office.clerk, third, Step.NUMBER, number=2)
    assert office.do(office.clerk, third, Step.NUMBER).number == 3  # 2 was named meanwhile


def test_a_cancelled_sequence_gives_its_number_back(office):
    one = signed(office)
    numbered = office.do(office.clerk, one, Step.NUMBER)
    cancelled = office.sequences.cancel(office.clerk, one, numbered.version)
    assert cancelled.state is SequenceState.CANCELLED
    assert cancelled.number is None
    assert office.record(numbered.record_id).state is RecordState.CANCELLED
    assert "number.freed" in office.event_names(numbered.record_id)
    other = signed(office)
    assert office.do(office.clerk, other, Step.NUMBER).number == 1
    with pytest.raises(StateConflict):
        office.sequences.cancel(office.clerk, one)


def test_nobody_cancels_what_is_issued_or_under_way(office):
    one = signed(office)
    office.ask(office.clerk, one, Step.NUMBER)
    (job,) = office.jobs.claim("seal", "somebody", 1, 60)
    with pytest.raises(StateConflict, match="under way"):
        office.sequences.cancel(office.clerk, one)
    office.jobs.give_back([job])
    office.run_all()
    office.do(office.sealer, one, Step.SEAL)
    with pytest.raises(StateConflict, match="issued"):
        office.sequences.cancel(office.clerk, one)


def test_the_record_of_a_sequence_is_not_cancelled_by_itself(office):
    one = signed(office)
    numbered = office.do(office.clerk, one, Step.NUMBER)
    with pytest.raises(StateConflict):
        office.records.cancel(office.clerk, numbered.record_id)


# --- repeated, raced, crashed -------------------------------------------------------------------


def test_a_step_that_is_sent_twice_is_done_once(office):
    one = signed(office)
    first = office.ask(office.clerk, one, Step.NUMBER, key="k-1")
    again = office.ask(office.clerk, one, Step.NUMBER, key="k-1")
    assert again.version == first.version
    office.run_all()
    assert office.ask(office.clerk, one, Step.NUMBER, key="k-1").number == 1
    assert len(office.records.list(office.clerk)) == 1
    with pytest.raises(IdempotencyConflict):
        office.sequences.step(
            office.clerk, one, Step.NUMBER, Claim("k-1", "9" * 64), numbering=Numbering(DAY)
        )


def test_a_sequence_that_is_sent_twice_is_made_once(office):
    claim = Claim("k-2", "0" * 64)
    order = SequenceOrder(leader_key="leader", agency_key="seal", symbol=SYMBOL)
    first, made = office.sequences.create(office.officer, order, office.draft, claim)
    again, made_again = office.sequences.create(office.officer, order, office.draft, claim)
    assert (made, made_again) == (True, False)
    assert first == again
    assert [s.id for s in office.sequences.list(office.officer)] == [first.id]


def test_who_read_an_older_version_is_told(office):
    begun = office.begin()
    office.do(office.leader, begun.id, Step.LEADER)
    with pytest.raises(VersionConflict):
        office.ask(office.clerk, begun.id, Step.NUMBER, version=begun.version)
    with pytest.raises(VersionConflict):
        office.sequences.cancel(office.clerk, begun.id, begun.version)


def test_a_step_whose_worker_dies_is_done_once_by_another(clerical_room):
    office = clerical_room
    one = signed(office)
    office.do(office.clerk, one, Step.NUMBER)
    office.ask(office.sealer, one, Step.SEAL)
    (lost,) = office.jobs.claim("seal", "dead", 1, 0.01)
    office.run_all()
    assert office.sequence(one).state is SequenceState.ISSUED
    used = office.signatures
    with pytest.raises(StateConflict, match="ended already"):  # it wakes up and does nothing
        office.handlers()["sequence-step"](lost)
    assert office.signatures == used
    assert [r.number for r in office.published()] == [1]
    assert "job.retaken" in office.event_names(one)


def test_a_worker_that_was_thought_dead_publishes_nothing(office):
    one = signed(office)
    office.do(office.clerk, one, Step.NUMBER)
    office.ask(office.sealer, one, Step.SEAL)
    (lost,) = office.jobs.claim("seal", "slow", 1, 0.01)

    class SlowKey(SoftwareKey):
        def sign_digests(self, digests):
            office.run_all()  # meanwhile another worker does the whole step
            return super().sign_digests(digests)

    key = office.keys["seal"]
    slow = SlowKey(key.scheme, label="seal", certificate=key.certificate, chain=key.chain,
                   private_key=key.private_key)  # fmt: skip
    desk = replace(office.desk(), key_for=lambda label, context: slow)
    with pytest.raises(LeaseLost):
        office.handlers(desk)["sequence-step"](lost)
    assert office.sequence(one).state is SequenceState.ISSUED
    assert [r.number for r in office.published()] == [1]
    (told,) = [e for e in office.events(one) if e.event == "signature.unpublished"]
    assert told.details["signatures"] == 1
    assert len(told.details["digests"]) == 1


def test_a_commit_whose_answer_was_lost_counts(office, monkeypatch):
    one = signed(office)
    office.ask(office.clerk, one, Step.NUMBER)
    begin, lost = office.database.begin, []

    @contextmanager
    def begin_and_lose():
        with begin() as connection:
            yield connection
        if office.keys["seal"].calls and not lost:
            lost.append(True)
            raise StoreError("the connection was cut")

    monkeypatch.setattr(office.database, "begin", begin_and_lose)
    office.run_all(threads=1)
    assert lost
    assert office.sequence(one).state is SequenceState.NUMBERED
    assert "signature.unpublished" not in office.event_names(one)


# --- a signature that is not valid --------------------------------------------------------------


def spoil(office: ClericalRoom, sequence_id: str) -> None:
    """Change a letter of the signed document behind everybody's back."""
    import sqlalchemy as sa

    from dossier.storage.tables import sequences

    pdf = document(office, sequence_id)
    at = pdf.index(b"/CropBox") if b"/CropBox" in pdf else pdf.index(b"/MediaBox")
    spoilt = pdf[: at + 1] + bytes([pdf[at + 1] ^ 1]) + pdf[at + 2 :]
    digest = office.put(spoilt)
    with office.database.begin() as connection:
        connection.execute(
            sa.update(sequences).where(sequences.c.id == sequence_id).values(current_sha256=digest)
        )


@pytest.mark.parametrize("step", [Step.NUMBER, Step.SEAL])
def test_nothing_goes_over_a_signature_that_is_not_valid(office, step):
    one = signed(office)
    if step is Step.SEAL:
        office.do(office.clerk, one, Step.NUMBER)
    before = office.sequence(one)
    used = office.signatures
    spoil(office, one)
    now = office.do(office.clerk if step is Step.NUMBER else office.sealer, one, step)
    assert now.state is before.state
    assert now.error["kind"] == "SignatureNotValid"
    assert "the next step is refused" in now.error["message"]
    assert office.signatures == used
    assert now.number == (1 if step is Step.SEAL else None)
    assert office.published() == []


def test_a_leader_whose_certificate_is_withdrawn_is_not_sealed_over(office):
    key = office.pki.issue(common_name="Trần Thị Mẫu")
    office.keys["leader"] = key
    begun = office.begin(level=Level.B_T)
    assert office.do(office.leader, begun.id, Step.LEADER).error is None
    office.pki.pki.revoke(key.certificate)
    now = office.do(office.clerk, begun.id, Step.NUMBER)
    assert now.error["kind"] == "CertificateRefused"
    assert now.state is SequenceState.SIGNED
    assert office.keys["seal"].calls == 0


def test_a_draft_that_is_no_document_is_refused(office):
    begun = office.begin(source=office.put(b"%PDF-1.7 nothing"))
    now = office.do(office.leader, begun.id, Step.LEADER)
    assert now.error is not None
    assert now.state is SequenceState.DRAFT
    assert office.signatures == 0


# --- where the blanks are -----------------------------------------------------------------------


def test_without_a_blank_the_refusal_says_what_to_give(office):
    draft = office.put(decision(number="Số: 12", symbol_x=130, signer=office.signer_name()))
    begun = office.begin(source=draft)
    now = office.do(office.leader, begun.id, Step.LEADER)
    assert now.error["kind"] == "InvalidOrder"
    assert "give number_place with page and rect" in now.error["message"]
    assert office.signatures == 0
    place = Place(1, (300.0, 640.0, 360.0, 656.0))
    begun = office.begin(source=draft, number_place=place)
    office.do(office.leader, begun.id, Step.LEADER)
    now = office.do(office.clerk, begun.id, Step.NUMBER, number=45)
    assert now.error is None
    pdf = document(office, begun.id)
    assert rects(pdf)["number-SO"] == pytest.approx(place.rect, abs=0.01)
    assert "45" in shown_text(pdf, place.rect)


def test_a_place_on_a_page_that_is_not_there_is_refused(office):
    begun = office.begin(number_place=Place(9, (300.0, 640.0, 360.0, 656.0)))
    now = office.do(office.leader, begun.id, Step.LEADER)
    assert "no page 9" in now.error["message"]


def test_another_symbol_than_the_typed_one_is_refused(office):
    begun = office.begin(symbol="NQ-HĐND")
    now = office.do(office.leader, begun.id, Step.LEADER)
    assert "typed with another symbol" in now.error["message"]


def test_an_agency_that_the_certificate_does_not_name_does_not_seal(office):
    begun = office.begin(expected_agency="UBND xã Không Có Thật")
    office.do(office.leader, begun.id, Step.LEADER)
    now = office.do(office.clerk, begun.id, Step.NUMBER)
    assert now.error["kind"] == "CertificateRefused"
    assert now.number is None
    assert office.keys["seal"].calls == 0


# --- annexes and copies -------------------------------------------------------------------------


@pytest.fixture
def issued(office: ClericalRoom) -> str:
    one = signed(office)
    office.do(office.clerk, one, Step.NUMBER, number=12)
    office.do(office.sealer, one, Step.SEAL)
    return one


def test_an_annex_shows_the_number_and_takes_none(office, issued):
    annexes = office.sequences.attachments
    record, created = annexes.annex(office.clerk, issued, office.source, Claim("a", "0" * 64))
    again, created_again = annexes.annex(office.clerk, issued, office.source, Claim("a", "0" * 64))
    assert (created, created_again) == (True, False)
    assert record.id == again.id
    office.run_all()
    done = office.record(record.id)
    assert (done.state, done.number, done.sequence_id) == (RecordState.PUBLISHED, None, issued)
    pdf = office.blobs.get(done.result_sha256)
    assert "12/QĐ-UBND" in shown_text(pdf, (0, 0, 600, 850))
    assert [r.id for r in annexes.list(office.clerk, issued)][-1] == record.id


@pytest.mark.parametrize(
    ("form", "text"), [("SY", "SAO Y"), ("TrS", "TRÍCH SAO"), ("SL", "SAO LỤC")]
)
def test_a_copy_says_its_form_and_who_copied(office, issued, form, text):
    record, _ = office.sequences.attachments.copy(
        office.clerk, issued, form, office.source, Claim(None, "0" * 64)
    )
    office.run_all()
    done = office.record(record.id)
    assert done.state is RecordState.PUBLISHED, done.error
    shown = shown_text(office.blobs.get(done.result_sha256), (0, 0, 600, 850))
    assert text in shown
    assert "UBND xã Thử Nghiệm" in shown


def test_annexes_and_copies_wait_for_the_issue(office):
    one = signed(office)
    with pytest.raises(StateConflict, match="not issued yet"):
        office.sequences.attachments.annex(office.clerk, one, office.source, Claim(None, ""))


def test_the_document_itself_is_no_annex(office, issued):
    now = office.sequence(issued)
    for digest in (now.source_sha256, now.current_sha256):
        with pytest.raises(InvalidOrder, match="another file"):
            office.sequences.attachments.annex(office.clerk, issued, digest, Claim(None, ""))
    leader = replace(office.leader, keys=KEYS)
    with pytest.raises(AccessRefused):
        office.sequences.attachments.annex(leader, issued, office.source, Claim(None, ""))


def test_lists_are_paged_and_filtered(office):
    made = [office.begin().id for _ in range(3)]
    newest = office.sequences.list(office.officer, limit=2)
    assert [s.id for s in newest] == made[:0:-1]
    assert [s.id for s in office.sequences.list(office.officer, newest[-1].id)] == made[:1]
    assert office.sequences.list(office.officer, state=SequenceState.SIGNED) == []
    assert office.sequences.settled(made) == dict.fromkeys(made, True)


def test_the_work_folder_is_left_clean(office, tmp_path: Path):
    import tempfile

    before = set(Path(tempfile.gettempdir()).glob("sohoa-sequence-*"))
    signed(office)
    assert set(Path(tempfile.gettempdir()).glob("sohoa-sequence-*")) <= before
