"""What is found on a page, as values: code, sentence, measured value, threshold, place.

All values are frozen and picklable. Places are millimetres of the *upright* page, origin top
left, x to the right, y down, by the resolution that the file tells: where that is wrong
(`Code.DPI_IMPLAUSIBLE`), places are wrong by the same factor, and `PageQuality.page_mm` too,
so that a place always lies where it should on the page as it is shown.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Severity(enum.StrEnum):
    """What a finding means for the operator, from the gravest."""

    BLOCK = "block"  # the page may not be filed like this
    WARN = "warn"  # look at it before going on
    NOTE = "note"  # worth knowing

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return tuple(Severity).index(self)


class Code(enum.StrEnum):
    """Stable names of what can be wrong with a page."""

    LOW_RESOLUTION = "LOW_RESOLUTION"
    DPI_IMPLAUSIBLE = "DPI_IMPLAUSIBLE"
    NOT_COLOUR = "NOT_COLOUR"
    SCALED = "SCALED"
    SKEWED = "SKEWED"
    BLURRED = "BLURRED"
    CUT_EDGE = "CUT_EDGE"
    SHADOW = "SHADOW"
    BLEED_THROUGH = "BLEED_THROUGH"
    FINGER = "FINGER"
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    WRONG_ORIENTATION = "WRONG_ORIENTATION"
    SEAL_MISSING = "SEAL_MISSING"
    CARD_EXPIRED = "CARD_EXPIRED"


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a code measures: its unit, which side is bad, how many decimals are worth showing."""

    unit: str
    is_minimum: bool  # a value below the threshold is bad; otherwise one above it
    decimals: int
    least: float  # what a threshold may be, both inclusive
    most: float


QUANTITIES: dict[Code, Quantity] = {
    Code.LOW_RESOLUTION: Quantity("dpi", True, 0, 50, 1200),
    Code.DPI_IMPLAUSIBLE: Quantity("%", False, 0, 1, 500),  # off the likely resolution
    Code.NOT_COLOUR: Quantity("channels", True, 0, 1, 3),
    Code.SCALED: Quantity("%", False, 1, 0.5, 50),  # away from 100 % of a paper that exists
    Code.SKEWED: Quantity("°", False, 1, 0.1, 45),
    Code.BLURRED: Quantity("mm", False, 2, 0.02, 5),  # spread (sigma) of an edge
    Code.CUT_EDGE: Quantity("mm", False, 1, 0.5, 500),  # ink along the edge of the image
    Code.SHADOW: Quantity("%", False, 0, 1, 100),  # darker than the page's own paper
    Code.BLEED_THROUGH: Quantity("%", False, 0, 1, 100),  # darkness of the back's print
    Code.FINGER: Quantity("mm²", False, 0, 1, 10_000),
    Code.LOW_CONFIDENCE: Quantity("%", True, 0, 0, 100),
    Code.WRONG_ORIENTATION: Quantity("°", False, 0, 0, 270),
    Code.SEAL_MISSING: Quantity("mm", True, 0, 5, 100),  # diameter of the largest red seal
    Code.CARD_EXPIRED: Quantity("days", False, 0, 0, 36_500),  # since the card expired
}


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on the upright page in millimetres."""

    left: float
    top: float
    right: float
    bottom: float

    def to_json(self) -> list[float]:
        """Left, top, right, bottom, to a tenth of a millimetre."""
        return [round(v, 1) for v in (self.left, self.top, self.right, self.bottom)]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound with where it comes from. `is_law`: it stands in a rule, and is not our choice."""

    code: Code
    severity: Severity
    limit: float
    is_law: bool
    legal_basis: str
    profile: str  # id of the profile that it was applied for

    def is_crossed_by(self, value: float) -> bool:
        """Whether `value`, to the decimals that are shown, is on the bad side."""
        quantity = QUANTITIES[self.code]
        shown = round(value, quantity.decimals)
        return shown < self.limit if quantity.is_minimum else shown > self.limit


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where it is and what to do about it. `places` is never empty."""

    code: Code
    value: float
    threshold: Threshold
    places: tuple[Place, ...]
    vi: str
    en: str

    @property
    def severity(self) -> Severity:
        """Of the gravest threshold that the value crosses."""
        return self.threshold.severity

    @property
    def unit(self) -> str:
        """Of value and limit."""
        return QUANTITIES[self.code].unit

    def to_json(self) -> dict[str, Any]:
        """Stable keys; places in millimetres of the upright page."""
        quantity = QUANTITIES[self.code]
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "vi": self.vi,
            "en": self.en,
            "value": round(self.value, quantity.decimals),
            "unit": quantity.unit,
            "threshold": {
                "limit": self.threshold.limit,
                "bound": "min" if quantity.is_minimum else "max",
                "profile": self.threshold.profile,
                "source": "law" if self.threshold.is_law else "ours",
                "legal_basis": self.threshold.legal_basis,
            },
            "places_mm": [place.to_json() for place in self.places],
        }


@dataclass(frozen=True, slots=True)
class Seal:
    """The largest red round seal of a page: its diameter in millimetres and its place."""

    diameter_mm: float
    place: Place


@dataclass(frozen=True, slots=True)
class PageQuality:
    """All that was found on one page, the gravest first.

    `page_mm` is width and height of the upright page; `seal` is what `SEAL_MISSING` is decided
    by for a whole paper (None: no seal, or no colour to see one by: `has_colour`).
    """

    profile: str
    page_mm: tuple[float, float]
    has_colour: bool
    seal: Seal | None
    findings: tuple[Finding, ...]

    def of(self, code: Code) -> Finding | None:
        """The finding with this code, if there is one."""
        return next((f for f in self.findings if f.code is code), None)

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for machines."""
        return {
            "profile": self.profile,
            "page_mm": [round(side, 1) for side in self.page_mm],
            "findings": [finding.to_json() for finding in self.findings],
        }
