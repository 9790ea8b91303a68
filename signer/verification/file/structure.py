"""Bytes and revisions first: the file as its own cross-reference sections describe it.

Everything above works on `Document` and its `View` objects; nothing here repairs, guesses or
falls back. What is not ISO 32000-2 raises `PDFSyntaxError` and becomes MALFORMED.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property

from signer.verification.attacks import Attack
from signer.verification.file.object_streams import NOWHERE, read_object_stream
from signer.verification.file.pdf_objects import (
    MAX_DEPTH,
    Dictionary,
    IndirectObject,
    PDFString,
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
    parse_head,
    parse_indirect,
)
from signer.verification.file.stray import byte_range_keys, stream_data_around
from signer.verification.file.xref import Entry, Revision, read_revisions

MAX_FIELDS = 5000
MAX_PAGES = 20_000
MAX_SIGNATURES = 200
MAX_UNPACKED = 256 * 1024 * 1024  # bytes of all object streams of a file
_FREE = Entry()


@dataclass(frozen=True, slots=True)
class SignatureField:
    """A signature field that has a value, and what its dictionary says, unverified.

    `defined_in` is the index of the revision that holds the signature dictionary; None when
    the dictionary is not an indirect object of its own.
    """

    name: str
    field_number: int
    object_number: int
    dictionary: Dictionary
    sub_filter: str
    defined_in: int | None

    @property
    def is_timestamp(self) -> bool:
        """ETSI.RFC3161 is a timestamp whatever /Type says, and never a signer."""
        kind = self.dictionary.get("Type")
        return self.sub_filter == "ETSI.RFC3161" or kind == "DocTimeStamp"


class Document:
    """A PDF as bytes, revisions and objects. Read-only; not for use by several threads."""

    def __init__(self, data: bytes) -> None:
        """Raises `PDFSyntaxError` when header, revisions or trailers are not as they must be."""
        if not data.startswith(b"%PDF-"):
            raise PDFSyntaxError("the file does not begin with %PDF-")
        self.data = data
        self.revisions: tuple[Revision, ...] = read_revisions(data)
        self._parsed: dict[tuple[int, int], IndirectObject] = {}
        self._heads: dict[tuple[int, int], Value] = {}
        self._containers: dict[tuple[int, int], dict[int, tuple[int, Value]]] = {}
        self._unpacked = 0
        self._views: dict[int, View] = {}

    @property
    def is_encrypted(self) -> bool:
        """True when any trailer names an /Encrypt dictionary."""
        return any("Encrypt" in revision.trailer for revision in self.revisions)

    @property
    def current(self) -> View:
        """The file as it is now."""
        return self.view(len(self.revisions) - 1)

    def view(self, revision: int) -> View:
        """The file as it was when `revision` was its last."""
        if revision not in self._views:
            self._views[revision] = View(self, revision)
        return self._views[revision]

    def revision_ending_at(self, end: int) -> int | None:
        """The revision whose %%EOF (and line ends, or a part of them) ends at `end`."""
        for revision in self.revisions:
            if revision.mark_end <= end <= revision.end:
                return revision.index
        return None

    def object_at(self, view: View, entry: Entry, number: int) -> IndirectObject:
        """The uncompressed object `number` where `entry` says, parsed once."""
        offset = entry.offset
        key = (offset, number)
        if key not in self._parsed:
            item = parse_indirect(self.data, offset, view.length)
            if (item.number, item.generation) != (number, entry.generation):
                raise PDFSyntaxError(
                    f"object {number} is said to be at byte {offset}, but is not",
                    Attack.PARSER_DIFFERENTIAL,
                )
            self._parsed[key] = item
        return self._parsed[key]

    def head_at(self, entry: Entry, number: int) -> Value:
        """The value of the uncompressed object `number`; of a stream its dictionary alone."""
        key = (entry.offset, number)
        if key in self._parsed:
            value = self._parsed[key].value
            return value.dictionary if isinstance(value, Stream) else value
        if key not in self._heads:
            said, generation, value = parse_head(self.data, entry.offset)
            if (said, generation) != (number, entry.generation):
                raise PDFSyntaxError(
                    f"object {number} is said to be at byte {entry.offset}, but is not",
                    Attack.PARSER_DIFFERENTIAL,
                )
            self._heads[key] = value
        return self._heads[key]

    def contained(self, view: View, container: int, entry: Entry) -> dict[int, tuple[int, Value]]:
        """The objects of an object stream: position and value, by number."""
        key = (container, entry.offset)
        if key not in self._containers:
            item = self.object_at(view, entry, container)
            found, size = read_object_stream(item)
            self._unpacked += size
            if self._unpacked > MAX_UNPACKED:
                raise PDFSyntaxError(f"the object streams unpack to more than {MAX_UNPACKED} bytes")
            self._containers[key] = found
        return self._containers[key]

    @cached_property
    def history(self) -> dict[int, list[tuple[int, Entry]]]:
        """What the revisions say of each object number, oldest first: (revision, entry)."""
        out: dict[int, list[tuple[int, Entry]]] = {}
        for revision in self.revisions:
            for number, entry in revision.entries.items():
                out.setdefault(number, []).append((revision.index, entry))
        return out

    @cached_property
    def object_offsets(self) -> list[int]:
        """Offsets of all uncompressed objects of all revisions, ascending."""
        return sorted(
            {e.offset for r in self.revisions for e in r.entries.values() if e.offset >= 0}
        )

    @cached_property
    def unlisted_fields(self) -> tuple[int, ...]:
        """Signed fields that pages show and /Fields of the form leaves out, by object number.

        poppler 22.12 forgets the list where /AcroForm is a direct dictionary. Readers show such a
        signature, so it is judged like any other. Looked for only where a /ByteRange says so.
        """
        listed = [f for _, _, f, kind in self.current.listed_fields() if kind == "Sig"]
        values = [self.current.dictionary(field.get("V")) for field in listed]
        known = [d for d in (*values, *self.current.usage_rights()) if d is not None]
        if next(self.stray_byte_ranges([(d.start, d.end) for d in known]), None) is None:
            return ()
        # a field that was listed once was taken out: that is no forgetfulness
        numbers = {
            number
            for revision in self.revisions
            for _, number, _, _ in self.view(revision.index).listed_fields()
        }
        return tuple(dict.fromkeys(self.current.unlisted_fields(numbers)))

    @cached_property
    def _byte_ranges(self) -> list[int]:
        return byte_range_keys(self.data)

    def stray_byte_ranges(self, known: list[tuple[int, int]]) -> Iterator[int]:
        """Offsets of /ByteRange keys outside the `known` dictionaries.

        Hits inside the data of a stream do not count: an attached PDF may be signed too.
        """
        inside = range(0)  # the data of the stream that the last hit was in: read once
        for at in self._byte_ranges:
            if at in inside or any(start <= at < end for start, end in known):
                continue
            inside = stream_data_around(self.data, self.object_offsets, at, self.current.length)
            if at not in inside:
                yield at


class View:
    """The objects of the file at one revision."""

    def __init__(self, document: Document, revision: int) -> None:
        self._document = document
        self.revision = revision

    @property
    def trailer(self) -> Dictionary:
        """The newest trailer of this view."""
        return self._document.revisions[self.revision].trailer

    def entry(self, number: int) -> Entry:
        """Where object `number` is; a free entry when there is none."""
        history = self._document.history.get(number)
        if history is None:
            return _FREE
        for revision, entry in reversed(history):
            if revision <= self.revision:
                return entry
        return _FREE

    def numbers(self) -> Iterator[int]:
        """The objects that there are."""
        for number in self._document.history:
            if not self.entry(number).is_free:
                yield number

    def get(self, number: int) -> Value:
        """The value of object `number`; None when there is none. Raises `PDFSyntaxError`."""
        entry = self.entry(number)
        if entry.container:
            holder = self.entry(entry.container)
            if holder.offset < 0:
                raise PDFSyntaxError(f"the object stream {entry.container} is missing")
            values = self._document.contained(self, entry.container, holder)
            # some readers go by the number, others by the position: both must say the same
            index, value = values.get(number, (NOWHERE, None))
            if index != entry.index:
                raise PDFSyntaxError(
                    f"object {number} is not in its place in stream {entry.container}",
                    Attack.PARSER_DIFFERENTIAL,
                )
            return value
        if entry.offset < 0:
            return None
        return self._document.object_at(self, entry, number).value

    def resolve(self, value: Value) -> Value:
        """Follow references until a direct value. Raises `PDFSyntaxError`.

        A reference to another generation would be null to some readers and the object to others.
        """
        for _ in range(32):
            if not isinstance(value, Ref):
                return value
            entry = self.entry(value.number)
            if not entry.is_free and value.generation != entry.generation:
                raise PDFSyntaxError(
                    f"{value.number} {value.generation} R names no such generation"
                )
            value = self.get(value.number)
        raise PDFSyntaxError("a chain of references does not end")

    def length(self, ref: Ref) -> Value:
        """A /Length given by reference."""
        entry = self.entry(ref.number)
        if entry.offset < 0:
            raise PDFSyntaxError(f"the length {ref.number} is missing")
        return parse_indirect(self._document.data, entry.offset).value

    def dictionary(self, value: Value) -> Dictionary | None:
        """The dictionary that `value` is or refers to.

        A stream is none, though some readers take its dictionary: it could be a form's field to
        them and a page's content to others.
        """
        value = self.resolve(value)
        return value if isinstance(value, Dictionary) else None

    def array(self, value: Value) -> list[Value]:
        """The array that `value` is or refers to; empty when it is none."""
        value = self.resolve(value)
        return value if isinstance(value, list) else []

    @cached_property
    def root(self) -> Dictionary:
        """The catalogue. Raises `PDFSyntaxError` when there is none."""
        root = self.dictionary(self.trailer.get("Root"))
        if root is None or root.get("Type") != "Catalog":
            raise PDFSyntaxError("the file has no document catalogue")
        return root

    @cached_property
    def acro_form(self) -> Dictionary:
        """The interactive form; empty when there is none."""
        return self.dictionary(self.root.get("AcroForm")) or Dictionary()

    def pages(self) -> Iterator[tuple[int, Dictionary]]:
        """The pages with their object numbers; bounded."""
        stack: list[Value] = [self.root.get("Pages")]
        seen: set[int] = set()
        while stack and len(seen) < MAX_PAGES:
            item = stack.pop()
            node = self.dictionary(item)
            if not isinstance(item, Ref) or item.number in seen or node is None:
                continue
            seen.add(item.number)
            if node.get("Type") == "Page":
                yield item.number, node
            stack += self.array(node.get("Kids"))

    def fields(self) -> Iterator[tuple[str, int, Dictionary, str]]:
        """All that `listed_fields` gives, then the signed fields that the form leaves out."""
        yield from self.listed_fields()
        for number in self._document.unlisted_fields:
            field = self.dictionary(Ref(number, 0))
            if field is not None:
                name = field.get("T")
                yield text(name.value) if isinstance(name, PDFString) else "", number, field, "Sig"

    def unlisted_fields(self, listed: Container[int]) -> Iterator[int]:
        """Widgets of pages that are signed fields by themselves and not among the `listed`."""
        for _, page in self.pages():
            for item in self.array(page.get("Annots")):
                if isinstance(item, Ref) and item.generation == 0 and item.number not in listed:
                    field = self.dictionary(item) or Dictionary()
                    if field.get("FT") == "Sig" and "V" in field and "Parent" not in field:
                        yield item.number

    def listed_fields(self) -> Iterator[tuple[str, int, Dictionary, str]]:
        """Terminal and inner fields: full name, object number, dictionary, inherited /FT."""
        stack = [(item, "", "", 1) for item in reversed(self.array(self.acro_form.get("Fields")))]
        seen: set[int] = set()
        looked_at = 0  # direct fields have no number that could repeat
        while stack:
            item, parent, inherited, depth = stack.pop()
            number = item.number if isinstance(item, Ref) else 0
            if number and number in seen:
                raise PDFSyntaxError("the form's fields contain a loop")
            seen.add(number)
            looked_at += 1
            if depth > MAX_DEPTH:
                raise PDFSyntaxError("the form's fields are nested too deeply or contain a loop")
            if looked_at > MAX_FIELDS:
                raise PDFSyntaxError(f"the form has more than {MAX_FIELDS} fields")
            found = self.dictionary(item)
            if found is None:
                continue
            part = found.get("T")
            label = text(part.value) if isinstance(part, PDFString) else ""
            name = ".".join(p for p in (parent, label) if p)
            kind = found.get("FT", inherited)
            yield name, number, found, str(kind)
            kids = reversed(self.array(found.get("Kids")))
            stack += [(kid, name, str(kind), depth + 1) for kid in kids]

    def signatures(self) -> list[SignatureField]:
        """The signed signature fields, in the order of the form. Raises `PDFSyntaxError`."""
        out: list[SignatureField] = []
        for name, number, found, kind in self.fields():
            value = found.get("V")
            if kind != "Sig" or value is None:
                continue
            dictionary = self.dictionary(value)
            if dictionary is None:
                raise PDFSyntaxError(f"the signature field {name!r} has a damaged value")
            target = value.number if isinstance(value, Ref) else 0
            out.append(
                SignatureField(
                    name, number, target, dictionary, str(dictionary.get("SubFilter", "")),
                    self._defined_in(target),
                )
            )  # fmt: skip
            if len(out) > MAX_SIGNATURES:
                raise PDFSyntaxError(f"the file has more than {MAX_SIGNATURES} signatures")
        return out

    def usage_rights(self) -> list[Dictionary]:
        """The signatures of /Perms that enable a reader's functions (ISO 32000-1, 12.8.2.3)."""
        permissions = self.dictionary(self.root.get("Perms")) or Dictionary()
        found = [self.dictionary(permissions.get(key)) for key in ("UR", "UR3")]
        return [dictionary for dictionary in found if dictionary is not None]

    def _defined_in(self, number: int) -> int | None:
        """The newest revision that defines object `number` outside an object stream."""
        for index in range(self.revision, -1, -1):
            entry = self._document.revisions[index].entries.get(number)
            if entry is not None:
                return index if entry.offset >= 0 else None
        return None


def text(raw: bytes) -> str:
    """A PDF text string as Unicode (ISO 32000-2, 7.9.2.2); damaged parts are replaced."""
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "replace")
    if raw.startswith(b"\xff\xfe"):
        return raw[2:].decode("utf-16-le", "replace")
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw[3:].decode("utf-8", "replace")
    return raw.decode("latin-1")
