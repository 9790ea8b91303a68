"""The scan's dots per inch, when the file tells them and when it does not."""

from __future__ import annotations

_LEAST, _MOST = 60.0, 1300.0
_USUAL = (100, 150, 200, 240, 300, 400, 600)
_A4_LONG_INCH = 11.69
_PAPER_MOST_INCH = 24.0  # A2: no office scanner takes more
_PAPER_LEAST_INCH = 1.5  # smaller than any identity card


def trusted_dpi(
    told: tuple[float, float] | None, width_px: int, height_px: int
) -> tuple[tuple[float, float], bool]:
    """(horizontal, vertical) dpi and whether they are a guess.

    What the file tells is taken when it gives a paper size that exists. Cameras and editors
    write 72 or 96 into files of any origin; a page that would then be a poster is measured
    instead as if its long side were A4.
    """
    if told is not None:
        x, y = told
        if x > 0 and y > 0 and _possible(x, y, width_px, height_px):
            return (float(x), float(y)), False
    long_side = max(width_px, height_px)
    guess = float(min(_USUAL, key=lambda d: abs(d - long_side / _A4_LONG_INCH)))
    return (guess, guess), True


def _possible(x: float, y: float, width_px: int, height_px: int) -> bool:
    if not (_LEAST <= x <= _MOST and _LEAST <= y <= _MOST and max(x, y) <= 4 * min(x, y)):
        return False
    paper = max(width_px / x, height_px / y)
    return _PAPER_LEAST_INCH <= paper <= _PAPER_MOST_INCH
