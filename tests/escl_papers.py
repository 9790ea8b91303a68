"""What is fed to the scanner simulator: sheets whose sides are told from each other by eye."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Sheet:
    """One sheet of paper, as 300-dpi pictures of its sides. `back` None: a blank back."""

    front: Image.Image
    back: Image.Image | None = None

    def sides(self, *, duplex: bool) -> list[Image.Image]:
        blank = Image.new("RGB", self.front.size, "white")
        return [self.front, self.back or blank] if duplex else [self.front]


def side(number: int, size: tuple[int, int] = (620, 874)) -> Image.Image:
    """A side that is like no other: coloured fields by its number, 300 dpi, soft as paper is."""
    width, height = size
    fields = Image.frombytes("RGB", (5, 7), random.Random(number).randbytes(105))
    return fields.resize((width, height), Image.Resampling.BICUBIC)


def stack(sheets: int, *, first: int = 1, size: tuple[int, int] = (620, 874)) -> list[Sheet]:
    """Sheets whose sides are numbered `first`, `first` + 1, …, front and back."""
    return [Sheet(side(n, size), side(n + 1, size)) for n in range(first, first + 2 * sheets, 2)]
