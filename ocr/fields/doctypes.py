"""The catalogue of document types (NĐ 30/2020, Appendix III.I) and how to look a code up.

The catalogue is dated data in `assets/document_types.toml`; `load_catalogue` also reads a
deployment's own file.
"""

from __future__ import annotations

import datetime
import difflib
import functools
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_BUNDLED = Path(__file__).with_name("assets") / "document_types.toml"


def plain(text: str) -> str:
    """Without diacritics, lower case: the form in which misread headings still match."""
    flat = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D").replace("Ð", "D"))
    return "".join(c for c in flat if not unicodedata.combining(c)).lower()


def likeness(a: str, b: str) -> float:
    """How alike two texts are without diacritics, 0 to 1."""
    return difflib.SequenceMatcher(None, plain(a), plain(b), autojunk=False).ratio()


@dataclass(frozen=True, slots=True)
class TypeMatch:
    """A code of the catalogue; `exact` is false when the reading had to be mended."""

    code: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Types and forms of copies by code, with their legal basis and first day in force."""

    types: Mapping[str, str]
    copies: Mapping[str, str]
    legal_basis: str
    valid_from: datetime.date

    def by_code(self, read: str) -> TypeMatch | None:
        """The entry for a code as recognised; None when it is no code or might be two.

        `QD` can only be `QĐ`; `HD` stays `HD`, for both `HD` and `HĐ` are codes.
        """
        everything = (*self.types, *self.copies)
        if read in everything:
            return TypeMatch(read, exact=True)
        near = [code for code in everything if plain(code) == plain(read)]
        return TypeMatch(near[0], exact=False) if len(near) == 1 else None

    def by_title(self, title: str, least: float = 0.86) -> TypeMatch | None:
        """The type whose name a heading bears, as `TỜ TRÌNH`; tolerates misread letters."""
        best = max(self.types, key=lambda code: likeness(self.types[code], title))
        score = likeness(self.types[best], title)
        if score < least:
            return None
        exact = self.types[best].casefold() == unicodedata.normalize("NFC", title).casefold()
        return TypeMatch(best, exact)

    def copy_by_title(self, title: str) -> TypeMatch | None:
        """The form of copy that a heading names: `SAO Y`, `BẢN SAO Y`, `TRÍCH SAO`, `SAO LỤC`."""
        heading = title.casefold().removeprefix("bản ").replace(" ", "")
        for code, name in self.copies.items():
            if likeness(name.replace(" ", ""), heading) >= 0.9:
                return TypeMatch(code, name.casefold().replace(" ", "") == heading)
        return None


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file (TOML: legal_basis, valid_from, [types], [copies]).

    Raises OSError, tomllib.TOMLDecodeError or KeyError when the file is not such a catalogue.
    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return Catalogue(
        MappingProxyType(dict(raw["types"])),
        MappingProxyType(dict(raw["copies"])),
        raw["legal_basis"],
        raw["valid_from"],
    )


@functools.lru_cache(maxsize=1)
def bundled_catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    return load_catalogue(_BUNDLED)
