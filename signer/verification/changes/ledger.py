"""What one incremental save touched, and what has been said about it so far."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from signer.verification.attacks import Attack
from signer.verification.file.pdf_objects import Dictionary, Name, Ref, Stream, Value, same
from signer.verification.file.references import Reference, References
from signer.verification.file.structure import Document
from signer.verification.report import Change

Slot = Callable[[Reference], bool]  # whether an object may be referred to from there

# what each kind of change is a trace of, where the rule that finds it does not say more
_ATTACKS = {
    "page": Attack.INCREMENTAL_SAVING,
    "annotation": Attack.EVIL_ANNOTATION,
    "form-value": Attack.SHADOW_REPLACE,
    "form": Attack.SHADOW_REPLACE,
    "metadata": Attack.INCREMENTAL_SAVING,
    "attachment": Attack.INCREMENTAL_SAVING,
    "catalogue": Attack.SHADOW_HIDE_AND_REPLACE,
    "signature-altered": Attack.SWAPPED_DICTIONARY,
    "appearance": Attack.SNEAKY_SIGNATURE,
    "object": Attack.INCREMENTAL_SAVING,
    "hidden-bytes": Attack.PARSER_DIFFERENTIAL,
}
_REWRITTEN = frozenset({"Page", "Annot", "Catalog"})  # programs write their numbers anew
_FONT_KEYS = frozenset({"ToUnicode", "Encoding", "CIDToGIDMap"})


class Ledger:
    """The objects that a save touched; each must be explained or judged, or it is guilty.

    New objects are explained by being reachable from something allowed; replaced ones are
    judged by the rule for what they were before. Either must have that one role: `close`
    looks for others.
    """

    def __init__(self, document: Document, revision: int, references: References) -> None:
        self.document = document
        self.number = revision
        self.old = document.view(revision - 1)
        self.new = document.view(revision)
        self.references = references
        self.explained: set[int] = set()
        self.judged: set[int] = set()
        self.found: list[Change] = []
        self.new_widgets: set[int] = set()
        self._slots: dict[int, list[Slot]] = {}

    def guilty(self, kind: str, detail: str, attack: Attack | None = None) -> None:
        """Note a change that no rule allows."""
        word = attack or _ATTACKS.get(kind)
        self.found.append(Change(kind, self.number + 1, False, detail, word))

    def allowed(self, kind: str, detail: str = "") -> None:
        """Note a change that is on the list."""
        self.found.append(Change(kind, self.number + 1, True, detail))

    @cached_property
    def touched(self) -> tuple[set[int], set[int]]:
        """Numbers whose value differs from before, and numbers that are new."""
        revision = self.document.revisions[self.number]
        modified: set[int] = set()
        added: set[int] = set()
        for number, entry in revision.entries.items():
            before = self.old.entry(number)
            if entry == before or (entry.is_free and before.is_free):
                continue
            if entry.is_free:
                self.guilty("object", f"object {number} was removed", Attack.SHADOW_HIDE)
                continue
            holder = revision.entries.get(entry.container) if entry.container else entry
            if holder is None or not revision.start <= holder.offset < revision.end:
                self.guilty(
                    "object", f"object {number} points outside its own revision",
                    Attack.SHADOW_HIDE_AND_REPLACE,
                )  # fmt: skip
            elif before.is_free:
                added.add(number)
            elif entry.generation != before.generation:
                # references name the generation: some readers no longer find the object
                self.guilty("object", f"object {number} has another generation", Attack.SHADOW_HIDE)
            elif not _same_to_readers(self.old.get(number), self.new.get(number)):
                modified.add(number)
        return modified, added

    def containers(self, added: set[int]) -> set[int]:
        """New cross-reference and object streams: they carry, they do not say."""
        own = self.document.revisions[self.number].stream_numbers
        found = set(own)
        for number in added:
            value = self.new.get(number)
            if isinstance(value, Stream) and value.dictionary.get("Type") == "ObjStm":
                found.add(number)
        return found

    def judge(self, value: Value, *slots: Slot) -> None:
        """Mark an indirect object whose content a rule compares, and where it may stand."""
        if isinstance(value, Ref):
            self.judged.add(value.number)
            self._slots.setdefault(value.number, []).extend(slots)

    def take(self, before: Value, after: Value, *slots: Slot) -> None:
        """An indirect container whose content is compared elsewhere."""
        for value in (before, after):
            if isinstance(value, Ref):
                self.judge(value, *slots)
                self.explained.add(value.number)

    def explain(self, value: Value) -> None:
        """New objects reachable from something allowed are allowed too."""
        _, added = self.touched
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, Ref):
                if item.number in added and item.number not in self.explained:
                    self.explained.add(item.number)
                    stack.append(self.new.get(item.number))
            elif isinstance(item, Stream):
                stack += item.dictionary.values()
            elif isinstance(item, Dictionary):
                stack += item.values()
            elif isinstance(item, list):
                stack += item

    def close(self) -> None:
        """Every touched object has one role: replaced ones theirs, new ones none before."""
        modified, added = self.touched
        for number in sorted(modified & self.judged):
            slots = self._slots.get(number, ())
            other = next(
                (
                    reference
                    for reference in self.references.to(number, self.old)
                    if not any(slot(reference) for slot in slots)
                ),
                None,
            )
            if other is not None:
                self.guilty(
                    self.kind_of(other.source),
                    f"object {number} was replaced, and object {other.source} uses it as "
                    f"{'/'.join(other.keys) or 'an element'}",
                    Attack.SHADOW_HIDE_AND_REPLACE,
                )
        for number in sorted(added):
            other = next(self.references.to(number, self.old), None)
            if other is not None:
                self.guilty(
                    self.kind_of(other.source),
                    f"object {number} fills a gap that object {other.source} had left as "
                    f"{'/'.join(other.keys) or 'an element'}",
                    Attack.SHADOW_HIDE_AND_REPLACE,
                )

    def is_left_over(self, number: int) -> bool:
        """True for what a signing tool drew and did not use: nothing in the file points at it.

        poppler leaves two more appearances than it needs, PDFBox a cross-reference stream beside
        its table. Only where the save holds a signature of its own, which covers them.
        """
        value = self.new.get(number)
        if not isinstance(value, Stream) or not self._is_signing:
            return False
        kind, subtype = value.dictionary.get("Type"), value.dictionary.get("Subtype")
        is_drawn = subtype == "Form" and kind in (None, "XObject")
        if not is_drawn and kind != "XRef":
            return False
        return next(self.references.to(number, self.new), None) is None

    @cached_property
    def _is_signing(self) -> bool:
        """True when this save fills a signature field."""
        before = {signature.object_number for signature in self.old.signatures()}
        return any(s.object_number not in before for s in self.new.signatures())

    def blame(self, number: int, verb: str) -> None:
        """Note a change of an object that no rule foresees, by what the object is."""
        self.guilty(self.kind_of(number), f"object {number} was {verb}", self._trace_of(number))

    def kind_of(self, number: int) -> str:
        """The best name for a change that no rule foresees."""
        value = self.old.get(number)
        if value is None:
            value = self.new.get(number)
        found = value.dictionary if isinstance(value, Stream) else value
        if not isinstance(found, Dictionary):
            return "object"
        kind, subtype = found.get("Type"), found.get("Subtype")
        if kind in ("EmbeddedFile", "Filespec"):
            return "attachment"
        if kind == "Annot" or subtype == "Widget":
            return "annotation"
        if kind == "Metadata":
            return "metadata"
        if kind in ("Page", "Pages", "Font", "FontDescriptor", "XObject") or "Font" in found:
            return "page"
        return "page" if isinstance(value, Stream) else "object"

    def _trace_of(self, number: int) -> Attack | None:
        """What the replacement of an object is a trace of; None for what its kind says."""
        old, new = self.old.get(number), self.new.get(number)
        used_as = {r.keys[-1] for r in self.references.to(number, self.old) if r.keys}
        before = old.dictionary if isinstance(old, Stream) else old
        after = new.dictionary if isinstance(new, Stream) else new
        if old is None or not isinstance(before, Dictionary):
            return None
        if used_as & _FONT_KEYS:
            return Attack.CONTENT_MASKING
        if before.get("Type") == "Font" and isinstance(after, Dictionary):
            differing = {k for k in _FONT_KEYS if not same(before.get(k), after.get(k))}
            return Attack.CONTENT_MASKING if differing else Attack.SHADOW_REPLACE
        if before.get("Type") == "FontDescriptor" or any(k.startswith("FontFile") for k in used_as):
            return Attack.SHADOW_REPLACE
        if before.get("Type") in ("OCG", "OCProperties", "OCMD"):
            return Attack.SHADOW_HIDE
        if before.get("Type") == "Pages":
            return Attack.SHADOW_HIDE_AND_REPLACE
        if isinstance(old, Stream) and not _draws(new):
            return Attack.SHADOW_HIDE
        if before.get("Subtype") in ("Form", "Image"):
            return Attack.SHADOW_REPLACE
        return None


def _same_to_readers(old: Value, new: Value) -> bool:
    is_rewritten = isinstance(old, Dictionary) and (
        old.get("Type") in _REWRITTEN or isinstance(old.get("FT"), Name)
    )
    return same(old, new, loosely=is_rewritten)


def _draws(value: Value) -> bool:
    return isinstance(value, Stream) and bool(value.raw.strip())
