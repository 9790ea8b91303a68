"""Doubtful words: what speaks for and against a word, the scale, the second reading, the places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocr.page import Box, Line, Word
from ocr.reading.compounds import bundled_compounds, is_family_name, load_compounds, unmarked
from ocr.reading.doubt import Look, judged, look_again, looks_at, with_verdicts
from ocr.reading.doubt_evidence import Features, page_features, shape_of
from ocr.reading.doubt_places import ReadCell, unread_places, working_span
from ocr.reading.doubt_scale import (
    DoubtScale,
    bundled_doubt_scale,
    certainty_of,
    load_doubt_scale,
)
from ocr.reading.placing import Cell, View
from ocr.reading.raster import Grey
from ocr.reading.recognise import EngineInfo, LineMode, Reading, ReadWord
from ocr.reading.segmentation import Layout, Segment

STRAIGHT = View(1.0, 1.0, 0.0, 0.0, 0.0)


def line_of(*words: tuple[str, float], row: int = 0) -> Line:
    """Words of 8 px a letter, 10 px apart."""
    placed, x = [], 0.0
    for text, confidence in words:
        width = 8.0 * len(text)
        placed.append(Word(text, Box(x, 40 * row, x + width, 40 * row + 20), confidence))
        x += width + 10
    return Line(tuple(placed), Box(0, 40 * row, x, 40 * row + 20), 15.0, 0.0, 22.0, row, 0)


def features_of(text: str, *around: str, confidence: float = 96.0) -> Features:
    """The features of the first word of a line."""
    return page_features([line_of((text, confidence), *((t, 96.0) for t in around))], 0.0)[0][0]


def speaks(features: Features) -> set[str]:
    """What a word's features say besides confidences."""
    return {n for n, v in features.items() if v and n != "base" and "doubt" not in n}


# -- evidence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quyết", set()),
        ("hòa", set()),
        ("hoà", set()),
        ("QUYẾT", {"capitals"}),
        ("kêt", {"impossible"}),
        ("kông", {"impossible"}),
        ("UBND", {"initials"}),
        ("quYết", {"mixed_case"}),
        ("số45/2020", {"code", "half_letters", "joined"}),
        ("Yên.Ví", {"code", "joined"}),
        ("I.MỤC", {"code", "joined"}),
        ("QĐ-UBND", {"code"}),
        ("1234", {"number"}),
        ("527.8", {"code", "odd_number"}),
        ("1.459.000", {"code"}),
        ("3:", {"number", "two", "after", "number_sign"}),
        ("~", {"sign", "one"}),
        ("-", {"dash", "one"}),
        ("......", {"dash"}),
        ("'KẾ", {"capitals", "before"}),
        ("hành.:", {"after_more"}),
        ("hành", set()),
        ("(b/c);", {"code"}),
        ("§ố", {"before", "two"}),
    ],
)
def test_shapes(text: str, said: set[str]) -> None:
    found = dict(shape_of(text).features)
    assert set(found) - {"one"} == said - {"one"}


def test_a_compound_speaks_for_a_word_and_its_rival_against_it() -> None:
    assert "known" in speaks(features_of("tổng", "hợp"))
    assert "rival" in speaks(features_of("tống", "hợp"))
    assert not speaks(features_of("tống", "gian")) & {"known", "rival"}
    # a sign between the two parts them
    assert "rival" not in speaks(features_of("tống,", "hợp"))


def test_a_compound_reaches_over_the_end_of_a_line() -> None:
    lines = [line_of(("tống", 96.0)), line_of(("hợp", 96.0), row=1)]
    (first,), (second,) = page_features(lines, 0.0)
    assert "rival" in speaks(first)
    assert "rival" in speaks(second)


def test_a_family_name_that_lost_its_mark() -> None:
    assert is_family_name("nguyễn") is True
    assert is_family_name("nguyên") is False
    assert is_family_name("xyz") is None
    assert "rival" in speaks(features_of("Nguyên", "Minh"))
    assert "rival" not in speaks(features_of("Nguyên", "tắc"))
    lines = [line_of(("Bà", 96.0), ("Nguyên", 96.0), ("Thử", 96.0))]
    assert "rival" in speaks(page_features(lines, 0.0)[0][1])


def test_the_page_disputes_a_spelling() -> None:
    lines = [
        line_of(("Điều", 96.0), ("1.", 96.0)),
        line_of(("Điều", 96.0), ("2.", 96.0), row=1),
        line_of(("Điêu", 96.0), ("3.", 96.0), row=2),
    ]
    found = page_features(lines, 0.0)
    assert {"disputed_alone", "pair_disputed"} <= speaks(found[2][0])
    assert not speaks(found[0][0]) & {"disputed", "disputed_alone", "pair_disputed"}
    assert found[0][0]["repeated"] == 1.0


