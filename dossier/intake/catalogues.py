"""Catalogues that papers are checked against: document types, agencies, procedures.

    book = load_catalogues(None)    # dossier.intake.catalogue_files: the bundled, fictitious ones
    book.procedure("MAU.DD.01", day).components     # what a dossier of that procedure needs
    book.agencies_named("UBND xã Mẫu Sơn Thử")      # by name, whenever they were in force

Every entry has its legal basis and its first and last day (inclusive); a dossier keeps what held
when it began, so ask with its day. Values are immutable and picklable; reading the files is
`dossier.intake.catalogue_files`.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ocr.fields.doctypes import plain

CARD = "CARD"
"""Stands among `document_types` for an identity card, which is no type of NĐ 30/2020."""
FORM = "FORM"
"""Stands for an application or declaration on a form (đơn, tờ khai), which has no type either."""


@dataclass(frozen=True, slots=True)
class Validity:
    """The days on which an entry holds, both inclusive; `last` None: it still does."""

    first: dt.date
    last: dt.date | None
    legal_basis: str

    def holds(self, day: dt.date) -> bool:
        """Whether the entry is in force on `day` (in Vietnam)."""
        return self.first <= day and (self.last is None or day <= self.last)

    def overlaps(self, other: Validity) -> bool:
        """Whether there is a day on which both hold."""
        mine, theirs = self.last or dt.date.max, other.last or dt.date.max
        return self.first <= theirs and other.first <= mine


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A type of paper or a form of copy, by its code (`QĐ`, `SY`)."""

    code: str
    name: str
    is_copy: bool
    validity: Validity


class AgencyLevel(enum.StrEnum):
    """Where an agency stands; districts ended on 30 June 2025."""

    PROVINCE = "province"
    DEPARTMENT = "department"  # of a province: sở, ban
    DISTRICT = "district"
    COMMUNE = "commune"
    UNIT = "unit"  # of any of them: phòng, trung tâm, trường


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency that issues papers.

    `symbol` is its part of a symbol (`UBND` in `QĐ-UBND`), `parent` the name of the agency above
    it as papers print it (empty: none), `successors` the ids of those that took over.
    """

    id: str
    name: str
    level: AgencyLevel
    symbol: str
    parent: str
    successors: tuple[str, ...]
    validity: Validity


class PaperForm(enum.StrEnum):
    """Whether a component is handed in as the original or as a copy."""

    ORIGINAL = "original"
    COPY = "copy"
    EITHER = "either"


class Exclusion(enum.StrEnum):
    """Why a component may not be digitized (D7; TT 01/2023/TT-VPCP)."""

    SHARED_DATA = "shared-data"
    PHOTOCOPY = "photocopy"
    SHOW_ONLY = "show-only"
    STATE_SECRET = "secret"  # noqa: S105 - a kind of paper, no password


@dataclass(frozen=True, slots=True)
class RequiredComponent:
    """A paper that a procedure asks for (thành phần hồ sơ).

    `mandatory_kind` is 1 to 5 of NĐ 107/2021 Article 21a (what must be digitized), 0: on request.
    `document_types` are codes of the catalogue, `CARD` or `FORM`; `titles` are headings that the
    paper bears, `keywords` words that its first page has; `pages` the most it usually has.
    `exclusion` set: it is looked at and not digitized.
    """

    code: str
    name: str
    count: int
    form: PaperForm
    needs_red_seal: bool
    required: bool
    mandatory_kind: int
    exclusion: Exclusion | None
    document_types: tuple[str, ...]
    titles: tuple[str, ...]
    keywords: tuple[str, ...]
    pages: int | None

    @property
    def on_request(self) -> bool:
        """Whether it is digitized only when the citizen asks for it (D8)."""
        return self.mandatory_kind == 0


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure (thủ tục hành chính) as it stands in one period, with its components."""

    code: str
    name: str
    sector: str
    components: tuple[RequiredComponent, ...]
    validity: Validity

    def component(self, code: str) -> RequiredComponent | None:
        """The component with this code."""
        return next((c for c in self.components if c.code == code), None)


