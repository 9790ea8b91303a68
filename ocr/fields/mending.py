"""Mending what a machine misreads in a known way; every mended value loses confidence.

Fixed phrases and family names are mended only where the letters agree and the marks alone
differ, and where one candidate exists; digits only where nothing but digits can stand.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from ocr.fields.doctypes import plain

_TERMS = Path(__file__).with_name("assets") / "administrative_terms.txt"
_LOOK_ALIKES = str.maketrans({"I": "1", "l": "1", "|": "1", "]": "1", "[": "1", "O": "0", "o": "0"})
DIGIT = r"[\dIl|\]\[Oo]"
"""A digit or a letter that the engine reads for one; for use in patterns."""

# The commoner family names of Việt Nam's peoples.
_FAMILY_NAMES = (
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ",
    "Hồ", "Ngô", "Dương", "Lý", "Đinh", "Trịnh", "Đoàn", "Lương", "Mai", "Tô", "Cao", "Tạ", "Hà",
    "Thái", "Vương", "Quách", "Tống", "Giàng", "Lò", "Vi", "Triệu", "Nông", "Mã", "Bế", "Lầu",
    "Vàng", "Mùa", "Thào", "Sùng", "Châu", "Lâm", "Kiều", "Tăng", "Quản", "Khổng", "Lưu", "Nghiêm",
    "Phùng", "Đào", "Chu", "Trương", "Tiêu", "Đàm", "Thân", "Bạch", "La", "Âu", "Doãn", "Hứa",
)  # fmt: skip


def digits(text: str) -> str:
    """Digits without white space, look-alike letters replaced."""
    return re.sub(r"\s", "", text).translate(_LOOK_ALIKES)


@functools.lru_cache(maxsize=1)
def _families() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in _FAMILY_NAMES:
        found[plain(name)] = (*found.get(plain(name), ()), name)
    return found


def is_family_name(syllable: str) -> bool:
    """Whether a syllable is a known family name but for its marks."""
    return plain(syllable) in _families()


def mend_name(name: str) -> str:
    """A full name whose family name has its marks mended where only one name is possible."""
    first, space, rest = name.partition(" ")
    candidates = _families().get(plain(first), ())
    return f"{candidates[0]}{space}{rest}" if len(candidates) == 1 else name


@functools.lru_cache(maxsize=1)
def _terms() -> tuple[tuple[tuple[str, ...], str], ...]:
    """Phrases as plain words with their right form, the longest first."""
    lines = _TERMS.read_text(encoding="utf-8").splitlines()
    terms = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    entries = [(tuple(plain(term).split()), term) for term in terms]
    return tuple(sorted(entries, key=lambda entry: -len(entry[0])))


def mend_terms(text: str) -> str:
    """Upper-case text with the marks of fixed phrases mended; other words stay as they are."""
    words = text.split()
    flat = [plain(word).strip(".,:;") for word in words]
    n = 0
    while n < len(words):
        for key, term in _terms():
            if tuple(flat[n : n + len(key)]) == key and all(
                w.isupper() for w in words[n : n + len(key)]
            ):
                tail = words[n + len(key) - 1]
                ending = "," if tail.endswith(",") else ""
                words[n : n + len(key)] = (term + ending).split()
                n += len(key)
                break
        else:
            n += 1
    return " ".join(words)
