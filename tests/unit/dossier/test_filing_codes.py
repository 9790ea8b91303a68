"""Digitization codes and file names, without a database."""

from __future__ import annotations

import datetime as dt

import pytest

from dossier.errors import CatalogueUnusable, InvalidOrder
from dossier.filing.codes import (
    CodeFacts,
    book_of,
    code_templates,
    file_name,
    read_templates,
    safe,
    still_fits,
)

DAY = dt.date(2026, 3, 2)
FACTS = CodeFacts("001199000001", "KQ.G01.01", "H22.12-260301-0001", "H22.12")
GOOD = """
[[template]]
id = "A"
legal_basis = "mẫu"
valid_from = 2020-01-01
code = "{agency}/{year}/{type}-{sequence}"
sequence_digits = 5
file_name = "{file}.{ordinal}"
"""


def test_the_shipped_template_is_in_force_from_the_circular_on():
    template = code_templates().on(dt.date(2023, 5, 25))
    assert "01/2023/TT-VPCP" in template.legal_basis
    assert template.without_owner == "demand"
    with pytest.raises(InvalidOrder, match="2023-05-24"):
        code_templates().on(dt.date(2023, 5, 24))


def test_books_are_what_codes_share():
    template = code_templates().on(DAY)
    assert book_of(template, FACTS, DAY) == ("SH 001199000001.KQ.G01.01.", 0)
    blank = CodeFacts("", "CCCD", "", "H22.12")
    assert book_of(template, blank, DAY) == ("SH .CCCD.", 0)
    long = CodeFacts("0" * 40, "K" * 60, "", "")
    assert len(book_of(template, long, DAY)[0]) == 43
    yearly = read_templates(GOOD, "own.toml").on(DAY)
    assert book_of(yearly, FACTS, DAY) == ("SH H22.12/2026/KQ.G01.01-", 2026)


def test_a_code_fits_while_its_book_is_the_same():
    template = code_templates().on(DAY)
    assert still_fits(template, FACTS, DAY, "001199000001.KQ.G01.01.7")
    assert not still_fits(template, FACTS, DAY, "001199000001.KQ.G01.02.7")
    assert not still_fits(template, FACTS, DAY, "001199000001.KQ.G01.01.")


def test_file_names_are_safe_on_every_disk():
    template = code_templates().on(DAY)
    assert file_name(template, "H22.12-260301-0001", 3) == "H22.12-260301-0001.003.pdf"
    assert file_name(template, "../../đường dẫn", 1) == "duong-dan.001.pdf"
    assert safe("Hồ sơ: số 12/QĐ") == "Ho-so-so-12-QD"
    for wrong in ("", "///", "x" * 300):
        with pytest.raises(InvalidOrder):
            file_name(template, wrong, 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id = ", "name = ", "mục lạ"),
        ("{agency}/", "{agent}/", "agent"),
        ("{agency}/", "{agency!r}/", "agency"),
        ("{agency}/", "{agency/", "ngoặc"),
        ("-{sequence}", "{sequence}", "dấu ngăn"),
        ("-{sequence}", "-{sequence}-x", "dấu ngăn"),
        ("{file}.{ordinal}", "{file}", "file_name"),
        ("sequence_digits = 5", 'without_owner = "perhaps"', "without_owner"),
        ("sequence_digits = 5", 'sequence_digits = "5"', "sequence_digits"),
        ("sequence_digits = 5", "sequence_digits = 0", "sequence_digits"),
        ("sequence_digits = 5", "sequence_digits = true", "sequence_digits"),
        ("sequence_digits = 5", "sequence_digits = 10", "sequence_digits"),
        ("sequence_digits = 5", 'valid_to = "2020"', "dates"),
        ("sequence_digits = 5", "valid_to = 2019-12-31", "before valid_from"),
        ("2020-01-01", "2020-01-01T00:00:00", "dates"),
        ('file_name = "{file}.{ordinal}"', "", "thiếu mục file_name"),
        ('"mẫu"', '" "', "text"),
        ("[[template]]", "[[templates]]", "template"),
        ("[[template]]", "[[template]", "TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(old, new, told):
    with pytest.raises(CatalogueUnusable, match=told):
        read_templates(GOOD.replace(old, new, 1), "own.toml")


def test_a_list_of_something_else_is_no_list_of_templates():
    for text in ("template = [1]", "template = {}", ""):
        with pytest.raises(CatalogueUnusable, match="template"):
            read_templates(text, "own.toml")


def test_two_templates_of_one_day_are_refused():
    later = GOOD.replace('"A"', '"B"').replace("2020-01-01", "2021-01-01")
    with pytest.raises(CatalogueUnusable, match="valid_to"):
        read_templates(GOOD + later, "own.toml")
    ended = GOOD.replace(
        "valid_from = 2020-01-01", "valid_from = 2020-01-01\nvalid_to = 2020-12-31"
    )
    both = read_templates(ended + later, "own.toml")
    assert both.on(dt.date(2020, 12, 31)).id == "A"
    assert both.on(dt.date(2021, 1, 1)).id == "B"
