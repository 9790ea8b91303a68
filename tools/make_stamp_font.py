"""Derive the font of visible signatures, "Sohoa Serif", from Tinos (package fonts-croscore).

    python tools/make_stamp_font.py [--source Tinos-Regular.ttf] [--out FOLDER]

A visible signature has to embed its font (ISO 19005-3, 6.2.11.4). Subsetting a face for
every document is what makes Vietnamese stamps slow, so it is done once, here: Vietnamese,
Latin-1 and the punctuation of administrative documents, 1000 units per em (PDF's own text
unit, so that /W needs no rounding), no hinting, no layout tables, no glyph names.

"Tinos" is a name that its licence reserves to the original; the derived face carries another
one and the licence text beside it (SIL OFL 1.1, conditions 2, 3 and 5). The result is
committed and does not change from run to run; tests compare its digest with the metrics file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import unicodedata
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

FAMILY = "Sohoa Serif"
POSTSCRIPT_NAME = "SohoaSerif"
SOURCE = Path("/usr/share/fonts/truetype/croscore/Tinos-Regular.ttf")
OUT = Path(__file__).resolve().parent.parent / "signer" / "sealing" / "appearance" / "assets"
UNITS_PER_EM = 1000
EPOCH = 3_786_912_000  # 2024-01-01 in seconds since 1904, TrueType's time: a fixed date of birth

_TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
_VOWELS = "aăâeêioôơuưy"
_PUNCTUATION = "§«°±²³·»½×–—‘’“”„…•‰₫€№"


def characters() -> list[str]:
    """Everything a stamp may show, in code point order."""
    chosen = {chr(code) for code in range(0x20, 0x7F)}
    chosen |= {chr(code) for code in range(0xC0, 0x100)} | set("đĐ") | set(_PUNCTUATION)
    for vowel in _VOWELS + _VOWELS.upper():
        chosen |= {unicodedata.normalize("NFC", vowel + tone) for tone in _TONES}
    return sorted(chosen)


def derive(source: Path) -> TTFont:
    """The renamed subset of `source`."""
    font = TTFont(source, recalcTimestamp=False)
    wanted = characters()
    missing = [c for c in wanted if ord(c) not in font.getBestCmap()]
    if missing:
        raise SystemExit(f"{source} lacks {missing}: take a newer fonts-croscore")
    options = subset.Options(
        hinting=False, layout_features=[], name_IDs=[], glyph_names=False, notdef_outline=True
    )
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "DSIG", "gasp", "meta", "FFTM"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(c) for c in wanted])
    subsetter.subset(font)
    if len(set(font.getBestCmap().values())) != len(wanted):
        raise SystemExit("two characters share a glyph, so ToUnicode could name only one of them")
    scale_upem(font, UNITS_PER_EM)
    _rename(font)
    font["head"].created = font["head"].modified = EPOCH
    return font


def _rename(font: TTFont) -> None:
    names = font["name"]
    names.names = []
    for identifier, text in {
        0: "Copyright 2010, 2012-2020 Google Inc. Derived from a face by Steve Matteson.",
        1: FAMILY,
        2: "Regular",
        3: f"1.0;{POSTSCRIPT_NAME}",
        4: FAMILY,
        5: "Version 1.0",
        6: POSTSCRIPT_NAME,
        13: "This Font Software is licensed under the SIL Open Font License, Version 1.1.",
    }.items():
        names.setName(text, identifier, 3, 1, 0x409)


def metrics(font: TTFont, data: bytes) -> dict[str, object]:
    """What laying out and embedding need, in 1/1000 em; `widths` by glyph id."""
    order = font.getGlyphOrder()
    glyph_ids = {name: index for index, name in enumerate(order)}
    glyf, head, os2 = font["glyf"], font["head"], font["OS/2"]
    return {
        "family": FAMILY,
        "name": POSTSCRIPT_NAME,
        "sha256": hashlib.sha256(data).hexdigest(),
        "units_per_em": UNITS_PER_EM,
        "bbox": [head.xMin, head.yMin, head.xMax, head.yMax],
        "ascent": font["hhea"].ascent,
        "descent": font["hhea"].descent,
        "cap_height": os2.sCapHeight,
        "stem_v": 80,
        "top": max(glyf[name].yMax for name in order if hasattr(glyf[name], "yMax")),
        "bottom": min(glyf[name].yMin for name in order if hasattr(glyf[name], "yMin")),
        "widths": [font["hmtx"][name][0] for name in order],
        "glyphs": {chr(code): glyph_ids[name] for code, name in sorted(font.getBestCmap().items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    font = derive(arguments.source)
    buffer = io.BytesIO()
    font.save(buffer)
    data = buffer.getvalue()
    stem = arguments.out / "sohoa-serif"
    stem.with_suffix(".ttf").write_bytes(data)
    text = json.dumps(metrics(font, data), ensure_ascii=False, indent=None, sort_keys=True)
    stem.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(f"{stem}.ttf: {len(data)} bytes, {len(font.getGlyphOrder())} glyphs")


if __name__ == "__main__":
    main()
