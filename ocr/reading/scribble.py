"""Telling what is no print: signatures, remains of seals, dirt that was cut out as a line."""

from __future__ import annotations

import re

from ocr.reading.recognise import Reading
from ocr.reading.syllables import is_syllable

_HOPELESS = 30.0  # below this not even a real word was read rightly
_UNSURE = 66.0
_SURE_SIGN = 85.0  # a lone sign, or a lone letter, must be at least so sure
_PIECE = re.compile(r"[^\W\d_]+|\d+")


def is_scribble(reading: Reading) -> bool:
    """True when the reading is noise and no text.

    Words that look like Vietnamese and numbers of two digits or more are kept even when the
    engine was unsure of them; a person will check them.
    """
    text = reading.text
    sure = reading.confidence
    pieces = _PIECE.findall(text)
    if not any(p.isdigit() for p in pieces) and sum(map(len, pieces)) <= 1 and text != "-":
        return sure < _SURE_SIGN
    if sure < _HOPELESS:
        return True
    return sure < _UNSURE and not any(map(_worded, pieces))


def _worded(piece: str) -> bool:
    return len(piece) >= 2 and (piece.isdigit() or is_syllable(piece))
