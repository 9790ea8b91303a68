"""From facts to a placed stamp: what is refused before a key is touched, and where things go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ProfileError
from signer.sealing.appearance.anchor import TextLine
from signer.sealing.appearance.placement import POINTS_PER_MM, View
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp, specimen_images
from signer.sealing.appearance.profiles import ProfileSet, default_profiles
from signer.sealing.stamp import DocumentGeometry, PageGeometry, Stamp, StampPlan
from tests.stamped import A4, PaperDocument

AT = datetime(2026, 11, 23, 5, 10, 14, tzinfo=UTC)
FACTS = StampFacts("Ủy ban nhân dân xã An Hòa Mẫu", "Trần Thị Mẫu", CopyForm.TRS, "12/QĐ-UBND")
IMAGES = specimen_images()


def plan(profile_id="P7", facts=FACTS, at=AT, images=IMAGES, **options):
    return plan_stamp(profile_id, facts, at, images, **options)


def shown(planned) -> list[str]:
    return [line.text for line in planned.face.text[0].lines]


def test_plans_and_stamps_are_what_sealing_asks_for():
    planned: StampPlan = plan()
    document: DocumentGeometry = PaperDocument()
    stamp: Stamp = planned.resolve(document)
    assert (stamp.page_index, stamp.anchored) == (0, False)


# --- what is shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (AT, "2026-11-23T12:10:14+07:00"),
        (AT.replace(hour=20), "2026-11-24T03:10:14+07:00"),
        (AT.replace(microsecond=999_999), "2026-11-23T12:10:14+07:00"),
        (AT.astimezone(timezone(timedelta(hours=-5))), "2026-11-23T12:10:14+07:00"),
    ],
)
def test_the_time_is_vietnamese_with_seconds(at, text):
    assert shown(plan(at=at))[1] == f"Thời gian số hóa: {text}"


def test_the_form_of_a_copy_is_spelled_out():
    for form, words in [("SY", "SAO Y"), ("TRS", "TRÍCH SAO"), ("SL", "SAO LỤC")]:
        facts = StampFacts(agency="Ủy ban Mẫu", copy_form=CopyForm[form])
        assert shown(plan("P5", facts))[0] == words


@pytest.mark.parametrize(
    ("profile_id", "field"),
    [("P4", "number_symbol"), ("P5", "copy_form"), ("P6", "agency"), ("P7", "signer")],
)
def test_a_fact_that_is_shown_must_be_given(profile_id, field):
    facts = StampFacts(agency="Ủy ban Mẫu" if field == "copy_form" else None)
    with pytest.raises(ProfileError, match=f"{profile_id} shows {field}, which is not given"):
        plan(profile_id, facts)


def test_a_blank_fact_is_not_given_and_others_do_not_matter():
    with pytest.raises(ProfileError, match="shows signer"):
        plan("P7", StampFacts(signer="  "))
    assert plan("P7", StampFacts(signer="Trần Thị Mẫu"))


def test_braces_in_facts_are_text():
    assert shown(plan("P7", StampFacts(signer="Mẫu {time}")))[0] == "Người số hóa: Mẫu {time}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"profile_id": "P8"}, "unknown appearance profile 'P8'; known: NGAY, P1"),
        ({"profile_id": "P3"}, "P3 is no visible signature .*: sign the main document"),
        ({"at": datetime(2019, 1, 1, tzinfo=UTC)}, "P7 is not in force on 2019-01-01"),
        ({"at": AT.replace(tzinfo=None)}, "give an aware datetime"),
        ({"facts": StampFacts(signer="Lý 李")}, "cannot show '李'"),
        ({"facts": StampFacts(signer="Rất dài " * 40)}, "does not fit"),
        ({"profile_id": "P1", "images": None}, "shows a signature image: give one"),
        ({"profile_id": "P2", "images": None}, "shows a seal image: give one"),
    ],
)
def test_what_can_be_refused_is_refused_when_planning(arguments, complaint):
    with pytest.raises(ProfileError, match=complaint):
        plan(**arguments)


def test_the_day_of_a_profile_is_the_vietnamese_day():
    eve = datetime(2023, 5, 24, 17, 0, tzinfo=UTC)  # midnight in Hà Nội
    assert plan(at=eve)
    with pytest.raises(ProfileError, match="not in force on 2023-05-24"):
        plan(at=eve - timedelta(seconds=1))


# --- corners ------------------------------------------------------------------------------


def test_first_and_last_pages_and_stacking():
    document = PaperDocument((A4, A4, A4))
    mark = plan("P7").resolve(document)
    assert mark.page_index == 0
    document.signature_rects = {"mark": (0, mark.rect), "other": (1, (0.0, 0.0, 595.0, 841.0))}
    second = plan("P7").resolve(document)
    assert mark.rect[1] - second.rect[3] == pytest.approx(2 * POINTS_PER_MM)
    signature = plan("P1").resolve(document)
    assert (signature.page_index, signature.anchored) == (2, False)


def test_a_code_has_its_place_below_the_mark():
    from signer.sealing.appearance.placement import corner_rect

    mark = plan("P7").resolve(PaperDocument())
    code = corner_rect(default_profiles().slot("QR", AT.date()), A4)
    assert mark.rect[1] - code[3] == pytest.approx(2 * POINTS_PER_MM)
    assert code[0] == pytest.approx(mark.rect[0])


# --- anchors ------------------------------------------------------------------------------


def lines(gap=80.0, x=380.0, page=0, name="Trần Thị Mẫu"):
    title = (x, 300.0, x + 90, 313.0)
    named = (x + 5, 287.0 - gap, x + 95, 300.0 - gap)
    return [TextLine(page, title, "CHỦ TỊCH"), TextLine(page, named, name)]


def test_a_signature_goes_into_the_room_and_stays_in_proportion():
    stamp = plan("P1", lines=lambda: lines()).resolve(PaperDocument())
    assert stamp.anchored
    x0, y0, x1, y1 = stamp.rect
    assert (x0 + x1) / 2 == pytest.approx(380 + 47.5)
    assert (y0 + y1) / 2 == pytest.approx((220 + 300) / 2)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(stamp.face.width / stamp.face.height)
    assert y0 >= 220
    assert y1 <= 300


def test_little_room_makes_it_smaller_but_never_illegible():
    full = plan("P1", lines=lambda: lines()).resolve(PaperDocument()).rect
    less = plan("P1", lines=lambda: lines(gap=50.0)).resolve(PaperDocument()).rect
    least = plan("P1", lines=lambda: lines(gap=20.0)).resolve(PaperDocument()).rect
    height = full[3] - full[1]
    assert less[3] - less[1] == pytest.approx(50)
    assert least[3] - least[1] == pytest.approx(0.6 * height)


@given(st.floats(0, 500))
def test_an_anchored_signature_stays_on_the_page(x):
    stamp = plan("P1", lines=lambda: lines(x=x)).resolve(PaperDocument())
    assert View(A4).holds(stamp.rect)


def test_without_an_anchor_it_says_so_and_uses_coordinates():
    fallback = plan("P1").resolve(PaperDocument())
    for found in ([], lines(name="Đỗ Quang Ba")):
        stamp = plan("P1", lines=lambda found=found: found).resolve(PaperDocument())
        assert not stamp.anchored
        assert stamp.rect == fallback.rect
    place = default_profiles().get("P1", AT.date()).place.otherwise
    assert A4.box[2] - fallback.rect[2] == pytest.approx(place.offset_x_mm * POINTS_PER_MM)
    assert fallback.rect[1] == pytest.approx(place.offset_y_mm * POINTS_PER_MM)


def test_only_the_last_pages_are_searched():
    pages = (A4,) * 4
    late = plan("P1", lines=lambda: lines(page=1)).resolve(PaperDocument(pages))
    early = plan("P1", lines=lambda: lines(page=0)).resolve(PaperDocument(pages))
    assert (late.anchored, late.page_index) == (True, 1)
    assert (early.anchored, early.page_index) == (False, 3)


def test_the_text_is_read_only_when_a_profile_needs_it():
    def never():
        raise AssertionError("the text was read")

    for profile_id in ("P4", "P5", "P6", "P7"):
        plan(profile_id, lines=never).resolve(PaperDocument())
    plan("P1", lines=never)
    with pytest.raises(AssertionError):
        plan("P1", lines=never).resolve(PaperDocument())


# --- over a signature ---------------------------------------------------------------------

PERSON = (350.0, 200.0, 500.0, 270.0)


def covered(stamp, signature=PERSON) -> float:
    return (stamp.rect[2] - signature[0]) / (signature[2] - signature[0])


def test_the_seal_finds_the_persons_signature():
    document = PaperDocument(
        (A4, A4),
        {
            "officer-mark": (0, (30.0, 790.0, 250.0, 820.0)),
            "leader": (1, PERSON),
            "Agency-Seal": (0, (30.0, 100.0, 140.0, 210.0)),
        },
    )
    stamp = plan("P2").resolve(document)
    assert (stamp.page_index, stamp.anchored) == (1, True)
    assert covered(stamp) == pytest.approx(1 / 3, abs=0.001)


def test_the_seal_goes_over_the_field_that_is_named():
    other = (300.0, 400.0, 420.0, 460.0)
    document = PaperDocument((A4,), {"deputy": (0, other), "leader": (0, PERSON)})
    assert covered(plan("P2").resolve(document)) == pytest.approx(1 / 3, abs=0.001)
    stamp = plan("P2", over="deputy").resolve(document)
    assert covered(stamp, other) == pytest.approx(1 / 3, abs=0.001)
    with pytest.raises(ProfileError, match="no visible signature 'boss'; visible: deputy, leader"):
        plan("P2", over="boss").resolve(document)
    with pytest.raises(ProfileError, match="visible: none"):
        plan("P2", over="boss").resolve(PaperDocument())


def test_an_agency_does_not_seal_before_a_person_has_signed():
    officer = PaperDocument((A4,), {"officer": (0, (30.0, 790.0, 250.0, 820.0))})
    for document in (PaperDocument(), officer):
        with pytest.raises(ProfileError, match="the authorised person signs first"):
            plan("P2").resolve(document)


def test_an_invalid_rotation_is_none():
    page = PageGeometry((0.0, 0.0, 595.0, 842.0), 45)
    assert plan().resolve(PaperDocument((page,))).rotate == 0


def test_own_profiles_are_used():
    shipped = default_profiles().get("P7", AT.date())
    own = shipped.model_copy(
        update={"id": "X", "text": shipped.text.model_copy(update={"lines": ("{agency}",)})}
    )
    assert shown(plan("X", profiles=ProfileSet([own]))) == ["Ủy ban nhân dân xã An Hòa Mẫu"]


@pytest.mark.parametrize("right", ["P4", "P5", "P6"])
def test_both_top_corners_hold_a_stamp_on_a4(right):
    mark = plan("P7").resolve(PaperDocument())
    document = PaperDocument((A4,), {"mark": (0, mark.rect)})
    assert plan(right).resolve(document).rect == plan(right).resolve(PaperDocument()).rect
