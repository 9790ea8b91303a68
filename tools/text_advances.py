"""Write ocr/record/assets/times-advances.tsv: advance widths of a Times-like face.

Usage: python tools/text_advances.py FONT.ttf > ocr/record/assets/times-advances.tsv

Only the widths are taken (thousandths of an em): the invisible text layer has glyphs of its
own. Ranges are those that Vietnamese administrative papers can hold.
"""

from __future__ import annotations

import sys

from fontTools.ttLib import TTFont

BLOCKS = [
    (0x0020, 0x007E), (0x00A0, 0x024F), (0x02B0, 0x036F), (0x0370, 0x03FF), (0x0400, 0x04FF),
    (0x1E00, 0x1EFF), (0x2000, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F), (0x2190, 0x21FF),
    (0x2200, 0x22FF), (0x2500, 0x26FF),
]  # fmt: skip


def main(path: str) -> None:
    font = TTFont(path, lazy=True)
    scale = 1000 / font["head"].unitsPerEm
    cmap = font.getBestCmap()
    widths: dict[int, list[int]] = {}
    for first, last in BLOCKS:
        for code in range(first, last + 1):
            if code in cmap:
                advance = max(1, round(font["hmtx"][cmap[code]][0] * scale))
                widths.setdefault(advance, []).append(code)
    print("# advance (1/1000 em)\tcode points (hexadecimal ranges)")
    for advance, codes in sorted(widths.items()):
        print(f"{advance}\t{' '.join(_ranges(codes))}")


def _ranges(codes: list[int]) -> list[str]:
    out: list[list[int]] = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return [f"{a:04X}" if a == b else f"{a:04X}-{b:04X}" for a, b in out]


if __name__ == "__main__":
    main(sys.argv[1])
