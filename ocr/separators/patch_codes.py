"""The names of patch codes; no image library is needed to know them."""

from __future__ import annotations

import enum


class PatchCode(enum.StrEnum):
    """The six patterns by name; how their bars look stands in `ocr.separators.patches`."""

    PATCH_1 = "1"
    PATCH_2 = "2"
    PATCH_3 = "3"
    PATCH_4 = "4"
    PATCH_6 = "6"
    PATCH_T = "T"
