"""Fitting the certainty of extracted fields: weights and the threshold, from judged proposals.

A logistic model of `ocr.fields.certainty.features`, fitted by Newton's method with a small
ridge, so that a feature that never meets an error stays finite. The threshold is the lowest
that keeps wrong and unflagged values under a tenth of what is promised on the papers fitted on:
on unseen papers they have been five to ten times as many.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.field_scoring import is_right
from bench.fields_set import Reading
from ocr.fields.certainty import Scale, features

Numbers = npt.NDArray[np.float64]
PROMISE = 0.005  # wrong values that nobody is pointed to, of all values proposed
_MARGIN = 0.1
_RIDGE = 0.3
_AGAINST = ("weakest", "mean", "mended", "contradicted", "length", "odd")
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposed value: what spoke for it, and whether it was right."""

    features: dict[str, float]
    right: bool


def judge(readings: Iterable[Reading]) -> list[Judged]:
    """Every proposed value of the readings against the truth."""
    return [
        Judged(features(p.name, p.span.text, p.evidence), right)
        for reading in readings
        for p, right in zip(
            reading.proposals,
            is_right(reading.truth, [(p.name, p.span.text) for p in reading.proposals]),
            strict=True,
        )
    ]


def fit(judged: Sequence[Judged], basis: str) -> Scale:
    """The scale that suits the judged values best. Raises ValueError when none was wrong."""
    if all(j.right for j in judged):
        raise ValueError("no wrong value among them: there is nothing to fit a certainty on")
    names = sorted({name for j in judged for name in j.features})
    while True:
        weights, chance = _newton(judged, names)
        # chance must not make a doubt speak for a value: without it, then
        odd = {n for n, w in zip(names, weights, strict=True) if n in _AGAINST and w > 0}
        if not odd:
            break
        names = [name for name in names if name not in odd]
    right = np.array([j.right for j in judged])
    found = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True)}
    return Scale(found, _threshold(chance, right), basis)


def _newton(judged: Sequence[Judged], names: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Weights by name, and the chance in percent of each value."""
    rows = np.array([[j.features.get(name, 0.0) for name in names] for j in judged])
    right = np.array([float(j.right) for j in judged])
    weights = np.zeros(len(names))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (right - chance) - _RIDGE * weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + _RIDGE * np.eye(len(names))
        weights = weights + np.linalg.solve(curve, slope)
    chance = 100 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
    return weights, chance


def _threshold(chance: Numbers, right: npt.NDArray[np.bool_]) -> float:
    """The lowest certainty from which on few enough of all values are wrong."""
    allowed = _MARGIN * PROMISE * len(right)
    order = np.argsort(-chance)
    wrong = np.cumsum(~right[order])
    within = int(np.searchsorted(wrong, allowed, side="right"))
    if within >= len(order):
        return 0.0
    return round(float(chance[order[within]]) + 0.01, 2)


def to_toml(scale: Scale, day: datetime.date) -> str:
    """The scale as `ocr/fields/assets/field_certainty.toml` has it."""
    weights = "\n".join(f"{name} = {weight}" for name, weight in sorted(scale.weights.items()))
    return (
        "# Trọng số và ngưỡng tin cậy của các trường bóc tách; tạo bởi python -m bench.fields "
        "--fit.\n"
        "# Weights and threshold of extracted fields, fitted on generated papers.\n\n"
        f'basis = "{scale.basis}"\nvalid_from = {day.isoformat()}\n'
        f"threshold = {scale.threshold}\n\n[weights]\n{weights}\n"
    )
