"""What a client orders: one document, one key, and how the result looks and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dossier.errors import InvalidOrder
from dossier.model import JSON
from dossier.register.codes import require_reference
from signer.sealing.appearance.plan import CopyForm
from signer.sealing.levels import Level

_NAMES: frozenset[str]


@dataclass(frozen=True, slots=True)
class SignatureOrder:
    """A signature to make. Checked when it is made; immutable.

    `key` is the label of a signing key. `profiles` are appearance profiles, one signature each
    in their order; none: one invisible signature. `number` and `symbol` are those of the
    decision; with `from_book` the number is the next one of the book named by `symbol`.
    `decided_on` gives the book's year. `expected_agency` has to be the organisation in the
    certificate (K14). `copy_form` is SY, TRS or SL (P5). `supersedes` is the record whose number
    this decision takes over. `field_name` names the signature's field (one profile at most).
    `proof_code` prints the code that proves the result (None: as the installation has it), which
    tells `holder`, masked, and `valid_until`, the last day. An `annex` in a file of its own (P4)
    and a copy cite the number of the main document; they are issued none. `result_reference` is the
    code that the dossier gives to its result (``H22.12-220105-0007-KQ1``), kept beside the record's
    own.
    """

    key: str
    profiles: tuple[str, ...] = ()
    level: Level = Level.B_B
    number: int | None = None
    symbol: str | None = None
    from_book: bool = False
    decided_on: date | None = None
    reason: str | None = None
    location: str | None = None
    expected_agency: str | None = None
    copy_form: str | None = None
    supersedes: str | None = None
    field_name: str | None = None
    annex: bool = False
    proof_code: bool | None = None
    holder: str | None = None
    valid_until: date | None = None
    result_reference: str | None = None

    def __post_init__(self) -> None:
        """Raise `InvalidOrder` for what contradicts itself."""
        if not self.key:
            raise InvalidOrder(
                "Thiếu khóa ký; hãy nêu nhãn khóa. / The signing key is missing; name its label.",
                field="key",
            )
        if self.number is not None and self.from_book:
            raise InvalidOrder(
                "Đã có số thì không lấy số từ sổ; hãy bỏ một trong hai. / A number is given and "
                "one from the book is asked for; leave one of them out.",
                field="number",
            )
        if self.number is not None and self.number < 1:
            raise InvalidOrder(
                "Số văn bản phải từ 1 trở lên. / A decision number is 1 or more.", field="number"
            )
        if (self.number is not None or self.from_book) and not self.symbol:
            raise InvalidOrder(
                "Có số thì phải có ký hiệu, như QĐ-UBND. / A number needs its symbol, as QĐ-UBND.",
                field="symbol",
            )
        if self.cites_number and (self.from_book or self.supersedes is not None):
            raise InvalidOrder(
                "Phụ lục và bản sao ghi số của văn bản chính, không được cấp số. / Annexes and "
                "copies cite the number of the main document; they take none from a book and "
                "supersede nothing.",
                field="from_book" if self.from_book else "supersedes",
            )
        if self.supersedes is not None and self.number is None:
            raise InvalidOrder(
                "Văn bản thay thế phải nêu số và ký hiệu của văn bản bị thay. / A superseding "
                "decision has to give number and symbol of what it replaces.",
                field="supersedes",
            )
        if self.field_name is not None and len(self.profiles) > 1:
            raise InvalidOrder(
                "Nhiều mẫu thì không đặt tên trường; hãy bỏ field_name. / Several profiles make "
                "several fields; leave field_name out.",
                field="field_name",
            )
        if self.copy_form is not None and self.copy_form not in CopyForm.__members__:
            raise InvalidOrder(
                f"Không có hình thức sao “{self.copy_form}”; dùng SY, TRS hoặc SL. / Unknown form "
                "of copy; use SY, TRS or SL.",
                field="copy_form",
            )
        require_reference(self.result_reference)

    @property
    def cites_number(self) -> bool:
        """Whether number and symbol are those of another document."""
        return self.annex or self.copy_form is not None

    @property
    def issues_number(self) -> bool:
        """Whether the record holds a number of its own, which nobody else may have."""
        return not self.cites_number and (self.from_book or self.number is not None)

    def to_json(self) -> dict[str, JSON]:
        """As it is stored: what differs from the defaults."""
        found: dict[str, JSON] = {}
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if value != entry.default:
                found[entry.name] = _plain(value)
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> SignatureOrder:
        """Read what `to_json` wrote, or a client's JSON. Raises `InvalidOrder`."""
        unknown = sorted(set(value) - _NAMES)
        if unknown:
            raise InvalidOrder(
                f"Không có mục “{unknown[0]}” trong yêu cầu ký. / An order has no such entry.",
                field=unknown[0],
            )
        entries: dict[str, Any] = dict(value)
        try:
            if "profiles" in entries:
                entries["profiles"] = tuple(entries["profiles"])
            if "level" in entries:
                entries["level"] = Level(entries["level"])
            for name in ("decided_on", "valid_until"):
                if entries.get(name) is not None:
                    entries[name] = date.fromisoformat(entries[name])
            return cls(**entries)
        except (TypeError, ValueError) as error:
            raise InvalidOrder(
                f"Yêu cầu ký không đọc được: {error}. / The order cannot be read; correct it."
            ) from error


def _plain(value: object) -> JSON:
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Level) else value


_NAMES = frozenset(entry.name for entry in dataclasses.fields(SignatureOrder))
