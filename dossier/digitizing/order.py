"""What a scanning station orders: scans to be made one searchable record, and for what dossier."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from dossier.errors import InvalidOrder
from dossier.model import JSON, JobState
from dossier.storage.store import require_digest

MAX_SCANS = 1000
_MAX_TITLE = 500
_MAX_CODE = 64
_MAX_NAME = 200
_MAX_PAGES = 5000
_LANGUAGES = ("vie", "vie+eng", "eng")


@dataclass(frozen=True, slots=True)
class DigitizationOrder:
    """A record to make. Checked when it is made; immutable.

    `scans` are digests of blobs that the agency holds, in the order of the pages.
    `dossier_code`, `component_code`, `station` and `officer` are demanded by Circular
    01/2023/TT-VPCP, article 7. `page_count` is the number of paper pages that the station
    declares; the record is refused when the scans have another (article 8). `mode`: "faithful"
    keeps the scanner's bytes, "compact" stores mixed raster content.
    """

    scans: tuple[str, ...]
    title: str
    dossier_code: str
    component_code: str
    station: str
    officer: str
    mode: Literal["faithful", "compact"] = "faithful"
    languages: str = "vie"
    page_count: int | None = None

    def __post_init__(self) -> None:
        """Raise `InvalidOrder` for what is missing or cannot be."""
        _require_text("title", "tên văn bản", self.title, _MAX_TITLE)
        _require_text("dossier_code", "mã hồ sơ", self.dossier_code, _MAX_CODE)
        _require_text("component_code", "mã thành phần hồ sơ", self.component_code, _MAX_CODE)
        _require_text("station", "trạm quét", self.station, _MAX_NAME)
        _require_text("officer", "cán bộ số hóa", self.officer, _MAX_NAME)
        if not 1 <= len(self.scans) <= MAX_SCANS:
            raise InvalidOrder(
                f"Cần từ 1 đến {MAX_SCANS} tệp quét. / Name 1 to {MAX_SCANS} scans.", field="scans"
            )
        for sha256 in self.scans:
            require_digest(sha256)
        if self.mode not in ("faithful", "compact"):
            raise InvalidOrder(
                "Chế độ là faithful hoặc compact. / The mode is faithful or compact.", field="mode"
            )
        if self.languages not in _LANGUAGES:
            raise InvalidOrder(
                f"Ngôn ngữ là một trong {', '.join(_LANGUAGES)}. / Choose one of these languages.",
                field="languages",
            )
        if self.page_count is not None and not 1 <= self.page_count <= _MAX_PAGES:
            raise InvalidOrder(
                f"Số trang từ 1 đến {_MAX_PAGES}. / The page count is 1 to {_MAX_PAGES}.",
                field="page_count",
            )

    def to_json(self) -> dict[str, JSON]:
        """As the table keeps it."""
        return asdict(self) | {"scans": list(self.scans)}

    @classmethod
    def from_json(cls, entries: Mapping[str, JSON]) -> DigitizationOrder:
        """Read what `to_json` wrote, or a client sent. Raises `InvalidOrder`."""

        def text(name: str, default: str = "") -> str:
            value = entries.get(name, default)
            return value if isinstance(value, str) else ""

        scans = entries.get("scans", ())
        count = entries.get("page_count")
        if not isinstance(scans, list | tuple) or not all(isinstance(s, str) for s in scans):
            raise InvalidOrder(
                "scans là danh sách mã SHA-256. / scans is a list of SHA-256 digests.",
                field="scans",
            )
        if count is not None and type(count) is not int:
            raise InvalidOrder("Số trang là số nguyên. / Write a whole number.", field="page_count")
        return cls(
            scans=tuple(scans),
            title=text("title"),
            dossier_code=text("dossier_code"),
            component_code=text("component_code"),
            station=text("station"),
            officer=text("officer"),
            mode=entries.get("mode", "faithful"),
            languages=text("languages", "vie"),
            page_count=count,
        )

    def digest(self) -> str:
        """SHA-256 of the order, to tell a repeated request from another one."""
        text = json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(f"digitize\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Digitization:
    """A digitization as its agency sees it.

    `pages_done` of `pages` were read; `pages` is None until the scans were looked at. The
    digests name the record (PDF/A, unsigned), its text and its proposed fields (JSON).
    """

    id: str
    agency_id: str
    principal_id: str
    state: JobState
    order: DigitizationOrder
    pages_done: int
    pages: int | None
    result_sha256: str | None
    text_sha256: str | None
    fields_sha256: str | None
    error: JSON
    created_at: datetime
    finished_at: datetime | None
    version: int


def digitization_of(row: sa.Row[Any]) -> Digitization:
    """A row of the table `digitizations`."""
    return Digitization(
        id=row.id,
        agency_id=row.agency_id,
        principal_id=row.principal_id,
        state=JobState(row.state),
        order=DigitizationOrder.from_json(row.order),
        pages_done=row.pages_done,
        pages=row.pages,
        result_sha256=row.result_sha256,
        text_sha256=row.text_sha256,
        fields_sha256=row.fields_sha256,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
        version=row.version,
    )


def _require_text(field: str, name: str, text: str, longest: int) -> None:
    """Raise `InvalidOrder` for nothing, too much, or characters that no form holds."""
    if not text.strip():
        raise InvalidOrder(
            f"Thiếu {name} (TT 01/2023/TT-VPCP, Điều 7); hãy bổ sung. / The entry {field} is "
            "missing; the circular demands it.",
            field=field,
        )
    if len(text) > longest or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise InvalidOrder(
            f"Mục {name} dài quá {longest} ký tự hoặc có ký tự điều khiển. / {field} is longer "
            f"than {longest} characters or holds control characters.",
            field=field,
        )
