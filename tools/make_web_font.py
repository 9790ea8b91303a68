"""Derive the fonts of the public pages from Be Vietnam Pro (SIL OFL 1.1): Vietnamese subsets.

    python tools/make_web_font.py FOLDER     # FOLDER holds BeVietnamPro-Regular.ttf, …

A citizen's telephone should not load 135 KB a weight, of which a page shows a tenth. The subset
keeps Vietnamese (composed, and the combining marks for names that come decomposed), Latin-1 and
the punctuation of administrative documents, with kerning and mark placement; no hinting. The
family reserves no font name, so it keeps its own. WOFF 1.0: its zlib needs no further library.

The results are committed with `manifest.json`: SHA-384 of each file and of the source that it
was made from; `tests/unit/api/test_public_static.py` holds them to it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

from tools.make_stamp_font import EPOCH, characters

OUT = Path(__file__).resolve().parent.parent / "api" / "public" / "static" / "fonts"
WEIGHTS = ("Regular", "SemiBold")
_MARKS = "\u0300\u0301\u0302\u0303\u0306\u0309\u031b\u0323"
_NOT_DRAWN = {"№"}


def derive(source: Path) -> TTFont:
    """The subset of `source`, as WOFF."""
    font = TTFont(source, recalcTimestamp=False)
    wanted = {ord(c) for c in {*characters(), *_MARKS} - _NOT_DRAWN}
    missing = sorted(wanted - font.getBestCmap().keys())
    if missing:
        raise SystemExit(f"{source} lacks {[chr(code) for code in missing]}")
    options = subset.Options(
        hinting=False, layout_features=["kern", "mark", "mkmk", "ccmp", "locl", "tnum"]
    )
    options.drop_tables += ["DSIG", "gasp"]
    options.name_IDs = [0, 1, 2, 4, 5, 6, 13, 14]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font["head"].created = font["head"].modified = EPOCH
    font.flavor = "woff"
    return font


def sri(data: bytes) -> str:
    """As in Subresource Integrity: ``sha384-…``."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="the folder with the family's TTF files")
    folder = parser.parse_args().source
    files = {}
    for weight in WEIGHTS:
        source = folder / f"BeVietnamPro-{weight}.ttf"
        target = OUT / f"BeVietnamPro-{weight}.woff"
        derive(source).save(target)
        files[target.name] = {
            "sha384": sri(target.read_bytes()),
            "source": source.name,
            "source_sha384": sri(source.read_bytes()),
        }
    manifest = {
        "family": "Be Vietnam Pro",
        "version": "1.002",
        "licence": "OFL-1.1",
        "licence_file": "OFL.txt",
        "made_by": "tools/make_web_font.py",
        "files": files,
    }
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
