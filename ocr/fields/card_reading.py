"""An identity card on a page: what its code says, what is printed on it, and where they differ.

    reading = read_card(page, raster)            # None: there is no card on this page
    reading.applicant["name"].value              # the code's where there is one, else the print's
    check_card(reading, today, profile)          # a Finding when the card has expired

The code is read without error or not at all; the print is read as print is. So the code's value
goes before the print's, and where they differ a person is told: a card whose print was changed
keeps its old code. Neither is signed: this compares, it authenticates nobody.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self

import cv2
import numpy as np

from ocr.fields.card_findings import CardFinding, code_values, findings_of
from ocr.fields.card_text import LIFELONG, CardText, read_card_text
from ocr.fields.identity_card import IdentityCard, read_identity_card
from ocr.fields.pieces import enclosing, pieces_of
from ocr.page import Box, RecognisedPage
from ocr.quality.card import card_expiry, expired_card
from ocr.quality.findings import Finding, Place
from ocr.quality.profiles import Profile
from ocr.reading.raster import Grey, Raster, turned
from ocr.separators.codes import FoundCode, find_codes, find_page_codes

Source = Literal["code", "print"]
Generation = Literal["2021", "2024"]

_MOST_WORDS = 260  # a page with more bears no card's copy
_FEW_WORDS = 40  # on a page with less, a code is looked for without a word of a card
_LEAST_ENGLISH = 2
_LEAST_LABELS = 3
_PATIENCE_S = 2.5
_MARGIN_MM = 45.0  # around the words of a card: its code stands beside them
_MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True)
class CardField:
    """One value: dates in ISO 8601, `expires` may be `Không thời hạn`; confidence 0-100.

    `box` is in pixels of the upright page: the words of a print, the symbol of a code.
    """

    name: str
    value: str
    confidence: float
    box: Box
    source: Source


@dataclass(frozen=True, slots=True)
class CardReading:
    """A card as it was read. Picklable; `from_json(to_json(x)) == x`.

    `fields` has what the code says first, then what is printed. `generation` is None where
    nothing tells the two apart. `box` holds all that was read of the card.
    """

    generation: Generation | None
    fields: tuple[CardField, ...]
    findings: tuple[CardFinding, ...]
    box: Box

    @property
    def applicant(self) -> Mapping[str, CardField]:
        """Each field once, the code's before the print's."""
        best: dict[str, CardField] = {}
        for field in sorted(self.fields, key=lambda f: f.source != "code"):
            best.setdefault(field.name, field)
        return MappingProxyType(best)

    def get(self, name: str, source: Source | None = None) -> CardField | None:
        """A field by its name, of one source or of the better one."""
        if source is None:
            return self.applicant.get(name)
        return next((f for f in self.fields if (f.name, f.source) == (name, source)), None)

    @property
    def expires(self) -> datetime.date | None:
        """The printed last day, else what follows from birth and issue; None: unknown, or never."""
        printed = self.get("expires")
        if printed is not None:
            return None if printed.value == LIFELONG else _day(printed)
        born, issued = _day(self.get("born")), _day(self.get("issued"))
        if born is None or issued is None or issued < born:
            return None
        return card_expiry(born, issued)

    def to_json(self) -> dict[str, Any]:
        """Stable keys; boxes as left, top, right, bottom in pixels."""
        return {
            "generation": self.generation,
            "box": _corners(self.box),
            "fields": [
                {
                    "name": f.name, "value": f.value, "confidence": round(f.confidence, 1),
                    "box": _corners(f.box), "source": f.source,
                }
                for f in self.fields
            ],
            "findings": [
                {
                    "code": f.code, "severity": f.severity, "field": f.field, "vi": f.vi,
                    "en": f.en, "box": _corners(f.box),
                }
                for f in self.findings
            ],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | str) -> Self:
        """Read what `to_json` wrote, as a mapping or as text. Raises KeyError or ValueError."""
        raw = json.loads(data) if isinstance(data, str) else data
        return cls(
            raw["generation"],
            tuple(
                CardField(f["name"], f["value"], f["confidence"], Box(*f["box"]), f["source"])
                for f in raw["fields"]
            ),
            tuple(
                CardFinding(f["code"], f["severity"], f["field"], f["vi"], f["en"], Box(*f["box"]))
                for f in raw["findings"]
            ),
            Box(*raw["box"]),
        )


def read_card(
    page: RecognisedPage, raster: Raster, codes: Sequence[FoundCode] | None = None
) -> CardReading | None:
    """The identity card on a page; None when there is none. Never raises on what a page says.

    `raster` is the kept image's pixels, not turned; `codes` those that were already found on the
    *upright* page, if somebody looked. A page of running text costs about 6 ms (its words are
    looked at, its pixels are not), a card or a page of hardly any words 30 to 80 ms more for the
    code, and up to 3 s where a card's code cannot be read. Pure; any thread.
    """
    text = _text(page)
    may_be = text is not None and (text.english >= _LEAST_ENGLISH or text.heading is not None)
    found = list(codes or ())
    if codes is None and (may_be or (text is not None and _words(page) <= _FEW_WORDS)):
        found += find_page_codes(_grey(raster, page), page.dpi[0])
    cards = _cards(found)
    if not cards and may_be and text is not None:
        cards = _cards(_patiently(raster, page, text))
    if not cards and (text is None or not _is_card(text)):
        return None
    if text is None:
        text = read_card_text(())
    return _reading(text, cards)


def check_card(
    reading: CardReading, page: RecognisedPage, today: datetime.date, profile: Profile
) -> Finding | None:
    """The finding that the card has expired on `today` (in Vietnam); None when it has not.

    The printed day goes before the law's; None as well when neither is known.
    """
    printed = reading.get("expires", "print")
    if printed is not None and printed.value == LIFELONG:
        return None
    told = _day(printed)
    born, issued = _day(reading.get("born")), _day(reading.get("issued"))
    if told is None and (born is None or issued is None or issued < born):
        return None
    at = (printed or reading).box
    across, down = (_MM_PER_INCH / max(1.0, d) for d in page.dpi)
    place = Place(at.left * across, at.top * down, at.right * across, at.bottom * down)
    first = datetime.date.min
    return expired_card(born or first, issued or first, today, place, profile, told=told)


def _text(page: RecognisedPage) -> CardText | None:
    """The labelled values of a page that may bear a card; None on a page full of text."""
    if page.fault is not None or _words(page) > _MOST_WORDS:
        return None
    return read_card_text(pieces_of(page, 1))


def _words(page: RecognisedPage) -> int:
    return sum(len(line.words) for line in page.lines)


def _is_card(text: CardText) -> bool:
    """Whether the labels alone make a card; forms have many of them, too.

    English halves beside a personal number or the heading, or the heading over several labels.
    """
    if text.english >= _LEAST_ENGLISH and (text.numbers or text.heading is not None):
        return True
    return text.heading is not None and text.labels >= _LEAST_LABELS


def _grey(raster: Raster, page: RecognisedPage) -> Grey:
    upright = turned(raster, page.turns)
    if upright.ndim == 2:
        return upright
    return np.asarray(cv2.cvtColor(upright, cv2.COLOR_RGB2GRAY), np.uint8)


def _cards(found: Sequence[FoundCode]) -> list[tuple[IdentityCard, Box]]:
    """The cards among the codes of a page, the topmost first, each once."""
    cards: list[tuple[IdentityCard, Box]] = []
    for code in found:
        card = read_identity_card(_decoded(code))
        if card is not None and all(card != known for known, _ in cards):
            xs, ys = zip(*code.corners, strict=True)
            cards.append((card, Box(min(xs), min(ys), max(xs), max(ys))))
    return sorted(cards, key=lambda c: c[1].top)


def _decoded(code: FoundCode) -> str:
    """A symbol without a character set is UTF-8 here, whatever the decoder guessed."""
    try:
        return code.data.decode("utf-8")
    except UnicodeDecodeError:
        return code.text


def _patiently(raster: Raster, page: RecognisedPage, text: CardText) -> tuple[FoundCode, ...]:
    """A longer look around the card's words, in pixels of the upright page."""
    box = enclosing(w.box for _, span in text.values for w in span.words)
    if not text.values:
        return ()
    grey = _grey(raster, page)
    margin = _MARGIN_MM * page.dpi[0] / _MM_PER_INCH
    left, top = max(0, int(box.left - margin)), max(0, int(box.top - margin))
    right, bottom = int(box.right + margin), int(box.bottom + margin)
    crop = np.ascontiguousarray(grey[top:bottom, left:right])
    return tuple(
        FoundCode(
            code.text, code.data,
            tuple((x + left, y + top) for x, y in code.corners),  # type: ignore[arg-type]
        )
        for code in find_codes(crop, _PATIENCE_S)
    )  # fmt: skip


def _reading(text: CardText, cards: Sequence[tuple[IdentityCard, Box]]) -> CardReading:
    told = cards[:1]
    fields = [
        CardField(name, value, 100.0, symbol, "code")
        for card, symbol in told
        for name, value in code_values(card)
    ]
    fields += [
        CardField(name, span.text, span.confidence, span.box, "print") for name, span in text.values
    ]
    box = enclosing(f.box for f in fields)
    newer = text.is_new or any(card.further for card, _ in told)
    known = newer or text.labels > 0
    generation: Generation | None = ("2024" if newer else "2021") if known else None
    return CardReading(generation, tuple(fields), tuple(findings_of(text, cards, box)), box)


def _day(field: CardField | None) -> datetime.date | None:
    return None if field is None else datetime.date.fromisoformat(field.value)


def _corners(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.left, box.top, box.right, box.bottom)]
