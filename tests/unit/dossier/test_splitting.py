"""Splitting a stack: what splits, what does not, every alarm, and that no page is ever lost."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier.intake.alarms import AlarmKind
from dossier.intake.observations import AlikePair, Likeness, PageObservation, Side
from dossier.intake.sheet_codes import SheetReading, Signature, judge_codes
from dossier.intake.splitting import SplitRules, SplitStack, restored, split_stack
from ocr.separators.patch_codes import PatchCode
from signer.coversheet import (
    CoverSheetClaims,
    CoverSheetKeys,
    SheetComponent,
    sign_cover_sheet,
)
from tests.fakes import SoftwareKey

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
RULES = SplitRules("ubnd-xa-thu", "quay-3", NOW)
PAGE = PageObservation()
BLANK = PageObservation(blank=True)
FRONT, BACK = PageObservation(Side.FRONT), PageObservation(Side.BACK)
BLANK_BACK = PageObservation(Side.BACK, blank=True)
PATCH = PageObservation(patches=frozenset({PatchCode.PATCH_T}))


def claims(number: int = 1, *pages: int, **changes) -> CoverSheetClaims:
    components = tuple(SheetComponent(f"TP-{n}", count) for n, count in enumerate(pages or (2,), 1))
    values = {
        "agency": RULES.agency,
        "dossier": f"HS-{number:04d}",
        "station": RULES.station,
        "serial": number.to_bytes(10, "big"),
        "components": components,
        "issued_at": NOW - dt.timedelta(days=1),
        "valid_until": NOW + dt.timedelta(days=1),
    }
    return CoverSheetClaims(**{**values, **changes})


def sheet(
    said: CoverSheetClaims | None = None, signature: Signature = Signature.GENUINE, **page
) -> PageObservation:
    return PageObservation(sheets=(SheetReading(signature, said or claims()),), **page)


def kinds(split: SplitStack) -> list[AlarmKind]:
    return [alarm.kind for alarm in split.alarms]


def shape(split: SplitStack) -> list[tuple[str, str, tuple[int, ...]]]:
    return [
        (
            document.sheet.claims.dossier if document.sheet else "",
            document.component.code if document.component else "",
            document.pages,
        )
        for document in split.documents
    ]


def test_sheets_split_and_components_are_cut_by_their_announced_lengths():
    split = split_stack(
        [sheet(claims(1, 2)), PAGE, PAGE, sheet(claims(2, 1, 2)), *[PAGE] * 3], RULES
    )
    assert shape(split) == [("HS-0001", "TP-1", (1, 2)), ("HS-0002", "TP-1", (4,)),
                            ("HS-0002", "TP-2", (5, 6))]  # fmt: skip
    assert [s.page for s in split.sheets] == [0, 3]
    assert split.alarms == ()


@pytest.mark.parametrize(("scanned", "found"), [(1, "1"), (3, "3"), (0, "0")])
def test_a_count_that_differs_is_an_alarm(scanned, found):
    split = split_stack([sheet(), *[PAGE] * scanned], RULES)
    [alarm] = split.alarms
    assert (alarm.kind, alarm.document) == (AlarmKind.PAGE_COUNT, 0)
    assert (alarm.expected, alarm.found) == ("2", found)
    assert "cần 2" in alarm.message
    assert f"{found} found" in alarm.message


def test_components_are_not_cut_where_the_count_differs():
    split = split_stack([sheet(claims(1, 1, 2)), PAGE, PAGE], RULES)
    assert shape(split) == [("HS-0001", "", (1, 2))]
    assert kinds(split) == [AlarmKind.PAGE_COUNT, AlarmKind.UNDIVIDED]


def refusals() -> list[tuple[AlarmKind, CoverSheetClaims, Signature]]:
    past = {"issued_at": NOW - dt.timedelta(days=9), "valid_until": NOW - dt.timedelta(seconds=1)}
    later = {"issued_at": NOW + dt.timedelta(hours=1)}
    return [
        (AlarmKind.OTHER_STATION, claims(2, 1, station="quay-4"), Signature.GENUINE),
        (AlarmKind.OTHER_AGENCY, claims(2, 1, agency="ubnd-xa-khac"), Signature.GENUINE),
        (AlarmKind.EXPIRED_SHEET, claims(2, 1, **past), Signature.GENUINE),
        (AlarmKind.NOT_YET_VALID, claims(2, 1, **later), Signature.GENUINE),
        (AlarmKind.FORGED_SHEET, claims(2, 1), Signature.FORGED),
        (AlarmKind.UNKNOWN_KEY, claims(2, 1), Signature.UNKNOWN_KEY),
    ]


@pytest.mark.parametrize(("kind", "said", "signature"), refusals())
def test_a_sheet_that_does_not_hold_splits_nothing(kind, said, signature):
    split = split_stack([sheet(), PAGE, sheet(said, signature), PAGE], RULES)
    genuine = signature is Signature.GENUINE
    assert shape(split) == [("HS-0001", "TP-1", (1, 3) if genuine else (1, 2, 3))]
    assert split.refused_sheets == ((2,) if genuine else ())
    assert kinds(split)[0] is kind
    assert split.alarms[0].pages == (2,)
    assert split.every_page == (0, 1, 2, 3)


def test_a_forged_sheet_of_real_bytes_splits_nothing_and_a_genuine_one_does():
    key, stranger = SoftwareKey(label="sheets"), SoftwareKey(label="stranger")
    broken = SoftwareKey(private_key=key.private_key, certificate=key.certificate)
    broken.corrupt = True
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    said = claims(issued_at=now, valid_until=now + dt.timedelta(days=1))
    rules = SplitRules(RULES.agency, RULES.station, now)
    keys = CoverSheetKeys([key.certificate])
    for signer, documents in ((key, 2), (stranger, 1), (broken, 1)):
        found = judge_codes([b"https://example.org", sign_cover_sheet(said, signer)], keys)
        split = split_stack([PAGE, PageObservation(sheets=found), PAGE, PAGE], rules)
        assert len(split.documents) == documents
        assert len(split.sheets) == documents - 1


def test_a_repeated_sheet_is_an_alarm_in_this_stack_and_over_stacks():
    again = split_stack([sheet(), PAGE, PAGE, sheet(), PAGE, PAGE], RULES)
    assert [(a.kind, a.pages) for a in again.alarms] == [(AlarmKind.REPEATED_SHEET, (0, 3))]
    used = SplitRules(RULES.agency, RULES.station, NOW, used_serials=frozenset({claims().serial}))
    assert kinds(split_stack([sheet(), PAGE, PAGE], used)) == [AlarmKind.REPEATED_SHEET]


def test_a_page_with_two_different_sheets_splits_nothing():
    both = PageObservation(sheets=sheet(claims(1)).sheets + sheet(claims(2)).sheets)
    split = split_stack([PAGE, both, PAGE], RULES)
    assert len(split.documents) == 1
    assert AlarmKind.SEVERAL_SHEETS in kinds(split)


def test_pages_before_the_first_sheet_are_told():
    split = split_stack([PAGE, PAGE, sheet(), PAGE, PAGE], RULES)
    assert shape(split)[0] == ("", "", (0, 1))
    [alarm] = split.alarms
    assert (alarm.kind, alarm.pages) == (AlarmKind.PAGES_BEFORE_SHEET, (0, 1))


def test_blank_backs_are_set_aside_and_come_back_in_their_place():
    cover = sheet(claims(1, 1, 2), side=Side.FRONT)
    split = split_stack([cover, BLANK_BACK, FRONT, BLANK_BACK, FRONT, BACK], RULES)
    assert shape(split) == [("HS-0001", "TP-1", (2,)), ("HS-0001", "TP-2", (4, 5))]
    assert [(b.page, b.document) for b in split.blanks] == [(1, 0), (3, 0)]
    assert split.alarms == ()
    back = restored(split, 3)
    assert back.documents[0].pages == (2, 3)
    assert back.every_page == split.every_page
    with pytest.raises(KeyError):
        restored(back, 3)


def test_patches_and_blank_sheets_part_components_only_where_asked():
    cover = sheet(claims(1, 1, 1))
    plain = split_stack([cover, PAGE, PATCH, PAGE], RULES)
    assert plain.separators == ()
    assert AlarmKind.PAGE_COUNT in kinds(plain)
    asked = SplitRules(
        RULES.agency, RULES.station, NOW, frozenset({PatchCode.PATCH_T}), blank_sheets_separate=True
    )
    for separator in (PATCH, BLANK):
        split = split_stack([cover, PAGE, separator, PAGE], asked)
        assert shape(split) == [("HS-0001", "TP-1", (1,)), ("HS-0001", "TP-2", (3,))]
        assert split.separators == (2,)
        assert split.alarms == ()
    front = PageObservation(Side.FRONT, blank=True)
    duplex = [sheet(claims(1, 1, 1), side=Side.FRONT), BLANK_BACK, FRONT, BLANK_BACK,
              front, BLANK_BACK, FRONT, BLANK_BACK]  # fmt: skip
    split = split_stack(duplex, asked)
    assert split.separators == (4, 5)
    assert [b.page for b in split.blanks] == [1, 3, 7]
    assert shape(split) == [("HS-0001", "TP-1", (2,)), ("HS-0001", "TP-2", (6,))]


def test_a_lost_side_is_a_gap():
    cover = sheet(claims(1, 2), side=Side.FRONT)
    for stack, about in (
        ([cover, FRONT, BACK, FRONT, BLANK_BACK], (0, 1)),
        ([cover, BLANK_BACK, BACK, FRONT, BACK], (1, 2)),
        ([cover, BLANK_BACK, FRONT, BACK, FRONT], (4,)),
    ):
        gaps = [a.pages for a in split_stack(stack, RULES).alarms if a.kind is AlarmKind.GAP]
        assert gaps == [about]
    assert kinds(split_stack([cover, BLANK_BACK, FRONT, BACK], RULES)) == []


def test_printed_numbers_that_jump_are_a_gap_and_split_nothing():
    numbers = [1, 2, None, 4, 6, 1, 2]
    pages = [PageObservation(printed_number=n) for n in numbers]
    split = split_stack([sheet(claims(1, 7)), *pages], RULES)
    assert [(a.kind, a.pages) for a in split.alarms] == [(AlarmKind.GAP, (4, 5))]
    assert len(split.documents) == 1


def test_the_same_bytes_and_the_same_picture_are_a_duplicate():
    one, other = PageObservation(sha256="aa"), PageObservation(sha256="bb")
    split = split_stack(
        [sheet(claims(1, 4)), one, other, one, PAGE], RULES, [AlikePair(2, 4, Likeness.SAME)]
    )
    assert [(a.kind, a.pages, a.document) for a in split.alarms] == [
        (AlarmKind.DUPLICATE_PAGE, (1, 3), 0),
        (AlarmKind.DUPLICATE_PAGE, (2, 4), 0),
    ]
    blank = PageObservation(blank=True, sha256="cc")
    assert kinds(split_stack([sheet(), blank, blank, PAGE, PAGE], RULES)) == []


def test_two_images_of_one_page_count_once():
    note = AlikePair(1, 2, Likeness.NOTE)
    split = split_stack([sheet(claims(1, 1, 1)), PAGE, PAGE, PAGE], RULES, [note])
    assert kinds(split) == [AlarmKind.ATTACHED_NOTE]
    assert shape(split) == [("HS-0001", "TP-1", (1, 2)), ("HS-0001", "TP-2", (3,))]


# --- whatever the stack ---------------------------------------------------------------------------


readings = st.builds(
    SheetReading,
    st.sampled_from(Signature),
    st.builds(
        lambda n, pages, station, days: claims(
            n, *pages, station=station, valid_until=NOW + dt.timedelta(days=days)
        ),
        st.integers(1, 4),
        st.lists(st.integers(1, 3), min_size=1, max_size=3),
        st.sampled_from(["quay-3", "quay-4"]),
        st.sampled_from([-0.5, 1]),
    ),
)
observations = st.builds(
    PageObservation,
    side=st.sampled_from(Side),
    blank=st.booleans(),
    sheets=st.lists(readings, max_size=2).map(tuple) | st.just(()),
    patches=st.frozensets(st.sampled_from(PatchCode), max_size=2),
    sha256=st.sampled_from(["", "a", "b"]),
    printed_number=st.none() | st.integers(1, 9),
)
stacks = st.lists(observations, max_size=14)
all_rules = st.builds(
    SplitRules,
    agency=st.just(RULES.agency),
    station=st.just(RULES.station),
    at=st.just(NOW),
    patch_separators=st.frozensets(st.sampled_from(PatchCode)),
    blank_sheets_separate=st.booleans(),
)


@st.composite
def stacks_and_pairs(draw):
    stack = draw(stacks)
    if len(stack) < 2:
        return stack, []
    places = st.lists(st.integers(0, len(stack) - 1), min_size=2, max_size=2, unique=True)
    pairs = draw(st.lists(st.tuples(places.map(sorted), st.sampled_from(Likeness)), max_size=4))
    return stack, [AlikePair(one, other, kind) for (one, other), kind in pairs]


@given(stacks_and_pairs(), all_rules)
@settings(max_examples=200, deadline=None)
def test_every_page_is_in_exactly_one_place_and_only_good_sheets_split(given_stack, rules):
    stack, pairs = given_stack
    split = split_stack(stack, rules, pairs)
    assert split.every_page == tuple(range(len(stack)))
    for accepted in split.sheets:
        assert accepted.claims.station == rules.station
        assert accepted.claims.valid_until >= rules.at
        genuine = [r for r in stack[accepted.page].sheets if r.signature is Signature.GENUINE]
        assert {r.claims.serial for r in genuine} == {accepted.claims.serial}
    assert len({id(d.sheet) for d in split.documents}) <= len(split.sheets) + 1
    for blank in split.blanks:
        assert stack[blank.page].blank
        assert blank.page in restored(split, blank.page).documents[blank.document].pages
        assert restored(split, blank.page).every_page == split.every_page
    for document in split.documents:
        assert list(document.pages) == sorted(document.pages)
        start = -1 if document.sheet is None else document.sheet.page
        assert all(page > start for page in document.pages)
    for alarm in split.alarms:
        assert alarm.pages
        assert " / " in alarm.message
    assert split_stack(stack, rules, pairs) == split


@given(stacks)
@settings(max_examples=60, deadline=None)
def test_without_a_good_sheet_nothing_splits(stack):
    worthless = [
        PageObservation(
            page.side,
            page.blank,
            tuple(SheetReading(Signature.FORGED, r.claims) for r in page.sheets),
            page.patches,
        )
        for page in stack
    ]
    split = split_stack(worthless, RULES)
    assert len(split.documents) <= 1
    assert split.sheets == ()
