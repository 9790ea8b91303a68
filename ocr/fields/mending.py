"""Mending what a machine misreads in a known way; every mended value loses confidence.

Fixed phrases and family names are mended only where the letters agree and the marks alone
differ, and where one candidate exists; digits only where nothing but digits can stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ocr.fields.doctypes import plain

_TERMS = Path(__file__).with_name("assets") / "administrative_terms.txt"
_PHRASES = Path(__file__).with_name("assets") / "recipient_phrases.txt"
_LEVELS = {"xa": "XÃ", "phuong": "PHƯỜNG", "tinh": "TỈNH"}  # not "quan": BAN QUẢN LÝ
_FIRST = _LEVELS | {"so": "SỞ", "phong": "PHÒNG", "truong": "TRƯỜNG", "bo": "BỘ", "cuc": "CỤC"}
_SPECK = re.compile(r"(?<=[^\W\d_]{2})\. (?=([^\W\d_]))")
_SPECK_WITHIN = re.compile(r"(?<=[^\W\d_]{2})\.(?=[a-zà-ỹ]{2})")
_REPORT = re.compile(  # để báo cáo, with a letter of it misread or lost
    r"\((?:[bhl6][íi]?\s?[/íi|l]\s?[cC©€e]{0,2}|/\s?[cC©€e]{1,2})\)$", re.IGNORECASE
)
_BEFORE_NAME = re.compile(r"(?<=[a-zà-ỹ]{2})[.\-](?=[A-ZĐÀ-Ỹ][a-zà-ỹ])")
_FILED = re.compile(r"^[LlItT1][ưuựứừ]u\s*[:;.]\s*V[TIl1]\s*[„,.;]+\s*")  # Lưu: VT (văn thư)
_JOINING = frozenset(
    ("TM", "KT", "TL", "TUQ", "Q", "VÀ", "UBND", "HĐND", "A", "B", "XÃ", "PHƯỜNG", "TỈNH", "SỞ",
     "PHÒNG", "BAN", "PHÓ")
)  # fmt: skip
_LOOK_ALIKES = str.maketrans("ILl|][OoSsŠšB", "1111110055558")
DIGIT = r"[\dILl|\]\[OoSsŠšB]"
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


@functools.lru_cache(maxsize=2)
def _terms(path: Path) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Phrases as plain words with their right form, the longest first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    terms = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    entries = [(tuple(plain(term).split()), term) for term in terms]
    return tuple(sorted(entries, key=lambda entry: -len(entry[0])))


def mend_terms(text: str) -> str:
    """Upper-case text with the marks of fixed phrases mended; other words stay as they are."""
    return _mend_marks(text, _TERMS, str.isupper)


def mend_agency(text: str) -> str:
    """An agency's upper-case name: fixed phrases, and the kind of agency or place before a name.

    The place's own name stays as it is read: `XÃ Y TÊ` need not be the health service.
    """
    parted = re.sub(r"(?<=\w\w)\.(?=\w\w)", " ", text).split()  # UBND.TỈNH
    words = mend_terms(" ".join(parted)).split()
    for n, word in enumerate(words[:-1]):
        kinds = _FIRST if n == 0 else _LEVELS
        if word.isupper():
            words[n] = kinds.get(plain(word), word)
    name = _own_name(words)
    return " ".join([*words[:name], *parted[name:]])


def _own_name(words: Sequence[str]) -> int:
    """Where a place's own name begins: after the last level that is followed by one."""
    flat = [plain(word) for word in words]
    levels = [
        n for n, word in enumerate(flat[:-1])
        if word in _LEVELS and (word, flat[n + 1]) != ("xa", "hoi")
    ]  # fmt: skip
    return levels[-1] + 1 if levels else len(words)


def all_terms(text: str) -> bool:
    """Whether upper-case text consists of fixed phrases and of nothing else, marks included."""
    words = [word.strip(".,:;") for word in text.split() if any(c.isalpha() for c in word)]
    n = 0
    while n < len(words):
        for _, term in _terms(_TERMS):
            phrase = term.split()
            if words[n : n + len(phrase)] == phrase:
                n += len(phrase)
                break
        else:
            if words[n] not in _JOINING:
                return False
            n += 1
    return bool(words)


def without_specks(text: str) -> str:
    """Running text without full stops that no sentence ends at: specks between two words."""
    parted = _SPECK_WITHIN.sub(" ", text)
    return _SPECK.sub(lambda m: " " if m[1].islower() else m[0], parted)


def mend_recipient(text: str) -> str:
    """An entry of `Nơi nhận` with the marks of common phrases, `(b/c)` and `Lưu: VT` mended."""
    text = _BEFORE_NAME.sub(" ", text)  # phường-Tân Thử
    text = _REPORT.sub("(b/c)", _FILED.sub("Lưu: VT, ", text))
    return _mend_marks(text, _PHRASES, lambda _: True)


def _mend_marks(text: str, phrases: Path, may: Callable[[str], bool]) -> str:
    words = text.split()
    flat = [plain(word).strip(".,:;") for word in words]
    n = 0
    while n < len(words):
        for key, term in _terms(phrases):
            end = n + len(key)
            if tuple(flat[n:end]) == tuple(k.strip(",") for k in key) and all(
                may(w) and w[:1].isupper() == t[:1].isupper()
                for w, t in zip(words[n:end], term.split(), strict=True)
            ):
                ending = "," if words[end - 1].endswith(",") else ""
                words[n:end] = (term + ending).split()
                n = end
                break
        else:
            n += 1
    return " ".join(words)
