"""How likely a proposed value is right, and which ones a person has to look at.

The chance comes from what speaks for and against a value: the least sure of its words, their
mean, whether it had to be mended, whether the rest of the paper or a catalogue confirms or
contradicts it, whether it holds an impossible syllable, and how long it is. The weights were
fitted on generated papers (`python -m bench.fields --fit`); they and the threshold are dated
data in `assets/field_certainty.toml`. A threshold is a promise about papers like those it was
fitted on: a deployment measures its own correction rate.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ocr.reading.syllables import is_syllable

_BUNDLED = Path(__file__).with_name("assets") / "field_certainty.toml"
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "doc_number": "digits", "issued_date": "digits", "citizen_number": "digits",
        "dossier_code": "digits", "copy_number": "digits", "copy_date": "digits",
        "doc_symbol": "code", "doc_type": "code", "copy_symbol": "code", "copy_form": "code",
        "agency": "capitals", "parent_agency": "capitals", "copy_agency": "capitals",
        "signer_authority": "capitals", "signer_title": "capitals",
        "place": "name", "signer_name": "name", "copy_signer": "name",
        "abstract": "text", "recipients": "text",
    }
)  # fmt: skip
_INITIALS = re.compile(r"^[A-ZĐ&]{1,9}$")  # UBND, VT: no syllables, nor meant to be
_SPELLED = ("capitals", "name", "text")
_EXACT = ("digits", "code")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a value besides its text. Confidences are 0-100.

    `known` is false for fixed words in capitals that no catalogue has.
    """

    weakest: float
    mean: float
    mended: bool = False
    confirmed: bool = False
    contradicted: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """Weights by feature, and the certainty (0-100) below which a value is doubtful."""

    weights: Mapping[str, float]
    threshold: float
    basis: str

    def certainty(self, name: str, value: str, evidence: Evidence) -> float:
        """The chance in percent that `value` of field `name` is right."""
        found = features(name, value, evidence)
        score = sum(self.weights.get(key, 0.0) * amount for key, amount in found.items())
        return 100 / (1 + math.exp(-max(-30.0, min(30.0, score))))

    def doubtful(self, name: str, value: str, evidence: Evidence) -> bool:
        """Whether a person has to look at the value.

        Below the threshold; and always where no catalogue knows an agency's or a title's words:
        the engine reads `KIÊM LÂM` for `KIỂM LÂM` without a doubt, so its confidence says little.
        Always, too, where something contradicts a number, a date or a code: they were mended, or
        disagree with the paper, which happens too seldom to be fitted.
        """
        if not evidence.known or (evidence.contradicted and _GROUPS.get(name) in _EXACT):
            return True
        return self.certainty(name, value, evidence) < self.threshold


def features(name: str, value: str, evidence: Evidence) -> dict[str, float]:
    """What the chance is made of; all but `base` and the group speak for or against."""
    group = _GROUPS.get(name, "text")
    found = {
        "base": 1.0,
        group: 1.0,
        "weakest": (100 - evidence.weakest) / 10,
        "mean": (100 - evidence.mean) / 10,
        "mended": float(evidence.mended),
        "confirmed": float(evidence.confirmed),
        "contradicted": float(evidence.contradicted),
        "length": math.log(max(1, len(value.split()))),
    }
    if group in _SPELLED:
        found["odd"] = float(any(_odd(word) for word in value.split()))
    return found


def _odd(word: str) -> bool:
    """Whether a word is neither a syllable, a number nor initials."""
    bare = word.strip(".,:;()-–")
    if not bare or bare.replace("/", "").isdigit() or _INITIALS.match(bare):
        return False
    return not all(is_syllable(part.lower()) for part in re.split(r"[/\-]", bare) if part)


def load_scale(path: Path) -> Scale:
    """Read a scale (TOML: basis, threshold, [weights]).

    Raises OSError, tomllib.TOMLDecodeError or KeyError when the file is not such a scale.
    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    weights = {str(k): float(v) for k, v in raw["weights"].items()}
    return Scale(MappingProxyType(weights), float(raw["threshold"]), str(raw["basis"]))


@functools.lru_cache(maxsize=1)
def bundled_scale() -> Scale:
    """The scale that comes with the package."""
    return load_scale(_BUNDLED)
