"""The scorer's convention, on texts whose errors are known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.field_scoring import FieldCount, compare, tally
from bench.scoring import Score, normalise, pooled, reading_orders, score
from ocr.fields.extract import DocumentFields, Field
from ocr.page import Box
from tools.samples.groundtruth import TruthGroup, TruthLine, TruthPage, TruthWord


def _line(text: str, x: float, y: float, kind: str = "print") -> TruthLine:
    words = []
    for word in text.split():
        words.append(TruthWord(word, x, y - 3, x + 2 * len(word), y))
        x += 2 * len(word) + 1
    return TruthLine(tuple(words), "hand" if kind == "hand" else "print", 13, y)


def _page(lines: list[TruthLine], groups: list[TruthGroup]) -> TruthPage:
    return TruthPage("p", tuple(lines), tuple(groups), {})


SIMPLE = _page([_line("Kính gửi: Ủy ban", 30, 20)], [TruthGroup("seq", ((0,),))])


def test_exact_text_has_no_errors_whatever_its_spaces_and_form():
    assert score(SIMPLE, "Kính   gửi:\nỦy ban ") == Score(16, 0, 4, 0)
    assert score(SIMPLE, "Kính gửi: Uỷ ban").character_errors == 2


def test_one_wrong_letter_is_one_error_in_one_word():
    assert score(SIMPLE, "Kính gửi: Úy ban") == Score(16, 1, 4, 1)


def test_nothing_read_is_all_wrong():
    assert score(SIMPLE, "").cer == 1.0


def test_leaders_dashes_and_quotes_do_not_count():
    assert normalise("Họ tên: ........ “A” – B") == normalise('Họ tên: "A" - B')


def test_columns_may_be_read_across_or_down():
    lines = [_line("A1", 30, 20), _line("A2", 30, 26), _line("B1", 120, 20), _line("B2", 120, 26)]
    page = _page(lines, [TruthGroup("cols", ((0, 1), (2, 3)))])
    assert reading_orders(page) == ["A1 A2 B1 B2", "A1 B1 A2 B2"]
    assert score(page, "A1 B1\nA2 B2").character_errors == 0
    assert score(page, "A1 A2 B1 B2").character_errors == 0
    assert score(page, "B2 A1 A2 B1").character_errors > 0


def test_table_cells_may_be_read_by_cell_or_by_line():
    lines = [_line("1", 30, 20), _line("Tên", 50, 20), _line("dài", 50, 25), _line("99", 120, 20)]
    page = _page(lines, [TruthGroup("row", ((0,), (1, 2), (3,)))])
    assert reading_orders(page) == ["1 Tên dài 99", "1 Tên 99 dài"]


def test_handwriting_counts_neither_way():
    lines = [_line("Số:", 30, 20), _line("57", 40, 20, "hand"), _line("/QĐ", 50, 20)]
    page = _page(lines, [TruthGroup("seq", ((0, 1, 2),))])
    assert reading_orders(page) == ["Số: /QĐ"]


@given(st.text(max_size=60))
def test_rates_are_never_negative_and_normalising_twice_is_once(text: str):
    got = score(SIMPLE, text)
    assert 0 <= got.character_errors <= max(got.characters, len(normalise(text)))
    assert normalise(normalise(text)) == normalise(text)


def test_pages_pool_as_one_text():
    assert pooled([Score(10, 1, 2, 1), Score(30, 1, 6, 1)]).cer == 0.05
    assert pooled([]).cer == 0.0


def test_fields_count_right_wrong_and_spurious():
    def field(name: str, value: str) -> Field:
        return Field(name, value, 90, Box(0, 0, 1, 1), 1)

    found = DocumentFields(
        (field("doc_number", "12"), field("citizen_number", "0" * 12), field("place", "Mẫu")),
        (),
        "mẫu",
    )
    truth = {"doc_number": "12", "citizen_number": ("0" * 12, "1" * 12), "abstract": "Về"}
    counts = tally([compare(truth, found), compare(truth, found)])
    assert counts["doc_number"] == FieldCount(2, 2, 0)
    assert counts["citizen_number"] == FieldCount(4, 2, 0)
    assert counts["abstract"] == FieldCount(2, 0, 0)
    assert counts["place"] == FieldCount(0, 0, 2)
    assert counts["citizen_number"].recall == 0.5
