"""What people may type: NFC, bounded, without characters that nobody sees."""

from __future__ import annotations

import unicodedata

from dossier.checking.values import About, Target
from dossier.errors import InvalidOrder

MAX_FIELD = 2000
MAX_WORD = 200
MAX_REASON = 1000
_HIDDEN = (
    "Cc",
    "Cf",
    "Cn",
    "Cs",
    "Co",
    "Zl",
    "Zp",
)  # controls, reversals of direction, half characters


def typed(target: Target, value: str) -> str:
    """The value in NFC, as it is stored. A word may be split: by one blank. Raises `InvalidOrder`.

    An empty value is one: there is nothing.
    """
    longest = MAX_FIELD if target.about is About.FIELD else MAX_WORD
    text = _plain(value, "value", longest)
    if target.about is About.WORD and text != " ".join(text.split()):
        raise InvalidOrder(
            "Từ có dấu cách thừa; giữa hai từ chỉ một dấu cách. / The word has surplus blanks; put "
            "one between two words.",
            field="value",
        )
    return text


def reason_of(text: str | None) -> str | None:
    """Why somebody did something, in NFC. Raises `InvalidOrder`."""
    return _plain(text or "", "reason", MAX_REASON).strip() or None


def required_reason(text: str | None) -> str:
    """The same where there has to be one. Raises `InvalidOrder`."""
    found = reason_of(text)
    if found is None:
        raise InvalidOrder("Hãy ghi lý do. / Say why.", field="reason")
    return found


def _plain(text: str, field: str, longest: int) -> str:
    if len(text) > 4 * longest:  # decomposed letters are up to three characters
        raise _too_long(field, longest)
    found = unicodedata.normalize("NFC", text)
    if len(found) > longest:
        raise _too_long(field, longest)
    if any(unicodedata.category(character) in _HIDDEN for character in found):
        raise InvalidOrder(
            "Có ký tự điều khiển hoặc ký tự ẩn; hãy gõ lại. / There are control or hidden "
            "characters; type it again.",
            field=field,
        )
    return found


def _too_long(field: str, longest: int) -> InvalidOrder:
    return InvalidOrder(
        f"Dài quá {longest} ký tự; hãy rút gọn. / Longer than {longest} characters; shorten it.",
        field=field,
    )
