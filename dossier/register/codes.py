"""Result codes: what is printed on an issued result, and typed or read aloud to look it up.

    7K2M9QXT4AHWC3RN    as it is kept            7K2M-9QXT-4AHW-C3RN    as it is printed

Fourteen random characters (68 bits: nobody finds one by trying) and two check characters, of an
alphabet without those that look alike: B and 8, I and 1, L and 1, O and 0, S and 5, U and V, Z
and 2. Whoever types one of these still gets the right code.

The alphabet has 29 characters, a prime, so the checks are a Reed–Solomon code: with c(1) … c(16)
as numbers from 0 to 28, the sum of c(i) and the sum of i · c(i) are both 0 modulo 29. Any one or
two wrong characters and any two exchanged ones are found, and where one is wrong, its place.
"""

from __future__ import annotations

import re
import secrets

from dossier.errors import InvalidOrder

ALPHABET = "0123456789ACDEFGHJKMNPQRTVWXY"
LENGTH = 16
PATTERN = f"^[{ALPHABET}]{{{LENGTH}}}$"
"""A code as it is kept."""

REFERENCE_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z./-]{2,63}-KQ([1-9][0-9]{0,3}|\([1-9][0-9]{0,3}\))$"
"""A code that a dossier gives to its result: ``<dossier>-KQ(n)`` (NĐ 45/2020 Điều 14.3)."""

_REFERENCE = re.compile(REFERENCE_PATTERN)
_GROUP = 4
_PRIME = len(ALPHABET)
_DATA = LENGTH - 2
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_SAME = str.maketrans("BILOSUZ", "81105V2")  # each becomes the one that it looks like
_MOST_TYPED = 64


def new_code() -> str:
    """A new code; no other one is ever the same, for all that chance can do."""
    number = secrets.randbelow(_PRIME**_DATA)
    values = []
    for _ in range(_DATA):
        number, value = divmod(number, _PRIME)
        values.append(value)
    total, weighted = _sums(values)
    # c15 + c16 = -total and 15 c15 + 16 c16 = -weighted, modulo 29
    last = (_DATA + 1) * total - weighted
    return "".join(ALPHABET[value % _PRIME] for value in (*values, -total - last, last))


def printed(code: str) -> str:
    """The code in groups of four, as it is printed and shown."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def read_code(text: str) -> str:
    """The code that somebody typed, as it is kept.

    Case, blanks and hyphens do not matter. Raises `InvalidOrder`, which says what seems wrong.
    """
    typed = "".join(text[:_MOST_TYPED].split()).replace("-", "").replace("–", "")
    code = typed.upper().translate(_SAME)
    if len(code) != LENGTH or len(text) > _MOST_TYPED:
        raise InvalidOrder(
            f"Mã kết quả có {LENGTH} ký tự, chia nhóm bốn; mã này có {len(code)}. Hãy gõ lại theo "
            f"bản in. / A result code has {LENGTH} characters in groups of four; type it again as "
            "it is printed.",
            field="code",
        )
    strange = next((character for character in code if character not in _VALUE), None)
    if strange is not None:
        raise InvalidOrder(
            f"Mã kết quả không có ký tự “{strange}”; chỉ gồm chữ số và chữ cái không dấu. / A "
            "result code has no such character; type it again as it is printed.",
            field="code",
        )
    total, weighted = _sums([_VALUE[character] for character in code])
    if total or weighted:
        place = weighted * pow(total, -1, _PRIME) % _PRIME if total else 0
        vi, en = "", ""
        if 1 <= place <= LENGTH:
            vi, en = f", có lẽ ở ký tự thứ {place}", f", perhaps character {place}"
        raise InvalidOrder(
            f"Mã kết quả gõ sai{vi}; hãy so lại với bản in. / The result code is mistyped{en}; "
            "compare it with the printout.",
            field="code",
        )
    return code


def require_reference(text: str | None) -> None:
    """Raise `InvalidOrder` unless `text` is None or a dossier's code of its result (W7)."""
    if text is not None and not _REFERENCE.fullmatch(text):
        raise InvalidOrder(
            "Mã kết quả theo hồ sơ có dạng <mã hồ sơ>-KQ(n), như H22.12-220105-0007-KQ1. / The "
            "dossier's code of its result has the form <dossier>-KQ(n).",
            field="result_reference",
        )


def _sums(values: list[int]) -> tuple[int, int]:
    total = sum(values)
    weighted = sum(place * value for place, value in enumerate(values, 1))
    return total % _PRIME, weighted % _PRIME
