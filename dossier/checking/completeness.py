"""What is still missing before a check of a paper may end. Pure.

missing = missing_of(subject)      # empty: it may
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from dossier.checking.material import Material, OpenFinding, is_resolved
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


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing to do before a check ends. `target` is empty where it is about the whole paper."""

    kind: Lack
    target: str
    vi: str
    en: str

    @property
    def message(self) -> str:
        """What to do, Vietnamese and English."""
        return f"{self.vi} / {self.en}"

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {"kind": self.kind.value, "target": self.target, "vi": self.vi, "en": self.en}


@dataclass(frozen=True, slots=True)
class Subject:
    """A paper as its check ends, by `checker` (a principal's id).

    `findings` are the blocking ones of the paper and the alarms of its stack that name its pages;
    `announced` is the number of pages of its component on the cover sheet, `present` those of all
    its papers (None: there is no sheet).
    """

    paper: Paper
    material: Material
    entries: Mapping[str, Entry]
    findings: tuple[OpenFinding, ...]
    checker: str
    announced: int | None = None
    present: int | None = None


def missing_of(subject: Subject) -> tuple[Missing, ...]:
    """All that is missing: D1, D4, findings, then doubtful fields and words in their order."""
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