class Catalogues:
    """Types, agencies and procedures with all their periods. Immutable; threads may share it."""

    def __init__(
        self,
        types: Iterable[DocumentType],
        agencies: Iterable[Agency],
        procedures: Iterable[Procedure],
    ) -> None:
        self.types = tuple(types)
        self.agencies = tuple(agencies)
        self.procedures = tuple(procedures)
        self._by_name: dict[str, tuple[Agency, ...]] = {}
        for agency in self.agencies:
            key = name_key(agency.name)
            self._by_name[key] = (*self._by_name.get(key, ()), agency)

    def document_type(self, code: str, day: dt.date) -> DocumentType | None:
        """The type or form of copy with this code on `day`."""
        return next((t for t in self.types if t.code == code and t.validity.holds(day)), None)

    def type_names(self, day: dt.date) -> Mapping[str, str]:
        """The types' names by code on `day`, without the forms of copy."""
        return MappingProxyType(
            {t.code: t.name for t in self.types if not t.is_copy and t.validity.holds(day)}
        )

    def agency(self, agency_id: str, day: dt.date) -> Agency | None:
        """The agency with this id on `day`."""
        return next((a for a in self.agencies if a.id == agency_id and a.validity.holds(day)), None)

    def agencies_named(self, name: str, parent: str = "") -> tuple[Agency, ...]:
        """All agencies that a paper's words can mean, whenever they were in force.

        Case, `UBND`/`HĐND` and tone marks do not matter (a misread mark makes no other agency),
        but where some bear the very marks, only they are given. With `parent`, the agency above as
        the paper prints it, an office of that name below another agency is none of them.
        """
        found = self._by_name.get(name_key(name), ())
        if parent:
            above = name_key(parent)
            found = tuple(a for a in found if not a.parent or name_key(a.parent) == above)
        return tuple(a for a in found if same_spelling(a.name, name)) or found

    def successors(self, agency: Agency, day: dt.date) -> tuple[Agency, ...]:
        """Who took over from an agency and is in force on `day`, through any number of steps."""
        found: dict[str, Agency] = {}
        waiting, seen = list(agency.successors), {agency.id}
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            entries = [a for a in self.agencies if a.id == name]
            now = next((a for a in entries if a.validity.holds(day)), None)
            if now is not None:
                found[now.id] = now
            else:
                waiting += [s for a in entries for s in a.successors]
        return tuple(found.values())

    def procedure(self, code: str, day: dt.date) -> Procedure | None:
        """The procedure with this code as it stands on `day`."""
        held = (p for p in self.procedures if p.code == code and p.validity.holds(day))
        return next(held, None)

    def procedures_on(self, day: dt.date) -> Sequence[Procedure]:
        """All procedures in force on `day`, by code."""
        held = [p for p in self.procedures if p.validity.holds(day)]
        return sorted(held, key=lambda p: p.code)


def name_key(name: str) -> str:
    """An agency's name for comparison: no marks, no case, `UBND` and `HĐND` written out."""
    text = " ".join(re.findall(r"\w+", plain(name)))
    text = re.sub(r"\bubnd\b", "uy ban nhan dan", text)
    return re.sub(r"\bhdnd\b", "hoi dong nhan dan", text)


def same_spelling(one: str, other: str) -> bool:
    """Whether two names agree in their marks, too; case, `UBND` and `HĐND` do not matter."""
    return _spelling(one) == _spelling(other)


def _spelling(name: str) -> str:
    text = unicodedata.normalize("NFC", name).casefold()
    text = re.sub(r"\bubnd\b", "ủy ban nhân dân", text)
    text = re.sub(r"\bhđnd\b", "hội đồng nhân dân", text)
    return " ".join(re.findall(r"\w+", text.replace("uỷ", "ủy")))
