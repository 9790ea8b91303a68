"""Which of the later changes each signature allows (step 8 of `verify`).

Every save is compared once with the state before it (`changes.Step`); a signature answers for
the saves behind its own. Certification narrows what is allowed: DocMDP and FieldMDP
(ISO 32000-2, 12.8.2.2 and 12.8.2.4). Form filling and annotations are never allowed on an
issued decision, whatever DocMDP says (`security.md` 3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from signer.verification.attacks import Attack
from signer.verification.changes.saves import Step
from signer.verification.changes.widgets import Placement, placements
from signer.verification.file.pdf_objects import Dictionary, PDFString
from signer.verification.file.references import References
from signer.verification.file.structure import Document, View, text
from signer.verification.report import Change, Checklist, Integrity, SubIndication
from signer.verification.signature.examination import Examined
from signer.verification.summary import Facts


class Changes:
    """The saves behind the first signature, each compared with the one before."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._steps: dict[int, tuple[Change, ...]] = {}
        self._references: References | None = None
        self._placed: Mapping[int, Placement] = {}

    def apply(self, items: list[Examined], facts: dict[int, Facts], checks: Checklist) -> None:
        """Put its changes into each signature's facts, and the verdict into its checks."""
        for item in items:
            if item.coverage is None:
                continue
            found = tuple(
                change
                for revision in range(item.coverage.revision + 1, len(self._document.revisions))
                for change in self._step(revision)
            )
            if not item.field.is_timestamp:
                found = tuple(_narrowed(found, item, facts, self._document))
            facts[id(item)].changes = found
            forbidden = [change for change in found if not change.allowed]
            target = item.checks
            if forbidden:
                target.failed(
                    "changes", SubIndication.HASH_FAILURE,
                    "; ".join(f"{c.kind}: {c.detail}" for c in forbidden[:8]), Integrity.CHANGED,
                    attack=next((c.attack for c in forbidden if c.attack), None),
                )  # fmt: skip
            else:
                target.passed("changes", ", ".join(dict.fromkeys(c.kind for c in found)))
        if not any(item.coverage for item in items):
            checks.warn("changes", "no signature says what it covers")

    def _step(self, revision: int) -> tuple[Change, ...]:
        if self._references is None:
            self._references = References(self._document)
            self._placed = placements(self._document)
        if revision not in self._steps:
            step = Step(self._document, revision, self._references, self._placed)
            self._steps[revision] = step.changes()
        return self._steps[revision]


def _narrowed(
    found: tuple[Change, ...], item: Examined, facts: dict[int, Facts], document: Document
) -> list[Change]:
    """Changes after one signature, with its own DocMDP and FieldMDP applied."""
    view = document.current
    permission, locked = transforms(view, item.field.dictionary)
    facts[id(item)].certification = permission
    out: list[Change] = []
    for change in found:
        if change.allowed and change.kind == "signature":
            if permission == 1:
                change = dataclasses.replace(
                    change, allowed=False, detail=f"{change.detail}: certified against all changes",
                    attack=Attack.SNEAKY_SIGNATURE,
                )  # fmt: skip
            elif locked is not None and locked.forbids(change.detail):
                change = dataclasses.replace(
                    change, allowed=False, detail=f"{change.detail}: the field was locked",
                    attack=Attack.SNEAKY_SIGNATURE,
                )  # fmt: skip
        out.append(change)
    return out


@dataclasses.dataclass(frozen=True, slots=True)
class FieldLock:
    """A FieldMDP transform: which fields may no longer change."""

    action: str
    fields: frozenset[str]

    def forbids(self, name: str) -> bool:
        """True when the field `name` is locked; unknown actions lock everything."""
        listed = any(name == f or name.startswith(f"{f}.") for f in self.fields)
        if self.action == "Include":
            return listed
        return not listed if self.action == "Exclude" else True


def transforms(view: View, signature: Dictionary) -> tuple[int | None, FieldLock | None]:
    """DocMDP /P (None when the signature does not certify) and the FieldMDP lock."""
    permission: int | None = None
    lock: FieldLock | None = None
    for item in view.array(signature.get("Reference")):
        reference = view.dictionary(item) or Dictionary()
        parameters = view.dictionary(reference.get("TransformParams")) or Dictionary()
        method = reference.get("TransformMethod")
        if method == "DocMDP":
            level = view.resolve(parameters.get("P", 2))
            permission = level if isinstance(level, int) and level in (1, 2, 3) else 1
        elif method == "FieldMDP":
            names = frozenset(
                text(name.value)
                for name in map(view.resolve, view.array(parameters.get("Fields")))
                if isinstance(name, PDFString)
            )
            lock = FieldLock(str(parameters.get("Action", "All")), names)
    return permission, lock