def test_signs_where_none_belong() -> None:
    assert "stop_midway" in speaks(features_of("lượng.", "ảnh"))
    assert "stop_midway" not in speaks(features_of("lượng.", "Ảnh"))
    assert "unopened" in speaks(features_of("8601).", "trình"))
    assert "unopened" not in speaks(features_of("(8601).", "trình"))
    assert "last_colon" in speaks(features_of("vụ:"))
    assert "capitals_alone" in speaks(features_of("SỬ", "là"))
    assert "capitals_alone" not in speaks(features_of("SỬ", "DỤNG"))


def test_compounds_are_pairs_of_syllables() -> None:
    compounds = bundled_compounds()
    assert len(compounds.by_letters) > 1500
    assert compounds.knows("quyết", "định") is True
    assert compounds.knows("quyêt", "định") is False
    assert compounds.knows("xanh", "đỏ") is None
    assert unmarked("Đường") == "Duong"


def test_an_odd_list_of_compounds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "compounds.txt"
    path.write_text("# ok\nquyết định, ba chữ liền\n", encoding="utf-8")
    with pytest.raises(ValueError, match="unpack"):
        load_compounds(path)


# -- the scale ------------------------------------------------------------------------------------


def test_the_bundled_scale_is_calibrated_data() -> None:
    scale = bundled_doubt_scale()
    assert scale.basis
    assert 90 < scale.again < 100
    assert 90 < scale.threshold < 100


def certainty(features: Features) -> float:
    return certainty_of(bundled_doubt_scale().first_score(features))


def test_certainty_falls_with_the_engines_confidence() -> None:
    told = [certainty(features_of("nghiên", confidence=c)) for c in (97, 94, 90, 80, 60, 30, 5)]
    assert told == sorted(told, reverse=True)
    assert told[0] > 99
    assert told[-1] < 50


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("quyết",), ("quyêt",)),
        (("tổng", "hợp"), ("tống", "hợp")),
        (("lượng", "ảnh"), ("lượng.", "ảnh")),
        (("Ví",), ("Yên.Ví",)),
        (("hành.",), ("hành.:",)),
        (("-",), ("~",)),
        (("Nguyễn", "Thử"), ("Nguyên", "Thử")),
    ],
)
def test_odd_words_are_less_certain(better: tuple[str, ...], worse: tuple[str, ...]) -> None:
    assert certainty(features_of(*worse)) < certainty(features_of(*better))


def look(second: str | None, confidence: float = 95.0) -> Look:
    word = Word("quyết", Box(0, 0, 40, 20), 88.0)
    read = None if second is None else _reading(second, confidence)
    return Look(word, {}, -3.0, read)


def _reading(text: str, confidence: float) -> Reading:
    return Reading(tuple(ReadWord(t, Box(0, 0, 9, 9), confidence) for t in text.split()))


def test_a_second_reading_that_agrees_speaks_for_the_word() -> None:
    scale = bundled_doubt_scale()
    agrees, differs, nothing = (
        judged(x, scale).certainty or 0.0 for x in (look("quyết"), look("quyêt"), look(""))
    )
    assert agrees > differs
    assert agrees > nothing


def test_the_other_reading_is_kept_beside_the_word() -> None:
    scale = bundled_doubt_scale()
    assert judged(look("quyêt"), scale).alternative == "quyêt"
    assert judged(look("quye\u0302\u0301t"), scale).alternative is None  # the same letters in NFD
    assert judged(look(""), scale).alternative is None
    assert judged(look(None), scale).certainty == round(certainty_of(-3.0), 2)


def test_the_surer_reading_wins_and_the_first_one_stays_beside_it() -> None:
    won = judged(look("quyển", 95.0), bundled_doubt_scale())
    assert (won.text, won.alternative, won.confidence) == ("quyển", "quyết", 95.0)
    assert won.box == look(None).word.box


@pytest.mark.parametrize(
    ("second", "confidence", "why"),
    [
        ("quyển", 88.0, "it is not surer"),
        ("quyêt", 99.0, "no syllable for a syllable"),
        ("quy ết", 99.0, "two words for one"),
        ("", 0.0, "nothing was seen"),
        ("quyết", 99.0, "it is the same"),
    ],
)
def test_a_second_reading_that_does_not_win(second: str, confidence: float, why: str) -> None:
    assert judged(look(second, confidence), bundled_doubt_scale()).text == "quyết", why


def test_certainty_stays_between_0_and_100() -> None:
    assert 0 <= certainty_of(1e9) < 1e-6
    assert 100 - 1e-6 < certainty_of(-1e9) <= 100


def test_a_file_that_is_no_scale_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scale.toml"
    path.write_text('basis = "none"\nagain = 1.0\nthreshold = 2.0\n[first]\n', encoding="utf-8")
    with pytest.raises(KeyError):
        load_doubt_scale(path)


# -- the second reading ---------------------------------------------------------------------------


