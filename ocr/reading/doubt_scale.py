"""The scale of doubt: weights fitted offline, and the two thresholds. Data, not code.

`first` weighs what is known after reading once; words that are doubtful then are read again, and
`second` weighs the first score together with what the second reading said. The constants are
dated data in `assets/word_certainty.toml`, fitted on generated pages (`python -m bench.flags
--fit`). The thresholds are a promise about pages like those: a deployment measures its own.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_BUNDLED = Path(__file__).with_name("assets") / "word_certainty.toml"
_FARTHEST = 30.0  # scores beyond are certain either way


@dataclass(frozen=True, slots=True)
class DoubtScale:
    """Weights by feature (of being wrong, in log odds), and when to look.

    `again` is the certainty in percent below which a word is read again, `threshold` the one
    below which a person has to look at it.
    """

    first: Mapping[str, float]
    second: Mapping[str, float]
    again: float
    threshold: float
    basis: str

    def first_score(self, features: Mapping[str, float]) -> float:
        """The log odds that the word is wrong, after one reading."""
        return _weighed(self.first, features)

    def second_score(self, features: Mapping[str, float]) -> float:
        """The log odds that the word is wrong, after two readings."""
        return _weighed(self.second, features)


def certainty_of(score: float) -> float:
    """The chance in percent that a word of this score is right."""
    return 100 / (1 + math.exp(max(-_FARTHEST, min(_FARTHEST, score))))


def load_doubt_scale(path: Path) -> DoubtScale:
    """Read a scale (TOML: basis, again, threshold, [first], [second]).

    Raises OSError, tomllib.TOMLDecodeError or KeyError when the file is not such a scale.
    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    first, second = (
        MappingProxyType({str(k): float(v) for k, v in raw[part].items()})
        for part in ("first", "second")
    )
    return DoubtScale(first, second, float(raw["again"]), float(raw["threshold"]), raw["basis"])


@functools.lru_cache(maxsize=1)
def bundled_doubt_scale() -> DoubtScale:
    """The scale that comes with the package."""
    return load_doubt_scale(_BUNDLED)


def _weighed(weights: Mapping[str, float], features: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * amount for name, amount in features.items())
