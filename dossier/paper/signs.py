"""A tick, a cross, an exclamation mark: signs of a verdict that need no colour to be told apart."""

from __future__ import annotations

from dossier.paper.pages import Colour, Pages


def draw_sign(pages: Pages, verdict: str, x: float, y: float, size: float, colour: Colour) -> None:
    """The sign of a verdict or an outcome around (x, y), about twice `size` high."""
    thickness = size / 3.2
    if verdict in ("TOTAL-PASSED", "PASSED"):
        pages.stroke([(x - size * 0.6, y), (x - size * 0.1, y - size * 0.5),
                      (x + size * 0.7, y + size * 0.6)], thickness, colour)  # fmt: skip
    elif verdict in ("TOTAL-FAILED", "FAILED"):
        half = size * 0.55
        pages.stroke([(x - half, y - half), (x + half, y + half)], thickness, colour)
        pages.stroke([(x - half, y + half), (x + half, y - half)], thickness, colour)
    else:
        pages.stroke([(x, y + size * 0.7), (x, y - size * 0.15)], thickness, colour)
        pages.stroke([(x, y - size * 0.62), (x, y - size * 0.6)], thickness * 1.2, colour)
