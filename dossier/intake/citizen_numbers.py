"""The form of a personal number (số định danh cá nhân) and whether other data agree with it.

Twelve digits: province or state of birth (3), century and sex (1), year of birth (2), six more
(Thông tư 59/2021/TT-BCA, Điều 4). Codes of provinces stay as they were given when provinces
merge.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from ocr.fields.identity_card import number_sex, number_year

_FORM = re.compile(r"^\d{12}$", re.ASCII)
_OLDEST = 125  # years: a number that makes its holder older was misread
_LAST_PROVINCE = 96
# The 63 provinces of TT 59/2021/TT-BCA, Phụ lục I (cần đối chiếu).
_PROVINCES = frozenset(
    (1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37,
     38, 40, 42, 44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75,
     77, 79, 80, 82, 83, 84, 86, 87, 89, 91, 92, 93, 94, 95, 96)
)  # fmt: skip


def number_faults(
    number: str, today: dt.date, *, born: dt.date | None = None, sex: str | None = None
) -> Iterator[tuple[str, str]]:
    """What is wrong with a number, in Vietnamese and English; nothing when it is all right.

    `born` and `sex` (Nam, Nữ) are what stands beside it, where something does.
    """
    if not _FORM.match(number):
        yield "phải có đúng 12 chữ số", "it has to have twelve digits"
        return
    province = int(number[:3])
    if province == 0 or (province <= _LAST_PROVINCE and province not in _PROVINCES):
        yield (
            f"không có tỉnh nào mang mã {number[:3]}",
            f"no province has the code {number[:3]}",
        )
    year = number_year(number)
    if not today.year - _OLDEST <= year <= today.year:
        yield f"năm sinh {year} không thể đúng", f"the year of birth {year} cannot be right"
    if born is not None and born.year != year:
        yield (
            f"năm sinh trong số là {year}, khác {born.year}",
            f"its year of birth is {year}, not {born.year}",
        )
    if sex is not None and sex != number_sex(number):
        yield (
            f"giới tính trong số là {number_sex(number)}, khác {sex}",
            f"its sex is {number_sex(number)}, not {sex}",
        )
