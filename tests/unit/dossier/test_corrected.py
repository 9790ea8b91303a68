"""Confirmed words and fields over the machine's: text in its box, both readings kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.checking.corrected import (
    Said,
    accepted_findings,
    checked_fields,
    corrected_page,
)
from dossier.checking.texts import typed
from dossier.checking.values import Correction, Entry, EntryState, Target
from dossier.errors import InvalidOrder
from dossier.intake.review_depth import ReviewDepth
from dossier.stacks.proposals import PaperProposals
from ocr.fields.extract import DocumentFields
from ocr.fields.proposals import UnreadField
from tests.checking_room import field_of, reading_of, word_box

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
PAGE = "pg_" + "0" * 26
WORDS = ("Uy", "ban", "nhân", "dan", "xãMẫu")


def said(values: dict[str, str], state: EntryState = EntryState.CONFIRMED) -> Said:
    entries, noted = {}, {}
    for text, value in values.items():
        target = Target.parse(text)
        key = str(target)
        entries[key] = Entry("ppr", target, value, state, "m", "vì", "prn_1", AT, 1)
        noted[key] = Correction(
            "cor", "ppr", "X", target, "m", "m", value, "vì", "quầy 1", "prn_1", "Mẫu", AT
        )
    kept = {key: entry for key, entry in entries.items() if entry.is_confirmed}
    return Said(kept, noted, {"prn_1": "Mẫu"})


def text_of(values: dict[str, str], **more: int) -> str:
    made = corrected_page(reading_of(WORDS, **more).page, PAGE, said(values))
    return "\n".join(line.text for line in made.lines)


def test_a_word_is_replaced_in_its_box_and_the_machine_is_kept_beside_it():
    page = reading_of(WORDS, doubtful=(1, 2)).page
    made = corrected_page(page, PAGE, said({f"word:{PAGE}:1": "Ủy", f"word:{PAGE}:2": "ban"}))
    [line] = made.lines
    assert line.text == "Ủy ban nhân dan xãMẫu"
    assert [w.box for w in line.words] == [w.box for w in page.lines[0].words]
    assert not any(word.doubtful for word in line.words), "what is confirmed is doubtful no more"
    [one] = made.corrections
    assert (one.word, one.is_gap, one.machine, one.person) == (1, False, "Uy", "Ủy")
    assert (one.by.name, one.at, one.reason, one.station) == ("Mẫu", AT, "vì", "quầy 1")
    assert one.box == word_box(0)


def test_one_word_becomes_two_that_share_its_box():
    made = corrected_page(reading_of(WORDS).page, PAGE, said({f"word:{PAGE}:5": "xã Mẫu"}))
    *_, left, right = made.lines[0].words
    assert (left.text, right.text) == ("xã", "Mẫu")
    box = word_box(4)
    assert left.box.left == box.left
    assert left.box.right < right.box.left
    assert right.box.right == pytest.approx(box.right)


def test_two_words_become_one_that_takes_both_boxes():
    values = {f"word:{PAGE}:3": "nhândân", f"word:{PAGE}:4": ""}
    made = corrected_page(reading_of(WORDS).page, PAGE, said(values))
    joined = made.lines[0].words[2]
    assert joined.text == "nhândân"
    assert (joined.box.left, joined.box.right) == (word_box(2).left, word_box(3).right)
    assert [c.person for c in made.corrections] == ["nhândân", ""]


def test_an_empty_value_takes_the_word_out_and_an_empty_line_with_it():
    assert text_of({f"word:{PAGE}:2": ""}) == "Uy nhân dan xãMẫu"
    # a neighbour that goes away and is not in the new word leaves its box alone
    made = corrected_page(
        reading_of(WORDS).page, PAGE, said({f"word:{PAGE}:1": "Ủy", f"word:{PAGE}:2": ""})
    )
    assert made.lines[0].words[0].box == word_box(0)
    everything = {f"word:{PAGE}:{n}": "" for n in range(1, 6)}
    assert text_of(everything) == ""


def test_a_word_is_added_where_there_was_ink_alone():
    assert text_of({f"word:{PAGE}:g1": "ký tên"}, gaps=1) == "Uy ban nhân dan xãMẫu\nký tên"
    assert text_of({f"word:{PAGE}:g1": ""}, gaps=1) == "Uy ban nhân dan xãMẫu"
    page = reading_of(WORDS, gaps=1).page
    inside = replace(page, unread=(replace(word_box(0), left=260, right=290),))
    made = corrected_page(inside, PAGE, said({f"word:{PAGE}:g1": "+"}))
    assert made.lines[0].text == "Uy + ban nhân dan xãMẫu"
    assert made.corrections[0].is_gap
    assert made.corrections[0].machine is None


def test_a_draft_changes_nothing():
    page = reading_of(WORDS).page
    made = corrected_page(page, PAGE, said({f"word:{PAGE}:1": "X"}, EntryState.DRAFT))
    assert (made.lines, made.corrections) == (page.lines, ())


@given(
    st.dictionaries(
        st.integers(1, 5), st.text("aăâđ ", max_size=8).map(lambda t: " ".join(t.split()))
    )
)
def test_whatever_is_typed_the_words_stand_in_order_and_none_is_lost(values):
    made = corrected_page(
        reading_of(WORDS).page, PAGE, said({f"word:{PAGE}:{n}": v for n, v in values.items()})
    )
    wanted = " ".join(values.get(n, word) for n, word in enumerate(WORDS, 1)).split()
    found = [word for line in made.lines for word in line.words]
    assert [word.text for word in found] == wanted
    lefts = [word.box.left for word in found]
    assert lefts == sorted(lefts)
    assert {c.word for c in made.corrections} == {
        n for n, value in values.items() if value != WORDS[n - 1]
    }


def test_fields_are_the_persons_where_one_spoke_and_tell_both():
    proposals = PaperProposals(
        paper="ppr",
        arrangement_seq=1,
        pages=(),
        fields=DocumentFields(
            (field_of("doc_number", "l2", doubtful=True), field_of("recipients", "Như trên")),
            (
                UnreadField("issued_date", "handwritten", word_box(2), 1),
                UnreadField("signer_name", "blank", word_box(3), 1),
            ),
            "mẫu",
        ),
        depth=ReviewDepth(1, ()),
    )
    found = checked_fields(
        proposals,
        said(
            {
                "field:doc_number": "12",
                "field:issued_date": "2026-03-01",
                "field:recipients:2": "Lưu: VT",
                "field:abstract": "",
            }
        ),
    )
    told = [(f.name, f.value, f.machine, f.confirmed is not None) for f in found]
    assert told == [
        ("doc_number", "12", "l2", True),
        ("recipients", "Như trên", "Như trên", False),
        ("issued_date", "2026-03-01", None, True),
        ("recipients", "Lưu: VT", None, True),
    ]
    assert found[0].certainty == 60.0


def test_findings_that_may_stand_are_told_with_their_reason():
    [one] = accepted_findings(said({"finding:gap-1": "accepted", "field:abstract": "x"}))
    assert (one.code, one.confirmed.reason, one.confirmed.by.name) == ("m", "vì", "Mẫu")


@pytest.mark.parametrize(
    "text",
    [
        "field:doc_number",
        "field:recipients:12",
        f"word:{PAGE}:7",
        f"word:{PAGE}:g2",
        "finding:gap-0a",
    ],
)
def test_a_target_is_written_as_it_was_read(text):
    assert str(Target.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "field:", "field:Số", "field:a:0", "field:a:1000", "word:x:1", f"word:{PAGE}:0",
     f"word:{PAGE}:-1", f"word:{PAGE}", "finding:", "finding:A", "gap:1", "field:a\n"],
)  # fmt: skip
def test_what_is_no_target_is_refused(text):
    with pytest.raises(InvalidOrder):
        Target.parse(text)


def test_one_thing_has_one_name():
    assert str(Target.parse("field:abstract:1")) == "field:abstract"


@given(st.text(max_size=60))
def test_what_is_kept_is_composed_and_shows_all_its_characters(text):
    try:
        kept = typed(Target.parse("field:abstract"), text)
    except InvalidOrder:
        return
    assert all(c.isprintable() or c.isspace() for c in kept)
    assert typed(Target.parse("field:abstract"), kept) == kept
