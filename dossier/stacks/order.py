"""What is said when a stack is opened: where, by whom, and what may separate its papers."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dossier.errors import InvalidOrder
from dossier.model import JSON
from ocr.separators.patch_codes import PatchCode

_MAX_CODE = 64
_MAX_NAME = 200
_MAX_PAGES = 5000
PROFILES = ("one-stop", "electronic-copy", "archive", "working")


@dataclass(frozen=True, slots=True)
class StackOrder:
    """How a stack is to be read. Checked when it is made; immutable.

    `station` and `officer` are demanded by TT 01/2023/TT-VPCP, Điều 7. `reference` is the
    client's own name for the stack. `profile` is what pages are held to (`ocr.quality`). Patch
    codes and blank sheets separate only where `patch_separators` and `blank_sheets_separate` say
    so. `dossier_code` and `component_code` are for paper without cover sheets. `pages` is the
    number of pages that the station announces; another number is an alarm. `scanner` names the
    device, for the figures by scanner.
    """

    station: str
    officer: str
    reference: str = ""
    profile: str = "one-stop"
    mode: Literal["faithful", "compact"] = "faithful"
    patch_separators: tuple[str, ...] = ()
    blank_sheets_separate: bool = False
    dossier_code: str = ""
    component_code: str = ""
    pages: int | None = None
    scanner: str = ""

    def __post_init__(self) -> None:
        """Raise `InvalidOrder` for what is missing or cannot be."""
        for field, name, longest in _TEXTS:
            text = getattr(self, field)
            if field in ("station", "officer") and not text.strip():
                raise InvalidOrder(
                    f"Thiếu {name} (TT 01/2023/TT-VPCP, Điều 7); hãy bổ sung. / The entry {field} "
                    "is missing; the circular demands it.",
                    field=field,
                )
            if len(text) > longest or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
                raise InvalidOrder(
                    f"Mục {name} dài quá {longest} ký tự hoặc có ký tự điều khiển. / {field} is "
                    f"longer than {longest} characters or holds control characters.",
                    field=field,
                )
        if self.profile not in PROFILES:
            raise InvalidOrder(
                f"Mức chất lượng là một trong {', '.join(PROFILES)}. / Choose one of these "
                "quality profiles.",
                field="profile",
            )
        if self.mode not in ("faithful", "compact"):
            raise InvalidOrder(
                "Chế độ là faithful hoặc compact. / The mode is faithful or compact.", field="mode"
            )
        unknown = [code for code in self.patch_separators if code not in set(PatchCode)]
        if unknown:
            raise InvalidOrder(
                f"Không có mã tách “{unknown[0]}”; dùng {', '.join(PatchCode)}. / There is no such "
                "patch code; use one of these.",
                field="patch_separators",
            )
        if self.pages is not None and not 1 <= self.pages <= _MAX_PAGES:
            raise InvalidOrder(
                f"Số trang từ 1 đến {_MAX_PAGES}. / The page count is 1 to {_MAX_PAGES}.",
                field="pages",
            )

    def to_json(self) -> dict[str, JSON]:
        """As the table keeps it."""
        return asdict(self) | {"patch_separators": list(self.patch_separators)}

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> StackOrder:
        """Read what `to_json` wrote. Raises `InvalidOrder`."""
        values = dict(entries)
        values["patch_separators"] = tuple(values.get("patch_separators", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise InvalidOrder(
                "Yêu cầu mở tập giấy có mục không hợp lệ. / The order of the stack has an entry "
                f"that is not known ({error})."
            ) from error

    def digest(self) -> str:
        """SHA-256 of the order, to tell a repeated request from another one."""
        text = json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(f"stack\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


_TEXTS = (
    ("station", "trạm quét", _MAX_NAME),
    ("officer", "cán bộ số hóa", _MAX_NAME),
    ("reference", "tên gọi", _MAX_NAME),
    ("scanner", "máy quét", _MAX_NAME),
    ("dossier_code", "mã hồ sơ", _MAX_CODE),
    ("component_code", "mã thành phần hồ sơ", _MAX_CODE),
)