class Echo:
    """An engine that says the same of every image and remembers what it was shown."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.calls: list[tuple[list[tuple[int, ...]], LineMode]] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("echo", "1", ())

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        self.calls.append(([image.shape for image in lines], mode))
        return [_reading(self.text, 70.0) for _ in lines]

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        return None

    def close(self) -> None:
        return


def cell_of(line: Line | None, number: int = 1, width: int = 400) -> ReadCell:
    parts = np.array([number], np.int32)
    part = Segment(parts, 0, 0, width, 20, 10.0, 15.0, 20, number)
    return ReadCell(line, Cell(part, 10.0, 0, 0, 0, 0), np.full((20, width), 255, np.uint8))


def layout_of(*cells: ReadCell, owner: Sequence[int] = (0, 1)) -> Layout:
    labels = np.zeros((20, 400), np.int32)
    boxes = np.zeros((len(owner), 4), np.int32)
    rows = tuple((c.cell.part,) for c in cells)
    return Layout(rows, labels, np.array(owner, np.int32), 10.0, boxes)


SCALE = DoubtScale({"doubt_15": 1.0, "base": -4.0}, {"first": 1.0, "differs": 5.0}, 95.0, 90.0, "t")


def test_only_doubtful_words_are_read_again_and_in_one_call() -> None:
    engine = Echo("dịnh")
    cell = cell_of(line_of(("Quyết", 96.0), ("dịnh", 85.0), ("về", 96.0), ("số", 84.0)))
    looks = looks_at([cell], engine, layout_of(cell), STRAIGHT, 200, SCALE)
    (line,) = with_verdicts([cell], looks, SCALE)
    ((shapes, mode),) = engine.calls
    assert mode is LineMode.LINE
    assert [h for h, _ in shapes] == [20, 20]
    assert all(20 < w < 80 for _, w in shapes)
    sure, agreed, _, differing = line.words
    assert (sure.doubtful, sure.alternative) == (False, None)
    assert sure.certainty == pytest.approx(98.2, abs=0.1)
    assert (agreed.doubtful, agreed.alternative) == (True, None)
    assert (differing.doubtful, differing.alternative) == (True, "dịnh")
    assert (differing.certainty or 0) < (agreed.certainty or 0) < (sure.certainty or 0)


def test_a_second_reading_of_the_word_beside_is_none() -> None:
    cell = cell_of(line_of(("kiểm", 85.0), ("tra", 86.0)))
    (looks,) = looks_at([cell], Echo("tra"), layout_of(cell), STRAIGHT, 200, SCALE)
    assert [look.second_text for look in looks] == [None, "tra"]
    assert [look.final.text for look in looks] == ["kiểm", "tra"]


def test_a_second_reading_that_agrees_tells_how_surely() -> None:
    def doubts(confidence: float) -> Features:
        return look("quyết", confidence).second_features

    assert doubts(97.0)["again_doubt"] < doubts(91.0)["again_doubt"]
    assert doubts(91.0)["again_doubt_more"] == 0.0 < doubts(60.0)["again_doubt_more"]
    assert "again_doubt" not in look("quyển", 60.0).second_features


def test_a_sure_page_costs_no_second_reading() -> None:
    engine = Echo("x")
    cell = cell_of(line_of(("Quyết", 96.0), ("......", 10.0)))
    looks_at([cell], engine, layout_of(cell), STRAIGHT, 200, SCALE)
    assert engine.calls == []


def test_texts_and_boxes_stay_as_they_were() -> None:
    given = line_of(("Quyết", 96.0), ("dịnh", 20.0))
    cells = [cell_of(given), cell_of(None)]
    (line,) = look_again(cells, Echo("x"), layout_of(*cells), STRAIGHT, 200)
    assert [(w.text, w.box, w.confidence) for w in line.words] == [
        (w.text, w.box, w.confidence) for w in given.words
    ]


# -- places without words -------------------------------------------------------------------------


def test_a_word_is_found_again_on_a_turned_working_image() -> None:
    view = View(0.5, 0.5, 2.0, 200.0, 300.0)
    x, y = view.upright(150.0, 280.0)
    left, right = working_span(Word("ab", Box(x - 20, y - 5, x + 20, y + 5), 90.0), view)
    assert (left + right) / 2 == pytest.approx(150.0, abs=0.2)
    assert right - left == pytest.approx(20.0)


def test_ink_between_words_is_an_unread_place() -> None:
    cell = cell_of(line_of(("Quyết", 96.0)), width=120)
    layout = layout_of(cell)
    layout.labels[4:16, 60:90] = 1
    assert unread_places([cell], layout, STRAIGHT) == (Box(60, 4, 90, 16),)
    layout.labels[:] = 0
    layout.labels[14:16, 60:90] = 1  # a dash is no letter
    assert unread_places([cell], layout, STRAIGHT) == ()


def test_a_segment_put_aside_is_an_unread_place_when_it_is_as_tall_as_letters() -> None:
    cell = cell_of(None)
    assert unread_places([cell], layout_of(cell), STRAIGHT) == (Box(0, 0, 400, 20),)
    seal = replace(cell, cell=replace(cell.cell, part=replace(cell.cell.part, bottom=90)))
    assert unread_places([seal], layout_of(seal), STRAIGHT) == ()
