"""Words held against print, the fit of the scale of doubt, and the rates it is judged by."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.flags import rows, stands, tally
from bench.flags_fit import fit, to_toml
from bench.flags_set import JudgedPage, JudgedWord
from bench.flags_truth import MissedWord, judge_words, spelled
from ocr.page import Box, Word
from ocr.reading.doubt import Look, judged
from ocr.reading.doubt_scale import DoubtScale, load_doubt_scale
from ocr.reading.recognise import Reading, ReadWord
from tools.samples.groundtruth import (
    LineKind,
    ScanGeometry,
    TruthGroup,
    TruthLine,
    TruthPage,
    TruthWord,
)

FLAT = ScanGeometry(254)  # ten pixels a millimetre


def printed(*lines: str, kinds: Sequence[LineKind] = ()) -> TruthPage:
    """Lines of words 4 mm high, 2 mm a letter, every 10 mm."""
    out = []
    for row, text in enumerate(lines):
        words, x, y = [], 20.0, 20.0 + 10 * row
        for word in text.split():
            words.append(TruthWord(word, x, y - 4, x + 2 * len(word), y))
            x += 2 * len(word) + 2
        out.append(TruthLine(tuple(words), kinds[row] if kinds else "print", 12.0, y))
    groups = (TruthGroup("seq", (tuple(range(len(out))),)),)
    return TruthPage("p", tuple(out), groups, {})


def read(truth: TruthPage, *texts: str) -> list[Word]:
    """Read words over the printed words of all lines, in order."""
    boxes = [FLAT.on_scan(word) for line in truth.lines for word in line.words]
    return [Word(text, box, 90.0) for text, box in zip(texts, boxes, strict=True) if text]


def verdicts(truth: TruthPage, words: Sequence[Word]) -> dict[str, bool]:
    return {x.word.text: x.right for x in judge_words(truth, FLAT, words).read}


def test_words_are_right_when_they_are_what_is_printed() -> None:
    truth = printed("Quyết định này", "có hiệu lực")
    words = read(truth, "Quyết", "dịnh", "này", "có", "hiệu", "lực")
    assert verdicts(truth, words[::-1]) == {
        "Quyết": True, "dịnh": False, "này": True, "có": True, "hiệu": True, "lực": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("hòa", "hoà", True),
        ("ỦY", "UỶ", True),
        ("quý", "qúy", False),
        ("“số”", '"số"', True),
        ("2021–2026", "2021-2026", True),
        ("định", "đi\u0323nh", True),
        ("định", "dịnh", False),
        ("hóa", "hoa", False),
    ],
)
def test_spellings(one: str, other: str, same: bool) -> None:
    assert (spelled(one) == spelled(other)) is same


def test_leaders_and_handwriting_count_neither_way() -> None:
    truth = printed("Họ tên: ..............", "Nguyễn Văn", kinds=("print", "hand"))
    words = read(truth, "Họ", "tên:", "......", "Nguyên", "Vấn")
    assert verdicts(truth, words) == {"Họ": True, "tên:": True}
    assert judge_words(truth, FLAT, words).missed == ()


def test_a_word_where_nothing_is_printed_is_wrong() -> None:
    truth = printed("Quyết định")
    ghost = Word("~", Box(1500, 1500, 1600, 1600), 50.0)
    assert verdicts(truth, [*read(truth, "Quyết", "định"), ghost])["~"] is False


def test_a_missed_word_is_told_unless_a_wrong_word_covers_it() -> None:
    truth = printed("Yên Ví Dụ")
    first, second, third = read(truth, "Yên", "Ví", "Dụ")
    (missed,) = judge_words(truth, FLAT, [first, third]).missed
    assert missed == MissedWord("Ví", second.box)
    merged = Word("Yên.Ví", Box(first.box.left, 160, second.box.right, 200), 90.0)
    whole = judge_words(truth, FLAT, [merged, third])
    assert whole.missed == ()
    assert [x.right for x in whole.read] == [False, True]


# -- fit and rates --------------------------------------------------------------------------------


def look(odd: float, second: str | None = None) -> Look:
    seen = None if second is None else Reading((ReadWord(second, Box(0, 0, 1, 1), 50.0),))
    return Look(Word("số", Box(0, 0, 9, 9), 90.0), {"base": 1.0, "odd": odd}, 0.0, seen)


def learned() -> list[JudgedWord]:
    """Odd words are wrong half the time, others one time in fifty; re-reading shows most errors."""
    rng = np.random.default_rng(5)
    out = []
    for _ in range(4000):
        odd = float(rng.random() < 0.06)
        wrong = rng.random() < (0.5 if odd else 0.02)
        differs = rng.random() < (0.9 if wrong else 0.1)
        out.append(JudgedWord(look(odd, "sô" if differs else "số"), not wrong, not wrong))
    return out


def page_of(words: Sequence[JudgedWord], **given: object) -> JudgedPage:
    values: dict[str, object] = {
        "name": "p", "condition": "noise", "dpi": 200, "words": tuple(words), "missed": (),
        "found": (), "places": 0, "seconds": 1.1, "look_seconds": 0.1,
    }  # fmt: skip
    return JudgedPage(**(values | given))  # type: ignore[arg-type]  # fields by name


def test_the_fit_finds_what_speaks_against_a_word() -> None:
    scale = fit(learned(), "learned")
    assert scale.first["odd"] > 2
    agrees, differs = (scale.second_score(look(0.0, t).second_features) for t in ("số", "sô"))
    assert differs - agrees > 2
    assert scale.basis == "learned"
    counted = tally(page_of(learned()), scale)
    assert counted.alarms < 12
    assert counted.recall > 70


def test_a_doubt_that_chance_would_let_speak_for_a_word_is_left_out() -> None:
    words = [
        JudgedWord(look(float(k % 2), "số"), k % 2 == 1 or k % 4 > 0, True) for k in range(400)
    ]
    assert "odd" not in fit(words, "b").first


def test_without_a_wrong_word_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit([JudgedWord(look(0.0, "số"), right=True, right_at_last=True)], "b")


def test_the_scale_survives_its_file(tmp_path: Path) -> None:
    scale = fit(learned(), "learned")
    path = tmp_path / "scale.toml"
    path.write_text(to_toml(scale, datetime.date(2026, 11, 23)), encoding="utf-8")
    again = load_doubt_scale(path)
    assert (dict(again.first), dict(again.second)) == (dict(scale.first), dict(scale.second))
    assert (again.again, again.threshold, again.basis) == (
        scale.again, scale.threshold, scale.basis,
    )  # fmt: skip
    assert tomllib.loads(path.read_text("utf-8"))["valid_from"] == datetime.date(2026, 11, 23)


def test_rates_count_missed_words_and_the_reading_that_stands() -> None:
    scale = DoubtScale({"odd": 9.0, "base": -4.0}, {"first": 1.0}, 50.0, 50.0, "t")
    words = [
        JudgedWord(Look(Word("a", Box(0, 0, 1, 1), 9), {}, 5.0), right=False, right_at_last=False),
        JudgedWord(Look(Word("b", Box(0, 0, 1, 1), 9), {}, -5.0), right=True, right_at_last=False),
        JudgedWord(look(0.0, "sô"), right=False, right_at_last=True),
    ]
    assert [stands(w) for w in words] == [False, True, True]
    assert [judged(w.look, scale).doubtful for w in words] == [True, False, False]
    missed = (MissedWord("x", Box(0, 0, 1, 1)), MissedWord("y", Box(5, 5, 6, 6)))
    page = page_of(words, missed=missed, found=(True, False), places=3)
    counted = tally(page, scale)
    assert (counted.wrong, counted.wrong_flagged) == (3, 2)
    assert (counted.right, counted.right_flagged) == (2, 0)
    told = {m.name: m.value for m in rows("flags.t", [page], scale)}
    assert told["flags.t.wrong_flagged"] == pytest.approx(100 * 2 / 3)
    assert told["flags.t.200.noise.right_flagged"] == 0.0
    assert told["flags.t.unread_places"] == 3.0
    assert told["flags.t.mended"] == 1.0
    assert told["flags.t.cpu_added"] == pytest.approx(10.0)
    assert "flags.t.300.wrong_flagged" not in told
