"""The page number printed on a page: Arabic digits in the middle of the top margin.

NĐ 30/2020/NĐ-CP, Appendix I, part II: pages are numbered there from the second one.
"""

from __future__ import annotations

import re

from ocr.page import RecognisedPage

_DIGITS = re.compile(r"^[-–—.]?\s*([1-9]\d{0,2})\s*[-–—.]?$")
_TOP_MM = 32.0
_BESIDE_MM = 14.0  # of the middle of the page
_LEAST_CONFIDENCE = 60.0
_MM_PER_INCH = 25.4


def printed_page_number(page: RecognisedPage) -> int | None:
    """The number, when the first row of text is nothing else; None: there is none, or a doubt."""
    if not page.lines:
        return None
    first = min(page.lines, key=lambda line: line.box.top)
    beside = [line for line in page.lines if line.row == first.row]
    found = _DIGITS.match(first.text)
    if len(beside) > 1 or found is None or first.confidence < _LEAST_CONFIDENCE:
        return None
    across, down = (_MM_PER_INCH / max(1.0, dpi) for dpi in page.dpi)
    middle = (first.box.left + first.box.right) / 2
    is_central = abs(middle - page.width_px / 2) * across <= _BESIDE_MM
    is_high = first.box.bottom * down <= _TOP_MM
    return int(found[1]) if is_central and is_high else None
