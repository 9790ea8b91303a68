"""The clerical sequence as values and rules: no storage, no keys, no HTTP.

NĐ 30/2020 has three parts in this order (S5), by three persons where the agency's policy
separates duties (S6):

    leader    the authorised person signs, between title and name               DRAFT → SIGNED
    number    the clerk gives number and date, each over its typed blank        SIGNED → NUMBERED
    seal      the agency's seal over a third of the leader's signature          NUMBERED → ISSUED

``issue`` is number, date and seal by one clerk in one go, as practice has it (domain.md 5.8).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dossier.errors import AccessRefused, InvalidOrder, StateConflict
from dossier.model import JSON, Role, SequenceState
from dossier.register.codes import require_reference
from signer.sealing.levels import Level


class Step(enum.StrEnum):
    """One request to a sequence."""

    LEADER = "leader"
    NUMBER = "number"
    SEAL = "seal"
    ISSUE = "issue"  # number and seal in one go

    @property
    def parts(self) -> tuple[Step, ...]:
        """The parts of the sequence that it does."""
        return (Step.NUMBER, Step.SEAL) if self is Step.ISSUE else (self,)

    @property
    def role(self) -> Role:
        """Who may do it."""
        return Role.LEADER if self is Step.LEADER else Role.CLERK

    @property
    def reached(self) -> SequenceState:
        """The state once it is done."""
        return _REACHED[self]


_REACHED = {
    Step.LEADER: SequenceState.SIGNED,
    Step.NUMBER: SequenceState.NUMBERED,
    Step.SEAL: SequenceState.ISSUED,
    Step.ISSUE: SequenceState.ISSUED,
}
_NEXT = {
    SequenceState.DRAFT: (Step.LEADER,),
    SequenceState.SIGNED: (Step.NUMBER, Step.ISSUE),
    SequenceState.NUMBERED: (Step.SEAL,),
}
_NAMES = {
    Step.LEADER: ("người có thẩm quyền ký", "leader-signature"),
    Step.NUMBER: ("văn thư cấp số, ngày", "number"),
    Step.SEAL: ("đóng dấu cơ quan", "seal"),
    Step.ISSUE: ("văn thư cấp số, ngày và đóng dấu", "issue"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on a page: `page` from 1, `rect` (x0, y0, x1, y1) in points.

    The origin is the lower left of the page as it is seen.
    """

    page: int
    rect: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        if self.page < 1 or not all(map(math.isfinite, self.rect)):
            raise InvalidOrder(
                "Vị trí gồm page (từ 1) và rect [x0, y0, x1, y1] theo điểm, gốc ở góc dưới bên "
                "trái. / A place is a page from 1 and rect [x0, y0, x1, y1] in points from the "
                "lower left."
            )


