"""The field measurement: what is read, how it is counted, and how the certainty is fitted."""

from __future__ import annotations

import datetime
import random
from pathlib import Path

import pytest

from bench import fields_set
from bench.field_scoring import is_right
from bench.fields import flags, grid, rows_of
from bench.fields_fit import PROMISE, Judged, fit, judge, to_toml
from bench.fields_set import Case, Reading, cases, readings
from ocr.fields.certainty import Evidence, Scale, features, load_scale
from ocr.fields.pieces import Span
from ocr.fields.proposals import Proposal
from tools.samples import typed
from tools.samples.degrade import Condition


def _reading(
    condition: Condition, dpi: int, number: str, weakest: float, truth: str = "12"
) -> Reading:
    proposal = Proposal("doc_number", Span(number, (), 1), Evidence(weakest, weakest))
    case = Case("unseen", 1, "KH", "Tinos", condition, dpi)
    return Reading(case, {"doc_number": truth}, (proposal,))


READ = [
    _reading("skew", 300, "12", 96.0),
    _reading("skew", 300, "13", 40.0),
    _reading("stamp", 300, "12", 40.0),
    _reading("fax", 200, "12", 96.0),
    _reading("fax", 200, "17", 96.0),
]
SCALE = Scale({"base": 4.0, "weakest": -1.0}, 90.0, "by hand")


def test_two_seeds_bring_every_type_under_every_condition():
    made = list(cases("unseen", (51, 52)))
    assert len(made) == len({c.name for c in made}) == 186
    for code in typed.codes():
        at_300 = {c.condition for c in made if c.code == code and c.dpi == 300}
        assert at_300 == {"noise", "combo", "skew", "stamp"}
        assert {c.condition for c in made if c.code == code and c.dpi == 200} == {"fax", "lowcon"}


def test_rows_count_exact_values_by_field_resolution_and_condition():
    rows = {r.name: r for r in rows_of(READ, SCALE)}
    shares = {name: (round(r.value, 1), r.runs) for name, r in rows.items()}
    assert shares["fields.exact.doc_number.300"] == (66.7, 3)
    assert shares["fields.exact.doc_number.300.skew"] == (50.0, 2)
    assert shares["fields.exact.doc_number.200.fax"] == (50.0, 2)
    assert shares["fields.exact.headline.300"] == (66.7, 3)
    assert "fields.exact.doc_number.200.lowcon" not in shares
    assert grid(rows.values()).row_count == 2


def test_flags_tell_wrong_ones_that_nobody_is_pointed_to():
    found = {r.name: (round(r.value, 1), r.runs) for r in flags(READ, SCALE)}
    assert found == {
        "fields.wrong": (40.0, 5),
        "fields.unflagged_wrong": (20.0, 5),  # the 17 that was read without a doubt
        "fields.flagged_right": (33.3, 3),
    }
    assert list(flags([], SCALE)) == []


def test_a_value_that_stands_once_is_right_once():
    truth = {"recipients": ("Như trên", "Lưu: VT")}
    proposed = [("recipients", "Như  trên"), ("recipients", "Như trên"), ("place", "Bình Mẫu")]
    assert is_right(truth, proposed) == [True, False, False]


def test_a_fit_tells_right_from_wrong_and_keeps_its_promise():
    rng = random.Random(5)
    judged = []
    for _ in range(4000):
        weakest = rng.uniform(40, 97)
        right = rng.random() < 0.2 + 0.8 * min(1.0, (weakest - 30) / 50)
        judged.append(Judged(features("doc_number", "12", Evidence(weakest, weakest)), right))
    scale = fit(judged, "made up")
    assert scale.weights["weakest"] < 0
    chance = [scale.certainty("doc_number", "12", Evidence(w, w)) for w in (50.0, 70.0, 96.0)]
    assert chance == sorted(chance)
    unflagged = sum(
        not j.right and scale.certainty("doc_number", "12", Evidence(w, w)) >= scale.threshold
        for j in judged
        for w in [100 - 10 * j.features["weakest"]]
    )
    assert unflagged <= PROMISE * len(judged)


def test_a_doubt_never_speaks_for_a_value():
    right = [Judged({"base": 1.0, "mended": 1.0}, True)] * 50
    wrong = [Judged({"base": 1.0, "mended": 0.0}, False)] * 5
    assert "mended" not in fit([*right, *wrong], "made up").weights


def test_nothing_wrong_is_nothing_to_fit_on():
    with pytest.raises(ValueError, match="nothing to fit"):
        fit(judge([READ[0]]), "made up")


def test_a_fitted_scale_survives_its_file(tmp_path: Path):
    path = tmp_path / "scale.toml"
    scale = Scale({"base": 4.0, "weakest": -1.0}, 90.0, "by hand")
    path.write_text(to_toml(scale, datetime.date(2026, 11, 23)), encoding="utf-8")
    again = load_scale(path)
    assert (dict(again.weights), again.threshold) == (dict(scale.weights), 90.0)


def test_a_scan_is_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")  # set by reading; put back after the test
    one = Case("tuning", 1, "TB", "Tinos", "skew", 200)
    monkeypatch.setattr(fields_set, "cases", lambda _half, _seeds: iter([one]))
    (first,) = readings("tuning", (1,), tmp_path)
    assert {"doc_number", "doc_symbol", "issued_date"} <= {p.name for p in first.proposals}
    assert all(p.span.box.width > 0 for p in first.proposals)
    (kept,) = tmp_path.iterdir()
    made = kept.stat().st_mtime_ns
    (again,) = readings("tuning", (1,), tmp_path)
    assert (again, kept.stat().st_mtime_ns) == (first, made)
