"""Fitting the scale of doubt: weights of both looks and the two thresholds, from judged words.

Two logistic models by Newton's method with a ridge, so that a sign that never meets an error
stays finite. The first weighs what one reading tells; the second weighs its score together with
the second reading, on the words that the first sends there. `again` is set by what a second
reading may cost, `threshold` by how many right words may be flagged: less than is promised, for
unseen pages are harder.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bench.flags_set import JudgedWord
from ocr.reading.doubt_scale import DoubtScale, certainty_of

Numbers = npt.NDArray[np.float64]
SHARE_AGAIN = 0.08
"""Of all words, those read a second time."""
SHARE_FLAGGED = 0.075
"""Of the right words, those flagged: the promise is 0.10 on pages never seen."""

_RIDGE = 1.0
_STEPS = 60
_MAY_SPEAK_FOR = frozenset(
    ["base", "known", "repeated", "number", "code", "initials", "dash", "flat_dash", "marks_none"]
)
_SECOND = (
    "base", "first", "differs", "differs_surer", "vanished", "won", "again_doubt",
    "again_doubt_more",
)  # fmt: skip


def fit(words: Sequence[JudgedWord], basis: str) -> DoubtScale:
    """The scale that suits the judged words best; every word must have been read twice.

    Raises ValueError when no word was wrong: there is nothing to fit doubts on.
    """
    wrong = np.array([not word.right for word in words])
    if not wrong.any():
        raise ValueError("no wrong word among them: there is nothing to fit a certainty on")
    first = _first(words, wrong)
    rough = DoubtScale(first, {}, 0.0, 0.0, basis)
    looks = [replace(w.look, score=rough.first_score(w.look.features)) for w in words]
    scores = np.array([look.score for look in looks])
    again = round(certainty_of(_highest(scores, SHARE_AGAIN)), 2)
    sent = np.array([look.second is not None for look in looks])
    sent &= np.array([certainty_of(s) < again for s in scores])
    # what was read again stands as the surer reading has it
    wrong = np.array(
        [not (w.right_at_last if s else w.right) for w, s in zip(words, sent, strict=True)]
    )
    found = [look.second_features for look, s in zip(looks, sent, strict=True) if s]
    rows = np.array([[f.get(name, 0.0) for name in _SECOND] for f in found])
    rows = rows.reshape(-1, len(_SECOND))  # ties may leave none to read again
    second = _named(_SECOND, _newton(rows, wrong[sent]))
    scores[sent] = rows @ np.array([second[name] for name in _SECOND])
    threshold = round(certainty_of(_highest(scores[~wrong], SHARE_FLAGGED)), 2)
    return DoubtScale(first, second, again, threshold, basis)


def _first(words: Sequence[JudgedWord], wrong: npt.NDArray[np.bool_]) -> Mapping[str, float]:
    names = sorted({name for word in words for name in word.look.features})
    while True:
        rows = np.array([[word.look.features.get(name, 0.0) for name in names] for word in words])
        weights = _newton(rows, wrong)
        # chance must not make a doubt speak for a word: without it, then
        odd = {
            name
            for name, weight in zip(names, weights, strict=True)
            if weight < 0 and name not in _MAY_SPEAK_FOR
        }
        if not odd:
            return _named(names, weights)
        names = [name for name in names if name not in odd]


def _newton(rows: Numbers, wrong: npt.NDArray[np.bool_]) -> Numbers:
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (wrong - chance) - _RIDGE * weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows
        step = np.linalg.solve(curve + _RIDGE * np.eye(len(weights)), slope)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def _named(names: Sequence[str], weights: Numbers) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


def _highest(scores: Numbers, share: float) -> float:
    """The score that `share` of the scores exceed."""
    return float(np.sort(scores)[::-1][int(share * len(scores))])


def to_toml(scale: DoubtScale, day: datetime.date) -> str:
    """The scale as `ocr/reading/assets/word_certainty.toml` has it."""
    parts = [
        "# Trọng số và ngưỡng nghi ngờ của từng từ; tạo bởi python -m bench.flags --fit.\n"
        "# Weights and thresholds of doubtful words, fitted on generated pages.\n\n"
        f'basis = "{scale.basis}"\nvalid_from = {day.isoformat()}\n'
        f"again = {scale.again}\nthreshold = {scale.threshold}\n"
    ]
    for name, weights in (("first", scale.first), ("second", scale.second)):
        rows = "\n".join(f"{key} = {weight}" for key, weight in sorted(weights.items()))
        parts.append(f"\n[{name}]\n{rows}\n")
    return "".join(parts)
