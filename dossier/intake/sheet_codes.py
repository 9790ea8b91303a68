"""From the codes on a page to what they are worth as cover sheets.

    readings = judge_codes([code.data for code in find_page_codes(grey, dpi)], keys)

A page may bear any code (an identity card, an address, a result's proof): those are nothing here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from signer.coversheet import CoverSheetClaims, CoverSheetKeys, unverified_cover_sheet
from signer.errors import CoverSheetForged, CoverSheetKeyUnknown, CoverSheetMalformed


class Signature(enum.StrEnum):
    """What the signature of a cover sheet is worth."""

    GENUINE = "genuine"
    FORGED = "forged"
    UNKNOWN_KEY = "unknown-key"


@dataclass(frozen=True, slots=True)
class SheetReading:
    """A code that has the form of a cover sheet. `claims` are unverified unless GENUINE."""

    signature: Signature
    claims: CoverSheetClaims


def judge_codes(payloads: Iterable[bytes], keys: CoverSheetKeys) -> tuple[SheetReading, ...]:
    """Those of the codes that are cover sheets, each once. Raises nothing of its own."""
    readings: dict[bytes, SheetReading] = {}
    for payload in payloads:
        try:
            claims = unverified_cover_sheet(payload)
        except CoverSheetMalformed:
            continue
        try:
            keys.verify(payload)
            signature = Signature.GENUINE
        except CoverSheetForged:
            signature = Signature.FORGED
        except CoverSheetKeyUnknown:
            signature = Signature.UNKNOWN_KEY
        readings[payload] = SheetReading(signature, claims)
    return tuple(readings.values())
