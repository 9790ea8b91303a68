"""One person or two: each reason for a second one, the dates of rules, and unusable files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from dossier.errors import CatalogueUnusable
from dossier.intake.review_depth import ReviewRules, review_depth
from ocr.fields.extract import DocumentFields, Field
from ocr.fields.proposals import UnreadField
from ocr.page import Box
from ocr.quality.profiles import QualityBook

RULES = ReviewRules.default()
DAY = dt.date(2026, 11, 23)
COUNTER, COPY = RULES.at("one-stop", DAY), RULES.at("electronic-copy", DAY)
BOX = Box(0, 0, 1, 1)
TEXT = (Path(__file__).parents[3] / "dossier/intake/review_depth.toml").read_text(encoding="utf-8")


def fields_of(*certainties: tuple[str, float, bool]) -> DocumentFields:
    found = tuple(Field(n, "x", 90.0, BOX, 1, certainty, d) for n, certainty, d in certainties)
    return DocumentFields(found, (), "mẫu")


SURE = fields_of(("doc_number", 99.0, False), ("agency", 99.0, False))


def people(fields: DocumentFields = SURE, rule=COUNTER, **counts: int) -> int:
    given = {"words": 100, "doubtful_words": 0, "warnings": 0} | counts
    depth = review_depth(fields, rule=rule, **given)
    assert len(depth.reasons) == depth.people - 1
    return depth.people


def test_one_person_always_looks_and_one_is_enough_where_all_is_sure():
    assert people() == 1
    assert people(DocumentFields((), (), "mẫu"), words=0) == 1


@pytest.mark.parametrize(("certainty", "expected"), [(60.0, 1), (59.9, 2)])
def test_an_unsure_key_field_asks_for_a_second_person(certainty: float, expected: int):
    assert people(fields_of(("doc_number", certainty, True))) == expected
    assert people(fields_of(("place", certainty, True))) == 1  # no key field


@pytest.mark.parametrize(("count", "expected"), [(4, 1), (5, 2)])
def test_many_doubtful_fields_ask_for_a_second_person(count: int, expected: int):
    assert people(fields_of(*[("place", 90.0, True)] * count)) == expected


@pytest.mark.parametrize(("doubtful", "expected"), [(20, 1), (21, 2)])
def test_many_doubtful_words_ask_for_a_second_person(doubtful: int, expected: int):
    assert people(doubtful_words=doubtful) == expected


def test_handwriting_and_warnings_count_where_the_purpose_says_so():
    pen = DocumentFields(SURE.fields, (UnreadField("doc_number", "handwritten", BOX, 1),), "mẫu")
    other = DocumentFields(SURE.fields, (UnreadField("place", "blank", BOX, 1),), "mẫu")
    assert (people(pen, COUNTER), people(pen, COPY), people(other, COPY)) == (1, 2, 1)
    assert (people(warnings=1), people(rule=COPY, warnings=1)) == (1, 2)


def test_reasons_are_told_in_both_languages():
    depth = review_depth(
        fields_of(("doc_number", 40.0, True)), words=10, doubtful_words=9, warnings=0, rule=COUNTER
    )
    assert depth.reasons[0][0] == "Trường doc_number chỉ chắc 40 % (mức 60 %)"
    assert depth.reasons[1][1] == "90 % of the words are doubtful (limit 20 %)"


@pytest.mark.parametrize("counts", [(1, 2, 0), (1, -1, 0), (1, 0, -1)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int]):
    words, doubtful, warnings = counts
    with pytest.raises(ValueError, match="doubtful words"):
        review_depth(SURE, words=words, doubtful_words=doubtful, warnings=warnings, rule=COUNTER)


def test_every_quality_profile_has_a_rule_on_every_day():
    for profile in QualityBook.default().ids:
        for day in (dt.date(2000, 1, 1), DAY, dt.date(2100, 1, 1)):
            assert RULES.at(profile, day).id == profile


def test_a_rule_holds_from_its_day_to_its_last(tmp_path: Path):
    old = TEXT.replace("valid_from = 2023-05-25", "valid_from = 2023-05-25\nvalid_to = 2026-12-31")
    head, _, rest = TEXT.partition("[[profile]]")
    new = "[[profile]]" + rest.partition("[[profile]]")[0].replace("2023-05-25", "2027-01-01")
    file = tmp_path / "rules.toml"
    file.write_text(old + new.replace("always_two = false", "always_two = true"), encoding="utf-8")
    rules = ReviewRules.load(file)
    assert head
    assert not rules.at("one-stop", dt.date(2026, 12, 31)).always_two
    later = rules.at("one-stop", dt.date(2027, 1, 1))
    assert people(rule=later) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key_certainty = 60.0", "key_certainty = 101", "key_certainty"),
        ("key_certainty = 60.0", "", "key_certainty"),
        ("always_two = false", "always_two = 0", "always_two"),
        ("valid_from = 2023-05-25", 'valid_from = "2023"', "dates"),
        ("valid_from = 2023-05-25", "valid_from = 2023-05-25\nvalid_to = 2020-01-01", "before"),
        (
            'en = "Digitizing at the one-stop counter"\nsource = "ours"',
            'en = "x"\nsource = "mine"',
            "law or ours",
        ),
        ('id = "electronic-copy"', 'id = "one-stop"', "two rules hold"),
        ("always_two = false", "always_two = false\ncolour = 1", "colour"),
        (TEXT, "profile = 3", "tables"),
        (TEXT, "profile = [3]", "profile"),
        (TEXT, "x = 1", "profile"),
        (TEXT, "=", "at line 1"),
        ('vi = "Số hóa tại Bộ phận Một cửa"', 'vi = ""', "should be a text"),
    ],
)
def test_an_unusable_file_is_told(tmp_path: Path, old: str, new: str, said: str):
    file = tmp_path / "rules.toml"
    file.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueUnusable, match=said) as told:
        ReviewRules.load(file)
    assert told.value.file == "rules.toml"
    assert "review_depth.toml" in str(told.value)


def test_an_unknown_purpose_and_a_missing_file_are_told(tmp_path: Path):
    with pytest.raises(CatalogueUnusable, match="fun"):
        RULES.at("fun", DAY)
    with pytest.raises(CatalogueUnusable):
        ReviewRules.load(tmp_path / "none.toml")