@dataclass(frozen=True, slots=True)
class SequenceOrder:
    """What is to be issued: checked when made, immutable.

    `leader_key` and `agency_key` are labels of signing keys. `symbol` is what stands behind the
    number, as ``QĐ-UBND``, and names the book; `type_code` is the document's type (NĐ 30/2020,
    Phụ lục III.I). `expected_agency` has to be the organisation in the agency's certificate
    (K14). `number_place` and `date_place` are for documents without typed blanks. `level` is
    that of the finished document; `result_reference` is as in `SignatureOrder`.
    """

    leader_key: str
    agency_key: str
    symbol: str
    type_code: str | None = None
    level: Level = Level.B_LTA
    expected_agency: str | None = None
    reason: str | None = None
    location: str | None = None
    result_reference: str | None = None
    number_place: Place | None = None
    date_place: Place | None = None
    leader_profile: str = "P1"
    number_profile: str = "SO"
    date_profile: str = "NGAY"
    seal_profile: str = "P2"

    def __post_init__(self) -> None:
        """Raise `InvalidOrder` for what contradicts itself."""
        for name in ("leader_key", "agency_key", "symbol"):
            if not getattr(self, name).strip():
                raise InvalidOrder(f"Thiếu {name}. / {name} is missing; give it.", field=name)
        if self.leader_key == self.agency_key:
            raise InvalidOrder(
                "Khóa của người ký và khóa của cơ quan phải khác nhau. / The leader's key and the "
                "agency's key have to be two keys.",
                field="agency_key",
            )
        if self.type_code and not self.symbol.rpartition("/")[2].startswith(f"{self.type_code}-"):
            raise InvalidOrder(
                f"Ký hiệu “{self.symbol}” không bắt đầu bằng loại văn bản “{self.type_code}-”. / "
                "The symbol has to begin with the type code and a hyphen.",
                field="symbol",
            )
        require_reference(self.result_reference)

    def to_json(self) -> dict[str, JSON]:
        """As it is stored: what differs from the defaults."""
        found: dict[str, JSON] = {}
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if value != entry.default:
                found[entry.name] = _plain(value)
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> SequenceOrder:
        """Read what `to_json` wrote, or a client's JSON. Raises `InvalidOrder`."""
        known = {entry.name for entry in dataclasses.fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise InvalidOrder(
                f"Không có mục “{unknown[0]}”. / A sequence has no such entry.", field=unknown[0]
            )
        entries: dict[str, Any] = {k: v for k, v in value.items() if v is not None}
        try:
            for name in ("number_place", "date_place"):
                if name in entries:
                    entries[name] = _place(entries[name])
            if "level" in entries:
                entries["level"] = Level(entries["level"])
            return cls(**entries)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidOrder(
                f"Yêu cầu không đọc được: {error}. / The order cannot be read; correct it."
            ) from error


def _plain(value: Any) -> JSON:  # noqa: ANN401 - any entry of an order
    if isinstance(value, Place):
        return {"page": value.page, "rect": list(value.rect)}
    return value.value if isinstance(value, Level) else value


def _place(value: Mapping[str, JSON]) -> Place:
    x0, y0, x1, y1 = (float(side) for side in value["rect"])
    return Place(int(value["page"]), (x0, y0, x1, y1))


@dataclass(frozen=True, slots=True)
class StepDone:
    """Who did a part, when, with which key, and the document after it."""

    step: Step
    by: str
    name: str
    key: str
    at: str  # ISO 8601
    sha256: str
    request_id: str = ""
    facts: Mapping[str, JSON] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """As it is stored and shown."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> StepDone:
        """Read what `to_json` wrote."""
        return cls(**{**value, "step": Step(value["step"])})


@dataclass(frozen=True, slots=True)
class ClericalSequence:
    """A sequence at one moment. Digests are lower-case hex; `version` is its entity tag.

    `code` is the result code of the record that it becomes: the draft can be printed with it.
    """

    id: str
    agency_id: str
    state: SequenceState
    step_running: Step | None
    code: str
    order: SequenceOrder
    steps: tuple[StepDone, ...]
    source_sha256: str
    current_sha256: str
    number: int | None
    symbol: str
    year: int | None
    record_id: str | None
    error: JSON
    created_at: datetime
    version: int

    def done(self, step: Step) -> StepDone | None:
        """The part `step`, if it is done."""
        return next((part for part in self.steps if part.step is step), None)

    @property
    def next_steps(self) -> tuple[Step, ...]:
        """What may be asked next."""
        return _NEXT.get(self.state, ())


@dataclass(frozen=True, slots=True)
class Claim:
    """What makes a request repeatable: the client's Idempotency-Key and the request's digest."""

    key: str | None
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Numbering:
    """Number and date as the clerk gives them. `number` None: the next one of the book."""

    decided_on: date
    number: int | None = None

    def __post_init__(self) -> None:
        if self.number is not None and not 1 <= self.number <= 999_999:
            raise InvalidOrder(
                "Số văn bản từ 1 đến 999999. / A document number is 1 to 999999.", field="number"
            )


def require_step(sequence: ClericalSequence, step: Step) -> None:
    """Raise `StateConflict` unless `step` comes next (S5); the message names what does."""
    if sequence.step_running is not None:
        vi, en = _NAMES[sequence.step_running]
        raise StateConflict(
            f"Bước “{vi}” đang thực hiện; hãy đợi xong. / The step {en} is under way; wait for it."
        )
    expected = sequence.next_steps
    if step in expected:
        return
    asked_vi, asked_en = _NAMES[step]
    if not expected:
        raise StateConflict(
            f"Văn bản đã ở trạng thái “{sequence.state}”, không còn bước nào. / The sequence is "
            f"{sequence.state}; no step is left."
        )
    vi, en = _NAMES[expected[0]]
    raise StateConflict(
        f"Chưa đến bước “{asked_vi}”; bước tiếp theo là “{vi}”. / It is not the turn of "
        f"{asked_en}: the next step is {en}."
    )


def require_person(
    done: Sequence[StepDone], step: Step, principal_id: str, *, separated: bool
) -> None:
    """Raise `AccessRefused` when duties are separated and one person would do two parts (S6)."""
    if not separated:
        return
    if len(step.parts) > 1:
        raise AccessRefused(
            "Cơ quan quy định tách nhiệm vụ: cấp số và đóng dấu do hai người làm; hãy gọi từng "
            "bước number, seal. / The agency separates duties: numbering and sealing are done by "
            "two persons; ask for the steps number and seal apart."
        )
    for part in done:
        if part.by == principal_id:
            vi, en = _NAMES[part.step]
            raise AccessRefused(
                f"Người này đã làm bước “{vi}” nên không làm thêm bước khác (tách nhiệm vụ); hãy "
                f"để người khác làm. / The same person did {en} already and duties are separated; "
                "let somebody else do this step."
            )
