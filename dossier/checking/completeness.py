"""What is still missing before a check of a paper may end. Pure.

missing = missing_of(subject)      # empty: it may
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from dossier.checking.material import Material, OpenFinding, is_resolved
from dossier.checking.owners import (
    OWNER_BORN,
    OWNER_ID,
    OWNER_NAME,
    SOURCES,
    ProposedOwner,
    target_of,
)
from dossier.checking.values import About, Check, Entry, Paper, Target
from dossier.model import JSON


class Lack(enum.StrEnum):
    """Kinds of things that are missing."""

    FIELD = "field"
    WORD = "word"
    FINDING = "finding"
    PAGE_COUNT = "page-count"
    DOSSIER = "dossier"
    COMPONENT = "component"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing to do before a check ends. `target` is empty where it is about the whole paper.

    `proposed` is a value that may be confirmed as it is; empty: none is known.
    """

    kind: Lack
    target: str
    vi: str
    en: str
    proposed: str = ""

    @property
    def message(self) -> str:
        """What to do, Vietnamese and English."""
        return f"{self.vi} / {self.en}"

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "kind": self.kind.value,
            "target": self.target,
            "vi": self.vi,
            "en": self.en,
            "proposed": self.proposed,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """A paper as its check ends, by `checker` (a principal's id).

    `findings` are the blocking ones of the paper and the alarms of its stack that name its pages;
    `announced` is the number of pages of its component on the cover sheet, `present` those of all
    its papers (None: there is no sheet). `owner` is who owns it as known now; None: the rules in
    force do not demand to know.
    """

    paper: Paper
    material: Material
    entries: Mapping[str, Entry]
    findings: tuple[OpenFinding, ...]
    checker: str
    announced: int | None = None
    present: int | None = None
    owner: ProposedOwner | None = None


_OWNER_WORDS = {
    target_of(OWNER_ID): (
        "Xác nhận số định danh của chủ giấy tờ; để trống nếu không có",
        "confirm the identifier of the paper's owner; leave it empty where there is none",
    ),
    target_of(OWNER_NAME): (
        "Nhập họ tên hoặc tên tổ chức của chủ giấy tờ",
        "type the name of the paper's owner",
    ),
    target_of(OWNER_BORN): (
        "Nhập ngày sinh hoặc ngày thành lập của chủ giấy tờ, như 02/01/1990",
        "type when the paper's owner was born or established, like 02/01/1990",
    ),
}


def missing_of(subject: Subject) -> tuple[Missing, ...]:
    """All that is missing: D1, D4, findings, doubtful fields and words in order, the owner."""
    paper = subject.paper
    found = []
    if not paper.dossier_code:
        found.append(Missing(Lack.DOSSIER, "", "Chưa có mã hồ sơ (D1)", "no dossier code"))
    if not paper.component_code:
        found.append(
            Missing(Lack.COMPONENT, "", "Chưa có mã thành phần hồ sơ (D1)", "no component code")
        )
    if subject.announced is not None and subject.announced != subject.present:
        found.append(
            Missing(
                Lack.PAGE_COUNT,
                "",
                f"Tờ bìa ghi {subject.announced} trang, có {subject.present} trang (D4); hãy quét "
                "thêm hoặc bỏ trang thừa",
                f"the cover sheet says {subject.announced} pages, there are {subject.present}; "
                "scan what is missing or set aside what is too much",
            )
        )
    for finding in subject.findings:
        if not is_resolved(finding, subject.entries):
            found.append(Missing(Lack.FINDING, str(finding.target), finding.vi, finding.en))
    for target in required_targets(paper, subject.material):
        if not _is_confirmed(subject, target):
            found.append(_unconfirmed(target))
    told = {one.target for one in found}
    found += [one for one in owner_lacks(subject.owner) if one.target not in told]
    return tuple(found)


def owner_lacks(owner: ProposedOwner | None) -> tuple[Missing, ...]:
    """What is to be said of the owner: the digitization code is made of it (Điều 9.2.b, 10)."""
    if owner is None:
        return ()
    vi, en = SOURCES[owner.source]
    found = []
    for target in owner.asked:
        what_vi, what_en = _OWNER_WORDS[target]
        value = owner.value(target)
        told = f" ({vi}: {value})" if value else f" ({vi})"
        english = f" ({en}: {value})" if value else f" ({en})"
        found.append(Missing(Lack.OWNER, target, what_vi + told, what_en + english, value))
    return tuple(found)


def required_targets(paper: Paper, material: Material) -> tuple[str, ...]:
    """What this check has to confirm.

    The first one: what the machine doubts. Each later one also what a person said before; the
    third, after two who do not agree: what they dispute.
    """
    if paper.disputed:
        return paper.disputed
    said = [target for check in paper.checks for target in check.values]
    return tuple(dict.fromkeys((*material.doubtful, *said)))


def _is_confirmed(subject: Subject, target: str) -> bool:
    entry = subject.entries.get(target)
    if entry is None or not entry.is_confirmed:
        return False
    read = subject.material.readings.get(target)
    if entry.machine != (read.text if read else None):
        return False  # the page was read anew since then
    return subject.paper.checks_required == 1 or entry.by == subject.checker


def _unconfirmed(target: str) -> Missing:
    parsed = Target.parse(target)
    if parsed.about is About.FIELD:
        return Missing(Lack.FIELD, target, f"Chưa xác nhận {target}", f"{target} is not confirmed")
    what = "Chỗ có mực chưa đọc" if parsed.is_gap else "Từ chưa chắc"
    other = "a place with ink and no word" if parsed.is_gap else "a doubtful word"
    return Missing(Lack.WORD, target, f"{what}: {target}", f"{other} is not confirmed: {target}")


def said_by(entries: Mapping[str, Entry], checker: str) -> dict[str, str]:
    """What one person confirmed of fields and words, by target."""
    return {
        target: entry.value
        for target, entry in entries.items()
        if entry.is_confirmed and entry.by == checker and entry.target.about is not About.FINDING
    }


def disputed_of(before: tuple[Check, ...], said: Mapping[str, str]) -> tuple[str, ...]:
    """Targets for which somebody before confirmed another value. Silence disputes nothing."""
    last: dict[str, str] = {}
    for check in before:
        last.update(check.values)
    return tuple(target for target, value in said.items() if last.get(target, value) != value)
