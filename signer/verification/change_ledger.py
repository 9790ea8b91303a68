"""What one incremental save touched, and what has been said about it so far."""

from __future__ import annotations

from functools import cached_property

from signer.verification.pdf_objects import Dictionary, Ref, Stream, Value
from signer.verification.report import Change
from signer.verification.structure import Document


class Ledger:
    """The objects that a save touched; each must be explained or judged, or it is guilty.

    New objects are explained by being reachable from something allowed; replaced ones are
    judged by the rule for what they were before.
    """

    def __init__(self, document: Document, revision: int) -> None:
        self.document = document
        self.number = revision
        self.old = document.view(revision - 1)
        self.new = document.view(revision)
        self.explained: set[int] = set()
        self.judged: set[int] = set()
        self.found: list[Change] = []
        self.new_widgets: set[int] = set()

    def guilty(self, kind: str, detail: str) -> None:
        """Note a change that no rule allows."""
        self.found.append(Change(kind, self.number + 1, False, detail))

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
                self.guilty("object", f"object {number} was removed")
                continue
            holder = revision.entries.get(entry.container) if entry.container else entry
            if holder is None or not revision.start <= holder.offset < revision.end:
                self.guilty("object", f"object {number} points outside its own revision")
            elif before.is_free:
                added.add(number)
            elif self.old.get(number) != self.new.get(number):
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

    def judge(self, value: Value) -> None:
        """Mark an indirect object whose content a rule compares."""
        if isinstance(value, Ref):
            self.judged.add(value.number)

    def take(self, before: Value, after: Value) -> None:
        """An indirect container whose content is compared elsewhere."""
        for value in (before, after):
            if isinstance(value, Ref):
                self.judged.add(value.number)
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
